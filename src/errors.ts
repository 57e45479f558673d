/**
 * The two ways relatch says no: `AuthError` for what goes wrong while it runs, and a `TypeError` with an `ERR_…` code for a
 * caller's mistake, thrown when the object is made. No message here may ever hold a token or any other value it was given.
 */

/** What went wrong, as a literal that never changes between versions. */
export type AuthErrorCode =
  /** The refresh failed for now (network, 5xx, 429, an unusable answer) or is misconfigured; the session is kept. */
  | 'refresh-unavailable'
  /** The refresh did not answer within `refreshTimeoutMs`; the session is kept. */
  | 'refresh-timeout'
  /** A token endpoint's answer held no usable access token (RFC 6749 §5.1), one of another type, or a wrong ID token. */
  | 'unusable-token-response'
  /** A token holds characters outside b64token (RFC 6750 §2.1) and was neither stored nor sent. */
  | 'invalid-token'
  /** The session was ended while the request waited. */
  | 'signed-out'
  /** Another session took the place of the one the request belongs to. */
  | 'session-changed'
  /** Nobody signed in within `loginTimeoutMs`. */
  | 'login-timeout'
  /** Login redirects brought no session too many times in a row; nothing navigates until `retryAfterMs` have passed. */
  | 'login-loop'
  /** The answer on the return page is none that this client has asked for: nothing was exchanged or stored. */
  | 'callback-refused'
  /** The authorization server granted nothing: it said so (`oauthError`), could not be reached, or nobody signed in. */
  | 'authorization-failed'
  /** A metadata document, or its address, broke the rules of RFC 8414 or RFC 9728 (or could not be had: `retryable`). */
  | 'metadata-refused'
  /** The refresher asked for a refresh, which would wait for itself. */
  | 'reentrant-refresh'
  /** A store failed, and memory could not stand in for it: that of a DPoP key. Those of sessions degrade to memory. */
  | 'store-failed'

/** What an `AuthError` carries beyond its code and message. */
export interface AuthErrorDetails {
  cause?: unknown
  /** Whether the same call may work later without anyone changing anything. Default: false. */
  retryable?: boolean
  /** How long to wait before that, in milliseconds. */
  retryAfterMs?: number | undefined
}

/** Shared by every copy of the package in a program, so that `isAuthError` answers for all of them. */
const BRAND = Symbol.for('relatch.AuthError')

/** The one error class of relatch: switch over its `code`. Never holds a token, not even in its `cause`. */
export class AuthError extends Error {
  readonly code: AuthErrorCode
  readonly retryable: boolean
  declare readonly retryAfterMs?: number
  /** The error code of an authorization server (RFC 6749 §5.2), where one was given. */
  declare readonly oauthError?: string
  /** The HTTP status of what failed, where there was one. */
  declare readonly status?: number

  constructor(code: AuthErrorCode, message: string, details: AuthErrorDetails = {}) {
    const { cause, retryable = false, retryAfterMs } = { __proto__: null, ...details } as AuthErrorDetails
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
    if (retryAfterMs !== undefined) this.retryAfterMs = retryAfterMs
    Object.defineProperty(this, BRAND, { value: true })
  }

  override get name(): 'AuthError' {
    return 'AuthError'
  }
}

/**
 * Whether a value is an `AuthError`, from this copy of the package or another one.
 *
 * @example
 * try { await api('/orders') } catch (error) { if (isAuthError(error) && error.retryable) showOffline() }
 */
export function isAuthError(value: unknown): value is AuthError {
  return typeof value === 'object' && value !== null && BRAND in value
}

/** An OAuth error code as we show one (RFC 6749 §5.2), else undefined: descriptions have been seen to quote tokens. */
export const oauthErrorOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[a-z_]{1,40}$/.test(value) ? value : undefined

/** A caller's mistake, found when the object is made: says what was expected, never what was given. */
export function misuse(code: `ERR_${string}`, message: string): TypeError & { code: string } {
  return Object.assign(new TypeError(message), { code })
}
