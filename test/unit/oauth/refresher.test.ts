// The grants without a browser, through createAuthFetch: what each failure comes to (R7), and what no answer may lose (R11).
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetch,
  type AuthFetchOptions,
  type AuthScheme,
  createAuthFetch,
  type Refresher,
} from '../../../src/index.ts'
import type { OAuthClientOptions } from '../../../src/oauth/options.ts'
import type { DpopScheme } from '../../../src/schemes/dpop.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { type Answer, authServer, claims, clientOf, idToken, json, METADATA } from './auth-server.ts'

afterEach(() => vi.unstubAllGlobals())

/** An API that takes what is not `old`, with a session that holds it. */
async function session(refresh: Refresher, options: AuthFetchOptions = {}): Promise<AuthFetch> {
  const api: typeof fetch = async (_, init) => {
    const isOld = new Headers(init?.headers).get('authorization') === 'Bearer old'
    return new Response(null, { status: isOld ? 401 : 200 })
  }
  const given = { baseUrl: 'https://api.example', refreshRetries: 0, ...options }
  const authFetch = createAuthFetch({ fetch: api, refresh, ...given })
  await authFetch.signIn({ accessToken: 'old', refreshToken: 'rt-1', scope: 'orders', subject: 'ann' })
  return authFetch
}

function answering(answer: Answer, options: Partial<OAuthClientOptions> = {}) {
  const server = authServer()
  server.answers['/token'] = answer
  return { server, ...clientOf(server, options) }
}

const good = { access_token: 'new', token_type: 'Bearer', expires_in: 300, refresh_token: 'rt-2' }

describe('the refresh token grant', () => {
  it('R1: brings new tokens, for every resource', async () => {
    const resource = ['https://a.example', 'https://b.example']
    const { server, refresher } = answering(() => json(good), { resource })
    const api = await session(refresher)
    expect((await api('/orders')).status).toBe(200)
    expect(await api.tokens()).toMatchObject({ accessToken: 'new', refreshToken: 'rt-2', scope: 'orders' })
    const [{ form, headers } = { form: null, headers: null }] = server.to('/token')
    expect(Object.fromEntries(form ?? [])).toMatchObject({
      grant_type: 'refresh_token',
      refresh_token: 'rt-1',
      client_id: 'web',
    })
    expect(form?.getAll('resource')).toEqual(resource)
    expect(headers?.has('authorization')).toBe(false)
  })

  it('says who the client is with Basic where it has a secret, form-encoded (RFC 6749 §2.3.1)', async () => {
    const { server, refresher } = answering(() => json(good), { clientSecret: 'a:b c' })
    await (await session(refresher)).refresh()
    expect(server.to('/token')[0]?.headers.get('authorization')).toBe(`Basic ${btoa('web:a%3Ab+c')}`)
  })

  it('R7: is over without a refresh token, and asks nobody', async () => {
    const { server, refresher } = answering(() => json(good))
    const api = await session(refresher)
    await api.signIn({ accessToken: 'old' })
    expect(await api.refresh()).toBeNull()
    expect(server.asked).toEqual([])
  })

  it('uses the transport of its createAuthFetch where the client has none of its own', async () => {
    const server = authServer()
    server.answers['/token'] = () => json(good)
    const { refresher } = clientOf(server, { fetch: undefined, server: METADATA })
    const api = await session(refresher, { fetch: server.fetch })
    expect((await api.refresh())?.accessToken).toBe('new')
  })

  it('but for metadata, which nothing of a scheme is sent with: many servers allow no such header there', async () => {
    const [server, elsewhere] = [authServer(), authServer()]
    server.answers['/token'] = () => json(good)
    vi.stubGlobal('fetch', elsewhere.fetch)
    const scheme: AuthScheme = {
      name: 'proving',
      headers: ['authorization', 'dpop'],
      attach: () => {},
      refresherFetch: (transport) => (input, init) => transport(input, { ...init, headers: { dpop: 'a-proof' } }),
    }
    const api = await session(clientOf(server, { fetch: undefined }).refresher, { fetch: server.fetch, scheme })
    expect((await api.refresh())?.accessToken).toBe('new')
    expect(elsewhere.asked.map(({ path, headers }) => [path, headers.get('dpop')])).toEqual([
      ['/.well-known/openid-configuration', null],
    ])
    expect(server.asked.map(({ path, headers }) => [path, headers.get('dpop')])).toEqual([['/token', 'a-proof']])
  })
})

