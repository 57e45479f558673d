/** The session that an AuthFetch carries: what an app calls, and what it listens to. */
import { abortable } from './coordination/abortable.ts'
import { AuthError } from './errors.ts'
import { type AuthEvents, Events, Subscribers } from './events.ts'
import { isExpiring, type Live, remainingMs } from './live.ts'
import type { Settings } from './options.ts'
import { refresh } from './pipeline/refresh.ts'
import type { Pipeline, SharedSession } from './pipeline/shared-session.ts'
import type { SessionSnapshot, TokenResponse, TokenSet } from './ports.ts'
import type { Change, ChangeListener } from './session.ts'
import { receiveTokens } from './tokens.ts'

export interface AuthSession {
  /**
   * Starts a session, in place of any other; requests that wait for a login resume.
   *
   * @param tokens `true`: the credential lives elsewhere (an HttpOnly cookie)
   * @throws AuthError `unusable-token-response` or `invalid-token`; TypeError `ERR_TOKENS`
   */
  signIn(tokens: TokenSet | TokenResponse | { access_token: string } | true): Promise<void>
  /** Ends the session here and in the store. Wins over any refresh in flight. */
  signOut(): Promise<void>
  /**
   * The current tokens, refreshed first when they expire within `minValidityMs`. null = signed out, or a cookie session.
   *
   * @param options `minValidityMs`: milliseconds, default `refreshMarginMs`; `signal`: ends the waiting, not the refresh
   * @throws AuthError `refresh-unavailable` or `refresh-timeout` where they have expired and cannot be refreshed for now
   */
  tokens(options?: { minValidityMs?: number | undefined; signal?: AbortSignal | undefined }): Promise<TokenSet | null>
  /**
   * Refreshes, unless `rejectedAccessToken` is given and is no longer the current one: then the current tokens come back at
   * once. null = the session is over.
   *
   * @throws AuthError `refresh-unavailable`, `refresh-timeout`, or `reentrant-refresh` when called from the refresher
   */
  refresh(rejectedAccessToken?: string): Promise<TokenSet | null>
  /** What a view shows: frozen, the same object until something changes, and never a secret. */
  snapshot(): SessionSnapshot
  /** Tells when `snapshot()` changes; with it, the shape of React's `useSyncExternalStore`. Bound. Returns what ends it. */
  subscribe(listener: () => void): () => void
  /** Listens to one event; what a listener throws is its own. Returns what ends it. */
  on<E extends keyof AuthEvents>(event: E, listener: (payload: AuthEvents[E]) => void): () => void
  /** Ends timers, listeners and channels; also `[Symbol.dispose]`. Requests still work, with the tokens that are known. */
  dispose(): void
  [Symbol.dispose](): void
}

const copyOf = (live: Live | null): TokenSet | null => (live?.tokens ? { ...live.tokens } : null)

const MEMBERS = ['signIn', 'signOut', 'tokens', 'refresh', 'snapshot', 'subscribe', 'on', 'dispose'] as const
export type Members = Pick<AuthSession, (typeof MEMBERS)[number]>

/** One instance's session: what the stages of its requests work with, and what its members do. */
export class Session implements Members, Pipeline, ChangeListener {
  readonly shared: SharedSession
  readonly settings: Settings
  readonly events: Events = new Events()
  readonly #subscribers = new Subscribers()
  /** What the subscribers were last told of. */
  #seen: SessionSnapshot | null = null

  constructor(shared: SharedSession, settings: Settings) {
    this.shared = shared
    this.settings = settings
    shared.attach(this)
  }

