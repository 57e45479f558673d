/** Bytes as text. */

/** RFC 4648 §4. */
export const base64 = (bytes: Iterable<number>): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))

/** RFC 4648 §5, without padding. */
export const base64Url = (bytes: Iterable<number>): string =>
  base64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
