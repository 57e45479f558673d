// R1, L1, L5, D1: schemes that a user writes from the port: how tokens become headers, and what would cure a 401.
import { describe, expect, it } from 'vitest'
import {
  type AuthFetchOptions,
  type AuthScheme,
  authFailureOf,
  type Cure,
  createAuthFetch,
  memoryStore,
  type TokenSet,
} from '../../src/index.ts'
import { accepting, ok, unauthorized } from '../helpers/answer.ts'
import { deferred } from '../helpers/deferred.ts'
import { fakeTime, flush } from '../helpers/fake-time.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'

fakeTime()

/** Bearer, but for what a test makes different. */
const schemeWith = (traits: Partial<AuthScheme>): AuthScheme => ({
  name: 'own',
  headers: ['authorization'],
  attach: (headers, { accessToken }) => headers.set('authorization', `Bearer ${accessToken}`),
  ...traits,
})

function client(scheme: AuthScheme, answer: Answering, options: AuthFetchOptions = {}) {
  const transport = recorder(answer)
  let refreshes = 0
  const api = createAuthFetch({
    baseUrl: 'https://api.test',
    fetch: transport.fetch,
    store: memoryStore({ accessToken: 'old' }),
    scheme,
    refresh: async () => {
      refreshes++
      return { accessToken: 'new' }
    },
    ...options,
  })
  return { api, transport, refreshes: () => refreshes }
}

describe('attach()', () => {
  it('R1 is given the headers, the tokens and the request, anew for each send', async () => {
    const given: Array<[string | null, TokenSet, string, string]> = []
    const scheme = schemeWith({
      attach(headers, tokens, { method, url }) {
        given.push([headers.get('authorization'), tokens, method, url.href])
        headers.set('authorization', `Bearer ${tokens.accessToken}`)
      },
    })
    const { api } = client(scheme, accepting('new'))
    expect((await api('/me?tab=1', { method: 'DELETE' })).status).toBe(200)
    expect(given).toEqual([
      [null, { accessToken: 'old' }, 'DELETE', 'https://api.test/me?tab=1'],
      [null, { accessToken: 'new' }, 'DELETE', 'https://api.test/me?tab=1'],
    ])
  })

  it('R1 may take its time, for the first send and for the second', async () => {
    const scheme = schemeWith({
      async attach(headers, { accessToken }) {
        await new Promise((resolve) => setImmediate(resolve))
        headers.set('authorization', `Bearer ${accessToken}`)
      },
    })
    const { api, transport } = client(scheme, accepting('new'))
    expect((await api('/me')).status).toBe(200)
    expect(transport.credentials()).toEqual(['Bearer old', 'Bearer new'])
  })

  it('R1 R12 sets headers of its own, and what it set the first time is gone the second time', async () => {
    let proofs = 0
    const scheme = schemeWith({
      headers: ['authorization', 'X-Proof', 'x-first'],
      attach(headers, { accessToken }) {
        headers.set('authorization', `Proof ${accessToken}`)
        headers.set('x-proof', `${++proofs}`)
        if (proofs === 1) headers.set('x-first', 'yes')
      },
    })
    const { api, transport } = client(scheme, ({ credential }) => (credential === 'Proof new' ? ok() : unauthorized()))
    expect((await api('/me', { headers: { 'x-mine': 'kept' } })).status).toBe(200)
    expect(transport.sent.map(({ headers }) => Object.fromEntries(headers))).toEqual([
      { authorization: 'Proof old', 'x-proof': '1', 'x-first': 'yes', 'x-mine': 'kept' },
      { authorization: 'Proof new', 'x-proof': '2', 'x-mine': 'kept' },
    ])
  })

  it('O3 a header of the scheme that the caller set makes the request the caller’s own', async () => {
    const scheme = schemeWith({ headers: ['X-Api-Key'], attach: (headers) => headers.set('x-api-key', 'ours') })
    const { api, transport, refreshes } = client(scheme, () => unauthorized())
    expect((await api('/me', { headers: { 'x-api-key': 'theirs' } })).status).toBe(401)
    expect(transport.sent.map(({ headers }) => headers.get('x-api-key'))).toEqual(['theirs'])
    expect(refreshes()).toBe(0)
  })

  it.each(['at once', 'later'])(
    'E1 fails %s: the call rejects without the token, and nothing is sent',
    async (when) => {
      const scheme = schemeWith({
        attach(headers, { accessToken }) {
          if (when === 'later') return Promise.reject(new Error(`cannot sign ${accessToken}-secret`))
          headers.set('authorization', `Bearer ${accessToken}-secret\n`)
          headers.append('x', `${accessToken}-secret\n\n: `)
          throw new Error(`cannot sign ${accessToken}-secret`)
        },
      })
      const { api, transport } = client(scheme, () => ok(), { store: memoryStore({ accessToken: 'at-secret' }) })
      const reason = await rejectionOf(api('/me'))
      expect(reason).toBeInstanceOf(Error)
      expect(String((reason as Error).stack) + String(reason)).not.toContain('at-secret')
      expect(transport.sent).toEqual([])
    },
  )

  it('R12 a sign-out while it takes its time: the old session’s token still goes out at most once', async () => {
    const signing = deferred<void>()
    const scheme = schemeWith({
      async attach(headers, { accessToken }) {
        await signing.promise
        headers.set('authorization', `Bearer ${accessToken}`)
      },
    })
    const { api, transport } = client(scheme, () => unauthorized())
    const call = api('/me')
    await flush()
    await api.signOut()
    signing.resolve()
    expect((await call).status).toBe(401)
    expect(transport.sent.length).toBeLessThanOrEqual(1)
  })

  it('R10 is not called for a cookie session, nor for nobody', async () => {
    let calls = 0
    const scheme = schemeWith({ attach: () => void calls++ })
    const { api } = client(scheme, () => ok(), { store: memoryStore(), refresh: async () => null })
    await api('/me')
    await api.signIn(true)
    await api('/me')
    expect(calls).toBe(0)
  })
})

