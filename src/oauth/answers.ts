/**
 * What an answer of the authorization server comes to: the members that can be used, or an error that holds a code, a status, a
 * wait, and never the server's words.
 */
import { wallNow } from '../clock.ts'
import { AuthError, type AuthErrorCode, oauthErrorOf } from '../errors.ts'
import { jsonObject } from '../http/json.ts'
import { retryAfterMs } from '../http/retry-after.ts'
import { own } from '../tokens.ts'

/** Whether a status says that it may be another one later. */
export const isPassing = (status: number): boolean => status >= 500 || status === 429 || status === 408

/** The answer as JSON where it is a success; a 200 that holds an `error` is none. */
export function successOf(response: Response, text: string): Record<string, unknown> | null {
  const answer = jsonObject(text)
  return response.ok && answer !== null && !own(answer, 'error') ? answer : null
}

/**
 * The error for an answer that is no success. Its status rides along only where it is one of failure, as
 * `refreshEndpoint` does it: a refresh is judged by it (R7).
 */
export function failureOf(code: AuthErrorCode, endpoint: string, response: Response, text: string): AuthError {
  const { status, ok, headers } = response
  const answer = jsonObject(text)
  const oauthError = oauthErrorOf(answer && own(answer, 'error'))
  const named = oauthError === undefined ? '' : ` (${oauthError})`
  const error = new AuthError(code, `The ${endpoint} answered ${status}${ok ? ' and nothing usable' : ''}${named}`, {
    retryable: isPassing(status),
    retryAfterMs: retryAfterMs(headers.get('retry-after'), wallNow()) ?? undefined,
  })
  return Object.assign(error, { ...(!ok && { status }), ...(oauthError !== undefined && { oauthError }) })
}

/** What a server may send for "nothing" (R10), and what makes no sense, is left out: a rotation must not be lost over it (R11). */
export function usableMembers(answer: Record<string, unknown>): Record<string, unknown> {
  const usable = Object.entries(answer).filter(([name, value]) => {
    if (name === 'expires_in') return /^\d+(\.\d+)?$/.test(String(value))
    const isText = typeof value === 'string' && value !== ''
    return isText || !(name === 'refresh_token' || name === 'id_token' || name === 'scope')
  })
  return Object.fromEntries(usable)
}

export const unmade = (code: AuthErrorCode): AuthError =>
  new AuthError(code, 'The request could not be made: the client authentication or the DPoP proof failed')

/** Tokens of the one type are never used as the other's (RFC 6749 §7.1, RFC 9449 §5). */
export const mistyped = (expected: 'DPoP' | 'Bearer'): AuthError =>
  new AuthError('unusable-token-response', `Expected tokens of the \`token_type\` ${expected}`)

/** Which claim it was is a word of oauth4webapi's; what the claim held is not told. */
export function refusedIdToken(thrown: unknown): AuthError {
  const claim: unknown = Object(Object(thrown).cause).claim
  const named = typeof claim === 'string' && /^[a-z_]{1,20}$/.test(claim) ? ` for its \`${claim}\`` : ''
  return new AuthError(
    'unusable-token-response',
    `The ID token was refused${named} (OpenID Connect Core section 3.1.3.7)`,
  )
}

export function authorizationFailed(oauthError: string | undefined): AuthError {
  const named = oauthError === undefined ? '' : ` (${oauthError})`
  const error = new AuthError('authorization-failed', `The authorization server did not sign the user in${named}`)
  return Object.assign(error, oauthError !== undefined && { oauthError })
}
