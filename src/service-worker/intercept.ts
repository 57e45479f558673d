/**
 * Which requests of the pages the worker takes, and what they get for an answer: recovered ones for our origins, and from a
 * token endpoint an answer without its tokens. A request that is not taken goes on as if there were no worker.
 */
import type { AuthFetch } from '../auth-fetch.ts'
import { type AuthError, isAuthError } from '../errors.ts'
import { jsonObject } from '../http/json.ts'
import type { Settings } from '../options.ts'
import { ERROR_HEADER, partsOf } from './protocol.ts'
import type { SignIns } from './sign-ins.ts'
import { placeOf, type Receive, withoutTokens } from './token-endpoint.ts'

export interface InterceptOptions {
  readonly settings: Pick<Settings, 'isOurs' | 'transport'>
  readonly tokenEndpoints: readonly URL[]
  readonly signIns: Pick<SignIns, 'expect'>
  /** For answers that hold an error of ours. */
  readonly mark: string
}

/** What is answered here; null = left alone. */
export type Intercept = (request: Request) => Promise<Response> | null

/** What shows data. The files that an app is made of are the server's to give to everybody, and must not wait for a session. */
const DATA: readonly string[] = ['', 'audio', 'image', 'track', 'video']

export function interceptor(
  api: AuthFetch,
  { settings: { isOurs, transport }, tokenEndpoints, signIns, mark }: InterceptOptions,
): Intercept {
  const endpoints = new Set(tokenEndpoints.map(placeOf))
  const isTokens = (url: URL): boolean => endpoints.has(placeOf(url))
  const answered = async (sending: Promise<Response>, asked?: Receive): Promise<Response> => {
    const receive = asked ?? signIns.expect()
    try {
      const response = await sending
      // A redirect may lead there as well, and one from there changes nothing.
      const hasTokens = asked || (endpoints.size > 0 && response.url !== '' && isTokens(new URL(response.url)))
      return hasTokens ? await withoutTokens(response, receive) : response
    } catch (error) {
      if (isAuthError(error)) return refusal(error, mark)
      throw error
    }
  }
  const traded = (request: Request): Promise<Response> => {
    const receive = signIns.expect(grantTypeOf(request.clone()))
    return answered(transport(asJson(request)), receive)
  }
  const recovered = (request: Request): Promise<Response> => {
    // A Request that is made of another one and an init forgets where it came from.
    const { referrer, referrerPolicy } = request
    return answered(api(request, { referrer, referrerPolicy }))
  }
  return (request) => {
    const { mode, destination, method } = request
    const url = new URL(request.url)
    const isReading = method === 'GET' || method === 'HEAD'
    // Before all else, and a form posted into a frame too: that is a navigation, and a script can read what it shows.
    if (isTokens(url) && !(mode === 'navigate' && isReading)) return traded(request)
    if (isLeftAlone(request)) return null
    if (!isOurs(url)) {
      // It may be redirected to a token endpoint, and read there.
      return endpoints.size > 0 && url.origin === location.origin && destination === ''
        ? answered(transport(request))
        : null
    }
    // Nothing is attached to it and nothing recovered (O3).
    if (isCallers(request)) return answered(transport(request))
    if (mode !== 'no-cors') return recovered(request)
    if (url.origin === location.origin && !isReading) return recovered(new Request(request, { mode: 'same-origin' }))
    if (!isReading) return null
    // With the token where whoever answers in the end shares with us, and as it came where it does not.
    const credentials = url.origin === location.origin ? request.credentials : 'same-origin'
    return recovered(new Request(request, { mode: 'cors', credentials })).catch(() => transport(request))
  }
}

/** Navigations, the app's own files, and a look into the cache, which a worker may not take for every mode. */
const isLeftAlone = ({ mode, cache, destination }: Request): boolean =>
  mode === 'navigate' || !DATA.includes(destination) || (cache === 'only-if-cached' && mode !== 'same-origin')

/** It comes with credentials of its own, or asks for none. */
const isCallers = ({ headers, credentials }: Request): boolean => headers.has('authorization') || credentials === 'omit'

/** Of a request of OAuth, which some servers take in JSON. */
const grantTypeOf = (request: Request): Promise<unknown> =>
  request.text().then(
    (body) => jsonObject(body)?.grant_type ?? new URLSearchParams(body).get('grant_type'),
    () => null,
  )

/** Whole and in JSON, whatever the page has asked for: a form in its place would hide tokens from us. */
function asJson(request: Request): Request {
  const headers = new Headers(request.headers)
  headers.set('accept', 'application/json')
  headers.delete('range')
  return new Request(request, { headers })
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
