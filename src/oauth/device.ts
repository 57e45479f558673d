/** A login on another device, for programs without a browser (RFC 8628): shows a code, and asks until the user has agreed. */
import { after, monotonicNow, wallNow } from '../clock.ts'
import { AuthError, isAuthError } from '../errors.ts'
import { secureUrl } from '../http/origins.ts'
import type { LoginResult } from '../ports.ts'
import type { TokenResponse } from '../tokens.ts'
import type { Protocol } from './protocol.ts'

/** What to show to the user. */
export interface DeviceCode {
  userCode: string
  /** https, or http on loopback. */
  verificationUri: string
  /** The same with the code in it, for a QR code. */
  verificationUriComplete?: string
  /** Unix milliseconds. */
  expiresAt: number
}

/** RFC 8628 §3.2, and how much slower each `slow_down` makes it (§3.5). */
const INTERVAL_MS = 5000
/** The interval counts in seconds: what is less is a slip, and would be a flood. */
const LEAST_INTERVAL_MS = 1000

/**
 * Runs one such login.
 *
 * @returns null where `signal` fired
 * @throws AuthError `authorization-failed`: `access_denied`, or `expired_token` (`retryable`: the same call shows a new code)
 */
export async function deviceLogin(
  protocol: Protocol,
  onCode: (code: DeviceCode) => unknown,
  signal: AbortSignal | undefined,
): Promise<LoginResult> {
  const { device_code, user_code, interval, expires_in, ...uris } = await protocol.device({ signal })
  if (signal?.aborted) return null
  const expiresAt = monotonicNow() + expires_in * 1000
  const complete = uris.verification_uri_complete
  const code: DeviceCode = {
    userCode: safeCode(user_code),
    verificationUri: safeUri(uris.verification_uri),
    ...(complete !== undefined && { verificationUriComplete: safeUri(complete) }),
    expiresAt: wallNow() + expires_in * 1000,
  }
  let failed: { reason: unknown } | null = null
  // Not waited for: a dialog may stay open until the login is over. Where it cannot be shown, nobody can agree.
  void Promise.resolve(onCode(code)).catch((reason: unknown) => {
    failed = { reason }
  })
  let intervalMs = interval === undefined ? INTERVAL_MS : Math.max(LEAST_INTERVAL_MS, interval * 1000)
  let waitMs = intervalMs
  for (;;) {
    await pause(Math.min(waitMs, expiresAt - monotonicNow()), signal)
    if (signal?.aborted) return null
    if (failed !== null) throw (failed as { reason: unknown }).reason
    if (monotonicNow() >= expiresAt) throw expired()
    const answer = await poll(protocol, device_code, signal)
    if (!isAuthError(answer)) return answer
    const { oauthError, retryAfterMs = 0 } = answer
    if (oauthError === 'slow_down') intervalMs += INTERVAL_MS
    // An outage is waited out for longer, and forgotten.
    const moreMs = PATIENCE.includes(oauthError) ? 0 : INTERVAL_MS
    waitMs = Math.max(intervalMs + moreMs, retryAfterMs)
  }
}

/** What says that the server is well, and the user has not agreed yet. */
const PATIENCE: ReadonlyArray<string | undefined> = ['authorization_pending', 'slow_down']

/** The tokens; or why to ask again. */
async function poll(
  protocol: Protocol,
  deviceCode: string,
  signal: AbortSignal | undefined,
): Promise<TokenResponse | null | AuthError> {
  try {
    return await protocol.deviceTokens(deviceCode, { signal })
  } catch (error) {
    if (signal?.aborted) return null
    if (!isAuthError(error)) throw error
    if (PATIENCE.includes(error.oauthError) || error.retryable) return error
    throw error.oauthError === 'expired_token' ? expired() : error
  }
}

/** A terminal would do what is in it: control characters, and those that turn or hide text, are in no code to be typed. */
function safeCode(code: string): string {
  if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(code)) return code
  throw new AuthError('authorization-failed', 'Expected a user code without control characters')
}

/** A program may open it, or a shell for it: nothing but a web page (security of RFC 8628 §3.3.1). */
function safeUri(uri: string): string {
  const url = secureUrl(uri)
  if (url === null) {
    throw new AuthError('authorization-failed', 'Expected a verification URI that is https, or http on loopback')
  }
  return url.href
}

function expired(): AuthError {
  const error = new AuthError('authorization-failed', 'The code has expired before anybody agreed', { retryable: true })
  return Object.assign(error, { oauthError: 'expired_token' })
}

/** Ends early when `signal` fires. Keeps Node alive: somebody waits. */
function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const cancel = after(delayMs, () => leave(), true)
    const leave = (): void => {
      cancel()
      signal?.removeEventListener('abort', leave)
      resolve()
    }
    signal?.addEventListener('abort', leave)
  })
}
