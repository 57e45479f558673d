// O2 over real HTTP: where a redirect leads, our credentials do not follow to another origin; and what a redirect does to a
// request is what the platform's own fetch does.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetchOptions,
  type AuthScheme,
  createAuthFetch,
  isAuthError,
  memoryStore,
  type Refresher,
  refreshEndpoint,
} from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { type Arrival, type RecordingServer, recordingServer } from '../helpers/recording-server.ts'
import { rejectionOf } from '../helpers/rejection.ts'

const STATUSES = [301, 302, 303, 307, 308]
const SECRET = 'at-secret'

/** Sets what platforms forward across origins, as DPoP and API keys do. */
const keyed = (): AuthScheme => ({
  name: 'keyed',
  headers: ['authorization', 'x-api-key', 'dpop'],
  attach(headers, { accessToken }, { method, url }) {
    headers.set('authorization', `DPoP ${accessToken}`)
    headers.set('x-api-key', `key of ${accessToken}`)
    headers.set('dpop', `proof for ${method} ${url.href} with ${accessToken}`)
  },
})
const schemes: Array<[string, AuthScheme | undefined]> = [
  ['bearer, where the platform follows', undefined],
  ['a scheme of the user, where we follow', keyed()],
]

/** `/hop/302?to=…` redirects there, `/status/401` answers so, `/silent` does not; anything else is the end. */
const start = () =>
  recordingServer(async (arrival, response) => {
    const { pathname, searchParams } = new URL(arrival.path, 'http://any')
    await arrival.whole
    const [, kind, status] = pathname.split('/')
    if (kind === 'silent') return
    if (kind === 'status') response.statusCode = Number(status)
    if (kind === 'hop') {
      response.statusCode = Number(status) || 200
      const to = searchParams.get('to')
      if (to !== null) response.setHeader('location', Buffer.from(to).toString('latin1'))
    }
    // As bytes: Node writes headers in the encoding of a body that is a string.
    response.end(Buffer.from(kind === 'hop' ? 'moved' : 'the end'))
  })

let home: RecordingServer
let other: RecordingServer
beforeAll(async () => {
  home = await start()
  other = await start()
})
afterAll(async () => {
  await home[Symbol.asyncDispose]()
  await other[Symbol.asyncDispose]()
})

let seen = { home: 0, other: 0 }
beforeEach(() => {
  seen = { home: home.arrivals.length, other: other.arrivals.length }
})
const atHome = (): readonly Arrival[] => home.arrivals.slice(seen.home)
const atOther = (): readonly Arrival[] => other.arrivals.slice(seen.other)
/** Same server, other name: what arrives there says so in its Host. */
const foreign = (): readonly Arrival[] => [...atHome().filter(({ host }) => !host.startsWith('127.')), ...atOther()]
const native = (): readonly Arrival[] => atHome().filter(({ host }) => host.startsWith('127.'))

const client = (options: AuthFetchOptions = {}) =>
  createAuthFetch({ baseUrl: home.url, store: memoryStore({ accessToken: SECRET }), ...options })

/** The URL that redirects to the last one by way of the others; each hop stands on the origin of its own URL. */
function chain(status: number, ...urls: string[]): string {
  return urls.reduceRight((to, url) => `${url}/hop/${status}?to=${encodeURIComponent(to)}`)
}

/** None of what a scheme of ours sets, and the secret nowhere. */
function expectClean(arrivals: readonly Arrival[]): void {
  for (const { message } of arrivals)
    expect(message.rawHeaders.join('\n')).not.toMatch(/authorization|x-api-key|dpop|at-secret/i)
}

it('O2 R1 the scheme sees the answer of every hop at home, and none of another origin before the last', async () => {
  const seen: string[] = []
  const scheme: AuthScheme = {
    ...keyed(),
    observe: ({ status }, { url }) => void seen.push(`${status} ${url.origin}`),
  }
  await client({ scheme })(chain(307, home.url, home.url, `${home.url}/end`))
  expect(seen.slice(0, 3)).toEqual([`307 ${home.url}`, `307 ${home.url}`, `200 ${home.url}`])
  seen.length = 0
  await client({ scheme })(chain(307, home.url, other.url, `${other.url}/end`))
  expect(seen).not.toContain(`307 ${other.url}`)
})