describe('observe()', () => {
  it('R1 sees every answer: good ones, bad ones, and the 401 that is replaced', async () => {
    const seen: string[] = []
    const scheme = schemeWith({
      observe: ({ status }, { method, url }) => void seen.push(`${method} ${url.pathname} ${status}`),
    })
    const { api } = client(scheme, (sent, index) =>
      sent.url.endsWith('/no') ? new Response(null, { status: 403 }) : accepting('new')(sent, index),
    )
    await api('/me')
    await api('/me')
    await api('/no', { method: 'PUT' })
    expect(seen).toEqual(['GET /me 401', 'GET /me 200', 'GET /me 200', 'PUT /no 403'])
  })

  it('E3 throws: the caller has the answer all the same', async () => {
    const scheme = schemeWith({
      observe() {
        throw new Error('broken')
      },
    })
    const { api } = client(scheme, accepting('new'))
    expect((await api('/me')).status).toBe(200)
  })
})

describe('cure()', () => {
  const curing = (cure: Cure): AuthScheme => schemeWith({ cure: () => cure })

  it('R1 is given the challenges', async () => {
    const given: unknown[] = []
    const scheme = schemeWith({
      cure: (challenges) => {
        given.push(challenges)
        return 'refresh'
      },
    })
    const { api } = client(scheme, (sent, index) =>
      index === 0 ? unauthorized('Own nonce="n-1"') : accepting('new')(sent, index),
    )
    expect((await api('/me')).status).toBe(200)
    expect(given).toEqual([[{ scheme: 'own', params: { nonce: 'n-1' } }]])
  })

  it('R1 again: the same tokens, once, with what was learnt; no refresh', async () => {
    let nonce = 'none'
    const scheme = schemeWith({
      headers: ['authorization', 'x-nonce'],
      attach(headers, { accessToken }) {
        headers.set('authorization', `Own ${accessToken}`)
        headers.set('x-nonce', nonce)
      },
      observe: ({ headers }) => {
        nonce = headers.get('x-next-nonce') ?? nonce
      },
      cure: ([challenge]) => (challenge?.params.error === 'use_nonce' ? 'again' : 'refresh'),
    })
    const { api, transport, refreshes } = client(scheme, ({ headers }) =>
      headers.get('x-nonce') === 'n-1'
        ? ok()
        : new Response(null, {
            status: 401,
            headers: { 'x-next-nonce': 'n-1', 'www-authenticate': 'Own error="use_nonce"' },
          }),
    )
    expect((await api('/me', { method: 'POST', body: 'kept' })).status).toBe(200)
    expect(transport.sent.map(({ headers, init }) => [headers.get('authorization'), init?.body])).toEqual([
      ['Own old', 'kept'],
      ['Own old', 'kept'],
    ])
    expect(refreshes()).toBe(0)
  })

  it('R1 again, and again, and again: sent twice, and the 401 is handed back', async () => {
    const { api, transport, refreshes } = client(curing('again'), (_sent, index) =>
      index > 20 ? ok() : unauthorized(),
    )
    expect((await api('/me')).status).toBe(401)
    expect(transport.sent).toHaveLength(2)
    expect(refreshes()).toBe(0)
  })

  it('R1 again and then a refresh: both, once each', async () => {
    const cures: Cure[] = ['again', 'refresh', 'again', 'refresh']
    const scheme = schemeWith({ cure: () => cures.shift() ?? 'refresh' })
    const { api, transport, refreshes } = client(scheme, accepting('new'))
    expect((await api('/me')).status).toBe(200)
    expect(transport.credentials()).toEqual(['Bearer old', 'Bearer old', 'Bearer new'])
    expect(refreshes()).toBe(1)
  })

  it('L1 login: no refresh, one login for everyone, and all resume', async () => {
    let asked = 0
    const { api, refreshes } = client(curing('login'), accepting('signed-in'), {
      onLoginRequired: (need) => {
        asked++
        expect(need.reason).toBe('session-over')
        return { accessToken: 'signed-in' }
      },
    })
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await api('/me')).status))
    expect(statuses).toEqual(Array(10).fill(200))
    expect(asked).toBe(1)
    expect(refreshes()).toBe(0)
  })

  it('L1 login, and nobody to ask: the 401 is handed back', async () => {
    const { api, transport, refreshes } = client(curing('login'), () => unauthorized())
    const response = await api('/me')
    expect(response.status).toBe(401)
    expect(authFailureOf(response)).toMatchObject({ reason: 'session-over' })
    expect([transport.sent.length, refreshes()]).toEqual([1, 0])
  })

  it('L5 step-up: asked for though no challenge says so', async () => {
    const { api, refreshes } = client(curing('step-up'), accepting('strong'), {
      onStepUp: ({ acrValues }) => {
        expect(acrValues).toEqual(['gold'])
        return { accessToken: 'strong' }
      },
      fetch: recorder((sent, index) =>
        index === 0 ? unauthorized('Own acr_values="gold"') : accepting('strong')(sent, index),
      ).fetch,
    })
    expect((await api('/me')).status).toBe(200)
    expect(refreshes()).toBe(0)
  })

  it('L5 step-up, where the 401 has no challenge at all: no refresh', async () => {
    let asked = 0
    const { api, refreshes } = client(curing('step-up'), () => new Response(null, { status: 401 }), {
      onStepUp: () => {
        asked++
        return null
      },
    })
    expect((await api('/me')).status).toBe(401)
    expect(refreshes()).toBe(0)
    expect(asked).toBe(1)
  })

  it('E3 throws: a refresh, as if it had said nothing', async () => {
    const scheme = schemeWith({
      cure() {
        throw new Error('broken')
      },
    })
    const { api } = client(scheme, accepting('new'))
    expect((await api('/me')).status).toBe(200)
  })
})

