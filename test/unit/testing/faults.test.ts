import { describe, expect, it } from 'vitest'
import { createAuthServer, type RefreshFault } from '../../../src/testing/index.ts'
import { answer, form, jsonBody, refreshing, tokensOf } from './requests.ts'

const dropped = expect.objectContaining({ name: 'TypeError', message: 'fetch failed' })

describe('failRefresh', () => {
  it.each([
    [503, 503, 'application/json', null],
    [401, 401, 'application/json', null],
    [{ status: 429, retryAfter: 7 }, 429, 'application/json', '7'],
    [{ error: 'invalid_grant' }, 400, 'application/json', null],
    [{ error: 'invalid_client' }, 401, 'application/json', null],
    [{ error: 'temporarily_unavailable', status: 500 }, 500, 'application/json', null],
    ['html', 200, 'text/html; charset=utf-8', null],
    ['forbidden-html', 403, 'text/html; charset=utf-8', null],
    ['empty', 200, null, null],
    ['garbage', 200, 'application/json', null],
    [{ redirect: 'https://elsewhere.test/' }, 307, null, null],
    [{ redirect: 'https://elsewhere.test/', status: 302 }, 302, null, null],
  ] satisfies Array<[RefreshFault, number, string | null, string | null]>)(
    'plays %o once, before anything is processed',
    async (fault, status, type, retryAfter) => {
      const server = createAuthServer()
      const tokens = server.signIn('viewer')
      server.failRefresh(fault)
      const response = await server.fetch('/token', { ...refreshing(tokens), redirect: 'manual' })
      expect(response.status).toBe(status)
      expect(response.headers.get('content-type')).toBe(type)
      expect(response.headers.get('retry-after')).toBe(retryAfter)
      expect(server.stats).toMatchObject({ refreshes: 0, refreshAttempts: 1 })
      expect((await server.fetch('/token', refreshing(tokens))).status).toBe(200)
    },
  )

  it('drops a connection before, or after, the refresh was processed', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.failRefresh('drop')
    server.failRefresh('lost')
    await expect(server.fetch('/token', refreshing(tokens))).rejects.toThrow(dropped)
    await expect(server.fetch('/token', refreshing(tokens))).rejects.toThrow(dropped)
    expect(server.requests).toMatchObject([
      { fault: 'drop', status: 0, credential: 'valid' },
      { fault: 'lost', status: 0, credential: 'valid' },
    ])
    expect((await server.fetch('/token', refreshing(tokens))).status).toBe(400)
    expect(server.stats).toMatchObject({ refreshes: 1, reuses: 1 })
  })

  it('hangs until it is released, then processes', async () => {
    const server = createAuthServer()
    server.failRefresh('hang')
    const response = server.fetch('/token', refreshing(server.signIn('viewer')))
    await server.seen(1, { fault: 'hang', status: null })
    expect(server.stats.refreshes).toBe(0)
    server.release()
    expect((await response).status).toBe(200)
  })

  it('hangs until the caller leaves, or the server closes', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.failRefresh('hang', 2)
    const leaving = new AbortController()
    const abandoned = server.fetch('/token', { ...refreshing(tokens), signal: leaving.signal })
    const cut = server.fetch('/token', refreshing(tokens))
    await server.seen(2)
    leaving.abort(new Error('bored'))
    await expect(abandoned).rejects.toThrow('bored')
    await server.seen(1, { status: 0 })
    await Promise.all([expect(cut).rejects.toThrow(dropped), server.close()])
    await expect(server.fetch('/public')).rejects.toThrow(dropped)
  })

  it('is slow, and leaves out the rotation', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.failRefresh({ slowMs: 5 })
    server.failRefresh('no-rotation')
    const next = await tokensOf(server.fetch('/token', refreshing(tokens)))
    const kept = await tokensOf(server.fetch('/token', refreshing(next)))
    expect(kept).not.toHaveProperty('refresh_token')
    expect((await server.fetch('/token', refreshing(next))).status).toBe(200)
  })

  it('plays queued faults in order, then the standing one, until heal()', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.failRefresh(500, Number.POSITIVE_INFINITY)
    server.failRefresh(502, 2)
    server.failRefresh(504)
    const statuses: number[] = []
    for (let round = 0; round < 6; round++) {
      if (round === 5) server.heal()
      statuses.push((await server.fetch('/token', refreshing(tokens))).status)
    }
    expect(statuses).toEqual([502, 502, 504, 500, 500, 200])
  })

  it('means refreshes, at both endpoints, and nothing else', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.failRefresh(503, Number.POSITIVE_INFINITY)
    const password = form({ grant_type: 'password', username: 'viewer', password: 'viewer' })
    expect((await server.fetch('/token', password)).status).toBe(200)
    expect((await server.fetch('/refresh', jsonBody({ refreshToken: tokens.refresh_token }))).status).toBe(503)
    expect((await server.fetch('/token', refreshing(tokens))).status).toBe(503)
  })

  it.each(['nonsense', 200, { slowMs: -1 }, { redirect: 'nowhere' }, { status: 429 }, {}, null])(
    'refuses %o',
    (fault) => {
      const misuse = expect.objectContaining({ name: 'TypeError', code: 'ERR_REFRESH_FAULT' })
      expect(() => createAuthServer().failRefresh(fault as never)).toThrow(misuse)
    },
  )
})

describe('down', () => {
  it('answers 503, or ends connections, wherever tokens are handed out; the API goes on', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.down = true
    const refresh = jsonBody({ refreshToken: tokens.refresh_token })
    expect((await answer(server.fetch('/token', refreshing(tokens))))[0]).toBe(503)
    expect((await answer(server.fetch('/login', jsonBody({}))))[0]).toBe(503)
    server.down = 'refused'
    await expect(server.fetch('/refresh', refresh)).rejects.toThrow(dropped)
    expect((await server.fetch('/public')).status).toBe(200)
    server.down = false
    expect((await server.fetch('/refresh', refresh)).status).toBe(200)
    expect(server.stats).toMatchObject({ refreshAttempts: 3, refreshes: 1 })
  })
})
