/**
 * What all instances on one store object share: the engine, the refresh under way, the login under way, and the memory of what
 * failed. Two modules, a hot reload or React's StrictMode thus make one session, not two that spend each other's tokens (C5).
 */
import { SingleFlight } from '../coordination/single-flight.ts'
import { NONE } from '../coordination/steady-store.ts'
import type { AuthError } from '../errors.ts'
import type { Events } from '../events.ts'
import type { Live } from '../live.ts'
import type { Settings } from '../options.ts'
import type { SessionSnapshot, TokenStore } from '../ports.ts'
import { type Change, type ChangeListener, Engine, type SessionEngine } from '../session.ts'
import type { TokenSet } from '../tokens.ts'
import { Backoff } from './backoff.ts'
import { Breaker } from './breaker.ts'
import { Reentry } from './reentry.ts'

/** How a refresh ended, for everyone who waited for it. */
export type RefreshOutcome =
  /** Newer tokens are current; `isAdopted` where someone else got them, `hasAsked` where the refresher ran all the same. */
  | { kind: 'fresh'; isAdopted: boolean; hasAsked: boolean }
  /** Refused for good: the session is cleared. */
  | { kind: 'over' }
  /** The session was signed out, or another took its place, in the meantime. */
  | { kind: 'ended' }
  | { kind: 'failed'; error: AuthError }

/** How a login ended, for everyone who was parked on it. */
export type LoginOutcome = { kind: 'resumed' } | { kind: 'declined' } | { kind: 'threw'; value: unknown }

export interface LoginUnderWay {
  readonly outcome: Promise<LoginOutcome>
  /** How many calls wait for it. */
  parked: number
  /** Somebody has signed in, this way or another. */
  resume(): void
  decline(): void
}

export interface SharedSession {
  readonly engine: SessionEngine
  /** Keyed by `refreshKey`: a new session must not wait for the old one's refresh. */
  readonly refreshes: SingleFlight<Live | number, RefreshOutcome>
  readonly backoff: Backoff
  readonly breaker: Breaker
  /** Calls that come from inside a refresher (R5). */
  readonly reentry: Reentry
  /** Calls that come from inside a callback: they never ask for what the callback is there to bring. */
  readonly callbacks: Reentry
  login: LoginUnderWay | null
  /** How many logins came to nothing, and what the last of them came to: a 401 that was on its way then does not ask again. */
  failedLogins: number
  lastFailure: LoginOutcome
  /** The last login that was for a session, and the session that it brought: 401s of the old one may still be on their way. */
  resumed: { from: string | undefined; to: string | undefined } | null
  snapshot(): SessionSnapshot
  /** An instance joins, and is told of every change. */
  attach(instance: ChangeListener): void
  /** The last one to leave ends the store's watch, the page's listeners and every timer. */
  detach(instance: ChangeListener): void
}

/** What one instance's stages work with. */
export interface Pipeline {
  readonly shared: SharedSession
  readonly settings: Settings
  readonly events: Events
}

/** Weak, so that a store that is dropped takes its session along. */
const byStore = new WeakMap<TokenStore, SharedSession>()

export function sharedSession(store: TokenStore): SharedSession {
  const shared = byStore.get(store) ?? new Shared(store)
  byStore.set(store, shared)
  return shared
}

const SIGNED_OUT: SessionSnapshot = Object.freeze({ status: 'signed-out' })
export const SNAPSHOT_MEMBERS = ['status', 'expiresAt', 'scope', 'subject'] as const

export const isSameSnapshot = (a: SessionSnapshot, b: SessionSnapshot): boolean =>
  SNAPSHOT_MEMBERS.every((name) => a[name] === b[name])

/** Those that stand in the tokens. */
const SHOWN = ['expiresAt', 'scope', 'subject'] as const
const DECLINED: LoginOutcome = { kind: 'declined' }

class Shared implements SharedSession, ChangeListener {
  readonly engine: SessionEngine
  readonly breaker: Breaker = new Breaker()
  readonly reentry: Reentry = new Reentry()
  readonly refreshes: SingleFlight<Live | number, RefreshOutcome> = new SingleFlight(this)
  login: LoginUnderWay | null = null
  failedLogins = 0
  lastFailure: LoginOutcome = DECLINED
  resumed: SharedSession['resumed'] = null
  #instances: readonly ChangeListener[] = NONE
  #endWake: (() => void) | null = null
  #snapshot = SIGNED_OUT

  // Made by the first that needs them.
  #backoff: Backoff | null = null
  #callbacks: Reentry | null = null

  constructor(store: TokenStore) {
    this.engine = new Engine(store, this)
  }

  get backoff(): Backoff {
    this.#backoff ??= new Backoff()
    return this.#backoff
  }

  get callbacks(): Reentry {
    this.#callbacks ??= new Reentry()
    return this.#callbacks
  }

  snapshot(): SessionSnapshot {
    const live = this.engine.current()
    const tokens = { __proto__: null, ...live?.tokens } as Partial<TokenSet>
    const next: SessionSnapshot = { status: this.#status(live) }
    for (const key of SHOWN) if (tokens[key] !== undefined) Object.assign(next, { [key]: tokens[key] })
    if (!isSameSnapshot(next, this.#snapshot)) this.#snapshot = Object.freeze(next)
    return this.#snapshot
  }

  #status(live: Live | null): SessionSnapshot['status'] {
    if (this.login) return 'login-required'
    if (this.refreshes.isFlying(refreshKey(this.engine, live))) return 'refreshing'
    return live ? 'signed-in' : 'signed-out'
  }

  attach(instance: ChangeListener): void {
    if (this.#instances.length === 0) {
      this.engine.open()
      this.#endWake = onWake(() => {
        this.backoff.reset()
        void this.engine.reread()
      })
    }
    this.#instances = this.#instances.concat(instance)
  }

  detach(instance: ChangeListener): void {
    if (!this.#instances.includes(instance)) return
    this.#instances = this.#instances.filter((other) => other !== instance)
    if (this.#instances.length > 0) return
    this.engine.close()
    this.#endWake?.()
    this.login?.decline()
  }

  onFlight(): void {
    this.engine.announce({ event: 'status' })
  }

  onChange(change: Change): void {
    const isNew = change.event === 'signed-in'
    if (isNew) {
      // What failed for one session says nothing about the next.
      this.#backoff?.reset()
      this.breaker.reset()
    }
    for (const instance of this.#instances) instance.onChange(change)
    if (isNew) this.login?.resume()
  }
}

/** Whether nobody is signed in because the refresh of this very session was refused. */
export function isOver(shared: SharedSession, base: Live): boolean {
  const ended = shared.engine.lastEnded()
  return shared.engine.current() === null && ended?.sessionId === base.sessionId && ended.reason === 'over'
}

/** What is refreshed: the session or, where nobody is signed in, the time since somebody last was. */
export const refreshKey = (engine: SessionEngine, base: Live | null): Live | number => base ?? engine.epoch()

/** The network is back, or the page is looked at again: whatever was given up for now is worth another try (T3). */
function onWake(listener: () => void): (() => void) | null {
  const { document } = globalThis as { document?: Document }
  if (document === undefined) return null
  const onVisible = (): void => {
    if (document.visibilityState === 'visible') listener()
  }
  globalThis.addEventListener('online', listener)
  document.addEventListener('visibilitychange', onVisible)
  return () => {
    globalThis.removeEventListener('online', listener)
    document.removeEventListener('visibilitychange', onVisible)
  }
}
