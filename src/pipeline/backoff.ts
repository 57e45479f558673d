/**
 * How long to leave a failing token endpoint alone (R7). One failure blocks nobody; from the second in a row on, calls fail
 * fast until the pause is over, and then one refresh probes. Decides when, never what a failure means.
 */
import { monotonicNow } from '../clock.ts'
import { AuthError } from '../errors.ts'

const FIRST_PAUSE_MS = 5000
const LAST_PAUSE_MS = 60_000
const FAILURES_BEFORE_PAUSE = 2

export class Backoff {
  #failures = 0
  #pausedUntil = 0
  #last: AuthError | null = null

  /** What a call is told while the pause lasts; null = go ahead. */
  refusal(): AuthError | null {
    return this.#withPause('refresh-unavailable')
  }

  /** Whether a refresh is a probe now: one attempt, no retries. */
  isProbing(): boolean {
    return this.#failures >= FAILURES_BEFORE_PAUSE
  }

  /** The pause is the server's own `retryAfterMs` where that is longer. Returns the error with the pause in it, if any. */
  failed(error: AuthError): AuthError {
    this.#last = error
    this.#failures++
    if (!this.isProbing()) return error
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - FAILURES_BEFORE_PAUSE), LAST_PAUSE_MS)
    // Up to a fifth longer, so that clients which failed together do not come back together.
    this.#pausedUntil = monotonicNow() + Math.max(pauseMs * (1 + Math.random() / 5), error.retryAfterMs ?? 0)
    return this.#withPause(error.code) ?? error
  }

  /** Forgets every failure: a refresh succeeded, somebody signed in, or the machine is back online. */
  reset(): void {
    this.#failures = 0
    this.#pausedUntil = 0
    this.#last = null
  }

  #withPause(code: AuthError['code']): AuthError | null {
    const retryAfterMs = Math.ceil(this.#pausedUntil - monotonicNow())
    if (this.#last === null || retryAfterMs <= 0) return null
    const { message, retryable, cause } = this.#last
    return new AuthError(code, message, { retryable, retryAfterMs, cause })
  }
}