describe('isAmbient', () => {
  const ambient = (traits: Partial<AuthScheme> = {}): AuthScheme =>
    schemeWith({
      isAmbient: true,
      headers: ['X-Csrf'],
      attach: (headers, tokens: TokenSet | null) => headers.set('x-csrf', `for ${tokens?.accessToken ?? 'nobody'}`),
      ...traits,
    })
  const guards = (transport: { sent: ReadonlyArray<{ headers: Headers }> }): Array<string | null> =>
    transport.sent.map(({ headers }) => headers.get('x-csrf'))

  it('O2 attach() is called for nobody, for a cookie session, and with tokens; never for a foreign origin', async () => {
    const { api, transport } = client(ambient(), () => ok(), { store: memoryStore(), refresh: async () => null })
    await api('/me')
    await api.signIn(true)
    await api('/me')
    await api.signIn({ accessToken: 'held' })
    await api('/me')
    await api('https://other.test/me')
    expect(guards(transport)).toEqual(['for nobody', 'for nobody', 'for held', null])
  })

  it('O3 a caller who sets its header is recovered all the same; the replay has a fresh one', async () => {
    const { api, transport, refreshes } = client(ambient(), (_sent, index) => (index === 0 ? unauthorized() : ok()))
    expect((await api('/me', { method: 'POST', headers: { 'x-csrf': 'theirs' } })).status).toBe(200)
    expect(guards(transport)).toEqual(['for old', 'for new'])
    expect(refreshes()).toBe(1)
  })

  it('O3 a caller’s own header stays, on the replay too, where the scheme has none to set', async () => {
    const scheme = ambient({ attach: () => {} })
    const { api, transport } = client(scheme, (_sent, index) => (index === 0 ? unauthorized() : ok()))
    expect((await api('/me', { headers: { 'x-csrf': 'theirs' } })).status).toBe(200)
    expect(guards(transport)).toEqual(['theirs', 'theirs'])
  })

  it.each(['denialReason', 'refresherFetch'])('O4 %s is not taken from a polluted prototype', async (name) => {
    let calls = 0
    Object.assign(Object.prototype, { [name]: () => calls++ })
    try {
      const { api } = client(schemeWith({}), (_sent, index) => new Response(null, { status: index === 0 ? 401 : 403 }))
      expect((await api('/me')).status).toBe(403)
      expect(calls).toBe(0)
    } finally {
      Reflect.deleteProperty(Object.prototype, name)
    }
  })

  it('O4 is not read off a polluted prototype', async () => {
    Object.assign(Object.prototype, { isAmbient: true, credentials: 'include' })
    try {
      const { api, transport } = client(schemeWith({}), () => ok(), { store: memoryStore(), refresh: async () => null })
      await api('/me')
      expect(transport.sent.map(({ init }) => init && Object.keys(init))).toEqual([['headers']])
    } finally {
      Reflect.deleteProperty(Object.prototype, 'isAmbient')
      Reflect.deleteProperty(Object.prototype, 'credentials')
    }
  })
})

