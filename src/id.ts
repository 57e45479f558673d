/** Names for sessions, refreshes and form boundaries: unique, and never a secret. */

/** 128 random bits, for sessions and refreshes: an id, never a secret. Also where `crypto.randomUUID` is missing (plain http). */
export function createId(): string {
  let id = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(16))) id += byte.toString(16).padStart(2, '0')
  return id
}
