// O1: who gets credentials is decided on the parsed URL, by exact origin, and everything else passes through untouched.
// O3: an Authorization that the caller has set is the caller's.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AuthFetchOptions, authFailureOf, createAuthFetch } from '../../src/index.ts'
import { accepting, forbidden, ok, unauthorized } from '../helpers/answer.ts'
import { deferred } from '../helpers/deferred.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import vectors from '../vectors/attach.json' with { type: 'json' }

/** A signed-in client, its transport, and a refresher that is watched. */
async function client(options: AuthFetchOptions, answer?: Answering) {
  const { fetch, sent, credentials } = recorder(answer)
  const refresh = vi.fn(async () => ({ accessToken: 'fresh' }))
  const api = createAuthFetch({ refresh, ...options, fetch })
  await api.signIn({ accessToken: 'secret', refreshToken: 'rt' })
  return { api, sent, credentials, refresh }
}

describe('vectors', () => {
  it.each(vectors)('O1 $url: $expected', async ({ url, base, allowedOrigins, expected, resolved }) => {
    const { api, sent } = await client({ baseUrl: base, origins: allowedOrigins })
    await api(url)
    expect(sent).toHaveLength(1)
    expect(sent[0]?.credential).toBe(expected === 'attach' ? 'Bearer secret' : null)
    // What is sent to is what was decided on, whoever resolves it: the platform has no base here.
    expect(new URL(sent[0]?.url ?? '').href).toBe(resolved)
  })

  it.each(vectors.filter(({ resolved }) => /^https?:/.test(resolved)))(
    'O1 $url as a URL object: $expected',
    async ({ resolved, base, allowedOrigins, expected }) => {
      const { api, sent } = await client({ baseUrl: base, origins: allowedOrigins })
      await api(new URL(resolved))
      expect(sent[0]?.credential).toBe(expected === 'attach' ? 'Bearer secret' : null)
    },
  )

  it.each(vectors.filter(({ resolved }) => !resolved.includes('@') && !resolved.startsWith('ws:')))(
    'O1 $url in a Request: $expected',
    async ({ resolved, base, allowedOrigins, expected }) => {
      const { api, sent } = await client({ baseUrl: base, origins: allowedOrigins })
      await api(new Request(resolved))
      expect(sent[0]?.credential).toBe(expected === 'attach' ? 'Bearer secret' : null)
    },
  )
})