describe('refresherFetch()', () => {
  it('R5 O2 adds to the refresher’s requests, given whole URLs and who is ours', async () => {
    const given: unknown[] = []
    const scheme = schemeWith({
      refresherFetch:
        (transport, { tokens, isOurs }) =>
        async (input, init) => {
          given.push([tokens?.accessToken, input, init?.redirect, isOurs(new URL(String(input)))])
          return transport(input, { ...init, headers: { 'x-signed': 'yes' } })
        },
    })
    const { api, transport } = client(scheme, accepting('new'), {
      refresh: async ({ fetch }) => {
        for (const place of ['/refresh', 'https://other.test/refresh']) await fetch(place)
        return { accessToken: 'new' }
      },
    })
    expect((await api('/me')).status).toBe(200)
    expect(given).toEqual([
      ['old', 'https://api.test/refresh', 'manual', true],
      ['old', 'https://other.test/refresh', 'manual', false],
    ])
    expect(transport.sent.map(({ headers }) => headers.get('x-signed'))).toEqual([null, 'yes', 'yes', null])
  })

  it('O2 C5 a redirect is refused all the same', async () => {
    const scheme = schemeWith({ refresherFetch: (transport) => transport })
    const { api } = client(
      scheme,
      ({ url }) =>
        url.endsWith('/refresh') ? new Response(null, { status: 307, headers: { location: '/x' } }) : unauthorized(),
      {
        refreshRetries: 0,
        refresh: async ({ fetch }) => ((await fetch('/refresh')).ok ? { accessToken: 'new' } : null),
      },
    )
    expect(await rejectionOf(api('/me'))).toMatchObject({ code: 'refresh-unavailable' })
  })
})

