// The refresher for an endpoint of one's own: what it sends, and what it makes of the answers.
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  type RefreshEndpointOptions,
  refreshEndpoint,
  type TokenSet,
} from '../../src/index.ts'
import { unauthorized } from '../helpers/answer.ts'
import { eventsOf } from '../helpers/next-event.ts'

const baseUrl = 'https://api.example'
const url = 'https://auth.example/token'
const first: TokenSet = { accessToken: 'at-1', refreshToken: 'rt-1' }

type Answer = Response | Error | (() => Response | Promise<Response>)

interface Seen {
  /** What the waiting call came to. */
  status: number | undefined
  error: { code?: string; retryable?: boolean; retryAfterMs?: number; message?: string; cause?: unknown } | undefined
  /** The requests to the endpoint, and the init that the transport was given for each. */
  requests: Request[]
  inits: (RequestInit | undefined)[]
  /** The credentials of all requests to the API. */
  credentials: (string | null)[]
  verdicts: string[]
  store: ReturnType<typeof memoryStore>
  logins: number
}

/** One call that meets a 401, with a token endpoint that answers so. */
async function refreshWith(
  options: Partial<RefreshEndpointOptions>,
  answer: Answer,
  { tokens = first as TokenSet | true, ...more }: { tokens?: TokenSet | true } & AuthFetchOptions = {},
): Promise<Seen> {
  const requests: Request[] = []
  const inits: (RequestInit | undefined)[] = []
  const credentials: (string | null)[] = []
  const store = memoryStore()
  let logins = 0
  let isRefreshed = false
  const api = createAuthFetch({
    baseUrl,
    store,
    refresh: refreshEndpoint({ url, ...options }),
    refreshRetries: 0,
    onLoginRequired: () => void logins++,
    async fetch(input, init) {
      const request = new Request(input, init)
      if (request.method === 'GET') {
        const credential = request.headers.get('authorization')
        credentials.push(credential)
        const isGood = credential === 'Bearer at-2' || (tokens === true && isRefreshed)
        return isGood ? Response.json({ ok: true }) : unauthorized()
      }
      requests.push(request)
      inits.push(init)
      if (answer instanceof Error) throw answer
      const response = typeof answer === 'function' ? await answer() : answer.clone()
      isRefreshed = response.ok
      return response
    },
    ...more,
  })
  await api.signIn(tokens)
  const failed = eventsOf(api, 'refresh-failed')
  const outcome = await api('/orders').then(
    ({ status }) => ({ status, error: undefined }),
    (error) => ({ status: undefined, error }),
  )
  return { ...outcome, requests, inits, credentials, verdicts: failed.map(({ verdict }) => verdict), store, logins }
}

const fresh = (): Response => Response.json({ access_token: 'at-2', refresh_token: 'rt-2', expires_in: 300 })

