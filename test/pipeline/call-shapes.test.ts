// How clients call a fetch (ky, axios, openapi-fetch, up-fetch, tRPC, stripe, …), and what they do with the response: every shape
// of the field arrives, recovers, and is left as it was.
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type AuthFetch, createAuthFetch, refreshEndpoint } from '../../src/index.ts'
import { accepting, ok, unauthorized } from '../helpers/answer.ts'
import { type Answering, recorder, type Sent } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'

/** A client whose first token is refused: each call is sent twice. */
async function expired(answer: Answering = accepting('fresh')) {
  const transport = recorder(answer)
  const api = createAuthFetch({
    baseUrl: 'https://api.example/v1/',
    fetch: transport.fetch,
    refresh: async () => ({ accessToken: 'fresh' }),
  })
  await api.signIn({ accessToken: 'old' })
  return { api, ...transport }
}

const home = 'https://api.example/v1/users'
const noPrototype = <T extends object>(members: T): T => Object.assign(Object.create(null), members)
const post = (body: BodyInit = 'b'): Request =>
  new Request(home, { method: 'POST', body, headers: { 'x-own': 'request' } })

/** Each shape with a `x-own` header, by the clients that use it. */
const shapes: Array<[string, () => unknown[], string]> = [
  ['(string): what people type', () => [home], 'GET'],
  ['(relative string)', () => ['users'], 'GET'],
  ['(URL)', () => [new URL(home)], 'GET'],
  ['(Request): hey-api, AWS, RTK Query', () => [post()], 'POST'],
  ['(Request, undefined): axios, openapi-fetch', () => [post(), undefined], 'POST'],
  ['(Request, {}): ky', () => [post(), {}], 'POST'],
  ['(Request, null-prototype init): axios', () => [post(), noPrototype({})], 'POST'],
  [
    '(Request, init, context): up-fetch',
    () => [post(), { method: 'POST', headers: new Headers({ 'x-own': 'i' }) }, { a: 1 }],
    'POST',
  ],
  [
    '(URL, init with Headers): graphql-request, MCP',
    () => [new URL(home), { method: 'POST', headers: new Headers({ 'x-own': 'i' }), body: 'b' }],
    'POST',
  ],
  [
    '(string, init with plain headers): tRPC, Apollo',
    () => [home, { method: 'POST', headers: { 'x-own': 'i' }, body: 'b' }],
    'POST',
  ],
  [
    '(string, init with array headers): stripe',
    () => [home, { method: 'POST', headers: [['x-own', 'i']], body: 'b' }],
    'POST',
  ],
  [
    '(string, null-prototype init and headers): axios without Request',
    () => [home, noPrototype({ method: 'POST', headers: noPrototype({ 'x-own': 'i' }), body: 'b', duplex: 'half' })],
    'POST',
  ],
  [
    '(string, keys that are undefined): octokit',
    () => [home, { method: 'POST', body: 'b', signal: undefined, redirect: undefined, headers: { 'x-own': 'i' } }],
    'POST',
  ],
  ['(string, undefined)', () => [home, undefined], 'GET'],
  ['(string, null)', () => [home, null], 'GET'],
  ['(string, Request as init)', () => [home, post()], 'POST'],
  ['(relative string, Request as init)', () => ['users', post()], 'POST'],
  ['(URL, Request as init)', () => [new URL(home), post()], 'POST'],
  ['(Request, Request as init)', () => [new Request(home), post()], 'POST'],
]

const call = (api: AuthFetch, args: unknown[]): Promise<Response> => api(...(args as Parameters<typeof fetch>))

describe('each shape', () => {
  it.each(shapes)('R1 %s recovers and arrives twice alike', async (_, args, method) => {
    const { api, sent } = await expired()
    const response = await call(api, args())
    expect(response.status).toBe(200)
    expect(sent.map(({ url, method, credential }) => [url, method, credential])).toEqual([
      [home, method, 'Bearer old'],
      [home, method, 'Bearer fresh'],
    ])
    const own = method === 'POST' ? expect.stringMatching(/^(i|request)$/) : null
    expect(sent.map(({ headers }) => headers.get('x-own'))).toEqual([own, own])
  })

  it.each(shapes)('B1 %s has the same body both times', async (_, args, method) => {
    const bodies: string[] = []
    const { api } = await expired(async (sent) => {
      bodies.push(await bodyOf(sent))
      return accepting('fresh')(sent, 0)
    })
    await call(api, args())
    expect(bodies).toEqual(method === 'POST' ? ['b', 'b'] : ['', ''])
  })

  it.each(shapes)('R1 %s: neither input nor init is changed', async (_, args) => {
    const { api } = await expired()
    const given = args()
    const init = given[1]
    const before = init && typeof init === 'object' && !(init instanceof Request) ? describeInit(init) : undefined
    await call(api, given)
    if (before !== undefined) expect(describeInit(init as object)).toEqual(before)
    if (given[0] instanceof Request) expect(given[0].headers.has('authorization')).toBe(false)
    if (init instanceof Request) expect(init.headers.has('authorization')).toBe(false)
  })
})

