/** Tokens: unguessable, and made of b64token characters (RFC 6750 §2.1). */

/** 256 random bits behind a prefix that lets a test grep for them. */
export function mintToken(prefix: 'at' | 'rt'): string {
  return `${prefix}_${base64url(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))}`
}

/** A JWT whose signature is noise: no one is to trust it, and `alg: none` would upset strict parsers. */
export function mintJwt(claims: Record<string, unknown>): string {
  const encode = (part: object): string => base64url(utf8(JSON.stringify(part)))
  return `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}.${mintToken('at').slice(3)}`
}

const utf8 = (text: string): string => String.fromCharCode(...new TextEncoder().encode(text))
const base64url = (bytes: string): string => btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
