import { describe, expect, it } from 'vitest'
import { createAuthServer, type SeenRequest } from '../../../src/testing/index.ts'
import { bearing, form, jsonBody, refreshing, tokensOf } from './requests.ts'

describe('requests', () => {
  it('are what the server saw, in order, frozen once answered', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    await server.fetch('https://api.test/me?page=1', bearing(tokens))
    await server.fetch('/token', refreshing(tokens))
    await server.fetch('/token', form({ grant_type: 'password', username: 'admin', password: 'admin' }))
    const at = expect.any(Number)
    expect(server.requests).toEqual([
      {
        ...{ at, method: 'GET', origin: 'https://api.test', path: '/me', kind: 'api', status: 200 },
        ...{ credential: 'valid', session: 's1', grant: null, fault: null },
      },
      {
        ...{ at, method: 'POST', origin: 'https://auth.test', path: '/token', kind: 'refresh', status: 200 },
        ...{ credential: 'valid', session: 's1', grant: 'refresh_token', fault: null },
      },
      {
        ...{ at, method: 'POST', origin: 'https://auth.test', path: '/token', kind: 'token', status: 200 },
        ...{ credential: 'none', session: null, grant: 'password', fault: null },
      },
    ])
    expect(server.requests.every((request) => Object.isFrozen(request))).toBe(true)
  })

  it('hold no token, wherever a caller puts one', async () => {
    const server = createAuthServer({ cookies: true })
    const heard: SeenRequest[] = []
    server.onRequest((request) => heard.push(request))
    const { access_token: at, refresh_token: rt = '' } = server.signIn('admin')
    const cookie = await tokensOf(server.fetch('/login', jsonBody({ username: 'viewer', password: 'viewer' })))
    await server.fetch(`/items/${at}?access_token=${at}#${rt}`, { headers: { authorization: `Bearer ${at}` } })
    await server.fetch(`/${rt}`, { method: 'POST', body: rt })
    await server.fetch('/token', form({ grant_type: rt, refresh_token: rt, client_id: at, scope: at }))
    await server.fetch('/refresh', { ...jsonBody({ refreshToken: rt }), referrer: `https://auth.test/?t=${rt}` })
    server.failRefresh('lost')
    await server.fetch('/token', form({ grant_type: 'refresh_token', refresh_token: rt })).catch(() => {})
    expect(heard).toHaveLength(6)
    const log = JSON.stringify([server.requests, heard, server.stats])
    for (const token of [at, rt, cookie.access_token]) expect(log).not.toContain(token.slice(3, 12))
  })

  it('are forgotten beyond logLimit, the oldest first, but counted', async () => {
    const server = createAuthServer({ logLimit: 2 })
    const seen = server.seen(4)
    for (const path of ['/public', '/me', '/items', '/nowhere']) await server.fetch(path)
    expect(server.requests.map(({ path }) => path)).toEqual(['/items', '/nowhere'])
    expect(server.stats.apiRequests).toBe(4)
    expect(await seen).toHaveLength(4)
  })

  it('and counts start again with reset(); sessions and faults stay', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    server.failRefresh(503)
    await server.fetch('/me', bearing(tokens))
    server.reset()
    expect(server.requests).toEqual([])
    expect(Object.values(server.stats)).toEqual([0, 0, 0, 0, 0, 0])
    expect((await server.fetch('/me', bearing(tokens))).status).toBe(200)
    expect((await server.fetch('/token', refreshing(tokens))).status).toBe(503)
  })
})

describe('seen', () => {
  it('resolves as soon as there are enough that match, past ones too', async () => {
    const server = createAuthServer()
    await server.fetch('/public')
    const both = server.seen(2, { path: '/public' })
    const rejected = server.seen(1, ({ status }) => status === 401)
    await server.fetch('/me')
    await server.fetch('/public')
    expect((await both).map(({ path }) => path)).toEqual(['/public', '/public'])
    expect(await rejected).toMatchObject([{ path: '/me' }])
    expect(await server.seen(1)).toMatchObject([{ path: '/public' }])
  })

  it('never takes a refresh for something else, before its body was read', async () => {
    const server = createAuthServer()
    let hasMatched = false
    server.seen(1, { kind: 'token' }).then(() => {
      hasMatched = true
    })
    await server.fetch('/token', refreshing(server.signIn('viewer')))
    await server.seen(1, { kind: 'refresh', status: 200 })
    expect(hasMatched).toBe(false)
  })

  it('counts from the last reset()', async () => {
    const server = createAuthServer()
    await server.fetch('/public')
    const two = server.seen(2)
    server.reset()
    await server.fetch('/me')
    await server.fetch('/items')
    expect((await two).map(({ path }) => path)).toEqual(['/me', '/items'])
  })

  it.each([0, -1, 1.5])('refuses to wait for %d', async (n) => {
    await expect(createAuthServer().seen(n)).rejects.toThrow(expect.objectContaining({ code: 'ERR_SEEN' }))
  })
})

describe('onRequest', () => {
  it('tells of each request once, until it is ended; a listener that throws hurts nobody', async () => {
    const server = createAuthServer()
    const heard: Array<number | null> = []
    server.onRequest(() => {
      throw new Error('no')
    })
    const stop = server.onRequest(({ status }) => heard.push(status))
    expect((await server.fetch('/public')).status).toBe(200)
    await server.fetch('/me')
    stop()
    await server.fetch('/me')
    expect(heard).toEqual([200, 401])
  })
})
