/** Names for sessions, refreshes and form boundaries: unique, and never a secret. */

/** 128 random bits, for sessions and refreshes: an id, never a secret. Also where `crypto.randomUUID` is missing (plain http). */
export function createId(): string {
  const bytes = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0'))
  // Joined, because a text that has grown bit by bit is kept in bits, at ten times the memory.
  return bytes.join('')
}