describe('the input', () => {
  it('R1 keeps its kind, on the replay too: a string a string, a URL a URL, a Request a Request', async () => {
    const { api, sent } = await expired()
    await api(home)
    await api(new URL(home))
    const kinds = sent.map(({ input }) =>
      input instanceof URL ? 'URL' : typeof input === 'string' ? 'string' : 'Request',
    )
    expect(kinds).toEqual(['string', 'string', 'URL'])
    const again = await expired()
    await again.api(post())
    expect(again.sent.map(({ input }) => input instanceof Request)).toEqual([true, true])
  })

  it('R1 a Request is used up by its call, as with a bare fetch', async () => {
    const { api } = await expired(async (sent) => {
      await bodyOf(sent)
      return accepting('fresh')(sent, 0)
    })
    const request = post()
    await api(request)
    expect(request.bodyUsed).toBe(true)
    expect(await rejectionOf(api(request))).toBeInstanceOf(TypeError)
  })

  it('R1 whatever turns into a string is taken as one', async () => {
    const { api, sent } = await expired()
    await api({ toString: () => '/v1/users' } as unknown as string)
    expect(sent[0]).toMatchObject({ url: home, credential: 'Bearer old' })
  })

  it('R1 relative URLs need a baseUrl in Node', async () => {
    const { api, sent } = await expired()
    for (const input of [
      'users',
      './users',
      '../v1/users',
      '/v1/users',
      '//api.example/v1/users',
      'users?x=1',
      '#top',
    ]) {
      await api(input)
    }
    expect(new Set(sent.map(({ url }) => new URL(url).pathname))).toEqual(new Set(['/v1/users', '/v1/']))
  })

  it.each(['/users', 'users', '', '//api.example/x', 'http://', 'https://a b/', ':'])(
    'R1 without baseUrl %j rejects exactly as fetch does',
    async (input) => {
      const api = createAuthFetch({ origins: ['https://api.example'] })
      await api.signIn({ accessToken: 'a' })
      const own = (await rejectionOf(api(input))) as Error
      const native = (await rejectionOf(fetch(input))) as Error
      expect(own).toBeInstanceOf(TypeError)
      expect(own.message).toBe(native.message)
    },
  )

  it('R1 a Request without baseUrl is sent like any other', async () => {
    const transport = recorder()
    const api = createAuthFetch({ origins: ['https://api.example'], fetch: transport.fetch })
    await api.signIn({ accessToken: 'a' })
    await api(post())
    expect(transport.credentials()).toEqual(['Bearer a'])
  })
})