describe('strings that look like home', () => {
  const origins = ['https://api.example']
  it.each([
    ['https://api.example:8443/', 'another port'],
    ['https://api.example./', 'a trailing dot is another host'],
    ['https://api.example@evil.example/', 'userinfo before another host'],
    ['https://api.example%40evil.example@evil.example/', 'encoded userinfo'],
    ['https://user@api.example/', 'a user name alone'],
    ['https://:pass@api.example/', 'a password alone'],
    ['https://evil.example/https://api.example/', 'the origin in the path'],
    ['https://evil.example?https://api.example/', 'the origin in the query'],
    ['https://evil.example#https://api.example/', 'the origin in the fragment'],
    ['https://evil.example\\@api.example/', 'a backslash ends the host'],
    ['https:\\\\evil.example\\api.example', 'backslashes for slashes'],
    ['https:/\\evil.example/', 'one of each'],
    ['https:///evil.example/', 'three slashes'],
    ['\thttps://evil.example/', 'a leading tab'],
    ['\n\r https://evil.example/', 'leading white space'],
    ['ht\ntps://evil.example/', 'a newline in the scheme'],
    ['https://ev\til.example/', 'a tab in the host'],
    ['//evil.example/', 'protocol-relative'],
    ['/\t/evil.example/', 'a tab between the slashes'],
    ['/\\/evil.example/', 'a backslash between the slashes'],
    ['\\/evil.example/', 'a backslash first'],
    ['HTTP://api.example/', 'plain http in capitals'],
    ['https://api.example\u3002evil.example/', 'an ideographic full stop'],
    ['https://xn--pi-gia.example/', 'a look-alike host'],
    ['wss://api.example/', 'another scheme'],
    ['ftp://api.example/', 'another scheme'],
    ['file://api.example/x', 'another scheme'],
    ['filesystem:https://api.example/x', 'an inner origin'],
    ['blob:https://api.example/2c9d', 'an inner origin'],
    ['javascript://api.example/%0aalert(1)', 'a scheme that runs'],
    ['data:text/plain,https://api.example/', 'data'],
  ])('O1 %j gets nothing: %s', async (url) => {
    const { api, sent, refresh } = await client({ baseUrl: 'https://api.example/v1/', origins }, () => unauthorized())
    await api(url)
    expect(sent.map(({ credential }) => credential)).toEqual([null])
    expect(refresh).not.toHaveBeenCalled()
  })

  it.each([
    ['https://api.example', 'https://api.example/'],
    ['https://api.example:443/x', 'https://api.example/x'],
    ['https://API.example/x', 'https://api.example/x'],
    ['HTTPS://api.example/x', 'https://api.example/x'],
    ['https://a%70i.example/x', 'https://api.example/x'],
    ['https://api.example/\\evil.example', 'https://api.example//evil.example'],
    ['https://api.example/@evil.example', 'https://api.example/@evil.example'],
    ['https://api.example/a/../../../b', 'https://api.example/b'],
    ['?page=2', 'https://api.example/v1/?page=2'],
    ['', 'https://api.example/v1/'],
    ['///api.example/x', 'https://api.example/x'],
  ])('O1 %j is home', async (url, resolved) => {
    const { api, sent } = await client({ baseUrl: 'https://api.example/v1/', origins })
    await api(url)
    expect(sent[0]).toMatchObject({ credential: 'Bearer secret' })
    expect(new URL(sent[0]?.url ?? '').href).toBe(resolved)
  })

  it('O1 `https:host` is a path where the base is https, and goes where it was decided on', async () => {
    const { api, sent } = await client({ baseUrl: 'https://api.example/v1/' })
    await api('https:evil.example')
    expect(sent[0]).toMatchObject({ url: 'https://api.example/v1/evil.example', credential: 'Bearer secret' })
  })

  it('O1 `https:host` is a host where there is no base', async () => {
    const { api, sent } = await client({ origins })
    await api('https:evil.example')
    await api('https:api.example')
    expect(sent.map(({ credential }) => credential)).toEqual([null, 'Bearer secret'])
    expect(new URL(sent[1]?.url ?? '').href).toBe('https://api.example/')
  })
})

describe('10 000 random URLs', () => {
  it('O1 not one of them carries a credential to another origin, and each goes where it was decided on', async () => {
    const origins = ['https://api.example', 'http://localhost:3000']
    const base = 'https://api.example/v1/'
    const decided: Array<string | null> = []
    const { api, sent } = await client({ baseUrl: base, origins })
    const next = random(20_261_123)
    for (let count = 0; count < 10_000; count++) {
      const url = randomUrl(next)
      const resolved = URL.canParse(url, base) ? new URL(url, base) : null
      decided.push(resolved?.href ?? null)
      await api(url)
    }
    const isHome = (href: string | null): boolean =>
      href !== null && origins.includes(new URL(href).origin) && /^https?:\/\/[^/@]*\//.test(href)

    expect(sent).toHaveLength(10_000)
    const leaks = sent.filter(({ url, credential }) => credential !== null && !isHome(URL.canParse(url) ? url : null))
    expect(leaks).toEqual([])
    const strays = sent.filter(({ url }, at) => decided[at] !== null && new URL(url).href !== decided[at])
    expect(strays.map(({ url }) => url)).toEqual([])
    // And home is served: a filter that refuses everything keeps the promise above as well.
    const served = sent.filter(({ credential }) => credential === 'Bearer secret').length
    expect(served).toBe(decided.filter(isHome).length)
    expect(served).toBeGreaterThan(1000)
  })
})