describe.each(schemes)('%s', (_, scheme) => {
  const places: Array<[string, () => string]> = [
    ['another host', () => home.otherHost],
    ['another port', () => other.url],
  ]
  const cases = STATUSES.flatMap((status) =>
    places.flatMap(([place, url]) => ['GET', 'POST'].map((method) => [method, status, place, url] as const)),
  )

  it.each(cases)('O2 a %s redirected by %i to %s arrives there without credentials', async (method, status, _, url) => {
    const body = method === 'POST' ? { body: 'payload' } : {}
    const response = await client({ scheme })(chain(status, home.url, `${url()}/end`), { method, ...body })

    expect(await response.text()).toBe('the end')
    expect(native()[0]?.headers.authorization).toContain(SECRET)
    expect(foreign()).toHaveLength(1)
    expectClean(foreign())
  })

  it.each(STATUSES)('O2 a → b → b2 by %i arrives without credentials at b and at b2', async (status) => {
    await client({ scheme })(chain(status, home.url, other.url, `${other.url}/end`))

    expect(atOther()).toHaveLength(2)
    expectClean(atOther())
  })

  it.each(STATUSES)('O2 a → b → a by %i comes home without credentials', async (status) => {
    await client({ scheme })(chain(status, home.url, other.url, `${home.url}/end`))

    expect(atHome()).toHaveLength(2)
    expectClean([...atOther(), ...atHome().slice(1)])
  })

  it('O2 b and a both being ours, credentials are dropped between them all the same', async () => {
    await client({ scheme, origins: [home.url, other.url] })(chain(307, home.url, `${other.url}/end`))

    expect(atOther()).toHaveLength(1)
    expectClean(atOther())
  })

  it.each(STATUSES)('O2 a → a2 by %i keeps the credentials', async (status) => {
    await client({ scheme })(chain(status, home.url, `${home.url}/end`))

    expect(atHome()[1]?.headers.authorization).toContain(SECRET)
  })

  it('O2 a request that starts at b gets no credentials when it is redirected to a', async () => {
    await client({ scheme })(chain(307, other.url, `${home.url}/end`))

    expect(atHome()).toHaveLength(1)
    expectClean([...atOther(), ...atHome()])
  })

  it('O2 the replay of a redirected request drops them again', async () => {
    const refresh = vi.fn(async () => ({ accessToken: `${SECRET}-2` }))
    let isFirst = true
    const classify = () => {
      const verdict = isFirst ? 'recover' : 'pass'
      isFirst = false
      return verdict as 'recover' | 'pass'
    }
    const api = client({ scheme, refresh, classify, origins: [home.url, other.url] })
    await api(chain(307, home.url, `${other.url}/end`), { method: 'POST', body: 'payload' })

    expect(refresh).toHaveBeenCalledOnce()
    expect(atOther().map(({ body }) => String(body))).toEqual(['payload', 'payload'])
    expectClean(atOther())
  })

  it.each([401, 403])('O2 a %i of another origin passes through and starts nothing', async (status) => {
    const callbacks = { refresh: vi.fn(), onLoginRequired: vi.fn(), onPermissionDenied: vi.fn() }
    const response = await client({ scheme, ...callbacks })(chain(307, home.url, `${other.url}/status/${status}`))

    expect(response.status).toBe(status)
    for (const callback of Object.values(callbacks)) expect(callback).not.toHaveBeenCalled()
    expect(atOther()).toHaveLength(1)
  })

  it('O2 a 401 at the end of a chain at home is recovered from its start', async () => {
    const refresh = vi.fn(async () => ({ accessToken: `${SECRET}-2` }))
    const response = await client({ scheme, refresh })(chain(307, home.url, `${home.url}/status/401`))

    expect(response.status).toBe(401)
    expect(refresh).toHaveBeenCalledOnce()
    expect(atHome().map(({ path }) => path.slice(0, 8))).toEqual(['/hop/307', '/status/', '/hop/307', '/status/'])
    expect(atHome()[3]?.headers.authorization).toContain(`${SECRET}-2`)
  })

  it.each<[string, RequestInit]>([
    ['manual', { redirect: 'manual' }],
    ['error', { redirect: 'error' }],
  ])('O2 redirect: %s is left to the platform, in init', async (_, init) => {
    await expectTheSameAsNative(scheme, chain(302, home.url, `${other.url}/end`), init)
    expect(atOther()).toEqual([])
  })

  it.each<[string, RequestInit]>([
    ['manual', { redirect: 'manual' }],
    ['error', { redirect: 'error' }],
  ])('O2 redirect: %s is left to the platform, in a Request', async (_, init) => {
    const request = () => new Request(chain(302, home.url, `${other.url}/end`), init)
    await expectTheSameAsNative(scheme, request)
    expect(atOther()).toEqual([])
  })

  it('O2 init.redirect wins over that of a Request', async () => {
    const request = () => new Request(chain(302, home.url, `${other.url}/end`), { redirect: 'error' })
    const outcome = await expectTheSameAsNative(scheme, request, { redirect: 'follow' })
    expect(outcome).toMatchObject({ status: 200, redirected: true })
  })
})

