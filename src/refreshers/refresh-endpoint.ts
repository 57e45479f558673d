/**
 * The refresher for an endpoint of your own: one POST, RFC 6749 §6 or the homemade kind. It tells fatal from transient by the
 * body, not by the status alone, and never shows what it sent.
 */
import { wallNow } from '../clock.ts'
import { AuthError, oauthErrorOf } from '../errors.ts'
import { boundedText } from '../http/body-text.ts'
import { jsonObject } from '../http/json.ts'
import { retryAfterMs } from '../http/retry-after.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { Refresher } from '../ports.ts'
import { own, type TokenResponse, type TokenSet } from '../tokens.ts'

export interface RefreshEndpointOptions {
  /** Where to POST to. Relative URLs resolve against `baseUrl`. */
  url: string | URL
  /** Sent as `client_id`. Default: none. */
  clientId?: string | undefined
  /**
   * How the body is written.
   * @default 'form'
   */
  format?: 'form' | 'json' | undefined
  /** Set it for an endpoint that knows the session by a cookie; then a refresh token is not needed. */
  credentials?: NonNullable<RequestInit['credentials']> | undefined
  /** More headers, a CSRF header for example. */
  headers?: NonNullable<RequestInit['headers']> | undefined
  /** Makes the members of the body in place of `grant_type`, `refresh_token` and `client_id`. */
  body?: ((tokens: TokenSet | null) => unknown) | undefined
}

/** A token answer is a few kilobytes; anything beyond this is not one. */
const ANSWER_BYTES = 262_144
const ANSWER_MS = 30_000

/**
 * POSTs to a refresh endpoint and reads what it answers.
 *
 * Without a refresh token there is nothing to send: unless `credentials` or `body` is given, the session is over without a
 * request.
 *
 * @throws TypeError `ERR_INVALID_OPTION` or `ERR_UNKNOWN_OPTION` for options of the wrong kind
 * @see RFC 6749 §6 and §5.2
 *
 * @example
 * createAuthFetch({
 *   baseUrl: 'https://api.example',
 *   refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }),
 * })
 */
export function refreshEndpoint(options: RefreshEndpointOptions): Refresher {
  const given = ownOptions(options, ['url', 'clientId', 'format', 'credentials', 'headers', 'body'])
  const { url, clientId, format = 'form', credentials, headers, body } = given
  const isAddress = (typeof url === 'string' && url !== '') || url instanceof URL
  if (!isAddress || !URL.canParse(url, 'https://relative.example')) throw expected('url', 'a URL')
  if (clientId !== undefined && (typeof clientId !== 'string' || clientId === '')) throw expected('clientId', 'a text')
  if (format !== 'form' && format !== 'json') throw expected('format', "'form' or 'json'")
  if (credentials !== undefined && !/^(omit|same-origin|include)$/.test(credentials)) {
    throw expected('credentials', "'omit', 'same-origin' or 'include'")
  }
  if (body !== undefined && typeof body !== 'function') throw expected('body', 'a function')
  if (!areHeaders(headers)) throw expected('headers', 'what new Headers() takes')

  return async ({ tokens, signal, fetch }) => {
    const refreshToken = tokens && own(tokens, 'refreshToken')
    if (!refreshToken && credentials === undefined && body === undefined) return null
    const members = body
      ? body(tokens)
      : {
          grant_type: 'refresh_token',
          ...(refreshToken ? { refresh_token: refreshToken } : {}),
          ...(clientId !== undefined && { client_id: clientId }),
        }
    const sent = new Headers(headers)
    if (!sent.has('accept')) sent.set('accept', 'application/json')
    if (!sent.has('content-type')) {
      sent.set('content-type', format === 'json' ? 'application/json' : 'application/x-www-form-urlencoded')
    }
    const response = await fetch(url instanceof URL ? url.href : url, {
      method: 'POST',
      headers: sent,
      body: format === 'json' ? JSON.stringify(members) : formOf(members),
      signal,
      ...(credentials !== undefined && { credentials }),
    })
    return readAnswer(response, credentials !== undefined)
  }
}

/** A form made already goes as it is; of an object, as in JSON, undefined members are left out rather than sent as a word. */
function formOf(members: unknown): string {
  if (typeof members === 'string' || members instanceof URLSearchParams) return String(members)
  const given = Object.entries(Object(members)).filter(([, value]) => value !== undefined)
  return String(new URLSearchParams(given as string[][]))
}

/** @param isCookieBased whether success may come without tokens, in a cookie that we never see */
async function readAnswer(response: Response, isCookieBased: boolean): Promise<TokenResponse | true> {
  const { status, ok, headers } = response
  const text = await boundedText(response, ANSWER_BYTES, ANSWER_MS)
  const answer = jsonObject(text)
  if (ok && answer !== null && !own(answer, 'error')) {
    return isCookieBased && !(Object.hasOwn(answer, 'access_token') || Object.hasOwn(answer, 'accessToken'))
      ? true
      : (answer as TokenResponse)
  }
  if (ok && isCookieBased && text === '') return true

  const message = `The refresh endpoint answered ${status}${ok ? ' without tokens' : ''}`
  const retryAfter = retryAfterMs(headers.get('retry-after'), wallNow()) ?? undefined
  const error = new AuthError('refresh-unavailable', message, { retryable: true, retryAfterMs: retryAfter })
  const oauthError = oauthErrorOf(answer && own(answer, 'error'))
  throw Object.assign(error, { ...(!ok && { status }), ...(oauthError !== undefined && { oauthError }) })
}

function areHeaders(headers: RefreshEndpointOptions['headers']): boolean {
  try {
    return new Headers(headers) !== null
  } catch {
    return false
  }
}