describe('R7: what a failure comes to', () => {
  const over: Record<string, Answer> = {
    invalid_grant: () => json({ error: 'invalid_grant', error_description: 'rt-1 is used' }, 400),
    'a 400 without an OAuth error': () => new Response('Bad Request', { status: 400 }),
    'a 401 without an OAuth error': () => json({ message: 'Unauthorized' }, 401),
    'a 401 with a challenge and no OAuth error': () =>
      new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer' } }),
  }
  it.each(Object.entries(over))('over: %s', async (_, answer) => {
    const api = await session(answering(answer).refresher)
    expect((await api('/orders')).status).toBe(401)
    expect(api.snapshot().status).toBe('signed-out')
  })

  const codes = ['invalid_client', 'unauthorized_client', 'unsupported_grant_type', 'invalid_request', 'invalid_scope']
  const misconfigured: Array<[string, Answer]> = codes.flatMap(
    (code): Array<[string, Answer]> => [
      [`${code}, 400`, () => json({ error: code }, 400)],
      [`${code}, 401 with a challenge`, () => json({ error: code }, 401, { 'www-authenticate': 'Basic realm="x"' })],
    ],
  )
  it.each(misconfigured)('misconfigured: %s', async (name, answer) => {
    const api = await session(answering(answer).refresher)
    const error = await rejectionOf(api('/orders'))
    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: false })
    expect(String(error)).toContain(name.split(',')[0])
    expect((await api.tokens({ minValidityMs: -Infinity }))?.refreshToken).toBe('rt-1')
  })

  const transient: Record<string, Answer> = {
    network: () => {
      throw new TypeError('fetch failed')
    },
    '500': () => new Response('<html>', { status: 500 }),
    '503 as JSON': () => json({ error: 'temporarily_unavailable' }, 503),
    '429': () => new Response(null, { status: 429, headers: { 'retry-after': '30' } }),
    '408': () => new Response(null, { status: 408 }),
    'a 403 page': () => new Response('<html>', { status: 403 }),
    'a 404': () => new Response('<html>', { status: 404 }),
    'a page under 200': () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    'an empty answer': () => new Response(''),
    'a 204': () => new Response(null, { status: 204 }),
    'a list': () => json([good]),
    'no access token': () => json({ ...good, access_token: undefined }),
    'an access token that is none': () => json({ ...good, access_token: '' }),
    'an unknown token type': () => json({ ...good, token_type: 'mac' }),
    'tokens that want proofs': () => json({ ...good, token_type: 'DPoP' }),
    'an answer that is too long': () => json({ ...good, filler: 'x'.repeat(262_144) }),
    'a redirect': () => new Response(null, { status: 307, headers: { location: 'https://evil.example' } }),
    'a server error under 400': () => json({ error: 'server_error' }, 400),
  }
  it.each(Object.entries(transient))('transient: %s', async (_, answer) => {
    const { server, refresher } = answering(answer)
    const api = await session(refresher)
    expect(await rejectionOf(api('/orders'))).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect((await api.tokens({ minValidityMs: -Infinity }))?.refreshToken).toBe('rt-1')
    server.answers['/token'] = () => json(good)
    // The way back, without the pause that two failures bring.
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('transient: Retry-After is passed on', async () => {
    const api = await session(answering(transient[429] as Answer).refresher)
    expect(await rejectionOf(api('/orders'))).toMatchObject({ retryAfterMs: 30_000 })
  })

  it.each([400, 401, 404, 500])('transient: metadata that cannot be had (%d)', async (status) => {
    const { server, refresher } = answering(() => json(good))
    server.answers['/.well-known/openid-configuration'] = () => json({ error: 'invalid_grant' }, status)
    const api = await session(refresher)
    expect(await rejectionOf(api('/orders'))).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('R6: a server that never answers is left at refreshTimeoutMs', async () => {
    const { refresher } = answering(() => new Promise(() => {}))
    const api = await session(refresher, { refreshTimeoutMs: 30 })
    expect(await rejectionOf(api('/orders'))).toMatchObject({ code: 'refresh-timeout', retryable: true })
  })
})

it('A1: the request ends with the signal of its context', async () => {
  const { refresher } = answering(() => new Promise(() => {}))
  const late = new AbortController()
  const work = rejectionOf(
    Promise.resolve(
      refresher({ tokens: { accessToken: 'a', refreshToken: 'r' }, reason: 'rejected', signal: late.signal, fetch }),
    ),
  )
  await new Promise(setImmediate)
  late.abort()
  expect(await work).toMatchObject({ code: 'refresh-unavailable', retryable: true })
})

describe('R11: no rotation is lost', () => {
  const odd: Record<string, object> = {
    'an ID token that is none': { id_token: 'garbage' },
    'an ID token of another issuer': { id_token: idToken(claims({ iss: 'https://evil.example' })) },
    'an ID token for another client': { id_token: idToken(claims({ aud: 'other' })) },
    'an ID token of somebody else': { id_token: idToken(claims({ sub: 'bob' })) },
    'an ID token that has expired': { id_token: idToken(claims({ exp: 1 })) },
    'an ID token that is a number': { id_token: 1 },
    'an ID token of null': { id_token: null },
    'a scope that is a list': { scope: ['orders'] },
    'an expiry that is a word': { expires_in: 'soon' },
    'an expiry below 0': { expires_in: -1 },
    'an expiry of null': { expires_in: null },
    'an expiry beyond all dates': { expires_in: 1e300 },
    'no token type': { token_type: undefined },
  }
  it.each(Object.entries(odd))('to %s', async (_, more) => {
    const api = await session(answering(() => json({ ...good, ...more })).refresher)
    expect((await api('/orders')).status).toBe(200)
    const tokens = await api.tokens()
    expect(tokens).toMatchObject({ accessToken: 'new', refreshToken: 'rt-2', scope: 'orders', subject: 'ann' })
    expect(tokens).not.toHaveProperty('idToken')
  })

  it.each([[''], [null], [undefined], [1]])('R10: to a refresh token of %j, which keeps the old one', async (token) => {
    const api = await session(answering(() => json({ ...good, refresh_token: token })).refresher)
    await api('/orders')
    expect(await api.tokens()).toMatchObject({ accessToken: 'new', refreshToken: 'rt-1' })
  })

  it('and an ID token that is good is kept, whatever the clock says', async () => {
    const iat = Math.floor(Date.now() / 1000) - 7200
    const token = idToken(claims({ iat, exp: iat + 60 }))
    const api = await session(answering(() => json({ ...good, id_token: token })).refresher)
    await api('/orders')
    expect((await api.tokens())?.idToken).toBe(token)
  })
})

describe('with DPoP', () => {
  const dpop = { refresherFetch: (transport: unknown) => transport } as unknown as DpopScheme

  it.each(['Bearer', undefined, 'mac'])('tokens of the type %s are unusable, and the session is kept', async (type) => {
    const { refresher } = answering(() => json({ ...good, token_type: type }), { dpop })
    const api = await session(refresher)
    const error = (await rejectionOf(api('/orders'))) as Error
    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(error.cause).toMatchObject({ code: 'unusable-token-response' })
  })

  it('a refresh is proved with the key that the tokens are bound to', async () => {
    const seen: unknown[] = []
    const refresherFetch: DpopScheme['refresherFetch'] = (transport, { tokens }) => {
      seen.push(tokens?.accessToken)
      return transport
    }
    const { refresher } = answering(() => json({ ...good, token_type: 'DPoP' }), { dpop: { refresherFetch } as never })
    await (await session(refresher)).refresh()
    expect(seen).toEqual(['old'])
  })

  it.each(['DPoP', 'dpop'])('tokens of the type %s are good', async (type) => {
    const { refresher } = answering(() => json({ ...good, token_type: type }), { dpop })
    expect((await (await session(refresher)).refresh())?.accessToken).toBe('new')
  })
})

describe('client credentials (RFC 6749 §4.4)', () => {
  const options = { clientSecret: 'secret', scope: 'orders', resource: 'https://api.example' }

  it('start from nothing, and again', async () => {
    const { server, clientCredentials } = answering(() => json({ access_token: 'new', token_type: 'Bearer' }), options)
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      fetch: async () => new Response(),
      refresh: clientCredentials,
    })
    await api('/orders')
    await api.refresh()
    const requests = server.to('/token')
    expect(requests).toHaveLength(2)
    for (const { form } of requests) {
      expect(Object.fromEntries(form)).toEqual({
        grant_type: 'client_credentials',
        scope: 'orders',
        resource: 'https://api.example',
      })
    }
  })

  it('are for the scope that was asked for, unless the answer names another', async () => {
    const asIs = answering(() => json({ access_token: 'new', token_type: 'Bearer' }), options)
    const less = answering(() => json({ access_token: 'new', token_type: 'Bearer', scope: 'read' }), options)
    const context = { tokens: null, reason: 'requested', signal: new AbortController().signal, fetch } as const
    expect(await asIs.clientCredentials(context)).toMatchObject({ scope: 'orders' })
    expect(await less.clientCredentials(context)).toMatchObject({ scope: 'read' })
  })

  it('of a type that this client does not use are unusable', async () => {
    const { clientCredentials } = answering(() => json({ access_token: 'new', token_type: 'DPoP' }), options)
    const error = (await rejectionOf((await session(clientCredentials)).refresh())) as Error
    expect(error.cause).toMatchObject({ code: 'unusable-token-response' })
  })

  it('R7: are misconfigured where the server does not know them', async () => {
    const { clientCredentials } = answering(() => json({ error: 'invalid_client' }, 401), options)
    const api = await session(clientCredentials)
    expect(await rejectionOf(api('/orders'))).toMatchObject({ code: 'refresh-unavailable', retryable: false })
  })

  it('a client authentication that fails is told apart from a server that cannot be reached', async () => {
    const clientAuth = (): never => {
      throw new Error('the-private-key')
    }
    const { clientCredentials } = answering(() => json(good), { clientAuth })
    const error = (await rejectionOf((await session(clientCredentials)).refresh())) as Error
    expect((error.cause as Error).message).toContain('could not be made')
    expect((error.cause as Error).message).not.toContain('the-private-key')
  })
})