describe('every vector of redirects.json', () => {
  interface Vector {
    chain: string[]
    authorization?: boolean
    customAuthHeaders?: boolean
    dpop?: boolean
    tokenEndpoint?: boolean
  }
  const path = new URL('../vectors/redirects.json', import.meta.url)
  const vectors: Vector[] = JSON.parse(readFileSync(path, 'utf8'))
  const chains = vectors.filter(({ tokenEndpoint }) => !tokenEndpoint)

  it('O2 has chains, and one token endpoint', () => {
    expect(chains.length).toBeGreaterThan(3)
    expect(vectors.length - chains.length).toBe(1)
  })

  describe.each(schemes)('with %s', (_, scheme) => {
    it.each(chains.map((vector) => [vector.chain.join(' → '), vector] as const))('O2 %s', async (_, vector) => {
      // Each origin of the vector is a server of its own.
      const servers = new Map<string, RecordingServer>()
      for (const { origin } of vector.chain.map((url) => new URL(url))) {
        if (!servers.has(origin)) servers.set(origin, await start())
      }
      const arrivals = () => [...servers.values()].flatMap((server) => server.arrivals)
      const local = vector.chain.map((url) => servers.get(new URL(url).origin)?.url as string)
      const last = `${local.pop()}/end`
      try {
        await client({ scheme, baseUrl: local[0] as string })(chain(307, ...local, last))
        const final = arrivals().find((arrival) => arrival.path === '/end')

        expect(arrivals()).toHaveLength(vector.chain.length)
        expect(final?.headers.authorization !== undefined).toBe(vector.authorization)
        expect(final?.headers['x-api-key'] !== undefined).toBe(vector.customAuthHeaders)
        expect(final?.headers.dpop !== undefined).toBe(vector.dpop)
      } finally {
        for (const server of servers.values()) await server[Symbol.asyncDispose]()
      }
    })
  })
})

