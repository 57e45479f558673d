/**
 * Stops refreshing for an endpoint that rejects freshly refreshed tokens (R13). A strike is a refresh wasted on it: after three
 * its 401 is handed back at once, with growing pauses between further tries. An accepted answer wipes the slate.
 */
import { monotonicNow } from '../clock.ts'

const STRIKES = 3
const FIRST_PAUSE_MS = 10_000
const LAST_PAUSE_MS = 600_000
/** Endpoints remembered; paths with ids in them must not grow memory without bound. */
const MAX_ENDPOINTS = 256

interface Endpoint {
  strikes: number
  /** The credential of the last strike: a hundred requests that shared one refresh waste one refresh. */
  lastCredential: object | null
  pausedUntil: number
}

export interface Breaker {
  /** Whether a 401 of this endpoint is to be handed back without a refresh. */
  isOpen(endpoint: string): boolean
  /** The endpoint has rejected what a refresh has just brought. */
  wasted(endpoint: string, credential: object): void
  accepted(endpoint: string): void
  /** So that the happy path need not even build the endpoint's name. */
  isEmpty(): boolean
  reset(): void
}

export function createBreaker(): Breaker {
  const endpoints = new Map<string, Endpoint>()
  return {
    isOpen: (endpoint) => (endpoints.get(endpoint)?.pausedUntil ?? 0) > monotonicNow(),
    wasted(endpoint, credential) {
      const { strikes, lastCredential, pausedUntil } = endpoints.get(endpoint) ?? {
        strikes: 0,
        lastCredential: null,
        pausedUntil: 0,
      }
      if (lastCredential === credential) return
      // Written anew, so that the first key is the one that has been quiet for longest.
      endpoints.delete(endpoint)
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** (strikes + 1 - STRIKES), LAST_PAUSE_MS)
      endpoints.set(endpoint, {
        strikes: strikes + 1,
        lastCredential: credential,
        pausedUntil: strikes + 1 < STRIKES ? pausedUntil : monotonicNow() + pauseMs,
      })
      if (endpoints.size > MAX_ENDPOINTS) endpoints.delete(endpoints.keys().next().value as string)
    },
    accepted: (endpoint) => void endpoints.delete(endpoint),
    isEmpty: () => endpoints.size === 0,
    reset: () => endpoints.clear(),
  }
}