describe('the option origins', () => {
  it('O1 takes strings and URLs, and looks at the origin only', async () => {
    const { api, credentials } = await client({
      origins: ['https://one.example/deep/path?q#h', new URL('https://two.example')],
    })
    await api('https://one.example/elsewhere')
    await api('https://two.example/')
    await api('https://three.example/')
    expect(credentials()).toEqual(['Bearer secret', 'Bearer secret', null])
  })

  it('O1 takes a function, which is asked with the parsed URL', async () => {
    const seen: string[] = []
    const { api, credentials } = await client({
      origins: (url) => {
        seen.push(url.href)
        return url.hostname.endsWith('.example')
      },
    })
    await api('https://A.example/x')
    await api('https://other.test/')
    expect(credentials()).toEqual(['Bearer secret', null])
    expect(seen).toEqual(['https://a.example/x', 'https://other.test/'])
  })

  it.each([1, 'yes', {}, Promise.resolve(true)])('O1 a function that answers %o has not said yes', async (answer) => {
    const { api, credentials } = await client({ origins: (() => answer) as never })
    await api('https://api.example/')
    expect(credentials()).toEqual([null])
  })

  it('O1 a function cannot let plain http or userinfo through', async () => {
    const { api, credentials } = await client({ origins: () => true })
    await api('http://api.example/')
    await api('https://u:p@api.example/')
    await api('data:,x')
    await api('blob:https://api.example/1')
    await api('http://127.0.0.1:8080/')
    expect(credentials()).toEqual([null, null, null, null, 'Bearer secret'])
  })

  it('O1 is by default the origin of baseUrl', async () => {
    const { api, credentials } = await client({ baseUrl: new URL('https://api.example/v1/') })
    await api('users')
    await api('https://other.example/')
    expect(credentials()).toEqual(['Bearer secret', null])
  })

  it('O1 given, it is the whole list: the origin of baseUrl is not added', async () => {
    const { api, sent } = await client({ baseUrl: 'https://cdn.example/', origins: ['https://api.example'] })
    await api('logo.svg')
    expect(sent[0]).toMatchObject({ url: 'https://cdn.example/logo.svg', credential: null })
  })

  it('O1 is copied: an array that grows later opens nothing', async () => {
    const origins = ['https://api.example']
    const { api, credentials } = await client({ origins })
    origins.push('https://evil.example')
    await api('https://evil.example/')
    expect(credentials()).toEqual([null])
  })

  it.each([undefined, []])('O1 outside a browser somebody has to say who may get credentials: %o', (origins) => {
    expect(() => createAuthFetch({ origins })).toThrow(expect.objectContaining({ code: 'ERR_ORIGINS_REQUIRED' }))
    expect(() => createAuthFetch({ origins })).toThrow(TypeError)
  })

  it('O1 in a page it is by default the page’s own origin', async () => {
    vi.stubGlobal('location', new URL('https://app.example/deep/page?x#y'))
    vi.stubGlobal('document', { baseURI: 'https://app.example/deep/', addEventListener() {}, removeEventListener() {} })
    vi.stubGlobal('addEventListener', () => {})
    vi.stubGlobal('removeEventListener', () => {})
    try {
      const { api, sent } = await client({})
      await api('api/users')
      await api('https://other.example/')
      expect(sent[0]).toMatchObject({ url: 'https://app.example/deep/api/users', credential: 'Bearer secret' })
      expect(sent[1]).toMatchObject({ credential: null })
    } finally {
      vi.unstubAllGlobals()
    }
  })
})

