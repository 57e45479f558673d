// R1, D1, O2, C9 over real HTTP: the schemes without tokens to refresh, and sessions in cookies, from the 401 to the answer.
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetchOptions,
  authFailureOf,
  createAuthFetch,
  type Denial,
  type LoginNeed,
  refreshEndpoint,
} from '../../src/index.ts'
import { apiKey } from '../../src/schemes/api-key.ts'
import { basic, basicCredentials } from '../../src/schemes/basic.ts'
import { type CsrfOptions, cookie } from '../../src/schemes/cookie.ts'
import { type Answer, type Arrival, recordingServer } from '../helpers/recording-server.ts'
import { rejectionOf } from '../helpers/rejection.ts'

afterEach(() => void vi.unstubAllGlobals())

/** Lets in whoever shows the right credential, and names what it asks for. */
const guarded =
  (challenge: string, isRight: (arrival: Arrival) => boolean): Answer =>
  async (arrival, response) => {
    await arrival.whole
    const isIn = isRight(arrival)
    if (!isIn) response.writeHead(401, { 'www-authenticate': challenge })
    response.end(isIn ? arrival.body : 'who are you?')
  }

describe('basic()', () => {
  const PASSWORD = 'pässwörd: 123£ 🔑'
  const isRight = ({ headers }: Arrival): boolean =>
    Buffer.from(headers.authorization?.replace(/^Basic /, '') ?? '', 'base64').toString('utf8') === `Zoë:${PASSWORD}`

  it('L2 a 401 is a login, and what it brings resumes the requests, bodies and all', async () => {
    await using server = await recordingServer(guarded('Basic realm="shop", charset="UTF-8"', isRight))
    const needs: LoginNeed[] = []
    const api = createAuthFetch({
      baseUrl: server.url,
      scheme: basic(),
      onLoginRequired: (need) => {
        needs.push(need)
        return basicCredentials('Zoë', PASSWORD)
      },
    })
    await api.signIn(basicCredentials('Zoë', 'old'))
    const answers = await Promise.all([1, 2, 3].map((id) => api('/orders', { method: 'POST', body: `order ${id}` })))
    expect(await Promise.all(answers.map((response) => response.text()))).toEqual(['order 1', 'order 2', 'order 3'])
    expect(needs).toMatchObject([
      { reason: 'session-over', challenges: [{ scheme: 'basic', params: { realm: 'shop', charset: 'UTF-8' } }] },
    ])
    expect(server.arrivals).toHaveLength(6)
    expect(api.snapshot()).toMatchObject({ status: 'signed-in', subject: 'Zoë' })
  })

  it('L1 asks where nobody is signed in, and hands the 401 back where nobody answers', async () => {
    await using server = await recordingServer(guarded('Basic realm="shop"', isRight))
    const reasons: string[] = []
    const onLoginRequired = ({ reason }: LoginNeed): null => void reasons.push(reason) as unknown as null
    const api = createAuthFetch({ baseUrl: server.url, scheme: basic(), onLoginRequired })
    expect((await api('/')).status).toBe(401)
    expect(reasons).toEqual(['no-session'])
    expect(server.arrivals).toHaveLength(1)
  })

  it.each([
    ['Digest', 'Digest realm="api", qop="auth", algorithm=SHA-256, nonce="n", opaque="o"'],
    ['Negotiate', 'Negotiate'],
  ])('L1 a 401 that asks for %s alone is explained, and not answered', async (scheme, challenge) => {
    await using server = await recordingServer(guarded(challenge, () => false))
    const schemes: string[] = []
    const api = createAuthFetch({
      baseUrl: server.url,
      scheme: basic(),
      onLoginRequired: ({ challenges }) => void schemes.push(...challenges.map((each) => each.scheme)),
    })
    await api.signIn(basicCredentials('Zoë', PASSWORD))
    const response = await api('/')
    expect(response.status).toBe(401)
    expect(schemes).toEqual([scheme.toLowerCase()])
    expect(authFailureOf(response)).toMatchObject({ challenges: [{ scheme: scheme.toLowerCase() }] })
    expect(server.arrivals).toHaveLength(1)
  })
})

describe('apiKey()', () => {
  it('L2 a new key resumes the request', async () => {
    await using server = await recordingServer(guarded('ApiKey', ({ headers }) => headers['x-api-key'] === 'key-2'))
    const onLoginRequired = () => ({ accessToken: 'key-2' })
    const api = createAuthFetch({ baseUrl: server.url, scheme: apiKey(), onLoginRequired })
    await api.signIn({ accessToken: 'key-1' })
    expect(await (await api('/things', { method: 'PUT', body: 'thing' })).text()).toBe('thing')
    expect(server.arrivals.map(({ headers }) => headers['x-api-key'])).toEqual(['key-1', 'key-2'])
    expect(server.arrivals.map(({ path }) => path)).toEqual(['/things', '/things'])
  })
})