describe('a scheme of the user', () => {
  it('O2 signs each hop at home with the method and the URL of that hop', async () => {
    await client({ scheme: keyed() })(chain(303, home.url, home.url, `${home.url}/end?x=1`), {
      method: 'POST',
      body: 'x',
    })

    expect(atHome().map(({ headers }) => headers.dpop?.toString().split(' with ')[0])).toEqual([
      `proof for POST ${chain(303, home.url, home.url, `${home.url}/end?x=1`)}`,
      `proof for GET ${chain(303, home.url, `${home.url}/end?x=1`)}`,
      `proof for GET ${home.url}/end?x=1`,
    ])
  })

  it('O2 an abort while a hop is on its way rejects with the reason of the caller', async () => {
    const leaving = new AbortController()
    const arrived = deferred<void>()
    const transport: typeof fetch = (input, init) => {
      if (String(input).endsWith('/silent')) arrived.resolve()
      return fetch(input, init)
    }
    const url = chain(307, home.url, `${home.url}/silent`)
    const call = client({ scheme: keyed(), fetch: transport })(url, { signal: leaving.signal })
    call.catch(() => {})
    await arrived.promise
    leaving.abort('left')

    expect(await rejectionOf(call)).toBe('left')
  })

  it('O2 an abort by the signal of a Request ends a hop as well', async () => {
    const leaving = new AbortController()
    const arrived = deferred<void>()
    const transport: typeof fetch = (input, init) => {
      if (String(input).endsWith('/silent')) arrived.resolve()
      return fetch(input, init)
    }
    const request = new Request(chain(307, home.url, `${home.url}/silent`), { signal: leaving.signal })
    const call = client({ scheme: keyed(), fetch: transport })(request)
    call.catch(() => {})
    await arrived.promise
    leaving.abort('left')

    expect(await rejectionOf(call)).toBe('left')
  })

  it('O2 what the caller hands its fetch beyond init goes along on every hop', async () => {
    const rests: unknown[] = []
    const transport = ((input: string, init: RequestInit, ...rest: unknown[]) => {
      rests.push(rest)
      return fetch(input, init)
    }) as typeof fetch
    const api = client({ scheme: keyed(), fetch: transport }) as (...args: unknown[]) => Promise<Response>
    await api(chain(307, home.url, `${home.url}/end`), {}, 'context')

    expect(rests).toEqual([['context'], ['context']])
  })

  it.each([307, 308])('O2 a stream within the limit survives a %i, whole', async (status) => {
    const body = new Blob(['stream']).stream()
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    const response = await client({ scheme: keyed() })(chain(status, home.url, `${home.url}/end`), init)

    expect(response.status).toBe(200)
    expect(atHome().map((arrival) => String(arrival.body))).toEqual(['stream', 'stream'])
  })

  it.each([307, 308])(
    'O2 a stream past the limit rejects at a %i, as with a bare fetch, and is never cut short',
    async (status) => {
      const body = () => new Blob(['stream']).stream()
      const init = () => ({ method: 'POST', body: body(), duplex: 'half' }) as RequestInit
      const url = chain(status, home.url, `${home.url}/end`)

      expect(await rejectionOf(fetch(url, init()))).toBeInstanceOf(TypeError)
      expect(await rejectionOf(client({ scheme: keyed(), replayLimitBytes: 3 })(url, init()))).toBeInstanceOf(TypeError)
      expect(atHome().map((arrival) => String(arrival.body))).toEqual(['stream', 'stream'])
    },
  )
})

describe('what a redirect does to a request that we follow', () => {
  const bodies: Record<string, () => RequestInit> = {
    'no body': () => ({}),
    'a string': () => ({ body: 'payload' }),
    JSON: () => ({ body: '{}', headers: { 'content-type': 'application/json', 'content-language': 'de' } }),
    URLSearchParams: () => ({ body: new URLSearchParams({ a: '1' }) }),
    'a Blob': () => ({ body: new Blob(['payload'], { type: 'text/x-blob' }) }),
    bytes: () => ({ body: Uint8Array.of(1, 2, 3) }),
    'an empty string': () => ({ body: '' }),
  }
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'post', 'put']
  const cases = methods.flatMap((method) =>
    Object.entries(bodies)
      .filter(([name]) => !['GET', 'HEAD'].includes(method) || name === 'no body')
      .map(([name, init]) => [method, name, init] as const),
  )

  it.each(cases)('O2 %s with %s arrives as from a bare fetch, for every status', async (method, _, init) => {
    for (const status of STATUSES) {
      await expectTheSameAsNative(keyed(), chain(status, home.url, `${home.url}/end`), () => ({ ...init(), method }))
      const request = () => new Request(chain(status, home.url, `${home.url}/end`), { ...init(), method })
      await expectTheSameAsNative(keyed(), request)
    }
  })

  it('O2 a FormData arrives with the same bytes on every hop', async () => {
    const form = new FormData()
    form.set('file', new File(['x'], 'ü.txt'))
    await client({ scheme: keyed() })(chain(307, home.url, `${home.url}/end`), { method: 'POST', body: form })

    const [first, second] = atHome() as [Arrival, Arrival]
    expect(String(second.body)).toBe(String(first.body))
    expect(second.headers['content-type']).toBe(first.headers['content-type'])
  })

  it.each(STATUSES)(
    'O2 headers of the caller cross origins by %i as with a bare fetch: credentials do not',
    async (status) => {
      const headers = {
        'x-caller': '1',
        'accept-language': 'de',
        cookie: 'sid=1',
        'proxy-authorization': 'Basic eA==',
        'content-language': 'de',
      }
      const init = () => ({ method: 'POST', body: 'payload', headers })
      await expectTheSameAsNative(keyed(), chain(status, home.url, `${other.url}/end`), init)
      await expectTheSameAsNative(keyed(), chain(status, home.url, other.url, `${home.url}/end`), init)

      expect(atOther()[0]?.headers['x-caller']).toBe('1')
      expect(atOther()[0]?.headers.cookie).toBeUndefined()
    },
  )
})

