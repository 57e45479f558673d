/** The Bearer scheme, RFC 6750 §2.1: one header, nothing in URLs or bodies. */
import type { AuthScheme } from '../ports.ts'

/**
 * Sends the access token as `Authorization: Bearer …`.
 *
 * @see RFC 6750 §2.1
 *
 * @example
 * createAuthFetch({ baseUrl: 'https://api.example', scheme: bearer() })
 */
export function bearer(): AuthScheme {
  return {
    name: 'bearer',
    headers: ['authorization'],
    attach: (headers, tokens) => headers.set('authorization', `Bearer ${tokens.accessToken}`),
  }
}
