/** The session that an AuthFetch carries: what an app calls, and what it listens to. */
import { abortable } from './coordination/abortable.ts'
import { AuthError } from './errors.ts'
import { type AuthEvents, notify } from './events.ts'
import { isExpiring, type Live, remainingMs } from './live.ts'
import { refresh } from './pipeline/refresh.ts'
import type { Pipeline } from './pipeline/shared-session.ts'
import type { SessionSnapshot, TokenResponse, TokenSet } from './ports.ts'
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

export function createSession(pipeline: Pipeline): AuthSession {
  const { shared, settings, events } = pipeline
  const { engine } = shared
  const subscribers = new Set<() => void>()
  let seen = shared.snapshot()

  const detach = shared.attach()
  const endChanges = engine.onChange((change) => {
    if (change.event !== 'status') events.emit(change.event, change.payload as never)
    const snapshot = shared.snapshot()
    if (snapshot === seen) return
    seen = snapshot
    for (const subscriber of [...subscribers]) notify(subscriber)
  })
  const dispose = (): void => {
    detach()
    endChanges()
    subscribers.clear()
    events.clear()
  }

  return {
    async signIn(tokens) {
      await engine.signIn(receiveTokens(tokens))
    },

    async signOut() {
      shared.login?.decline()
      await engine.signOut()
    },

    async tokens(options) {
      const { minValidityMs, signal } = { __proto__: null, ...options } as NonNullable<typeof options>
      await abortable(engine.loading() ?? Promise.resolve(), signal)
      const base = engine.current()
      if (settings.refresh && !shared.reentry.isInside(signal) && isDue(base)) {
        const outcome = await abortable(refresh(shared, settings, base, 'expiring'), signal)
        if (outcome.kind === 'failed' && (base === null || remainingMs(base) <= 0)) throw outcome.error
      }
      return copyOf(engine.current())

      function isDue(live: Live | null): boolean {
        if (live === null) return !engine.isVacant()
        if (minValidityMs === undefined) return isExpiring(live, settings.refreshMarginMs)
        return remainingMs(live) <= minValidityMs
      }
    },

    async refresh(rejectedAccessToken) {
      if (shared.reentry.isInside()) {
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
    },

    snapshot: () => shared.snapshot(),
    subscribe(listener) {
      const entry = (): void => listener()
      subscribers.add(entry)
      return () => void subscribers.delete(entry)
    },
    on: (event, listener) => events.on(event, listener),
    dispose,
    [Symbol.dispose ?? Symbol.for('Symbol.dispose')]: dispose,
  }
}
