/** Names for sessions, refreshes and form boundaries: unique, and never a secret. */

/**
 * 128 bits, nearly all of them random, for sessions, refreshes and requests: an id, never a secret. `crypto.randomUUID` is missing
 * on plain http; where it is there, it costs a twentieth, and a trace asks for an id at each request.
 */
export function createId(): string {
  const parts =
    crypto.randomUUID?.().split('-') ??
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0'))
  // Joined, because a text that has grown bit by bit is kept in bits, at ten times the memory.
  return parts.join('')
}
