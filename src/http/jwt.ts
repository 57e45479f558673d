/**
 * A look inside a JWT (RFC 7519) for the hints it may hold: when it expires, whom it speaks for. It checks no signature, so
 * nothing here may ever decide that a token is valid; and it never throws, for most tokens are opaque and none of our business.
 */

/** RFC 7515 §7.1: three parts of base64url without padding. The signature alone may be empty (`alg: none`). */
const COMPACT_JWS = /^[\w-]+\.([\w-]+)\.[\w-]*$/

/** The largest instant, in milliseconds either side of 1970, that ECMAScript can turn into a calendar date. */
const LAST_INSTANT_MS = 8.64e15

/**
 * Gives the claims of a JWT, unverified; null for anything else. The object has no prototype: what it says, the token says.
 */
export function jwtClaims(token: string): Record<string, unknown> | null {
  const payload = typeof token === 'string' && COMPACT_JWS.exec(token)?.[1]
  if (!payload) return null
  try {
    const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (byte) => byte.charCodeAt(0))
    // atob gives bytes, not text: without the decoder every name outside ASCII is garbled.
    const claims: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (typeof claims !== 'object' || Array.isArray(claims)) return null
    return claims && { __proto__: null, ...claims }
  } catch {
    return null
  }
}

/**
 * Says when a JWT expires, as a hint: nothing of the token is verified, and the server's 401 always beats it.
 *
 * @param token Any access token; opaque ones are fine.
 * @returns Unix time in milliseconds, from the `exp` claim in seconds; null where the token is no JWT, has no `exp`, or has one
 *   that is negative, not a number or beyond the range of dates. Never throws.
 * @see RFC 7519 §4.1.4 (`exp`), §2 (NumericDate)
 * @example
 * jwtExpiresAt('eyJhbGciOiJub25lIn0.eyJleHAiOjE3MDAwMDAwMDB9.') // 1700000000000
 * jwtExpiresAt('an opaque token') // null
 */
export function jwtExpiresAt(token: string): number | null {
  const exp = jwtClaims(token)?.exp
  return typeof exp === 'number' && exp >= 0 && exp * 1000 <= LAST_INSTANT_MS ? exp * 1000 : null
}
