/**
 * What all instances on one store object share: the engine, the refresh under way, the login under way, and the memory of what
 * failed. Two modules, a hot reload or React's StrictMode thus make one session, not two that spend each other's tokens (C5).
 */
import { type SingleFlight, singleFlight } from '../coordination/single-flight.ts'
import type { AuthError } from '../errors.ts'
import type { Events } from '../events.ts'
import type { Live } from '../live.ts'
import type { Settings } from '../options.ts'
import type { SessionSnapshot, TokenStore } from '../ports.ts'
import { createEngine, type SessionEngine } from '../session.ts'
import type { TokenSet } from '../tokens.ts'
import { type Backoff, createBackoff } from './backoff.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { createReentry, type Reentry } from './reentry.ts'

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
  /** Joins; the last one to leave ends the store's watch, the page's listeners and every timer. */
  attach(): () => void
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
  const shared = byStore.get(store) ?? createSharedSession(store)
  byStore.set(store, shared)
  return shared
}

function createSharedSession(store: TokenStore): SharedSession {
  const engine = createEngine(store)
  let snapshot: SessionSnapshot = Object.freeze({ status: 'signed-out' })
  let attached = 0
  let close = (): void => {}

  const shared: SharedSession = {
    engine,
    refreshes: singleFlight(() => engine.announce({ event: 'status' })),
    backoff: createBackoff(),
    breaker: createBreaker(),
    reentry: createReentry(),
    callbacks: createReentry(),
    login: null,
    failedLogins: 0,
    lastFailure: { kind: 'declined' },
    resumed: null,

    snapshot() {
      const next = describe(shared)
      const isSame = (['status', 'expiresAt', 'scope', 'subject'] as const).every((key) => next[key] === snapshot[key])
      if (!isSame) snapshot = Object.freeze(next)
      return snapshot
    },

    attach() {
      if (attached++ === 0) {
        const endWatch = engine.open()
        const endWake = onWake(() => {
          shared.backoff.reset()
          void engine.reread()
        })
        const endReset = engine.onChange(({ event }) => {
          if (event !== 'signed-in') return
          // What failed for one session says nothing about the next.
          shared.backoff.reset()
          shared.breaker.reset()
        })
        close = () => {
          endWatch()
          endWake()
          endReset()
          shared.login?.decline()
        }
      }
      let isAttached = true
      return () => {
        if (isAttached && --attached === 0) close()
        isAttached = false
      }
    },
  }
  return shared
}

/** Whether nobody is signed in because the refresh of this very session was refused. */
export function isOver(shared: SharedSession, base: Live): boolean {
  const ended = shared.engine.lastEnded()
  return shared.engine.current() === null && ended?.sessionId === base.sessionId && ended.reason === 'over'
}

/** What is refreshed: the session or, where nobody is signed in, the time since somebody last was. */
export const refreshKey = (engine: SessionEngine, base: Live | null): Live | number => base ?? engine.epoch()

function describe({ engine, login, refreshes }: SharedSession): SessionSnapshot {
  const live = engine.current()
  const { expiresAt, scope, subject } = { __proto__: null, ...live?.tokens } as Partial<TokenSet>
  const status = login
    ? 'login-required'
    : refreshes.isFlying(refreshKey(engine, live))
      ? 'refreshing'
      : live
        ? 'signed-in'
        : 'signed-out'
  return {
    status,
    ...(expiresAt !== undefined && { expiresAt }),
    ...(scope !== undefined && { scope }),
    ...(subject !== undefined && { subject }),
  }
}

/** The network is back, or the page is looked at again: whatever was given up for now is worth another try (T3). */
function onWake(listener: () => void): () => void {
  const { document } = globalThis as { document?: Document }
  if (document === undefined) return () => {}
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