  onChange(change: Change): void {
    if (change.event !== 'status') this.events.emit(change.event, change.payload as never)
    if (this.#seen === null) return
    const snapshot = this.shared.snapshot()
    if (snapshot === this.#seen) return
    this.#seen = snapshot
    this.#subscribers.tell()
  }

  async signIn(tokens: Parameters<AuthSession['signIn']>[0]): Promise<void> {
    await this.shared.engine.signIn(receiveTokens(tokens))
  }

  async signOut(): Promise<void> {
    this.shared.login?.decline()
    await this.shared.engine.signOut()
  }

  async tokens(options?: Parameters<AuthSession['tokens']>[0]): Promise<TokenSet | null> {
    const { shared, settings } = this
    const { engine, reentry } = shared
    const { minValidityMs, signal } = { __proto__: null, ...options } as NonNullable<typeof options>
    const isDue = (live: Live | null): boolean => {
      if (live === null) return !engine.isVacant()
      if (minValidityMs === undefined) return isExpiring(live, settings.refreshMarginMs)
      return remainingMs(live) <= minValidityMs
    }
    await abortable(engine.loading() ?? Promise.resolve(), signal)
    const base = engine.current()
    if (settings.refresh && !reentry.isInside(signal) && isDue(base)) {
      const outcome = await abortable(refresh(shared, settings, base, 'expiring'), signal)
      if (outcome.kind === 'failed' && (base === null || remainingMs(base) <= 0)) throw outcome.error
    }
    return copyOf(engine.current())
  }

  async refresh(rejectedAccessToken?: string): Promise<TokenSet | null> {
    const { shared, settings } = this
    const { engine, reentry } = shared
    if (reentry.isInside()) {
      throw new AuthError(
        'reentrant-refresh',
        'Expected the refresher not to ask for a refresh: it would wait for itself',
      )
    }
    await engine.loading()
    const base = engine.current()
    if (rejectedAccessToken !== undefined && base?.tokens?.accessToken !== rejectedAccessToken) return copyOf(base)
    if (settings.refresh === undefined) {
      throw new AuthError('refresh-unavailable', 'Expected the option `refresh`: without it nothing can be refreshed')
    }
    const outcome = await refresh(shared, settings, base, 'requested')
    if (outcome.kind === 'failed') throw outcome.error
    return copyOf(engine.current())
  }

  snapshot(): SessionSnapshot {
    return this.shared.snapshot()
  }

  subscribe(listener: () => void): () => void {
    this.#seen ??= this.shared.snapshot()
    return this.#subscribers.add(listener)
  }

  on<E extends keyof AuthEvents>(event: E, listener: (payload: AuthEvents[E]) => void): () => void {
    return this.events.on(event, listener)
  }

  dispose(): void {
    this.shared.detach(this)
    this.#seen = null
    this.#subscribers.clear()
    this.events.clear()
  }
}

const SESSION = Symbol('session')

interface Carrier {
  readonly [SESSION]: Record<string, unknown>
}

/** A member that works when it is taken off; made by the first who asks, and then always the same. */
function bound({ [SESSION]: session }: Carrier, name: string): (...args: unknown[]) => unknown {
  if (!Object.hasOwn(session, name)) session[name] = (session[name] as (...args: unknown[]) => unknown).bind(session)
  return session[name] as (...args: unknown[]) => unknown
}

/** On no prototype, because a polluted one would say more about them (O4). */
const ACCESSORS = Object.fromEntries(
  MEMBERS.map((name) => {
    const accessor = {
      __proto__: null,
      configurable: true,
      enumerable: true,
      get(this: Carrier | undefined) {
        if (this) return bound(this, name)
        // Spies (vitest's) call a getter on nothing, and what it gives on the object.
        return function (this: Carrier, ...args: unknown[]) {
          return bound(this, name)(...args)
        }
      },
      set(this: Carrier, value: unknown) {
        const member = { __proto__: null, value, writable: true, enumerable: true, configurable: true }
        Object.defineProperty(this, name, member as PropertyDescriptor)
      },
    }
    return [name, accessor as PropertyDescriptor]
  }),
)

/** Gives a function the members of a session, as its own: a few kilobytes of methods for all of them, instead of each. */
export function carrying<F extends object>(session: Members, carrier: F): F & AuthSession {
  return Object.defineProperties(carrier, {
    [SESSION]: { __proto__: null, value: session } as PropertyDescriptor,
    ...ACCESSORS,
    [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: ACCESSORS.dispose as PropertyDescriptor,
  }) as F & AuthSession
}