describe.each<[string, Partial<AuthFetchOptions>, string]>([
  ['an API key', { scheme: apiKey() }, 'x-api-key'],
  ['an API key in a header of its own', { scheme: apiKey({ header: 'X-Shop-Key', prefix: 'Key' }) }, 'x-shop-key'],
  ['a CSRF token', { scheme: cookie({ csrf: { token: 'secret' } }) }, 'x-csrf-token'],
])('%s', (_, options, header) => {
  it.each([301, 302, 303, 307, 308])(
    'O2 C9 stays behind where a %i leads elsewhere, and on foreign URLs',
    async (status) => {
      await using other = await recordingServer((_arrival, response) => void response.end('elsewhere'))
      await using server = await recordingServer((arrival, response) => {
        const to = arrival.path === '/away' ? `${other.url}/` : arrival.path === '/near' ? '/end' : undefined
        response.writeHead(to ? status : 200, to ? { location: to } : {}).end('here')
      })
      const api = createAuthFetch({ baseUrl: server.url, ...options })
      await api.signIn(header === 'x-csrf-token' ? true : { accessToken: 'secret' })
      const post = { method: 'POST', body: 'b' }
      expect(await (await api('/away', post)).text()).toBe('elsewhere')
      expect(await (await api(`${other.url}/direct`, post)).text()).toBe('elsewhere')
      expect(await (await api(`${server.otherHost}/direct`, post)).text()).toBe('here')
      expect(server.arrivals[0]?.headers[header]).toMatch(/secret$/)
      const foreign = [...other.arrivals, ...server.arrivals.filter(({ host }) => host.startsWith('localhost'))]
      expect(foreign).toHaveLength(3)
      for (const { message } of foreign) expect(message.rawHeaders.join('\n')).not.toMatch(/secret/)
      expect(await (await api('/near', { ...post, method: 'PUT' })).text()).toBe('here')
      const last = server.arrivals.at(-1)
      // A 303 makes it a GET, which carries an API key and no CSRF token.
      const isRead = last?.method === 'GET' && header === 'x-csrf-token'
      expect(last?.headers[header]?.toString().endsWith('secret') ?? false).toBe(!isRead)
    },
  )
})

/** A backend for the frontend: a session cookie that expires, a refresh cookie, and a CSRF token that rotates with both. */
async function backend(refusal: () => { status: number; type: string; body: string }) {
  let life = 0
  let expired = 0
  const cookies = (): string[] => [
    `sid=sid-${life}; HttpOnly; Path=/`,
    `rt=rt-${life}; HttpOnly; Path=/auth`,
    `XSRF-TOKEN=${encodeURIComponent(`csrf ${life}==`)}; Path=/`,
  ]
  const server = await recordingServer(async (arrival, response) => {
    await arrival.whole
    const { cookie: sent = '', 'x-xsrf-token': csrf } = arrival.headers
    const end = (status: number, body = '', headers = {}): void => void response.writeHead(status, headers).end(body)
    if (arrival.path === '/login') {
      life++
      return end(204, '', { 'set-cookie': cookies() })
    }
    // The session first: a request that was on its way when both changed has to get a 401.
    const isRefresh = arrival.path === '/auth/refresh'
    const isIn = isRefresh ? sent.includes(`rt=rt-${life}`) : expired !== life && sent.includes(`sid=sid-${life}`)
    if (!isIn) return end(401)
    if (arrival.method !== 'GET' && csrf !== `csrf ${life}==`) {
      const { status, type, body } = refusal()
      return end(status, body, { 'content-type': type })
    }
    if (isRefresh) {
      life++
      return end(204, '', { 'set-cookie': cookies() })
    }
    if (arrival.path === '/admin') {
      const page = '<meta name="csrf-token" content="invalid"></head><p>Your role is missing.</p>'
      return end(403, page, { 'content-type': 'text/html' })
    }
    end(200, arrival.body.toString())
  })
  const expire = (): void => {
    expired = life
  }
  return Object.assign(server, { expire })
}

/** As a browser does: keeps cookies, sends them where `credentials` says so, shows scripts those that are not HttpOnly. */
function browser(origin: string) {
  const jar = new Map<string, { value: string; isHttpOnly: boolean }>()
  const shown = (isForScripts: boolean): string =>
    [...jar]
      .flatMap(([name, { value, isHttpOnly }]) => (isForScripts && isHttpOnly ? [] : `${name}=${value}`))
      .join('; ')
  const document = new EventTarget()
  vi.stubGlobal('document', Object.defineProperty(document, 'cookie', { get: () => shown(true) }))
  vi.stubGlobal('addEventListener', () => {})
  vi.stubGlobal('removeEventListener', () => {})
  const transport: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const keeps = init?.credentials === 'include' && new URL(request.url).origin === origin
    if (keeps && jar.size > 0) request.headers.set('cookie', shown(false))
    const response = await fetch(request)
    for (const line of keeps ? response.headers.getSetCookie() : []) {
      const [, name = '', value = ''] = /^([^=]*)=([^;]*)/.exec(line) ?? []
      jar.set(name, { value, isHttpOnly: /HttpOnly/.test(line) })
    }
    return response
  }
  const logIn = async (): Promise<void> => void (await transport(`${origin}/login`, { credentials: 'include' }))
  return { jar, transport, logIn }
}