describe('what is sent', () => {
  it('R7 by default a form, RFC 6749 section 6', async () => {
    const { status, requests, inits } = await refreshWith({}, fresh())
    expect(status).toBe(200)
    const [request] = requests
    expect(request?.method).toBe('POST')
    expect(request?.url).toBe(url)
    expect(request?.headers.get('content-type')).toMatch(/^application\/x-www-form-urlencoded/)
    expect(request?.headers.get('accept')).toBe('application/json')
    expect(request?.headers.has('authorization')).toBe(false)
    expect(await request?.text()).toBe('grant_type=refresh_token&refresh_token=rt-1')
    expect(inits[0]).toMatchObject({ redirect: 'manual', cache: 'no-store' })
    expect(inits[0]).not.toHaveProperty('credentials')
  })

  it('R7 clientId goes along', async () => {
    const { requests } = await refreshWith({ clientId: 'web app&1' }, fresh())
    expect(await requests[0]?.text()).toBe('grant_type=refresh_token&refresh_token=rt-1&client_id=web+app%261')
  })

  it('R7 format: json', async () => {
    const { status, requests } = await refreshWith({ format: 'json', clientId: 'web' }, fresh())
    expect(status).toBe(200)
    expect(requests[0]?.headers.get('content-type')).toBe('application/json')
    expect(await requests[0]?.json()).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'rt-1',
      client_id: 'web',
    })
  })

  it('R7 a body of one’s own replaces the members, as JSON', async () => {
    const body = (tokens: TokenSet | null) => ({ token: tokens?.refreshToken, device: 7 })
    const { status, requests } = await refreshWith({ format: 'json', body }, fresh())
    expect(status).toBe(200)
    expect(await requests[0]?.json()).toEqual({ token: 'rt-1', device: 7 })
  })

  it('R7 a body of one’s own replaces the members, as a form', async () => {
    const body = (tokens: TokenSet | null) => ({ token: tokens?.refreshToken, device: 'a b' })
    const { requests } = await refreshWith({ body }, fresh())
    expect(await requests[0]?.text()).toBe('token=rt-1&device=a+b')
  })

  it('R7 a body of one’s own may be URLSearchParams', async () => {
    const { requests } = await refreshWith({ body: () => new URLSearchParams('a=1&a=2') }, fresh())
    expect(await requests[0]?.text()).toBe('a=1&a=2')
  })

  it.each([
    ['form', 'token=rt-1'],
    ['json', '{"token":"rt-1"}'],
  ] as const)('R7 members of a body that are undefined are left out: %s', async (format, sent) => {
    const body = (tokens: TokenSet | null) => ({ token: tokens?.refreshToken, device: undefined })
    const { requests } = await refreshWith({ format, body }, fresh())
    expect(await requests[0]?.text()).toBe(sent)
  })

  it('R7 headers of one’s own', async () => {
    const headers = { 'x-csrf-token': 'c', accept: 'application/vnd.mine+json', 'content-type': 'application/mine' }
    for (const given of [headers, new Headers(headers), Object.entries(headers)] as HeadersInit[]) {
      const { requests } = await refreshWith({ headers: given }, fresh())
      for (const [name, value] of Object.entries(headers)) expect(requests[0]?.headers.get(name)).toBe(value)
    }
  })

  it('R7 credentials of a client that is confidential may be among them', async () => {
    const { status, requests } = await refreshWith({ headers: { authorization: 'Basic d2ViOnM=' } }, fresh())
    expect(status).toBe(200)
    expect(requests[0]?.headers.get('authorization')).toBe('Basic d2ViOnM=')
  })

  it.each(['include', 'same-origin'] as const)(
    'R7 credentials: %s are handed to the transport',
    async (credentials) => {
      const { inits } = await refreshWith({ credentials }, fresh())
      expect(inits[0]?.credentials).toBe(credentials)
    },
  )

  it('R7 a URL object, and a relative URL that resolves against baseUrl', async () => {
    expect((await refreshWith({ url: new URL(url) }, fresh())).requests[0]?.url).toBe(url)
    expect((await refreshWith({ url: '/auth/token' }, fresh())).requests[0]?.url).toBe(`${baseUrl}/auth/token`)
  })

  it('R7 without a refresh token there is nothing to send: over, without a request', async () => {
    const seen = await refreshWith({}, fresh(), { tokens: { accessToken: 'at-1' } })
    expect(seen.requests).toEqual([])
    expect(seen).toMatchObject({ status: 401, verdicts: ['over'], logins: 1 })
    expect(await seen.store.read()).toBeNull()
  })

  it('R7 with a body of one’s own a refresh token is not needed', async () => {
    const body = () => ({ device: 7 })
    const seen = await refreshWith({ body, format: 'json' }, fresh(), { tokens: { accessToken: 'at-1' } })
    expect(seen.status).toBe(200)
    expect(await seen.requests[0]?.json()).toEqual({ device: 7 })
  })

  it.each([
    ['url', { url: 7 }],
    ['url', {}],
    ['format', { url, format: 'xml' }],
    ['body', { url, body: {} }],
  ])('R7 a wrong %s is refused when it is made', (option, options) => {
    expect(() => refreshEndpoint(options as never)).toThrow(
      expect.objectContaining({
        name: 'TypeError',
        code: 'ERR_INVALID_OPTION',
        message: expect.stringContaining(`\`${option}\``),
      }),
    )
  })
})