describe('plain http', () => {
  it.each([
    'http://api.example',
    'http://10.0.0.1',
    'http://192.168.1.10:8080',
    'http://localhost.example',
    'http://127.0.0.1.example',
    'http://evil-localhost',
    'http://0.0.0.0',
    'http://[::2]',
    'http://128.0.0.1',
  ])('O1 refuses %s', (origin) => {
    const refusal = expect.objectContaining({ code: 'ERR_INSECURE_ORIGIN', message: expect.stringContaining('https') })
    expect(() => createAuthFetch({ origins: [origin] })).toThrow(refusal)
    expect(() => createAuthFetch({ baseUrl: origin })).toThrow(refusal)
  })

  it.each([
    'http://localhost:3000',
    'http://LOCALHOST',
    'http://app.localhost',
    'http://127.0.0.1:8080',
    'http://127.8.9.10',
    'http://127.1',
    'http://[::1]:4000',
  ])('O1 takes loopback: %s', async (origin) => {
    const { api, credentials } = await client({ origins: [origin] })
    await api(`${origin}/x`)
    expect(credentials()).toEqual(['Bearer secret'])
  })

  it('O1 allowInsecure lets plain http through, and only what is listed', async () => {
    const { api, credentials } = await client({ origins: ['http://intranet.example'], allowInsecure: true })
    await api('http://intranet.example/')
    await api('http://other.example/')
    await api('https://intranet.example/')
    expect(credentials()).toEqual(['Bearer secret', null, null])
  })

  it('O1 allowInsecure lets a function say yes to plain http', async () => {
    const { api, credentials } = await client({
      origins: ({ host }) => host === 'intranet.example',
      allowInsecure: true,
    })
    await api('http://intranet.example/')
    await api('ftp://intranet.example/')
    expect(credentials()).toEqual(['Bearer secret', null])
  })

  it.each([1, 'true', {}])('O1 allowInsecure has to be a boolean: %o', (allowInsecure) => {
    expect(() =>
      createAuthFetch({ baseUrl: 'http://intranet.example', allowInsecure: allowInsecure as never }),
    ).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  })
})

describe('foreign requests', () => {
  const foreign = {
    baseUrl: 'https://api.example',
    onLoginRequired: vi.fn(),
    onPermissionDenied: vi.fn(),
    onStepUp: vi.fn(),
  }

  it.each([
    ['a 401', unauthorized],
    ['a 403', forbidden],
    ['a step-up 401', () => unauthorized('Bearer error="insufficient_user_authentication"')],
  ])('O1 %s of a stranger starts nothing and comes back as it is', async (_, answer) => {
    const response = answer()
    const classify = vi.fn()
    const { api, sent, refresh } = await client({ ...foreign, classify }, () => response)
    const events: string[] = []
    for (const event of ['refreshed', 'refresh-failed', 'denied', 'login-required', 'step-up', 'recovered'] as const) {
      api.on(event, () => events.push(event))
    }
    expect(await api('https://stranger.example/')).toBe(response)
    expect(response.bodyUsed).toBe(false)
    expect(authFailureOf(response)).toBe(null)
    expect(sent).toHaveLength(1)
    expect(events).toEqual([])
    for (const callback of [refresh, classify, foreign.onLoginRequired, foreign.onPermissionDenied, foreign.onStepUp]) {
      expect(callback).not.toHaveBeenCalled()
    }
  })

  it.each([
    ['a string', 'https://stranger.example/x'],
    ['a URL', new URL('https://stranger.example/x')],
    ['a Request', new Request('https://stranger.example/x', { method: 'POST', body: 'b' })],
    ['data:', 'data:,x'],
    ['blob:', 'blob:https://api.example/1'],
  ])('O1 %s for a stranger reaches the transport as it was given, and so does init', async (_, input) => {
    const { api, sent } = await client(foreign)
    const init = { headers: { 'x-mine': '1' }, dispatcher: {} } as RequestInit
    await api(input, init)
    expect(sent[0]?.input).toBe(input)
    expect(sent[0]?.init).toBe(init)
  })

  it('O1 a stranger does not wait for a refresh that is under way', async () => {
    const { promise, resolve } = deferred<{ accessToken: string }>()
    const transport = recorder(accepting('fresh'))
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch: transport.fetch, refresh: () => promise })
    await api.signIn({ accessToken: 'old' })
    const home = api('/x')
    await vi.waitFor(() => expect(api.snapshot().status).toBe('refreshing'))
    expect((await api('https://stranger.example/')).status).toBe(401)
    resolve({ accessToken: 'fresh' })
    expect((await home).status).toBe(200)
  })

  it('O1 a stranger does not wait for a store that is slow', async () => {
    const transport = recorder()
    const store = { read: () => new Promise<null>(() => {}), write: () => true }
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch: transport.fetch, store })
    expect((await api('https://stranger.example/')).status).toBe(200)
    api.dispose()
  })

  it('O1 a URL object that changes while the call waits does not take the credential along', async () => {
    const { promise, resolve } = deferred<{ accessToken: string }>()
    const transport = recorder(accepting('fresh'))
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch: transport.fetch, refresh: () => promise })
    await api.signIn({ accessToken: 'old' })
    const url = new URL('https://api.example/page/1')
    const call = api(url)
    await vi.waitFor(() => expect(api.snapshot().status).toBe('refreshing'))
    url.hostname = 'evil.example'
    resolve({ accessToken: 'fresh' })
    await call
    const at = transport.sent.map(({ url }) => url)
    expect(at).toEqual(['https://api.example/page/1', 'https://api.example/page/1'])
  })

  it('O1 an object that says one URL and is sent as another one gets nothing', async () => {
    const { api, sent } = await client({ baseUrl: 'https://api.example' })
    const twoFaced = { url: 'https://api.example/', method: 'GET', body: null, toString: () => 'https://evil.example/' }
    await api(twoFaced as unknown as Request).catch(() => {})
    expect(sent.filter(({ input, credential }) => String(input).includes('evil') && credential !== null)).toEqual([])
  })
})

