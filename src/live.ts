/**
 * One session as it lives in memory, and the questions asked of it: does it expire soon, is it still the same. Lifetimes are
 * measured from receipt, on a clock that nobody can set (T1).
 */
import { monotonicNow, wallNow } from './clock.ts'
import { own, type StoredSession } from './tokens.ts'

/**
 * A stored session as it lives in memory. Requests and refreshes remember the object: another one means other tokens. Its
 * version alone may grow, when a write has to be numbered anew.
 */
export interface Live extends StoredSession {
  /** When the tokens expire, on both clocks; null where nobody knows. */
  readonly expiry: Expiry | null
}

/** With `expiresAt` of the tokens, which is the same on the wall clock. */
interface Expiry {
  monotonicAt: number
  /** How long they were good for when they came. */
  leftMs: number
  /** Whether that is their whole lifetime: no margin is larger than a tenth of it. */
  isFresh: boolean
  /** 0 to 1, drawn once: how early this client is within the jitter (T4). */
  luck: number
}

const MAX_JITTER_MS = 300_000

/** Milliseconds until the tokens expire; Infinity where nobody knows. Either clock may say so: one of them may have slept. */
export const remainingMs = ({ expiry, tokens }: Live): number =>
  expiry === null
    ? Number.POSITIVE_INFINITY
    : Math.min(expiry.monotonicAt - monotonicNow(), (tokens?.expiresAt ?? 0) - wallNow())

/**
 * Whether the tokens are to be refreshed before they are sent: within the margin, or up to a tenth of the time before it, so
 * that a fleet with one expiry does not refresh in one instant (T4).
 */
export function isExpiring(live: Live, wantedMarginMs: number): boolean {
  if (live.expiry === null) return false
  const { leftMs, isFresh, luck } = live.expiry
  const marginMs = isFresh ? Math.min(wantedMarginMs, leftMs / 10) : wantedMarginMs
  const jitterMs = marginMs && luck * Math.min(Math.max(0, leftMs - marginMs) / 10, MAX_JITTER_MS)
  return remainingMs(live) <= marginMs + jitterMs
}

/** Whether two records hold the same credential: the same access token or, where nobody holds one, the same version. */
export const isSameCredential = (a: StoredSession, b: StoredSession): boolean =>
  a.sessionId === b.sessionId &&
  (a.tokens === null ? b.tokens === null && a.version === b.version : a.tokens.accessToken === b.tokens?.accessToken)

/** Tokens, or what is remembered of them. */
interface Speaker {
  subject?: unknown
}

/** Whether two token sets are known to speak for different people. */
export const isOtherSubject = (a: Speaker | null | undefined, b: Speaker | null | undefined): boolean =>
  [a, b].every((tokens) => tokens && Object.hasOwn(tokens, 'subject')) && a?.subject !== b?.subject

/** @param isFresh whether the tokens were issued just now, so that what is left is their whole lifetime */
export function bringToLife({ sessionId, version, tokens }: StoredSession, isFresh: boolean): Live {
  const wallAt = tokens === null ? undefined : (own(tokens, 'expiresAt') as number | undefined)
  const leftMs = wallAt === undefined ? 0 : wallAt - wallNow()
  // Issued just now and expired already: a clock is wrong, or the lifetime is nonsense. Believing it would refresh before
  // every request (T1, T2); so only a 401 can tell.
  if (wallAt === undefined || (isFresh && leftMs <= 0)) return { sessionId, version, tokens, expiry: null }
  return {
    sessionId,
    version,
    tokens,
    expiry: { monotonicAt: monotonicNow() + leftMs, leftMs, isFresh, luck: Math.random() },
  }
}

/** A copy that a store may keep or change. */
export const asStored = ({ sessionId, version, tokens }: StoredSession): StoredSession => ({
  sessionId,
  version,
  tokens: tokens && { ...tokens },
})
