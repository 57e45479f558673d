/**
 * Stops refreshing for an endpoint that rejects whatever a refresh brings (R13). Each credential that it rejects is a strike:
 * after three its 401 is handed back at once, with growing pauses between further tries. An accepted answer wipes the slate.
 */
import { monotonicNow } from '../clock.ts'

const STRIKES = 3
/** The first pause, and how long strikes are remembered before it. */
const FIRST_PAUSE_MS = 10_000
const LAST_PAUSE_MS = 600_000
/** Endpoints remembered; paths with ids in them must not grow memory without bound. */
const MAX_ENDPOINTS = 256

interface Endpoint {
  strikes: number
  /** The credential of the last strike: a hundred requests that share one refresh make one. */
  credential: object
  pausedUntil: number
  forgottenAt: number
}

export class Breaker {
  /** null = none, as in most sessions. */
  #endpoints: Map<string, Endpoint> | null = null

  /** Whether a 401 of this endpoint may start, or join, a refresh of the credential that it rejects. Counts it. */
  allows(endpoint: string, credential: object): boolean {
    this.#endpoints ??= new Map()
    const endpoints = this.#endpoints
    const now = monotonicNow()
    const known = endpoints.get(endpoint)
    const last = known !== undefined && now < known.forgottenAt ? known : undefined
    // The same credential again: whoever comes now joins the refresh that is under way for it, or retries one that failed.
    if (last?.credential === credential) return true
    if (last !== undefined && now < last.pausedUntil) return false

    const strikes = (last?.strikes ?? 0) + 1
    const pauseMs = strikes < STRIKES ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (strikes - STRIKES), LAST_PAUSE_MS)
    const pausedUntil = now + pauseMs
    // Written anew, so that the first key is the one that has been quiet for longest.
    endpoints.delete(endpoint)
    endpoints.set(endpoint, {
      strikes,
      credential,
      pausedUntil,
      forgottenAt: pausedUntil + Math.max(pauseMs, FIRST_PAUSE_MS),
    })
    if (endpoints.size > MAX_ENDPOINTS) endpoints.delete(endpoints.keys().next().value as string)
    return true
  }

  accepted(endpoint: string): void {
    this.#endpoints?.delete(endpoint)
    if (this.#endpoints?.size === 0) this.reset()
  }

  /** So that the happy path need not even build the endpoint's name. */
  isEmpty(): boolean {
    return this.#endpoints === null
  }

  reset(): void {
    this.#endpoints = null
  }
}
