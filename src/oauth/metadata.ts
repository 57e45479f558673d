/** What an authorization server's metadata (RFC 8414) has to be before anything of it is used. It fetches nothing. */
import { AuthError } from '../errors.ts'
import { secureUrl } from '../http/origins.ts'
import { own } from '../tokens.ts'

/** The endpoints that are used, each only where it passes `secureUrl`. */
const ENDPOINTS = [
  'authorization_endpoint',
  'token_endpoint',
  'revocation_endpoint',
  'device_authorization_endpoint',
  'end_session_endpoint',
] as const
export type Endpoint = (typeof ENDPOINTS)[number]

/** What is wrong with metadata: an address that would give secrets away, or no PKCE. null: nothing. */
export function faultOf(server: object): string | null {
  for (const name of ENDPOINTS) {
    const value: unknown = own(server, name)
    if (value === undefined) continue
    if (typeof value !== 'string' || secureUrl(value) === null) {
      return `names a ${name} that is neither https nor http on loopback, or holds userinfo`
    }
  }
  const methods: unknown = own(server, 'code_challenge_methods_supported')
  const hasS256 = methods === undefined || (Array.isArray(methods) && methods.includes('S256'))
  return hasS256 ? null : 'offers no PKCE with S256 (RFC 9700 section 2.1.1)'
}

export const refusedMetadata = (what: string, retryable = false): AuthError =>
  new AuthError('metadata-refused', `The metadata of the authorization server ${what}`, { retryable })