describe('init', () => {
  const dispatcher = { dispatch: () => true }
  const extras = {
    dispatcher,
    next: { revalidate: 60, tags: ['x'] },
    cf: { cacheTtl: 5 },
    priority: 'low',
    plugins: [1],
  }

  it('R1 keys that we do not know survive both sends', async () => {
    const { api, sent } = await expired()
    await api(home, { ...extras, cache: 'no-store', keepalive: true } as RequestInit)
    for (const { init } of sent) {
      expect(init).toMatchObject({ ...extras, cache: 'no-store', keepalive: true })
      expect((init as { dispatcher?: unknown }).dispatcher).toBe(dispatcher)
    }
    expect(sent).toHaveLength(2)
  })

  it('R1 keys that we do not know survive beside a Request', async () => {
    const { api, sent } = await expired()
    await api(post(), extras as RequestInit)
    expect(sent.map(({ init }) => (init as { dispatcher?: unknown }).dispatcher)).toEqual([dispatcher, dispatcher])
  })

  it('R1 the method goes out as it was written: `patch` and `PATCH` are two methods to a server', async () => {
    const { api, sent } = await expired()
    await api(home, { method: 'patch' })
    await api(home, { method: 'Custom' })
    expect(sent.map(({ method }) => method)).toEqual(['patch', 'patch', 'Custom'])
  })

  it('R1 may be frozen, headers and all', async () => {
    const { api } = await expired()
    const init = Object.freeze({ method: 'POST', headers: Object.freeze({ 'x-own': 'i' }), body: 'b' })
    expect((await api(home, init)).status).toBe(200)
  })

  it('R1 its Headers object is not ours to write on', async () => {
    const { api } = await expired()
    const headers = new Headers({ 'x-own': 'i' })
    await api(home, { headers })
    expect([...headers]).toEqual([['x-own', 'i']])
  })

  it('R1 its headers replace those of a Request, as fetch has it', async () => {
    const { api, sent } = await expired()
    await api(post(), { headers: { 'x-other': 'i' } })
    expect(sent.map(({ headers }) => [...headers.keys()])).toEqual([
      ['authorization', 'x-other'],
      ['authorization', 'x-other'],
    ])
  })

  it('R1 what the caller changes while the call waits does not change the call', async () => {
    const { api, sent } = await expired()
    const headers = new Headers({ 'x-own': 'first' })
    const init: RequestInit = { method: 'POST', headers, body: 'first' }
    const response = api(home, init)
    headers.set('x-own', 'second')
    Object.assign(init, { method: 'PUT', body: 'second' })
    await response
    expect(sent.map(({ method, headers, init }) => [method, headers.get('x-own'), init?.body])).toEqual([
      ['POST', 'first', 'first'],
      ['POST', 'first', 'first'],
    ])
  })

  it('R1 a header several times is sent several times', async () => {
    const { api, sent } = await expired()
    await api(home, {
      headers: [
        ['accept', 'a/b'],
        ['accept', 'c/d'],
      ],
    })
    expect(sent.map(({ headers }) => headers.get('accept'))).toEqual(['a/b, c/d', 'a/b, c/d'])
  })

  it.each([
    ['a header name', { headers: { 'not a name': 'x' } }],
    ['a header value', { headers: { 'x-own': 'line\nbreak' } }],
  ])('R1 %s that cannot be sent rejects with a TypeError, as fetch does', async (_, init) => {
    const { api, sent } = await expired()
    expect(await rejectionOf(api(home, init))).toBeInstanceOf(TypeError)
    expect(sent).toHaveLength(0)
  })

  it('R1 a Request as init reaches a stranger as it was given', async () => {
    const { api, sent } = await expired()
    const init = post()
    await api('https://stranger.example/', init)
    expect(sent[0]?.input).toBe('https://stranger.example/')
    expect(sent[0]?.init).toBe(init)
  })

  it('R1 what comes after init is handed on, both times and to strangers', async () => {
    const { api, sent } = await expired()
    const context = { retry: 1 }
    await call(api, [home, {}, context, 4])
    await call(api, ['https://stranger.example/', undefined, context])
    await call(api, [home, { headers: { authorization: 'mine' } }, context])
    expect(sent.map(({ rest }) => rest)).toEqual([[context, 4], [context, 4], [context], [context]])
    expect(sent[0]?.rest[0]).toBe(context)
  })
})

describe('this', () => {
  it.each([
    ['nothing', undefined],
    ['an object', { fetch: true }],
    ['a string', 'x'],
    ['globalThis', globalThis],
  ])('R1 may be %s', async (_, self) => {
    const { api, sent } = await expired()
    expect((await api.call(self as never, home)).status).toBe(200)
    expect((await api.apply(self as never, [home])).status).toBe(200)
    expect(sent.map((each) => each.self)).toEqual([undefined, undefined, undefined])
  })

  it('R1 does not matter for what hangs on it: every method works when it is taken off', async () => {
    const { api } = await expired()
    const { signIn, signOut, tokens, refresh, snapshot, subscribe, on, dispose } = api
    const ends = [subscribe(() => {}), on('refreshed', () => {})]
    await signIn({ accessToken: 'a' })
    expect(await tokens()).toMatchObject({ accessToken: 'a' })
    expect(await refresh()).toMatchObject({ accessToken: 'fresh' })
    expect(snapshot().status).toBe('signed-in')
    await signOut()
    expect(snapshot().status).toBe('signed-out')
    for (const end of ends) end()
    dispose()
  })

  it('R1 a class with a private field can be the transport’s owner: it is called detached', async () => {
    const { fetch, sent } = recorder()
    const owner = { fetch }
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch: owner.fetch })
    await api('/x')
    expect(sent[0]?.self).toBe(undefined)
  })
})