describe('credentials', () => {
  const sendingCookies = schemeWith({ credentials: 'include' })
  const sent = async (input: RequestInfo | URL, init?: RequestInit): Promise<unknown> => {
    const { api, transport } = client(sendingCookies, () => ok())
    await api(input, init)
    return transport.sent[0]?.init?.credentials
  }

  it('O2 are what a request to another origin than the page’s gets, where its caller left them', async () => {
    expect(await sent('/me')).toBe('include')
    expect(await sent(new Request('https://api.test/me'))).toBe('include')
    expect(await sent('https://other.test/me')).toBe(undefined)
  })

  it('O2 are the caller’s where the caller says them', async () => {
    expect(await sent('/me', { credentials: 'omit' })).toBe('omit')
    expect(await sent(new Request('https://api.test/me', { credentials: 'omit' }))).toBe(undefined)
  })

  it('O2 are left alone on the page’s own origin, where cookies go along anyway', async () => {
    Object.assign(globalThis, { location: new URL('https://api.test/page') })
    try {
      expect(await sent('/me')).toBe(undefined)
    } finally {
      Reflect.deleteProperty(globalThis, 'location')
    }
  })
})

describe('denialReason()', () => {
  const refusing = schemeWith({ denialReason: ({ status }) => (status === 419 ? 'csrf' : undefined) })

  it('D1 D3 makes a denial of what is none by its status: one callback, never sent again', async () => {
    const reasons: string[] = []
    const { api, transport, refreshes } = client(refusing, () => new Response('expired', { status: 419 }), {
      onPermissionDenied: ({ reason }) => void reasons.push(reason),
    })
    const response = await api('/me', { method: 'POST' })
    expect([response.status, await response.text()]).toEqual([419, 'expired'])
    expect(authFailureOf(response)).toMatchObject({ reason: 'csrf' })
    expect([reasons, transport.sent.length, refreshes()]).toEqual([['csrf'], 1, 0])
  })

  it('D2 leaves a 403 that it knows nothing of as it is', async () => {
    const { api } = client(
      refusing,
      () => new Response(null, { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope"' } }),
    )
    expect(authFailureOf(await api('/me'))).toMatchObject({ reason: 'insufficient-scope' })
  })

  it('D3 the app’s classify() has the last word', async () => {
    const { api } = client(refusing, () => new Response(null, { status: 419 }), { classify: () => 'pass' })
    const response = await api('/me')
    expect([response.status, authFailureOf(response)]).toEqual([419, null])
  })

  it('D1 is not asked about a 401, nor about what is no error', async () => {
    const asked: number[] = []
    const scheme = schemeWith({ denialReason: ({ status }) => void asked.push(status) })
    const statuses = [204, 304, 401, 200, 400, 403, 500]
    const { api } = client(scheme, () => new Response(null, { status: statuses.shift() ?? 200 }))
    while (statuses.length > 0) await api('/me')
    expect(asked).toEqual([400, 403, 500])
  })

  it('E3 throws: as if it had said nothing', async () => {
    const scheme = schemeWith({
      denialReason() {
        throw new Error('broken')
      },
    })
    const { api } = client(scheme, () => new Response(null, { status: 403 }))
    expect(authFailureOf(await api('/me'))).toMatchObject({ reason: 'forbidden' })
  })
})

describe('resource_metadata', () => {
  const RESOURCE = 'https://api.test/.well-known/oauth-protected-resource'
  const needAfter = async (challenge: string): Promise<object | null> => {
    const { api } = client(schemeWith({}), () => unauthorized(challenge), { refresh: undefined })
    return authFailureOf(await api('/me'))
  }

  it.each([
    `Bearer resource_metadata="${RESOURCE}"`,
    `DPoP algs="ES256", Bearer error="invalid_token", resource_metadata="${RESOURCE}"`,
    `Bearer error="insufficient_user_authentication", resource_metadata="${RESOURCE}"`,
    `Own resource_metadata="ftp://files.test/", Bearer resource_metadata="${RESOURCE}"`,
  ])('L1 L5 RFC 9728 is offered: %s', async (challenge) => {
    expect(await needAfter(challenge)).toMatchObject({ resourceMetadata: RESOURCE })
  })

  it.each(['javascript:alert(1)', 'http://api.test/meta', '/relative', 'https://', ''])(
    'L1 what nobody should follow is not offered: %j',
    async (address) => {
      expect(await needAfter(`Bearer resource_metadata="${address}"`)).not.toHaveProperty('resourceMetadata')
    },
  )
})