describe('cookies', () => {
  const cookies: Partial<RefreshEndpointOptions> = { credentials: 'include', format: 'json' }

  it.each([
    ['204', () => new Response(null, { status: 204 })],
    ['200 and an empty object', () => Response.json({})],
    ['200 and something else', () => Response.json({ ok: true, user: 'alice' })],
    ['200 and no body', () => new Response(null, { headers: { 'content-length': '0' } })],
    ['200 and an empty body', () => new Response('')],
  ])('R7 %s: refreshed, and there is nothing to hold', async (_, answer) => {
    const seen = await refreshWith(cookies, answer, { tokens: true })
    expect(seen.status).toBe(200)
    expect(seen.credentials).toEqual([null, null])
    expect(seen.inits[0]?.credentials).toBe('include')
    expect(await seen.store.read()).toMatchObject({ tokens: null })
  })

  it.each([
    ['access_token', { access_token: 'at-2', expires_in: 300 }],
    ['accessToken', { accessToken: 'at-2' }],
  ])('R7 an answer with %s is held: the refresh token alone is in the cookie', async (_, answer) => {
    const seen = await refreshWith(cookies, Response.json(answer), { tokens: { accessToken: 'at-1' } })
    expect(seen.status).toBe(200)
    expect(seen.credentials).toEqual(['Bearer at-1', 'Bearer at-2'])
    expect(await seen.requests[0]?.text()).not.toContain('undefined')
  })

  it.each([401, 400])('R7 %i: over', async (status) => {
    const seen = await refreshWith(cookies, Response.json({ message: 'no cookie' }, { status }), { tokens: true })
    expect(seen).toMatchObject({ status: 401, verdicts: ['over'], logins: 1 })
    expect(await seen.store.read()).toBeNull()
  })

  it.each([
    ['an HTML page', () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })],
    ['503', () => new Response('', { status: 503 })],
    ['403', () => new Response('', { status: 403 })],
  ])('R7 %s: transient, the session stays', async (_, answer) => {
    const seen = await refreshWith(cookies, answer, { tokens: true })
    expect(seen).toMatchObject({ verdicts: ['transient'], logins: 0, error: { code: 'refresh-unavailable' } })
    expect(await seen.store.read()).not.toBeNull()
  })
})