describe('where a location leads', () => {
  it.each([
    ['/end', ''],
    ['end', ''],
    ['../end', ''],
    ['./end?x=1', ''],
    ['?x=1', ''],
    ['/end#of-location', ''],
    ['/end', '#of-start'],
    ['/end#of-location', '#of-start'],
    ['/end#', '#of-start'],
    ['//{home}/end', ''],
    ['http://{home}/end', ''],
    ['HTTP://{home}/end', ''],
    ['/with space', ''],
    ['/ünïcode?ü=€', ''],
    ['/%zz', ''],
    ['\\end', ''],
    ['http:/end', ''],
    ['http:end', ''],
    ['', ''],
    ['#only-a-fragment', ''],
  ])('O2 location %j from a URL with %j goes where a bare fetch goes', async (location, fragment) => {
    const to = location.replace('{home}', new URL(home.url).host)
    const url = `${home.url}/hop/307?${new URLSearchParams({ to })}${fragment}`

    await expectTheSameAsNative(keyed(), url)
  })

  it.each([
    'http://[bad',
    'http://',
    'data:text/plain,x',
    'ftp://127.0.0.1/x',
    'javascript:alert(1)',
    'mailto:a@b.example',
    'blob:http://127.0.0.1/x',
    'file:///etc/passwd',
    'http://user:password@{other}/end',
    'http://user:password@{home}/end',
    'http://user@{home}/end',
  ])('O2 location %j is treated as a bare fetch treats it, without credentials', async (location) => {
    const to = location.replace('{home}', new URL(home.url).host).replace('{other}', new URL(other.url).host)

    await expectTheSameAsNative(keyed(), chain(302, home.url, to))
    expectClean(foreign())
  })

  it.each([300, 304, 305, 306, 201])('O2 a %i with a location is no redirect', async (status) => {
    await expectTheSameAsNative(keyed(), chain(status, home.url, `${other.url}/end`))
    expect(atOther()).toEqual([])
  })

  it.each(STATUSES)('O2 a %i without a location is an answer', async (status) => {
    await expectTheSameAsNative(keyed(), `${home.url}/hop/${status}`)
  })

  it('O2 20 redirects are followed', async () => {
    const outcome = await expectTheSameAsNative(keyed(), chain(302, ...Array(20).fill(home.url), `${home.url}/end`))

    expect(outcome).toMatchObject({ status: 200 })
    expect(atHome()).toHaveLength(2 * 21)
  })

  it('O2 21 redirects are not', async () => {
    const outcome = await expectTheSameAsNative(keyed(), chain(302, ...Array(21).fill(home.url), `${home.url}/end`))

    expect(outcome).toMatchObject({ name: 'TypeError' })
    expect(atHome()).toHaveLength(2 * 21)
  })

  it('O2 a loop ends', async () => {
    await expectTheSameAsNative(keyed(), `${home.url}/hop/302?to=`)
  })
})

