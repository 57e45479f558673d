/**
 * How long to leave a failing token endpoint alone (R7). One failure blocks nobody; from the second in a row on, calls fail
 * fast until the pause is over, and then one refresh probes. Decides when, never what a failure means.
 */
import { monotonicNow } from '../clock.ts'
import { AuthError } from '../errors.ts'

const FIRST_PAUSE_MS = 5000
const LAST_PAUSE_MS = 60_000
const FAILURES_BEFORE_PAUSE = 2

export interface Backoff {
  /** What a call is told while the pause lasts; null = go ahead. */
  refusal(): AuthError | null
  /** Whether a refresh is a probe now: one attempt, no retries. */
  isProbing(): boolean
  /** The pause is the server's own `retryAfterMs` where that is longer. Returns the error with the pause in it, if any. */
  failed(error: AuthError): AuthError
  /** Forgets every failure: a refresh succeeded, somebody signed in, or the machine is back online. */
  reset(): void
}

export function createBackoff(): Backoff {
  let failures = 0
  let pausedUntil = 0
  let last: AuthError | null = null
  const withPause = (code: AuthError['code']): AuthError | null => {
    const retryAfterMs = Math.ceil(pausedUntil - monotonicNow())
    if (last === null || retryAfterMs <= 0) return null
    const { message, retryable, cause } = last
    return new AuthError(code, message, { retryable, retryAfterMs, cause })
  }
  return {
    refusal: () => withPause('refresh-unavailable'),
    isProbing: () => failures >= FAILURES_BEFORE_PAUSE,
    failed(error) {
      last = error
      failures++
      if (failures < FAILURES_BEFORE_PAUSE) return error
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - FAILURES_BEFORE_PAUSE), LAST_PAUSE_MS)
      // Up to a fifth longer, so that clients which failed together do not come back together.
      pausedUntil = monotonicNow() + Math.max(pauseMs * (1 + Math.random() / 5), error.retryAfterMs ?? 0)
      return withPause(error.code) ?? error
    },
    reset() {
      failures = 0
      pausedUntil = 0
      last = null
    },
  }
}
