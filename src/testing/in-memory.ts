/**
 * A `fetch` that has the server at its other end: no network, but what a network does. Requests are made anew, redirects
 * followed, a dropped connection is a TypeError, an abort is heard at once.
 */
import type { Caller, Handle, SetCookie } from './caller.ts'

/** Cookies as a browser keeps them for one profile: HttpOnly, so nobody sees them. */
export type CookieJar = Map<string, SetCookie>

/** Fetch standard, HTTP-redirect fetch. */
const REDIRECTS = [301, 302, 303, 307, 308]
const MAX_REDIRECTS = 20
const NEVER = new AbortController().signal

export function inMemoryFetch(handle: Handle, baseUrl: string | URL, jar: CookieJar | null): typeof globalThis.fetch {
  return async (input, init) => {
    const signal = init?.signal ?? (input instanceof Request ? input.signal : null) ?? NEVER
    // The Request gets no signal of its own: each would leave a listener on the caller's until it is collected.
    const request = new Request(absolute(input, baseUrl), init?.signal ? { ...init, signal: null } : init)
    signal.throwIfAborted()
    return untilAborted(
      follow(request, (hop) => send(hop, handle, jar, signal)),
      signal,
    )
  }
}

const absolute = (input: RequestInfo | URL, baseUrl: string | URL): RequestInfo | URL =>
  typeof input === 'string' ? new URL(input, baseUrl) : input

async function send(request: Request, handle: Handle, jar: CookieJar | null, signal: AbortSignal): Promise<Response> {
  const usesJar = jar !== null && request.credentials !== 'omit'
  const cookies = usesJar ? cookiesFor(new URL(request.url).pathname, jar) : new Map<string, string>()
  const caller: Caller = { signal, cookies, setCookies: [] }
  const outcome = await handle(request, caller).catch((cause: unknown) => Promise.reject(fetchFailed(cause)))
  if (outcome === 'dropped')
    throw fetchFailed(Object.assign(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }))
  if (usesJar) for (const cookie of caller.setCookies) jar.set(cookie.name, cookie)
  Object.defineProperty(outcome, 'url', { value: request.url.split('#')[0], configurable: true })
  return outcome
}

/** As Node's fetch words it. */
const fetchFailed = (cause: unknown): TypeError => new TypeError('fetch failed', { cause })

function cookiesFor(path: string, jar: CookieJar): Map<string, string> {
  const cookies = [...jar.values()].filter((cookie) => cookie.value !== '' && path.startsWith(cookie.path))
  return new Map(cookies.map(({ name, value }) => [name, value]))
}

/** Redirects the way the Fetch standard has them, with manual ones handed back readable, as Node does. */
async function follow(first: Request, sendOne: (request: Request) => Promise<Response>): Promise<Response> {
  let request = first
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const hasBody = request.body !== null
    const response = await sendOne(request)
    const location = response.headers.get('location')
    if (!REDIRECTS.includes(response.status) || location === null || request.redirect === 'manual') {
      if (hops > 0) Object.defineProperty(response, 'redirected', { value: true, configurable: true })
      return response
    }
    if (request.redirect === 'error') throw fetchFailed(new Error('unexpected redirect'))
    request = next(request, hasBody, response.status, new URL(location, request.url))
  }
  throw fetchFailed(new Error('redirect count exceeded'))
}

function next(before: Request, hasBody: boolean, status: number, to: URL): Request {
  const { method } = before
  const becomesGet = (status === 303 && method !== 'HEAD') || (status < 303 && method === 'POST')
  if (!becomesGet && hasBody) throw fetchFailed(new Error('a body that was sent cannot be sent again'))
  const headers = new Headers(before.headers)
  if (becomesGet) for (const name of ['content-type', 'content-length', 'content-encoding']) headers.delete(name)
  if (to.origin !== new URL(before.url).origin) for (const name of ['authorization', 'cookie']) headers.delete(name)
  return new Request(to, { method: becomesGet ? 'GET' : method, headers, credentials: before.credentials })
}

function untilAborted(work: Promise<Response>, signal: AbortSignal): Promise<Response> {
  if (signal === NEVER) return work
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason)
    signal.addEventListener('abort', leave, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}