describe('token requests', () => {
  const leaking = async (status: number, refresh: (url: string) => Refresher) => {
    await using target = await start()
    const failures: unknown[] = []
    const api = client({
      store: memoryStore({ accessToken: SECRET, refreshToken: 'rt-secret', expiresAt: 1 }),
      refresh: refresh(chain(status, home.url, `${target.url}/end`)),
      refreshRetries: 0,
    })
    api.on('refresh-failed', (failure) => failures.push(failure.verdict))
    const error = await rejectionOf(api('/end'))

    return { error, failures, target: { arrivals: target.arrivals.length, sockets: target.sockets.total } }
  }
  const refused = { failures: ['transient'], target: { arrivals: 0, sockets: 0 } }

  it.each(STATUSES)('O2 a %i of the refresh endpoint is a failure, and no byte reaches its target', async (status) => {
    const { error, ...rest } = await leaking(status, (url) => refreshEndpoint({ url }))

    expect(rest).toEqual(refused)
    expect(isAuthError(error) && error.code).toBe('refresh-unavailable')
  })

  it.each(STATUSES)(
    'O2 a %i to the fetch of a refresher is refused, whatever the refresher asks for',
    async (status) => {
      const init: RequestInit = { method: 'POST', body: 'rt-secret', redirect: 'follow' }
      const { error, ...rest } = await leaking(
        status,
        (url) =>
          async ({ fetch }) =>
            (await fetch(url, init)).json(),
      )

      expect(rest).toEqual(refused)
      expect(isAuthError(error) && error.code).toBe('refresh-unavailable')
    },
  )

  it.each(STATUSES)('O2 a %i to a Request of a refresher is refused', async (status) => {
    const init: RequestInit = { method: 'POST', body: 'rt-secret', redirect: 'follow' }
    const { error, ...rest } = await leaking(
      status,
      (url) =>
        async ({ fetch }) =>
          (await fetch(new Request(url, init))).json(),
    )

    expect(rest).toEqual(refused)
    expect(isAuthError(error) && error.code).toBe('refresh-unavailable')
  })

  it('O2 the session survives it, and recovers when the endpoint does', async () => {
    await using server = createAuthServer()
    const { url } = await server.listen()
    await using target = await start()
    const api = client({
      baseUrl: url,
      store: memoryStore(),
      refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
      refreshRetries: 0,
    })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    server.failRefresh({ redirect: `${target.url}/token` })

    expect(isAuthError(await rejectionOf(api('/me')))).toBe(true)
    expect((await api('/me')).status).toBe(200)
    expect(target.sockets.total).toBe(0)
  })
})

type Arguments<T> = T | (() => T)
const made = <T>(value: Arguments<T>): T => (typeof value === 'function' ? (value as () => T)() : value)

/** Makes the same call with a bare fetch and with ours; what comes back and what arrives must be the same. */
async function expectTheSameAsNative(
  scheme: AuthScheme | undefined,
  input: Arguments<string | Request>,
  init: Arguments<RequestInit> = {},
): Promise<unknown> {
  const [bare, bareArrivals] = await outcomeOf(fetch, made(input), made(init))
  const [ours, ourArrivals] = await outcomeOf(client({ scheme }), made(input), made(init))
  expect(ours).toEqual(bare)
  expect(ourArrivals).toEqual(bareArrivals)
  return ours
}

async function outcomeOf(api: typeof fetch, input: string | Request, init: RequestInit): Promise<[unknown, unknown[]]> {
  const before = { home: home.arrivals.length, other: other.arrivals.length }
  const outcome = await api(input, init).then(
    async (response) => ({
      status: response.status,
      url: response.url,
      redirected: response.redirected,
      text: await response.text(),
    }),
    (error: Error) => ({ name: error.name }),
  )
  const arrivals = [...home.arrivals.slice(before.home), ...other.arrivals.slice(before.other)]
  return [outcome, arrivals.map(withoutOurs)]
}

/** An arrival without what our scheme has set on it. */
function withoutOurs({ method, path, host, body, headers }: Arrival): unknown {
  const { authorization: _, 'x-api-key': __, dpop: ___, ...rest } = headers
  return { method, path, host, body: String(body), headers: rest }
}
