import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createAuthServer, type IssuedTokens } from '../../../src/testing/index.ts'
import { answer, bearing, form, jsonBody, refreshing, tokensOf } from './requests.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

const later = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

describe('rotation', () => {
  it('replaces the refresh token; the access token that is out stays good', async () => {
    const server = createAuthServer()
    const first = server.signIn('viewer')
    const second = await tokensOf(server.fetch('/token', refreshing(first)))
    expect(second.refresh_token).not.toBe(first.refresh_token)
    expect((await server.fetch('/me', bearing(first))).status).toBe(200)
    expect((await server.fetch('/me', bearing(second))).status).toBe(200)
  })

  it('can be off: then the refresh token stays, and answers leave it out', async () => {
    const server = createAuthServer({ rotation: false })
    const first = server.signIn('viewer')
    for (let round = 0; round < 3; round++) {
      expect(await tokensOf(server.fetch('/token', refreshing(first)))).not.toHaveProperty('refresh_token')
    }
    expect(server.stats).toMatchObject({ refreshes: 3, reuses: 0 })
  })

  it('reuse takes down every token of the session, and of no other', async () => {
    const server = createAuthServer()
    const other = server.signIn('viewer')
    const first = server.signIn('viewer')
    const second = await tokensOf(server.fetch('/token', refreshing(first)))
    const third = await tokensOf(server.fetch('/token', refreshing(second)))
    expect((await server.fetch('/token', refreshing(first))).status).toBe(400)
    for (const tokens of [first, second, third]) {
      expect((await server.fetch('/me', bearing(tokens))).status).toBe(401)
      expect((await server.fetch('/token', refreshing(tokens))).status).toBe(400)
    }
    expect((await server.fetch('/me', bearing(other))).status).toBe(200)
    expect(server.requests.slice(2).map(({ credential }) => credential)).toEqual([
      ...['spent', 'revoked', 'spent', 'revoked', 'spent', 'revoked', 'revoked'],
      'valid',
    ])
  })

  it('reuse is only refused where its detection is off', async () => {
    const server = createAuthServer({ reuseDetection: false })
    const first = server.signIn('viewer')
    const second = await tokensOf(server.fetch('/token', refreshing(first)))
    expect((await server.fetch('/token', refreshing(first))).status).toBe(400)
    expect((await server.fetch('/token', refreshing(second))).status).toBe(200)
    expect(server.stats.reuses).toBe(1)
  })

  it('of simultaneous refreshes with one token, one wins', async () => {
    const server = createAuthServer({ reuseDetection: false })
    const tokens = server.signIn('viewer')
    const attempts = Array.from({ length: 20 }, () => server.fetch('/token', refreshing(tokens)))
    const statuses = (await Promise.all(attempts)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(1)
    expect(server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 20, reuses: 19 })
  })

  it('graceMs answers a spent token with the current one, until it is over', async () => {
    const server = createAuthServer({ graceMs: 10_000 })
    const first = server.signIn('viewer')
    const second = await tokensOf(server.fetch('/token', refreshing(first)))
    later(9_999)
    const again = await tokensOf(server.fetch('/token', refreshing(first)))
    expect(again.refresh_token).toBe(second.refresh_token)
    expect(again.access_token).not.toBe(second.access_token)
    later(1)
    expect((await server.fetch('/token', refreshing(first))).status).toBe(400)
    expect(server.stats.reuses).toBe(1)
  })
})

describe('time', () => {
  it('ends access tokens and refresh tokens after their lifetimes', async () => {
    const server = createAuthServer({ accessTokenTtlMs: 1_000, refreshTokenTtlMs: 5_000 })
    const first = server.signIn('viewer')
    later(999)
    expect((await server.fetch('/me', bearing(first))).status).toBe(200)
    later(1)
    expect((await server.fetch('/me', bearing(first))).status).toBe(401)
    later(3_999)
    const second = await tokensOf(server.fetch('/token', refreshing(first)))
    later(5_000)
    expect((await server.fetch('/token', refreshing(second))).status).toBe(400)
    expect(server.requests.at(-1)).toMatchObject({ kind: 'refresh', credential: 'expired' })
  })
})