describe('the transport', () => {
  it('R1 is the global fetch of the moment: tools that patch it later are heard', async () => {
    const native = globalThis.fetch
    const api = createAuthFetch({ baseUrl: 'https://api.example' })
    await api.signIn({ accessToken: 'a' })
    const patched = recorder()
    globalThis.fetch = patched.fetch
    try {
      await api('/x')
    } finally {
      globalThis.fetch = native
    }
    expect(patched.credentials()).toEqual(['Bearer a'])
  })

  it('R1 that throws at once makes the call reject, not throw', async () => {
    const failure = new Error('sync')
    const throwing = (() => {
      throw failure
    }) as unknown as typeof fetch
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch: throwing })
    for (const url of ['/x', 'https://stranger.example/', 'data:,']) expect(await rejectionOf(api(url))).toBe(failure)
  })
})

describe('the response', () => {
  it('R1 is the transport’s own object, unread and unfrozen', async () => {
    const given: Response[] = []
    const { api } = await expired((sent) => {
      const response = accepting('fresh')(sent, 0) as Response
      given.push(response)
      return response
    })
    const response = await api(home)
    expect(response).toBe(given[1])
    expect(response.bodyUsed).toBe(false)
    Object.assign(response, { _data: 1 })
    Object.defineProperty(response, 'config', { value: 2 })
    expect(response).toMatchObject({ _data: 1, config: 2 })
  })

  it('R1 is one per caller, however many share a refresh', async () => {
    const { api } = await expired()
    const responses = await Promise.all(Array.from({ length: 50 }, () => api(home)))
    expect(new Set(responses).size).toBe(50)
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(Array(50).fill('ok'))
  })

  it('R1 may come from another implementation of fetch', async () => {
    const foreign = { status: 200, ok: true, headers: new Map(), text: async () => 'foreign' } as unknown as Response
    const { api } = await expired(() => foreign)
    expect(await api(home)).toBe(foreign)
  })

  it('R1 may have no body stream, as in React Native: it recovers, and so does a refresh endpoint', async () => {
    /** Text, but no `body`. */
    const streamless = (text: string, status = 200): Response =>
      Object.defineProperty(new Response(text, { status }), 'body', { value: undefined })
    const { fetch, sent } = recorder(({ url, credential }) => {
      if (url.endsWith('/token')) return streamless('{"access_token":"fresh"}')
      return credential === 'Bearer fresh' ? streamless('ok') : streamless('no', 401)
    })
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      fetch,
      refresh: refreshEndpoint({ url: 'https://auth.example/token' }),
    })
    await api.signIn({ accessToken: 'old', refreshToken: 'rt' })
    const response = await api('/x')
    expect(await response.text()).toBe('ok')
    expect(sent).toHaveLength(3)
  })

  it.each([
    ['an opaque redirect', Response.error()],
    ['a 304', new Response(null, { status: 304 })],
    ['a 204', new Response(null, { status: 204 })],
  ])('R1 %s passes', async (_, response) => {
    const { api, sent } = await expired(() => response)
    expect(await api(home)).toBe(response)
    expect(sent).toHaveLength(1)
  })

  it('R1 a final 401 can be read by the caller, from its first byte to its last', async () => {
    const { api } = await expired(() => unauthorized())
    expect(await (await api(home)).text()).toBe('who are you?')
  })
})

describe('what openai does before an upload', () => {
  it('R1 fetch("data:,") answers with a native Response, without a token', async () => {
    const api = createAuthFetch({ baseUrl: 'https://api.example' })
    const response = await api('data:,x')
    expect(response.constructor).toBe(Response)
    expect(await response.text()).toBe('x')
  })
})

describe('types', () => {
  it('R1 an AuthFetch is a fetch', () => {
    expectTypeOf<AuthFetch>().toExtend<typeof globalThis.fetch>()
    expectTypeOf<Parameters<AuthFetch>>().toEqualTypeOf<Parameters<typeof globalThis.fetch>>()
  })

  it('R1 brings preconnect along where the platform’s fetch has it', () => {
    const native = globalThis.fetch
    const preconnect = (): void => {}
    globalThis.fetch = Object.assign(async () => ok(), { preconnect }) as never
    try {
      expect(createAuthFetch({ baseUrl: 'https://api.example' })).toHaveProperty('preconnect', preconnect)
    } finally {
      globalThis.fetch = native
    }
    expect(createAuthFetch({ baseUrl: 'https://api.example' })).not.toHaveProperty('preconnect')
  })
})

/** The body that a platform would send. */
function bodyOf({ input, init }: Sent): Promise<string> {
  const request = input instanceof Request ? new Request(input, init) : new Request(String(input), init)
  return request.text()
}

function describeInit(init: object): unknown {
  const { headers, ...rest } = init as RequestInit
  return {
    ...rest,
    prototype: Object.getPrototypeOf(init),
    headers: headers && [...new Headers(headers)],
    raw: headers,
  }
}
