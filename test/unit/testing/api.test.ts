import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { parseChallenges } from '../../../src/http/challenge.ts'
import { createAuthServer } from '../../../src/testing/index.ts'
import { answer, bearing, form, tokensOf } from './requests.ts'

const challengesOf = (response: Response): unknown => parseChallenges(response.headers.get('www-authenticate') ?? '')

describe('401', () => {
  it('names no error where no credentials were sent (RFC 6750 §3.1)', async () => {
    const response = await createAuthServer().fetch('/me')
    expect(response.status).toBe(401)
    expect(challengesOf(response)).toEqual([{ scheme: 'bearer', params: { realm: 'relatch' } }])
  })

  it.each(['Bearer made-up', 'bearer made-up', 'Bearer', 'Basic dXNlcjpwYXNz', 'nonsense', 'Bearer a b'])(
    'says invalid_token to %j',
    async (authorization) => {
      const server = createAuthServer()
      const response = await server.fetch('/me', { headers: { authorization } })
      expect(challengesOf(response)).toMatchObject([{ scheme: 'bearer', params: { error: 'invalid_token' } }])
      expect(await response.json()).toMatchObject({ error: 'invalid_token' })
      expect(server.requests).toMatchObject([{ credential: 'unknown', session: null, status: 401 }])
    },
  )

  it('tells expired from revoked in the log', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.expireAccessTokens()
    await server.fetch('/me', bearing(tokens))
    server.revokeSession()
    await server.fetch('/me', bearing(tokens))
    expect(server.requests.map(({ credential }) => credential)).toEqual(['expired', 'revoked'])
    expect(server.stats).toMatchObject({ apiRequests: 2, rejected: 2 })
  })
})

describe('403', () => {
  it('asks for a scope in the challenge', async () => {
    const server = createAuthServer()
    const response = await server.fetch('/reports', bearing(server.signIn('viewer')))
    expect(response.status).toBe(403)
    const params = expect.objectContaining({ error: 'insufficient_scope', scope: 'reports:read' })
    expect(challengesOf(response)).toEqual([{ scheme: 'bearer', params }])
    const scoped = server.signIn('viewer', { scope: 'reports:read' })
    expect((await server.fetch('/reports', bearing(scoped))).status).toBe(200)
  })

  it('describes a missing role, and a missing CSRF token, as a problem (RFC 9457)', async () => {
    const server = createAuthServer()
    const tokens = bearing(server.signIn('viewer'))
    for (const path of ['/admin', '/csrf', '/status/403']) {
      const response = await server.fetch(path, tokens)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
      expect(await response.json()).toMatchObject({ status: 403, title: expect.any(String) })
    }
  })
})

describe('step-up (RFC 9470)', () => {
  const pay = (
    server: ReturnType<typeof createAuthServer>,
    tokens: ReturnType<typeof server.signIn>,
  ): Promise<Response> => server.fetch('/payments', { method: 'POST', ...bearing(tokens) })

  it('asks until the login is strong and recent enough', async () => {
    const server = createAuthServer({ stepUp: { acrValues: ['gold', 'mfa'], maxAgeSeconds: 60 } })
    const response = await pay(server, server.signIn('viewer'))
    expect(response.status).toBe(401)
    expect(challengesOf(response)).toMatchObject([
      { params: { error: 'insufficient_user_authentication', acr_values: 'gold mfa', max_age: '60' } },
    ])
    expect((await pay(server, server.signIn('viewer', { acr: 'silver' }))).status).toBe(401)
    expect((await pay(server, server.signIn('viewer', { acr: 'mfa', authAgeMs: 61_000 }))).status).toBe(401)
    expect((await pay(server, server.signIn('viewer', { acr: 'mfa', authAgeMs: 59_000 }))).status).toBe(201)
  })

  it('takes the acr of a login, and keeps it over refreshes', async () => {
    const server = createAuthServer()
    const login = { grant_type: 'password', username: 'viewer', password: 'viewer', acr_values: 'mfa' }
    const first = await tokensOf(server.fetch('/token', form(login)))
    const refresh = form({ grant_type: 'refresh_token', refresh_token: first.refresh_token ?? '' })
    expect((await pay(server, await tokensOf(server.fetch('/token', refresh)))).status).toBe(201)
  })

  it('can ignore the new acr for ever', async () => {
    const server = createAuthServer({ stepUp: { isNeverMet: true } })
    expect((await pay(server, server.signIn('viewer', { acr: 'mfa' }))).status).toBe(401)
  })
})

