/**
 * Which requests of the pages the worker takes, and what they get for an answer: recovered ones for our origins, and from a
 * token endpoint an answer without its tokens. A request that is not taken goes on as if there were no worker.
 */
import type { AuthFetch } from '../auth-fetch.ts'
import { type AuthError, isAuthError } from '../errors.ts'
import { jsonObject } from '../http/json.ts'
import type { Settings } from '../options.ts'
import type { TokenResponse } from '../tokens.ts'
import { ERROR_HEADER, type ErrorParts } from './protocol.ts'

export interface InterceptOptions {
  readonly settings: Pick<Settings, 'isOurs' | 'transport'>
  readonly tokenEndpoints: readonly URL[]
  /** For answers that hold an error of ours. */
  readonly mark: string
}

/** What is answered here; null = left alone. */
export type Intercept = (request: Request) => Promise<Response> | null

export function interceptor(api: AuthFetch, { settings, tokenEndpoints, mark }: InterceptOptions): Intercept {
  const endpoints = new Set(tokenEndpoints.map(placeOf))
  const isTokens = (url: URL): boolean => endpoints.has(placeOf(url))
  const answered = async (sending: Promise<Response>, isFromEndpoint = false): Promise<Response> => {
    try {
      const response = await sending
      // A redirect may lead there as well.
      const hasTokens = isFromEndpoint || (response.redirected && isTokens(new URL(response.url)))
      return hasTokens ? await keepTokens(api, response) : response
    } catch (error) {
      if (isAuthError(error)) return refusal(error, mark)
      throw error
    }
  }
  return (request) => {
    const url = new URL(request.url)
    // Before all else: a form posted into a frame is a navigation, and a script could read what it shows.
    if (isTokens(url)) return answered(settings.transport(request), true)
    if (isLeftAlone(request) || !settings.isOurs(url)) return null
    // Nothing is attached and nothing recovered (O3); a redirect of such a request may lead to tokens all the same.
    if (isCallers(request)) return answered(settings.transport(request))
    if (request.mode !== 'no-cors') return answered(api(request))
    if (url.origin === location.origin) return answered(api(new Request(request, { mode: 'same-origin' })))
    // An image of another origin: with the token where that origin shares with us, and as it came where it does not.
    if (request.method !== 'GET') return null
    const shared = new Request(request, { mode: 'cors', credentials: 'same-origin' })
    return answered(api(shared)).catch(() => settings.transport(request))
  }
}

/** Navigations, which show the server's pages, and a look into the cache, which a worker may not take for every mode. */
const isLeftAlone = ({ mode, cache }: Request): boolean =>
  mode === 'navigate' || (cache === 'only-if-cached' && mode !== 'same-origin')

/** It comes with credentials of its own, or asks for none. */
const isCallers = ({ headers, credentials }: Request): boolean => headers.has('authorization') || credentials === 'omit'

/** Where a URL leads: servers overlook the case of a path, escapes, doubled slashes, parameters and a slash at the end. */
function placeOf({ origin, pathname }: URL): string {
  let path = pathname
  try {
    path = decodeURIComponent(pathname)
  } catch {}
  return (
    origin +
    path
      .toLowerCase()
      .replace(/;[^/]*/g, '')
      .replace(/[/\\]+/g, '/')
      .replace(/\/$/, '')
  )
}

const TOKENS = ['access_token', 'refresh_token', 'id_token', 'accessToken', 'refreshToken', 'idToken']

/** What a page gets of an answer with tokens: they become the session here, and stay here. */
async function keepTokens(api: AuthFetch, response: Response): Promise<Response> {
  // Whatever its type says: a page can read any text as JSON.
  if (!response.ok || response.body === null) return response
  const text = await response.text()
  const answer = jsonObject(text)
  const headers = new Headers(response.headers)
  // Those of a body that is no more.
  for (const name of ['content-length', 'content-encoding']) headers.delete(name)
  const { status, statusText } = response
  if (answer === null || !TOKENS.some((name) => Object.hasOwn(answer, name))) {
    return new Response(text, { status, statusText, headers })
  }
  await api.signIn(answer as unknown as TokenResponse)
  const rest = Object.entries(answer).filter(([name]) => !TOKENS.includes(name))
  return new Response(JSON.stringify(Object.fromEntries(rest)), { status, statusText, headers })
}

/**
 * A request that could not be sent, told to whoever made it: to a page's AuthFetch by the mark, to an image or a plain fetch as
 * the 503 that it is (RFC 9457).
 */
function refusal(error: AuthError, mark: string): Response {
  const { retryAfterMs } = error
  const headers = new Headers({ 'content-type': 'application/problem+json', 'cache-control': 'no-store' })
  headers.set(ERROR_HEADER, mark)
  if (retryAfterMs !== undefined) headers.set('retry-after', String(Math.ceil(retryAfterMs / 1000)))
  const problem = { title: 'The session has no credentials to send', status: 503, error: partsOf(error) }
  return new Response(JSON.stringify(problem), { status: 503, statusText: 'Service Unavailable', headers })
}

/** What of an error may be shown on the other side: the code and the message, which never hold a token (E1). */
export function partsOf({ code, message, retryable, retryAfterMs, oauthError, status }: AuthError): ErrorParts {
  return {
    code,
    message,
    retryable,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(oauthError !== undefined && { oauthError }),
    ...(status !== undefined && { status }),
  }
}