describe('an Authorization of the caller’s own', () => {
  const mine = 'Basic dXNlcjpwYXNz'
  it.each<[string, () => [RequestInfo | URL, RequestInit?]]>([
    ['in a plain object', () => ['/x', { headers: { Authorization: mine } }]],
    ['in any case', () => ['/x', { headers: { AUTHORIZATION: mine } }]],
    ['in pairs', () => ['/x', { headers: [['authorization', mine]] }]],
    ['in a Headers', () => ['/x', { headers: new Headers({ authorization: mine }) }]],
    ['in a Request', () => [new Request('https://api.example/x', { headers: { authorization: mine } })]],
  ])('O3 %s is left alone, and its 401 starts nothing', async (_, args) => {
    const response = unauthorized()
    const onLoginRequired = vi.fn()
    const { api, sent, refresh } = await client({ baseUrl: 'https://api.example', onLoginRequired }, () => response)
    expect(await api(...args())).toBe(response)
    expect(sent.map(({ credential }) => credential)).toEqual([mine])
    expect(authFailureOf(response)).toBe(null)
    expect(refresh).not.toHaveBeenCalled()
    expect(onLoginRequired).not.toHaveBeenCalled()
  })

  it('O3 an empty one is the caller’s too', async () => {
    const { api, credentials } = await client({ baseUrl: 'https://api.example' })
    await api('/x', { headers: { authorization: '' } })
    expect(credentials()).toEqual([''])
  })

  it('O3 init and input reach the transport as they were given', async () => {
    const { api, sent } = await client({ baseUrl: 'https://api.example' })
    const input = new URL('https://api.example/x')
    const init = { headers: { authorization: mine } }
    await api(input, init)
    expect(sent[0]?.input).toBe(input)
    expect(sent[0]?.init).toBe(init)
  })

  it('O3 a 403 calls nobody', async () => {
    const onPermissionDenied = vi.fn()
    const { api } = await client({ baseUrl: 'https://api.example', onPermissionDenied }, () => forbidden())
    await api('/x', { headers: { authorization: mine } })
    expect(onPermissionDenied).not.toHaveBeenCalled()
  })

  it('O3 one that is the current token counts as the caller’s all the same', async () => {
    const { api, sent, refresh } = await client({ baseUrl: 'https://api.example' }, () => unauthorized())
    await api('/x', { headers: { authorization: 'Bearer secret' } })
    expect(sent).toHaveLength(1)
    expect(refresh).not.toHaveBeenCalled()
  })

  it('O3 init.headers replaces the headers of a Request, as fetch has it: then ours goes out', async () => {
    const { api, credentials } = await client({ baseUrl: 'https://api.example' })
    const request = new Request('https://api.example/x', { headers: { authorization: mine } })
    await api(request, { headers: { accept: 'text/plain' } })
    expect(credentials()).toEqual(['Bearer secret'])
  })

  it('O3 holds for the headers of a custom scheme as well', async () => {
    const { fetch, sent } = recorder(() => unauthorized())
    const scheme = {
      name: 'key',
      headers: ['X-Api-Key'],
      attach: (headers: Headers, { accessToken }: { accessToken: string }) => headers.set('x-api-key', accessToken),
    }
    const refresh = vi.fn(async () => ({ accessToken: 'fresh' }))
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch, scheme, refresh })
    await api.signIn({ accessToken: 'secret' })
    await api('/x', { headers: { 'x-api-key': 'mine' } })
    expect(sent.map(({ headers }) => headers.get('x-api-key'))).toEqual(['mine'])
    expect(refresh).not.toHaveBeenCalled()
  })

  it('O3 a relative URL still goes where it was resolved to', async () => {
    const { api, sent } = await client({ baseUrl: 'https://api.example/v1/' }, () => ok())
    await api('users', { headers: { authorization: mine } })
    expect(sent[0]).toMatchObject({ url: 'https://api.example/v1/users', credential: mine })
  })
})