describe('routes', () => {
  it('answer as they should', async () => {
    const server = createAuthServer()
    const tokens = bearing(server.signIn('admin'))
    const get = (path: string): Promise<[number, unknown]> => answer(server.fetch(path, tokens))
    expect(await get('/me')).toEqual([200, expect.objectContaining({ user: 'admin', roles: ['viewer', 'admin'] })])
    expect(await get('/items?page=2')).toEqual([200, expect.objectContaining({ query: { page: '2' } })])
    expect(await get('/items/7')).toEqual([200, { id: '7', name: 'Item 7' }])
    expect(await get('/items/700')).toEqual([404, expect.anything()])
    expect(await get('/slow?ms=1')).toEqual([200, { waitedMs: 1 }])
    expect(await get('/slow?ms=long')).toEqual([400, expect.anything()])
    expect(await get('/status/204')).toEqual([204, null])
    expect(await get('/status/503')).toEqual([503, expect.anything()])
    expect(await get('/status/999')).toEqual([400, expect.anything()])
    expect(await get('/nowhere')).toEqual([404, expect.anything()])
    expect(await answer(server.fetch('/public'))).toEqual([200, expect.anything()])
  })

  it('say which methods there are, and answer HEAD like GET without a body', async () => {
    const { fetch } = createAuthServer()
    const wrong = await fetch('/public', { method: 'DELETE' })
    expect([wrong.status, wrong.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    expect((await fetch('/echo', { method: 'OPTIONS' })).headers.get('allow')).toBe('POST, PUT, OPTIONS')
    expect((await fetch('/token')).headers.get('allow')).toBe('POST, OPTIONS')
    const head = await fetch('/public', { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  it('can be added, and know who calls', async () => {
    const server = createAuthServer({
      routes: {
        '/orders/:id': (_request, { user, roles, params }) => Response.json({ user, roles, params }),
        'POST /orders': { scope: 'items:write', handle: () => new Response(null, { status: 201 }) },
        'GET /health': { isPublic: true, handle: () => 'dropped' },
        'GET /me': () => Response.json('mine'),
        'GET /broken': () => Promise.reject(new Error('no such table')),
      },
    })
    const tokens = bearing(server.signIn('viewer'))
    expect(await answer(server.fetch('/orders/a%2Fb', tokens))).toEqual([
      200,
      { user: 'viewer', roles: ['viewer'], params: { id: 'a/b' } },
    ])
    expect((await server.fetch('/orders/1')).status).toBe(401)
    expect((await server.fetch('/orders', { method: 'POST', ...tokens })).status).toBe(403)
    await expect(server.fetch('/health')).rejects.toThrow('fetch failed')
    expect(await answer(server.fetch('/me', tokens))).toEqual([200, 'mine'])
    expect(await answer(server.fetch('/broken', tokens))).toEqual([
      500,
      expect.objectContaining({ detail: 'no such table' }),
    ])
  })

  it('let browsers of other origins in, where they may', async () => {
    const server = createAuthServer({ cors: true })
    const origin = 'https://app.example'
    const preflight = await server.fetch('/me', {
      method: 'OPTIONS',
      headers: {
        origin,
        'access-control-request-method': 'GET',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-headers')).toBe('authorization')
    const response = await server.fetch('/me', { headers: { origin } })
    expect(response.headers.get('access-control-allow-origin')).toBe(origin)
    expect(response.headers.get('access-control-expose-headers')).toContain('www-authenticate')
    expect(server.requests.map(({ kind }) => kind)).toEqual(['preflight', 'api'])
  })
})

describe('/echo', () => {
  const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

  it('says what came, with the text where it is short', async () => {
    const server = createAuthServer()
    const tokens = bearing(server.signIn('viewer'))
    const echo = (body: BodyInit): Promise<[number, unknown]> =>
      answer(server.fetch('/echo', { method: 'PUT', ...tokens, body }))
    expect(await echo('grüße')).toEqual([
      200,
      {
        method: 'PUT',
        contentType: 'text/plain;charset=UTF-8',
        length: 7,
        sha256: sha256(Buffer.from('grüße')),
        text: 'grüße',
      },
    ])
    for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1_000, 70_000]) {
      const bytes = Uint8Array.from({ length }, (_, index) => (index * 7) % 256)
      expect((await echo(bytes))[1]).toMatchObject({ length, sha256: sha256(bytes) })
    }
  })

  it('can read the body to its end before it judges the caller', async () => {
    const { fetch } = createAuthServer()
    let hasEnded = false
    const body = new ReadableStream({
      pull(controller) {
        hasEnded = true
        controller.close()
      },
    })
    expect((await fetch('/echo/late', { method: 'POST', body, duplex: 'half' } as RequestInit)).status).toBe(401)
    expect(hasEnded).toBe(true)
  })
})