describe('what a test can do to sessions', () => {
  const statusOf = async (server: ReturnType<typeof createAuthServer>, tokens: IssuedTokens): Promise<number> =>
    (await server.fetch('/me', bearing(tokens))).status

  it('expires access tokens, of one user or of all; refreshes work', async () => {
    const server = createAuthServer()
    const [viewer, admin] = [server.signIn('viewer'), server.signIn('admin')]
    server.expireAccessTokens('viewer')
    expect([await statusOf(server, viewer), await statusOf(server, admin)]).toEqual([401, 200])
    server.expireAccessTokens()
    expect(await statusOf(server, admin)).toBe(401)
    expect(await statusOf(server, await tokensOf(server.fetch('/token', refreshing(admin))))).toBe(200)
  })

  it('revokes sessions, of one user or of all; refreshes are refused', async () => {
    const server = createAuthServer()
    const [viewer, admin] = [server.signIn('viewer'), server.signIn('admin')]
    server.revokeSession('viewer')
    expect([await statusOf(server, viewer), await statusOf(server, admin)]).toEqual([401, 200])
    expect((await server.fetch('/token', refreshing(viewer))).status).toBe(400)
    server.revokeSession()
    expect(await statusOf(server, admin)).toBe(401)
  })

  it('changes roles at once', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    expect((await server.fetch('/admin', bearing(tokens))).status).toBe(403)
    server.setRoles('viewer', ['admin'])
    expect((await server.fetch('/admin', bearing(tokens))).status).toBe(200)
  })

  it('rejects all tokens, and accepts them again', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.rejectAll = true
    expect(await statusOf(server, tokens)).toBe(401)
    expect((await server.fetch('/public', bearing(tokens))).status).toBe(200)
    server.heal()
    expect([await statusOf(server, tokens), server.rejectAll]).toEqual([200, false])
  })

  it('refuses a name that it does not know', () => {
    const server = createAuthServer()
    const misspelt = expect.objectContaining({ name: 'TypeError', code: 'ERR_UNKNOWN_USER' })
    for (const act of ['signIn', 'expireAccessTokens', 'revokeSession'] as const) {
      expect(() => server[act]('vewer')).toThrow(misspelt)
    }
    expect(() => server.setRoles('vewer', [])).toThrow(misspelt)
  })
})

describe('the homemade endpoints', () => {
  const credentials = jsonBody({ username: 'viewer', password: 'viewer' })

  it('hand out tokens in the body, and take them in camel case', async () => {
    const { fetch } = createAuthServer()
    const first = await tokensOf(fetch('/login', credentials))
    const second = await tokensOf(fetch('/refresh', jsonBody({ refreshToken: first.refresh_token })))
    expect((await fetch('/me', bearing(second))).status).toBe(200)
    // No OAuth error: a bare 401 is all there is to go by.
    expect(await answer(fetch('/refresh', jsonBody({ refreshToken: first.refresh_token })))).toEqual([
      401,
      { message: 'The session is over' },
    ])
    expect((await fetch('/login', form({ username: 'viewer', password: 'wrong' }))).status).toBe(401)
  })

  it('keep the refresh token in a cookie, a jar for each browser', async () => {
    const server = createAuthServer({ cookies: true })
    const first = await tokensOf(server.fetch('/login', credentials))
    expect(first).not.toHaveProperty('refresh_token')
    expect((await server.browser()('/refresh', { method: 'POST' })).status).toBe(401)
    expect((await server.fetch('/refresh', { method: 'POST', credentials: 'omit' })).status).toBe(401)
    for (let round = 0; round < 3; round++) {
      const tokens = await tokensOf(server.fetch('/refresh', { method: 'POST' }))
      expect((await server.fetch('/me', bearing(tokens))).status).toBe(200)
    }
    expect(server.stats).toMatchObject({ refreshes: 3, reuses: 0 })
  })

  it('keep a whole session in cookies', async () => {
    const server = createAuthServer({ cookies: 'session' })
    expect(await answer(server.fetch('/login', credentials))).toEqual([
      200,
      { expires_in: 300, scope: 'items:read', token_type: 'Bearer' },
    ])
    expect((await server.fetch('/me')).status).toBe(200)
    server.expireAccessTokens()
    expect((await server.fetch('/me')).status).toBe(401)
    await server.fetch('/refresh', { method: 'POST' })
    expect((await server.fetch('/me')).status).toBe(200)
    server.revokeSession()
    await server.fetch('/refresh', { method: 'POST' })
    await server.fetch('/me')
    expect(server.requests.at(-1)).toMatchObject({ credential: 'none', status: 401 })
  })

  it('lose the cookie with a lost answer: the browser sends the spent one again', async () => {
    const server = createAuthServer({ cookies: true })
    await server.fetch('/login', credentials)
    server.failRefresh('lost')
    await expect(server.fetch('/refresh', { method: 'POST' })).rejects.toThrow('fetch failed')
    expect((await server.fetch('/refresh', { method: 'POST' })).status).toBe(401)
    expect(server.stats.reuses).toBe(1)
  })
})