describe('answers', () => {
  it('R7 new tokens', async () => {
    const seen = await refreshWith({}, fresh())
    expect(seen).toMatchObject({ status: 200, verdicts: [], logins: 0 })
    expect((await seen.store.read())?.tokens).toMatchObject({
      accessToken: 'at-2',
      refreshToken: 'rt-2',
      expiresAt: expect.any(Number),
    })
  })

  it.each([
    ['camelCase', { accessToken: 'at-2', refreshToken: 'rt-2' }],
    [
      'more than is asked for',
      { access_token: 'at-2', refresh_token: 'rt-2', user: { name: 'alice' }, error: undefined },
    ],
    ['an error of null', { access_token: 'at-2', refresh_token: 'rt-2', error: null }],
    ['an empty error', { access_token: 'at-2', refresh_token: 'rt-2', error: '' }],
  ])('R7 new tokens with %s', async (_, body) => {
    const seen = await refreshWith({}, Response.json(body))
    expect(seen.status).toBe(200)
    expect(await seen.store.read()).toMatchObject({ tokens: { accessToken: 'at-2', refreshToken: 'rt-2' } })
  })

  it('R7 new tokens that are called text/plain', async () => {
    const answer = new Response('{"access_token":"at-2"}', { headers: { 'content-type': 'text/plain' } })
    expect((await refreshWith({}, answer)).status).toBe(200)
  })

  it('R10 an answer without refresh_token keeps the old one', async () => {
    const seen = await refreshWith({}, Response.json({ access_token: 'at-2' }))
    expect(await seen.store.read()).toMatchObject({ tokens: { accessToken: 'at-2', refreshToken: 'rt-1' } })
  })

  it.each([
    [400, { error: 'invalid_grant' }],
    [401, { error: 'invalid_grant', error_description: 'revoked' }],
    [403, { error: 'invalid_grant' }],
    [400, { message: 'unknown token' }],
    [401, { error: 'Unauthorized', statusCode: 401 }],
    [401, 'no'],
    [200, { error: 'invalid_grant' }],
  ])('R7 %i %j: over', async (status, body) => {
    const seen = await refreshWith(
      {},
      typeof body === 'string' ? new Response(body, { status }) : Response.json(body, { status }),
    )
    expect(seen).toMatchObject({ status: 401, verdicts: ['over'], logins: 1 })
    expect(await seen.store.read()).toBeNull()
  })

  it.each([
    [401, 'invalid_client'],
    [400, 'invalid_client'],
    [400, 'unauthorized_client'],
    [400, 'unsupported_grant_type'],
    [400, 'invalid_request'],
    [400, 'invalid_scope'],
    [200, 'invalid_client'],
  ])('R7 %i %s: misconfigured, named, the session stays', async (status, error) => {
    const seen = await refreshWith({}, Response.json({ error }, { status }))
    expect(seen).toMatchObject({ verdicts: ['misconfigured'], logins: 0 })
    expect(seen.error).toMatchObject({ code: 'refresh-unavailable', retryable: false })
    expect(seen.error?.message).toContain(error)
    expect(await seen.store.read()).toMatchObject({ tokens: first })
  })

  it.each([
    ['503', () => new Response('down', { status: 503 })],
    ['500 with JSON', () => Response.json({ message: 'oops' }, { status: 500 })],
    ['429', () => new Response('', { status: 429 })],
    ['408', () => new Response('', { status: 408 })],
    ['425', () => new Response('', { status: 425 })],
    ['403 from a firewall', () => new Response('<h1>Blocked</h1>', { status: 403 })],
    ['404', () => new Response('', { status: 404 })],
    ['a captive portal', () => new Response('<!doctype html>', { headers: { 'content-type': 'text/html' } })],
    ['HTML that claims to be JSON', () => new Response('<html>', { headers: { 'content-type': 'application/json' } })],
    ['an empty answer', () => new Response('')],
    ['no answer at all', () => new Response(null, { status: 204 })],
    ['broken JSON', () => new Response('{"access_token":"at-2"')],
    ['JSON that is no object', () => Response.json(['at-2'])],
    ['JSON null', () => Response.json(null)],
    ['an object without tokens', () => Response.json({ ok: true })],
    ['an empty access_token', () => Response.json({ access_token: '' })],
    ['temporarily_unavailable', () => Response.json({ error: 'temporarily_unavailable' }, { status: 400 })],
    ['a network failure', new TypeError('fetch failed')],
  ] satisfies Array<[string, Answer]>)('R7 %s: transient, the session stays', async (_, answer) => {
    const seen = await refreshWith({}, answer)
    expect(seen).toMatchObject({ verdicts: ['transient'], logins: 0 })
    expect(seen.error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(await seen.store.read()).toMatchObject({ tokens: first })
  })

  it('R7 Retry-After is passed on', async () => {
    const seen = await refreshWith({}, new Response('', { status: 503, headers: { 'retry-after': '30' } }))
    expect(seen.error).toMatchObject({ retryable: true, retryAfterMs: 30_000 })
  })

  it('R7 an answer in JSON without an OAuth error has none in its error, not even as a word', async () => {
    const { error } = await refreshWith({}, Response.json({ message: 'down' }, { status: 503 }), { refreshRetries: 0 })
    expect(error).not.toHaveProperty('oauthError')
    expect(error?.cause).toMatchObject({ status: 503 })
    expect(error?.cause).not.toHaveProperty('oauthError')
  })

  it('E1 nothing that was sent or received is in the error', async () => {
    const description = 'the token rt-1 of at-1 was replaced by rt-secret'
    for (const answer of [
      Response.json({ error: 'invalid_request', error_description: description }, { status: 400 }),
      Response.json({ error: description }, { status: 503 }),
      new Response(description, { status: 503 }),
      Response.json({ error: 'the token is now rt-secret' }, { status: 400 }),
      Response.json({ error: 'the token is now rt-secret' }, { status: 500 }),
      new Response(`{"access_token":"rt-secret"`),
    ]) {
      const { error } = await refreshWith({}, answer)
      expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(/rt-1|at-1|rt-secret/)
    }
  })
})

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('O2 %i is never followed: the refresh token goes nowhere else', async (status) => {
    const location = 'https://evil.example/token'
    const seen = await refreshWith({}, () => new Response(null, { status, headers: { location } }))
    expect(seen.requests.map((request) => request.url)).toEqual([url])
    expect(seen.inits[0]?.redirect).toBe('manual')
    expect(seen).toMatchObject({ verdicts: ['transient'], logins: 0 })
    expect(seen.error).toMatchObject({ code: 'refresh-unavailable' })
    expect(await seen.store.read()).toMatchObject({ tokens: first })
  })

  it.each([302, 307])('O2 a refresher of one’s own is told: the fetch of its context rejects at %i', async (status) => {
    const init = { status, headers: { location: 'https://evil.example/token' } }
    const seen = await refreshWith({}, () => Response.json({ access_token: 'at-2' }, init), {
      refresh: async ({ fetch }) => (await fetch(url, { method: 'POST', body: 'rt-1' })).json(),
    })
    expect(seen.requests.map((request) => request.url)).toEqual([url])
    expect(seen).toMatchObject({ verdicts: ['transient'], error: { cause: { name: 'TypeError' } } })
    expect(await seen.store.read()).toMatchObject({ tokens: first })
  })

  it('O2 the opaque redirect of a browser is refused as well', async () => {
    const opaque = new Response(null)
    Object.defineProperties(opaque, { type: { value: 'opaqueredirect' }, status: { value: 0 }, ok: { value: false } })
    const seen = await refreshWith({}, () => opaque, {
      async refresh({ fetch }) {
        await fetch(url, { method: 'POST' })
        return { accessToken: 'at-2' }
      },
    })
    expect(seen).toMatchObject({ verdicts: ['transient'], logins: 0, error: { cause: { name: 'TypeError' } } })
  })
})