/** Mulberry32: the same URLs at every run. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

function randomUrl(next: () => number): string {
  const pick = (choices: readonly string[]): string => choices[Math.floor(next() * choices.length)] ?? ''
  const often = (share: number, make: () => string): string => (next() < share ? make() : '')
  const noise = (): string =>
    pick(['\t', '\n', ' ', '\\', '/', '@', ':', '%2f', '%40', '#', '?', '.', '..', '\u0000', 'é'])
  return [
    often(0.1, noise),
    pick(['https:', 'https:', 'https:', 'http:', 'HTTPS:', '', '', 'blob:https:', 'data:', 'ws:', 'ht\ttps:']),
    pick(['//', '//', '//', '//', '/', '', '\\\\', '/\\', '///', '/\t/']),
    often(0.15, () => pick(['u@', 'u:p@', ':@', 'api.example@', 'api.example:443@', '@', '%00@'])),
    pick([
      'api.example',
      'api.example',
      'api.example',
      'localhost',
      'evil.example',
      'sub.api.example',
      'API.EXAMPLE',
      '',
    ]),
    often(0.15, () =>
      pick(['.', '.evil.example', '@evil.example', '\\@evil.example', '%2eevil.example', '\u3002evil']),
    ),
    often(0.3, () => pick([':443', ':3000', ':80', ':8443', ':', ':0443', ':65536'])),
    pick(['/', '/', '/x', '/../x', '', '\\x', '//evil.example', '?q=1', '#h', '/https://evil.example']),
    often(0.1, noise),
  ].join('')
}

describe('workerd, which forwards Authorization across origins with an old compatibility date', () => {
  beforeEach(() => {
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
  })
  afterEach(() => {
    vi.unstubAllGlobals()
  })

  it('O2 the token does not follow a redirect to another origin, and comes along to our own', async () => {
    const answers: Record<string, string> = {
      'https://api.example/home': '/me',
      'https://api.example/away': 'https://evil.example/',
    }
    const { api, sent } = await client({ baseUrl: 'https://api.example' }, ({ url, init }) => {
      const location = answers[url]
      if (location === undefined) return ok()
      expect(init?.redirect).toBe('manual')
      return new Response(null, { status: 302, headers: { location } })
    })
    await api('/home')
    await api('/away')
    expect(sent.map(({ url, credential }) => [url, credential])).toEqual([
      ['https://api.example/home', 'Bearer secret'],
      ['https://api.example/me', 'Bearer secret'],
      ['https://api.example/away', 'Bearer secret'],
      ['https://evil.example/', null],
    ])
  })
})
