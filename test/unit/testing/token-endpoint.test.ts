import { describe, expect, it } from 'vitest'
import { createAuthServer } from '../../../src/testing/index.ts'
import { answer, bearing, form, jsonBody, refreshing, tokensOf } from './requests.ts'

const B64TOKEN = /^[\w.~+/-]+=*$/

describe('POST /token', () => {
  it('answers a password as RFC 6749 §5.1 has it, to a form and to JSON', async () => {
    const { fetch } = createAuthServer()
    const parameters = { grant_type: 'password', username: 'admin', password: 'admin', scope: 'items:read' }
    for (const request of [form(parameters), jsonBody(parameters)]) {
      const response = await fetch('/token', request)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.json()).toEqual({
        access_token: expect.stringMatching(B64TOKEN),
        token_type: 'Bearer',
        expires_in: 300,
        refresh_token: expect.stringMatching(B64TOKEN),
        scope: 'items:read',
      })
    }
  })

  it.each([
    [{ grant_type: 'password', username: 'viewer', password: 'wrong' }, 400, 'invalid_grant'],
    [{ grant_type: 'password', username: 'nobody', password: 'nobody' }, 400, 'invalid_grant'],
    [{ grant_type: 'password', username: 'viewer', password: 'viewer', scope: 'reports:read' }, 400, 'invalid_scope'],
    [{ grant_type: 'refresh_token', refresh_token: 'made-up' }, 400, 'invalid_grant'],
    [{ grant_type: 'refresh_token', refresh_token: '' }, 400, 'invalid_request'],
    [{ grant_type: 'refresh_token' }, 400, 'invalid_request'],
    [{ grant_type: 'client_credentials', client_id: 'service', client_secret: 'wrong' }, 401, 'invalid_client'],
    [{ grant_type: 'client_credentials' }, 400, 'unauthorized_client'],
    [{ grant_type: 'constructor' }, 400, 'unsupported_grant_type'],
    [{}, 400, 'invalid_request'],
  ])('answers %o with %i %s', async (parameters, status, error) => {
    const { fetch } = createAuthServer()
    expect(await answer(fetch('/token', form(parameters)))).toEqual([status, expect.objectContaining({ error })])
  })

  it.each([
    ['a parameter that comes twice', 'application/x-www-form-urlencoded', 'grant_type=password&grant_type=password'],
    ['broken JSON', 'application/json', '{"grant_type":'],
    ['JSON that is no object', 'application/json', '["grant_type"]'],
    ['a body of another type', 'text/plain', 'grant_type=password'],
  ])('answers %s with invalid_request', async (_case, type, body) => {
    const request = { method: 'POST', headers: { 'content-type': type }, body }
    const { fetch } = createAuthServer()
    expect(await answer(fetch('/token', request))).toEqual([400, expect.objectContaining({ error: 'invalid_request' })])
  })

  it('gives a client of its own a token without a refresh token, by the header too', async () => {
    const { fetch } = createAuthServer()
    const headers = { authorization: `Basic ${btoa('service:service')}` }
    const tokens = await tokensOf(fetch('/token', { ...form({ grant_type: 'client_credentials' }), headers }))
    expect(tokens.refresh_token).toBeUndefined()
    expect(await answer(fetch('/me', bearing(tokens)))).toEqual([200, expect.objectContaining({ user: 'service' })])
    const wrong = await fetch('/token', {
      ...form({ grant_type: 'client_credentials' }),
      headers: { authorization: `Basic ${btoa('service:wrong')}` },
    })
    expect(wrong.headers.get('www-authenticate')).toMatch(/^Basic /)
  })

  it('knows its clients when it is told them, and binds refresh tokens to them', async () => {
    const { fetch } = createAuthServer({ clients: { app: {}, other: {} } })
    const password = { grant_type: 'password', username: 'viewer', password: 'viewer' }
    expect((await answer(fetch('/token', form(password))))[0]).toBe(401)
    const tokens = await tokensOf(fetch('/token', form({ ...password, client_id: 'app' })))
    const refresh = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
    expect((await answer(fetch('/token', form({ ...refresh, client_id: 'other' }))))[0]).toBe(400)
    expect((await answer(fetch('/token', form({ ...refresh, client_id: 'app' }))))[0]).toBe(200)
  })

  it('narrows the scope of a refresh, and never widens it', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('admin', { scope: 'items:read items:write' })
    const refresh = (scope: string, refresh_token = tokens.refresh_token ?? ''): RequestInit =>
      form({ grant_type: 'refresh_token', refresh_token, scope })
    expect((await answer(server.fetch('/token', refresh('reports:read'))))[1]).toEqual({ error: 'invalid_scope' })
    const narrow = await tokensOf(server.fetch('/token', refresh('items:read')))
    expect(narrow.scope).toBe('items:read')
    const wide = await tokensOf(server.fetch('/token', refreshing(narrow)))
    expect(wide.scope).toBe('items:read items:write')
  })

  it('leaves the lifetime out, or lies about it', () => {
    expect(createAuthServer({ accessTokenTtlMs: 1_500 }).signIn('viewer').expires_in).toBe(1.5)
    expect(createAuthServer({ expiresIn: null }).signIn('viewer')).not.toHaveProperty('expires_in')
    for (const expiresIn of [-1, 0, '3600', 1e15]) {
      expect(createAuthServer({ expiresIn }).signIn('viewer').expires_in).toBe(expiresIn)
    }
  })

  it('adds an ID token, and makes JWTs of access tokens', () => {
    const server = createAuthServer({ idToken: true, accessTokenFormat: 'jwt', url: 'https://id.example.com/x' })
    const tokens = server.signIn('viewer', { acr: 'mfa', ttlMs: 60_000 })
    const claims = (jwt = ''): Record<string, number> =>
      JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString())
    expect(claims(tokens.id_token)).toMatchObject({ iss: 'https://id.example.com', sub: 'viewer', acr: 'mfa' })
    const { sub, iat = 0, exp } = claims(tokens.access_token)
    expect([sub, exp]).toEqual(['viewer', iat + 60])
    expect(tokens.access_token).toMatch(B64TOKEN)
  })
})

describe('POST /revoke', () => {
  it('takes the session with a refresh token, and only itself with an access token', async () => {
    const server = createAuthServer()
    const first = server.signIn('viewer')
    expect(await answer(server.fetch('/revoke', form({ token: first.access_token })))).toEqual([200, null])
    expect((await server.fetch('/me', bearing(first))).status).toBe(401)
    const second = await tokensOf(server.fetch('/token', refreshing(first)))
    await server.fetch('/revoke', form({ token: second.refresh_token ?? '' }))
    expect((await server.fetch('/me', bearing(second))).status).toBe(401)
    expect((await server.fetch('/token', refreshing(second))).status).toBe(400)
  })

  it('answers 200 for a token that nobody knows, and 400 for none', async () => {
    const { fetch } = createAuthServer()
    expect((await fetch('/revoke', form({ token: 'made-up' }))).status).toBe(200)
    expect((await fetch('/revoke', form({}))).status).toBe(400)
  })
})