describe('bounds', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('R7 an answer of 256 KiB is read', async () => {
    const body = JSON.stringify({ access_token: 'at-2', pad: '' })
    const pad = 'x'.repeat(262_144 - body.length)
    expect((await refreshWith({}, Response.json({ access_token: 'at-2', pad }))).status).toBe(200)
  })

  it('R7 one byte more is not: transient', async () => {
    const body = JSON.stringify({ access_token: 'at-2', pad: '' })
    const pad = 'x'.repeat(262_145 - body.length)
    const seen = await refreshWith({}, Response.json({ access_token: 'at-2', pad }))
    expect(seen).toMatchObject({ verdicts: ['transient'], logins: 0 })
  })

  it('R7 an answer without end is cut off after 256 KiB', async () => {
    let sent = 0
    let isCancelled = false
    const endless = new ReadableStream({
      pull(controller) {
        sent += 16_384
        controller.enqueue(new Uint8Array(16_384))
      },
      cancel() {
        isCancelled = true
      },
    })
    const seen = await refreshWith({}, () => new Response(endless))
    expect(seen).toMatchObject({ verdicts: ['transient'], logins: 0 })
    expect(isCancelled).toBe(true)
    expect(sent).toBeLessThan(400_000)
  })

  it('R6 an answer whose body never ends is given up at refreshTimeoutMs', async () => {
    const call = refreshWith({}, () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })))
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await call).error).toMatchObject({ code: 'refresh-timeout', retryable: true })
  })
})