const django = () => ({ status: 403, type: 'text/html', body: '<p>CSRF verification failed. Request aborted.</p>' })
const laravel = () => ({ status: 419, type: 'application/json', body: '{"message":"CSRF token mismatch."}' })

describe('cookie()', () => {
  const csrf: CsrfOptions = { cookie: 'XSRF-TOKEN', header: 'X-XSRF-TOKEN' }
  const client = (url: string, transport: typeof fetch, options: AuthFetchOptions = {}) =>
    createAuthFetch({
      baseUrl: url,
      fetch: transport,
      scheme: cookie({ csrf }),
      refresh: refreshEndpoint({ url: '/auth/refresh', credentials: 'include' }),
      ...options,
    })

  it('R1 R2 expires: one refresh, by POST with the CSRF header, and each request again with the new token', async () => {
    await using server = await backend(django)
    const { transport, logIn } = browser(server.url)
    await logIn()
    const api = client(server.url, transport)
    await api.signIn(true)
    expect((await api('/orders', { method: 'POST', body: 'first' })).status).toBe(200)
    for (const life of [2, 3]) {
      server.expire()
      const answers = await Promise.all([1, 2, 3].map((id) => api('/orders', { method: 'POST', body: `${id}` })))
      expect(await Promise.all(answers.map((response) => response.text()))).toEqual(['1', '2', '3'])
      const refreshes = server.arrivals.filter(({ path }) => path === '/auth/refresh')
      expect(refreshes).toHaveLength(life - 1)
      expect(refreshes.at(-1)).toMatchObject({ method: 'POST', headers: { 'x-xsrf-token': `csrf ${life - 1}==` } })
      expect(server.arrivals.at(-1)?.headers['x-xsrf-token']).toBe(`csrf ${life}==`)
    }
    expect((await api('/orders')).status).toBe(200)
    expect(server.arrivals.at(-1)?.headers).not.toHaveProperty('x-xsrf-token')
  })

  it('R1 a client that sets the header itself, as axios does, is recovered, and its stale token replaced', async () => {
    await using server = await backend(django)
    const { transport, logIn } = browser(server.url)
    await logIn()
    const api = client(server.url, transport)
    await api.signIn(true)
    server.expire()
    const headers = { 'X-XSRF-TOKEN': 'csrf 1==' }
    expect((await api('/orders', { method: 'POST', body: 'b', headers })).status).toBe(200)
    expect(server.arrivals.map((arrival) => arrival.headers['x-xsrf-token'])).toEqual([
      undefined,
      'csrf 1==',
      'csrf 1==',
      'csrf 2==',
    ])
  })

  it.each([
    ['a 403', django],
    ['a 419', laravel],
  ])(
    'D1 a wrong CSRF token is no missing permission: %s is a denial with the reason csrf, once',
    async (_, refusal) => {
      await using server = await backend(refusal)
      const { jar, transport, logIn } = browser(server.url)
      await logIn()
      const denials: Denial[] = []
      const api = client(server.url, transport, { onPermissionDenied: (denial) => denials.push(denial) })
      await api.signIn(true)
      jar.set('XSRF-TOKEN', { value: 'forged', isHttpOnly: false })
      const { status, body } = refusal()
      const response = await api('/orders', { method: 'POST', body: 'b' })
      expect(response.status).toBe(status)
      expect(await response.text()).toBe(body)
      expect(denials.map(({ reason }) => reason)).toEqual(['csrf'])
      expect(authFailureOf(response)).toMatchObject({ reason: 'csrf' })
      expect(server.arrivals.filter(({ path }) => path !== '/login')).toHaveLength(1)
    },
  )

  it('D1 a missing permission stays one, on a page that carries a token of its own', async () => {
    await using server = await backend(django)
    const { transport, logIn } = browser(server.url)
    await logIn()
    const reasons: string[] = []
    const api = client(server.url, transport, { onPermissionDenied: ({ reason }) => reasons.push(reason) })
    await api.signIn(true)
    expect((await api('/admin', { method: 'POST' })).status).toBe(403)
    expect(reasons).toEqual(['forbidden'])
    expect(server.arrivals).toHaveLength(2)
  })

  it('E1 a token that no header takes rejects the call with our error, before anything is sent', async () => {
    await using server = await backend(django)
    const { jar, transport } = browser(server.url)
    jar.set('XSRF-TOKEN', { value: 'hunter2%0d%0aset-cookie: a', isHttpOnly: false })
    const api = client(server.url, transport)
    await api.signIn(true)
    const error = await rejectionOf(api('/orders', { method: 'POST' }))
    expect(error).toMatchObject({ name: 'AuthError', code: 'invalid-token' })
    expect(String((error as Error).stack)).not.toContain('hunter2')
    expect(server.arrivals).toHaveLength(0)
  })
})
