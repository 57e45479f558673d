/** The default store: the session lives as long as the object does. Never touches a disk, a page or another process. */

import { misuse } from '../errors.ts'
import { notify } from '../events.ts'
import type { TokenStore } from '../ports.ts'
import { isTokenValue, readStoredSession, readTokenSet, type StoredSession, type TokenSet } from '../tokens.ts'

const NONE: readonly never[] = []

/**
 * Keeps the session in memory only: nothing survives a reload or a restart, and no script finds it in storage.
 *
 * Two instances given the same store object share the session and its refreshes.
 *
 * @param initial tokens to start with, as if someone had signed in before. Default: nobody is signed in
 * @throws TypeError `ERR_TOKENS` where `initial` has no access token of b64token characters (RFC 6750 §2.1)
 *
 * @example
 * const store = memoryStore({ accessToken: 'eyJhbGciOi', refreshToken: 'rt-1' })
 */
export function memoryStore(initial?: TokenSet): TokenStore {
  if (initial !== undefined && !isTokenValue(initial?.accessToken)) {
    throw misuse('ERR_TOKENS', 'Expected memoryStore({ accessToken, … }) with an access token of b64token characters')
  }
  let stored: StoredSession | null = initial
    ? { sessionId: 'initial', version: 1, tokens: readTokenSet(initial) }
    : null
  /** Replaced, never changed: somebody may be going through it. */
  let watches: ReadonlyArray<{ listener: () => void }> = NONE

  return {
    read: () => readStoredSession(stored),
    write(next, expectedVersion) {
      if ((stored?.version ?? null) !== expectedVersion) return false
      stored = readStoredSession(next)
      for (const { listener } of watches) notify(listener)
      return true
    },
    watch(listener) {
      // Each on its own, also where two have the same listener.
      const watch = { listener }
      watches = watches.concat(watch)
      return () => {
        watches = watches.filter((other) => other !== watch)
      }
    },
  }
}
