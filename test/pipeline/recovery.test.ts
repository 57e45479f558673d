// What becomes of a 401, seen from outside: how often is refreshed, how often is sent, and who gets which answer.
import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import ky from 'ky'
import nock from 'nock'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetch,
  createAuthFetch,
  isAuthError,
  memoryStore,
  type Refresher,
  refreshEndpoint,
  type StoredSession,
  type TokenSet,
  type TokenStore,
} from '../../src/index.ts'
import { unauthorized } from '../helpers/answer.ts'
import { deferred } from '../helpers/deferred.ts'
import { heldApi } from '../helpers/held-api.ts'
import { eventsOf, nextEvent } from '../helpers/next-event.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { rotatingWorld } from '../helpers/rotating-world.ts'
import { scriptedFetch } from '../helpers/scripted-fetch.ts'

const baseUrl = 'https://api.example'
const first: TokenSet = { accessToken: 'at-1', refreshToken: 'rt-1' }

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('R1', () => {
  beforeEach(() => nock.disableNetConnect())
  afterEach(() => {
    expect(nock.pendingMocks()).toEqual([])
    nock.cleanAll()
    nock.enableNetConnect()
  })

  it('R1 a 401 costs one refresh, and the request goes again with the new token', async () => {
    nock(baseUrl, { reqheaders: { authorization: 'Bearer at-1' } })
      .post('/orders', { item: 7 })
      .reply(401)
    nock('https://auth.example')
      .post('/token', 'grant_type=refresh_token&refresh_token=rt-1&client_id=web')
      .reply(200, { access_token: 'at-2', token_type: 'Bearer', expires_in: 300, refresh_token: 'rt-2' })
    nock(baseUrl, { reqheaders: { authorization: 'Bearer at-2' } })
      .post('/orders', { item: 7 })
      .reply(201, { id: 1 })

    const api = createAuthFetch({
      baseUrl,
      store: memoryStore(first),
      refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }),
    })
    const response = await api('/orders', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ item: 7 }),
    })
    expect(response.status).toBe(201)
    expect(await response.json()).toEqual({ id: 1 })
  })

  it('R1 the last 401 is handed back as it is: the very response, unread', async () => {
    const last = unauthorized('Bearer error="invalid_token", error_description="still no"')
    const { fetch } = scriptedFetch(401, last)
    const api = createAuthFetch({
      baseUrl,
      fetch,
      store: memoryStore(first),
      refresh: async () => ({ accessToken: 'at-2' }),
    })
    const response = await api('/orders')
    expect(response).toBe(last)
    expect(response.bodyUsed).toBe(false)
    expect(await response.text()).toBe('who are you?')
  })

  it.each([200, 201, 204, 304, 402, 404, 409, 429, 500, 503])(
    'R1 whatever the second answer is, it is the answer: %i',
    async (status) => {
      const answer = new Response(null, { status })
      const { fetch } = scriptedFetch(401, answer)
      const refresh = vi.fn<Refresher>(async () => ({ accessToken: 'at-2' }))
      const api = createAuthFetch({ baseUrl, fetch, store: memoryStore(first), refresh })
      expect(await api('/orders')).toBe(answer)
      expect(refresh).toHaveBeenCalledTimes(1)
    },
  )

  it('R1 without a refresher the 401 comes back after one send', async () => {
    const rejected = unauthorized()
    const { fetch } = scriptedFetch(rejected)
    const api = createAuthFetch({ baseUrl, fetch, store: memoryStore(first) })
    expect(await api('/orders')).toBe(rejected)
  })

  it('R1 answers other than a 401 start nothing', async () => {
    const { fetch } = scriptedFetch(200, 400, 404, 500, 503)
    const refresh = vi.fn<Refresher>(async () => ({ accessToken: 'at-2' }))
    const api = createAuthFetch({ baseUrl, fetch, store: memoryStore(first), refresh })
    for (const status of [200, 400, 404, 500, 503]) expect((await api('/orders')).status).toBe(status)
    expect(refresh).not.toHaveBeenCalled()
  })

  it('R1 a token that someone else got is taken over, and may be refreshed after that: three sends, one refresh', async () => {
    const inner = memoryStore(first)
    const { fetch, requests } = scriptedFetch(
      async () => {
        const stored = await inner.read()
        if (stored)
          await inner.write({ ...stored, version: 2, tokens: { accessToken: 'at-2', refreshToken: 'rt-2' } }, 1)
        return unauthorized()
      },
      401,
      200,
    )
    const refresh = vi.fn<Refresher>(async () => ({ accessToken: 'at-3' }))
    // Without a watch: what others wrote is found out when the store is read.
    const store = { read: inner.read, write: inner.write }
    const api = createAuthFetch({ baseUrl, fetch, store, refresh })
    expect((await api('/orders')).status).toBe(200)
    expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual([
      'Bearer at-1',
      'Bearer at-2',
      'Bearer at-3',
    ])
    expect(refresh.mock.calls.map(([{ tokens }]) => tokens?.refreshToken)).toEqual(['rt-2'])
  })

  it('R1 a call that is overtaken by newer tokens again and again ends after three sends at most', async () => {
    const server = heldApi()
    let generation = 1
    const refresh = vi.fn<Refresher>(async () => {
      generation++
      return { accessToken: `at-${generation}`, refreshToken: `rt-${generation}` }
    })
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store: memoryStore(first), refresh })
    const call = api('/orders')
    let isDone = false
    void call.then(() => {
      isDone = true
    })
    for (let sends = 0; !isDone && sends < 10; sends++) {
      const request = await server.request(sends)
      await api.refresh()
      request.reject()
      await vi.waitFor(() => expect(isDone || server.requests.length > sends + 1).toBe(true))
    }
    expect((await call).status).toBe(401)
    expect(server.requests.length).toBeLessThanOrEqual(3)
    // Its own allowance was never needed.
    expect(refresh).toHaveBeenCalledTimes(server.requests.length)
  })

  it('R1 at most one refresh and three sends a call, whatever the server, the refresher and others on the store do', async () => {
    const turn = fc.record({
      status: fc.constantFrom(401, 401, 401, 401, 200, 403, 500),
      challenge: fc.constantFrom('', 'Bearer', 'Bearer error="invalid_token"', 'Basic realm="x"', 'rubbish,,=" '),
      isMovedOn: fc.boolean(),
    })
    const refresher = fc.record({
      answer: fc.constantFrom('new', 'same', 'null', 'throws', 'over', 'garbage'),
      isMovedOn: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { minLength: 6, maxLength: 6 }),
        fc.array(refresher, { minLength: 6, maxLength: 6 }),
        fc.boolean(),
        async (turns, refreshers, isExpired) => {
          const inner = memoryStore({ ...first, ...(isExpired && { expiresAt: 1 }) })
          // No watch: as with a file or a database, what others wrote is found out by reading.
          const store = { read: () => inner.read(), write: inner.write }
          let sends = 0
          let refreshes = 0
          const moveOn = async () => {
            const stored = await inner.read()
            if (stored === null) return
            const tokens = { accessToken: `other-${stored.version}`, refreshToken: `other-rt-${stored.version}` }
            await inner.write({ ...stored, version: stored.version + 1, tokens }, stored.version)
          }
          const api = createAuthFetch({
            baseUrl,
            store,
            refreshRetries: 0,
            async fetch() {
              const { status, challenge, isMovedOn } = turns[sends++] ?? {
                status: 401,
                challenge: '',
                isMovedOn: false,
              }
              if (isMovedOn) await moveOn()
              return new Response(null, { status, headers: { 'www-authenticate': challenge } })
            },
            async refresh({ tokens }) {
              const { answer, isMovedOn } = refreshers[refreshes++] ?? { answer: 'new', isMovedOn: false }
              if (isMovedOn) await moveOn()
              if (answer === 'new') return { accessToken: `at-${refreshes + 1}`, refreshToken: `rt-${refreshes + 1}` }
              if (answer === 'same') return tokens
              if (answer === 'null') return null
              if (answer === 'throws') throw new Error('offline')
              if (answer === 'over') throw Object.assign(new Error('no'), { status: 401 })
              return {} as TokenSet
            },
          })
          await api('/orders').catch((error) => expect(isAuthError(error)).toBe(true))
          expect(refreshes).toBeLessThanOrEqual(1)
          expect(sends).toBeLessThanOrEqual(3)
          api.dispose()
        },
      ),
      { numRuns: 300 },
    )
  })

  it('R1 recovered is told once, with how many sends it took', async () => {
    const world = rotatingWorld()
    const api = createAuthFetch({ ...world.options() })
    const recovered = eventsOf(api, 'recovered')
    await api('/orders?secret=1')
    expect(recovered).toEqual([])
    world.expire()
    await api('/orders?secret=1')
    expect(recovered).toEqual([
      {
        request: { method: 'GET', url: `${baseUrl}/orders` },
        status: 200,
        sends: 2,
        durationMs: expect.any(Number),
      },
    ])
  })
})

describe('R2', () => {
  it('R2 100 requests that get 401 together share one refresh, and each gets its own answer', async () => {
    const world = rotatingWorld()
    const api = createAuthFetch(world.options())
    world.expire()
    const responses = await Promise.all(Array.from({ length: 100 }, (_, index) => api(`/orders/${index}`)))
    expect(responses.map(({ status }) => status)).toEqual(Array(100).fill(200))
    expect(new Set(responses).size).toBe(100)
    expect(world.refreshes).toEqual(['rt-1'])
    expect(world.tokens.filter((token) => token === 'at-1')).toHaveLength(100)
    expect(world.tokens.filter((token) => token === 'at-2')).toHaveLength(100)
    expect(new Set(world.sends.filter(({ token }) => token === 'at-2').map(({ path }) => path)).size).toBe(100)
  })

  it('R2 requests that come while the refresh is under way share it too', async () => {
    const world = rotatingWorld()
    const gate = deferred<void>()
    const started = deferred<void>()
    const api = createAuthFetch({
      ...world.options(),
      async refresh(context) {
        started.resolve()
        await gate.promise
        return world.refresh(context)
      },
    })
    world.expire()
    const early = Array.from({ length: 50 }, () => api('/early'))
    await started.promise
    const late = Array.from({ length: 50 }, () => api('/late'))
    // Their 401s are in before the refresh ends.
    await vi.waitFor(() => expect(world.sends).toHaveLength(100))
    gate.resolve()
    expect((await Promise.all([...early, ...late])).map(({ status }) => status)).toEqual(Array(100).fill(200))
    expect(world.refreshes).toEqual(['rt-1'])
  })

  it('R2 the refreshes of 100 requests and of an explicit refresh() are one', async () => {
    const world = rotatingWorld()
    const api = createAuthFetch(world.options())
    world.expire()
    const calls = Array.from({ length: 100 }, () => api('/orders'))
    const [tokens, ...responses] = await Promise.all([api.refresh(), ...calls])
    expect(tokens?.accessToken).toBe('at-2')
    expect(responses.every(({ status }) => status === 200)).toBe(true)
    expect(world.refreshes).toEqual(['rt-1'])
  })
})

describe('a session whose credential is a cookie', () => {
  it('R2 100 requests that get 401 together share one refresh', async () => {
    let isFresh = false
    const refresh = vi.fn<Refresher>(async () => {
      isFresh = true
      return true
    })
    const fetch = async () => (isFresh ? Response.json({ ok: true }) : unauthorized())
    const api = createAuthFetch({ baseUrl, fetch, refresh })
    await api.signIn(true)
    const responses = await Promise.all(Array.from({ length: 100 }, () => api('/orders')))
    expect(responses.map(({ status }) => status)).toEqual(Array(100).fill(200))
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('R3 a late 401 starts no refresh', async () => {
    const server = heldApi()
    const refresh = vi.fn<Refresher>(async () => true)
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, refresh })
    await api.signIn(true)
    const call = api('/slow')
    const sent = await server.request(0)
    await api.refresh()
    sent.reject()
    ;(await server.request(1)).accept()
    expect((await call).status).toBe(200)
    expect(refresh).toHaveBeenCalledTimes(1)
  })
})

describe('R3', () => {
  it('R3 a late 401 starts no refresh: the request goes again with the current token', async () => {
    const server = heldApi()
    const refresh = vi.fn<Refresher>(async () => ({ accessToken: 'at-2', refreshToken: 'rt-2' }))
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store: memoryStore(first), refresh })
    const quick = api('/quick')
    const slow = api('/slow')
    const slowSend = await server.request(1)
    ;(await server.request(0)).reject()
    ;(await server.request(2)).accept()
    expect((await quick).status).toBe(200)

    slowSend.reject()
    const again = await server.request(3)
    expect(again).toMatchObject({ path: '/slow', token: 'at-2' })
    again.accept()
    expect((await slow).status).toBe(200)
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('R3 a 401 that is five generations late costs no further refresh and two sends', async () => {
    const server = heldApi()
    let generation = 1
    const refresh = vi.fn<Refresher>(async () => {
      generation++
      return { accessToken: `at-${generation}`, refreshToken: `rt-${generation}` }
    })
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store: memoryStore(first), refresh })
    const call = api('/slow')
    const sent = await server.request(0)
    for (let count = 0; count < 5; count++) await api.refresh()
    expect(refresh).toHaveBeenCalledTimes(5)

    sent.reject()
    const again = await server.request(1)
    expect(again.token).toBe('at-6')
    again.accept()
    expect((await call).status).toBe(200)
    expect(refresh).toHaveBeenCalledTimes(5)
    expect(server.requests).toHaveLength(2)
  })

  it('R3 100 late 401s after one refresh cost no further one', async () => {
    const server = heldApi()
    const refresh = vi.fn<Refresher>(async () => ({ accessToken: 'at-2', refreshToken: 'rt-2' }))
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store: memoryStore(first), refresh })
    const calls = Array.from({ length: 100 }, (_, index) => api(`/slow/${index}`))
    await server.request(99)
    await api.refresh('at-1')
    for (const request of [...server.requests]) request.reject()
    await server.request(199)
    for (const request of server.requests.slice(100)) {
      expect(request.token).toBe('at-2')
      request.accept()
    }
    expect((await Promise.all(calls)).every(({ status }) => status === 200)).toBe(true)
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('R3 a late 401 during the next refresh goes out with the current token, then joins that refresh', async () => {
    const server = heldApi()
    const gate = deferred<void>()
    const started = deferred<void>()
    const refresh = vi
      .fn<Refresher>()
      .mockResolvedValueOnce({ accessToken: 'at-2', refreshToken: 'rt-2' })
      .mockImplementationOnce(async () => {
        started.resolve()
        await gate.promise
        return { accessToken: 'at-3', refreshToken: 'rt-3' }
      })
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store: memoryStore(first), refresh })
    const slow = api('/slow')
    const slowSend = await server.request(0)
    await api.refresh()
    const second = api.refresh()
    await started.promise

    slowSend.reject()
    const again = await server.request(1)
    expect(again.token).toBe('at-2')
    again.reject()
    gate.resolve()
    const last = await server.request(2)
    expect(last.token).toBe('at-3')
    last.accept()
    expect((await slow).status).toBe(200)
    await second
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('R3 refresh(rejected) does nothing where that token is not the current one', async () => {
    const world = rotatingWorld()
    const api = createAuthFetch(world.options())
    expect((await api.refresh('at-1'))?.accessToken).toBe('at-2')
    expect((await api.refresh('at-1'))?.accessToken).toBe('at-2')
    expect((await api.refresh('at-0'))?.accessToken).toBe('at-2')
    expect(world.refreshes).toEqual(['rt-1'])
  })
})

describe('R4', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })

  /** A session that is known to expire in so many milliseconds. */
  const expiringIn = (ms: number): TokenSet => ({ ...first, expiresAt: Date.now() + ms })

  it.each([-3_600_000, -1, 0, 1, 29_000])(
    'R4 a token that expires in %i ms is refreshed before it is sent',
    async (ms) => {
      const world = rotatingWorld()
      const api = createAuthFetch({ ...world.options(), store: memoryStore(expiringIn(ms)) })
      expect((await api('/orders')).status).toBe(200)
      expect(world.tokens).toEqual(['at-2'])
    },
  )

  it.each([31_000, 3_600_000])('R4 a token that is good for %i ms more is sent as it is', async (ms) => {
    const world = rotatingWorld()
    const api = createAuthFetch({ ...world.options(), store: memoryStore(expiringIn(ms)) })
    expect((await api('/orders')).status).toBe(200)
    expect(world.tokens).toEqual(['at-1'])
  })

  it('R4 a token whose expiry nobody knows is sent as it is', async () => {
    const world = rotatingWorld()
    const api = createAuthFetch({ ...world.options(), store: memoryStore(first) })
    await vi.advanceTimersByTimeAsync(86_400_000)
    await api('/orders')
    expect(world.tokens).toEqual(['at-1'])
  })

  it('R4 refreshMarginMs says how early', async () => {
    for (const [ms, token] of [
      [119_000, 'at-2'],
      [121_000, 'at-1'],
    ] as const) {
      const world = rotatingWorld()
      const store = memoryStore(expiringIn(ms))
      const api = createAuthFetch({ ...world.options(), store, refreshMarginMs: 120_000 })
      await api('/orders')
      expect(world.tokens).toEqual([token])
    }
  })

  it('R4 refreshMarginMs: 0 refreshes what has expired, and nothing else', async () => {
    for (const [ms, token] of [
      [0, 'at-2'],
      [1, 'at-1'],
    ] as const) {
      const world = rotatingWorld()
      const api = createAuthFetch({ ...world.options(), store: memoryStore(expiringIn(ms)), refreshMarginMs: 0 })
      await api('/orders')
      expect(world.tokens).toEqual([token])
    }
  })

  it('R4 the margin is at most a tenth of a lifetime that is known, so that short-lived tokens are used', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const world = rotatingWorld()
    const api = createAuthFetch({ ...world.options(), store: memoryStore() })
    await api.signIn({ access_token: 'at-1', refresh_token: 'rt-1', expires_in: 60 })
    await vi.advanceTimersByTimeAsync(53_000)
    await api('/orders')
    expect(world.tokens).toEqual(['at-1'])
    await vi.advanceTimersByTimeAsync(1_500)
    await api('/orders')
    expect(world.tokens).toEqual(['at-1', 'at-2'])
  })

  it('R4 100 requests with an expired token share one refresh and are sent once each', async () => {
    const world = rotatingWorld()
    const api = createAuthFetch({ ...world.options(), store: memoryStore(expiringIn(-1)) })
    const responses = await Promise.all(Array.from({ length: 100 }, () => api('/orders')))
    expect(responses.every(({ status }) => status === 200)).toBe(true)
    expect(world.refreshes).toEqual(['rt-1'])
    expect(world.tokens).toEqual(Array(100).fill('at-2'))
  })

  it('R4 the reason for it is told to the refresher', async () => {
    const world = rotatingWorld()
    const refresh = vi.fn<Refresher>(world.refresh)
    const api = createAuthFetch({ ...world.options(), store: memoryStore(expiringIn(5)), refresh })
    await api('/orders')
    expect(refresh.mock.lastCall?.[0].reason).toBe('expiring')
    world.expire()
    await api('/orders')
    expect(refresh.mock.lastCall?.[0].reason).toBe('rejected')
    await api.refresh()
    expect(refresh.mock.lastCall?.[0].reason).toBe('requested')
  })

  it('R4 while the refresh fails for now, requests go on with a token that is still valid', async () => {
    const world = rotatingWorld()
    const refresh = vi.fn<Refresher>(async () => {
      throw new TypeError('fetch failed')
    })
    const api = createAuthFetch({
      ...world.options(),
      store: memoryStore(expiringIn(20_000)),
      refresh,
      refreshRetries: 0,
    })
    for (let count = 0; count < 20; count++) expect((await api('/orders')).status).toBe(200)
    expect(world.tokens).toEqual(Array(20).fill('at-1'))
    // Not one attempt a request: two, then a pause.
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('R4 a refresh that the deployment forbids does not keep a token that is still valid from being used', async () => {
    const world = rotatingWorld()
    const refresh = async () => {
      throw Object.assign(new Error(), { error: 'invalid_client', status: 401 })
    }
    const api = createAuthFetch({ ...world.options(), store: memoryStore(expiringIn(20_000)), refresh })
    expect((await api('/orders')).status).toBe(200)
    expect(world.tokens).toEqual(['at-1'])
  })

  it('R4 a refresh that hangs holds a token that is still valid back until refreshTimeoutMs, no longer', async () => {
    const world = rotatingWorld()
    const store = memoryStore(expiringIn(20_000))
    const refresh: Refresher = () => new Promise(() => {})
    const api = createAuthFetch({ ...world.options(), store, refresh, refreshTimeoutMs: 3000 })
    const call = api('/orders')
    await vi.advanceTimersByTimeAsync(3000)
    expect((await call).status).toBe(200)
    expect(world.tokens).toEqual(['at-1'])
  })

  it('R4 a token that has expired is not sent while the refresh fails for now', async () => {
    const world = rotatingWorld()
    const refresh = async () => {
      throw new TypeError('fetch failed')
    }
    const api = createAuthFetch({ ...world.options(), store: memoryStore(expiringIn(-1)), refresh, refreshRetries: 0 })
    expect(await rejectionOf(api('/orders'))).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(world.sends).toEqual([])
  })

  it('R4 a 401 after a proactive refresh that failed rejects with that failure, without a second refresh', async () => {
    const world = rotatingWorld()
    const cause = new TypeError('fetch failed')
    const refresh = vi.fn<Refresher>().mockRejectedValueOnce(cause).mockImplementation(world.refresh)
    const api = createAuthFetch({
      ...world.options(),
      store: memoryStore(expiringIn(20_000)),
      refresh,
      refreshRetries: 0,
    })
    world.expire()
    expect(await rejectionOf(api('/orders'))).toMatchObject({ code: 'refresh-unavailable', retryable: true, cause })
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(world.tokens).toEqual(['at-1'])
  })

  it('R4 a 401 after a proactive refresh that worked is handed back: one refresh a call', async () => {
    const { fetch, requests } = scriptedFetch(401)
    const refresh = vi.fn<Refresher>(async () => ({ accessToken: 'at-2' }))
    const api = createAuthFetch({ baseUrl, fetch, store: memoryStore(expiringIn(-1)), refresh })
    expect((await api('/orders')).status).toBe(401)
    expect(requests[0]?.headers.get('authorization')).toBe('Bearer at-2')
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('R4 where a proactive refresh is refused for good, the server’s own 401 is what the caller gets', async () => {
    const rejected = unauthorized('Bearer realm="orders"')
    const { fetch, requests } = scriptedFetch(rejected)
    const refresh = vi.fn<Refresher>(async () => null)
    const onLoginRequired = vi.fn()
    const api = createAuthFetch({ baseUrl, fetch, store: memoryStore(expiringIn(-1)), refresh, onLoginRequired })
    expect(await api('/orders')).toBe(rejected)
    expect(requests[0]?.headers.get('authorization')).toBe('Bearer at-1')
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
    expect(onLoginRequired.mock.lastCall?.[0].challenges).toEqual([{ scheme: 'bearer', params: { realm: 'orders' } }])
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('R4 tokens() refreshes first where they expire within minValidityMs, by default within the margin', async () => {
    const world = rotatingWorld()
    const store = memoryStore(expiringIn(100_000))
    const api = createAuthFetch({ ...world.options(), store })
    expect((await api.tokens())?.accessToken).toBe('at-1')
    expect((await api.tokens({ minValidityMs: 99_000 }))?.accessToken).toBe('at-1')
    expect((await api.tokens({ minValidityMs: 101_000 }))?.accessToken).toBe('at-2')
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(world.refreshes).toEqual(['rt-1'])

    const other = rotatingWorld()
    const near = createAuthFetch({ ...other.options(), store: memoryStore(expiringIn(29_000)) })
    expect((await near.tokens())?.accessToken).toBe('at-2')
  })
})

describe('R5 a refresher that calls the wrapped fetch', { timeout: 2000 }, () => {
  /** An API whose refresh endpoint sits behind the same client, as when an old codebase is moved over. */
  function homemade(good = 'at-2') {
    const sent: string[] = []
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const request = new Request(input, init)
      const { pathname } = new URL(request.url)
      const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? null
      sent.push(`${pathname} ${token}`)
      if (pathname === '/refresh') return Response.json({ accessToken: 'at-2' })
      return token === good ? Response.json({ ok: true }) : unauthorized()
    }
    return { fetch, sent }
  }

  const refreshers: Record<string, (api: AuthFetch) => Promise<TokenSet>> = {
    'at once': async (api) => (await api('/refresh', { method: 'POST' })).json(),
    'after an await': async (api) => {
      await null
      return (await api('/refresh', { method: 'POST' })).json()
    },
    'from a timer': async (api) => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      return (await api('/refresh', { method: 'POST' })).json()
    },
    'through ky': (api) => ky.create({ fetch: api, prefix: baseUrl }).post('refresh').json(),
    'with a Request and a signal of its own': async (api) => {
      const { signal } = new AbortController()
      return (await api(new Request(`${baseUrl}/refresh`, { method: 'POST', signal }))).json()
    },
  }

  it.each(Object.entries(refreshers))(
    'R5 %s is sent past the recovery and never waits for itself',
    async (_, refresher) => {
      const { fetch, sent } = homemade()
      const api: AuthFetch = createAuthFetch({
        baseUrl,
        fetch,
        store: memoryStore(first),
        refresh: () => refresher(api),
      })
      expect((await api('/orders')).status).toBe(200)
      expect(sent).toEqual(['/orders at-1', '/refresh at-1', '/orders at-2'])
    },
  )

  it.each(Object.entries(refreshers))('R5 %s, before the token expires', async (_, refresher) => {
    const { fetch, sent } = homemade()
    const store = memoryStore({ ...first, expiresAt: Date.now() - 1000 })
    const api: AuthFetch = createAuthFetch({ baseUrl, fetch, store, refresh: () => refresher(api) })
    expect((await api('/orders')).status).toBe(200)
    expect(sent).toEqual(['/refresh at-1', '/orders at-2'])
  })

  it('R5 and gets a 401 there has it handed back, as it would be by a bare fetch', async () => {
    const { fetch, requests } = scriptedFetch(401, 401)
    const inner: number[] = []
    const api: AuthFetch = createAuthFetch({
      baseUrl,
      fetch,
      store: memoryStore(first),
      async refresh() {
        const response = await api('/refresh', { method: 'POST' })
        inner.push(response.status)
        return null
      },
    })
    expect((await api('/orders')).status).toBe(401)
    expect(inner).toEqual([401])
    expect(requests.map(({ url }) => url)).toEqual([`${baseUrl}/orders`, `${baseUrl}/refresh`])
  })

  it('R5 refresh() inside rejects with reentrant-refresh, at once and after awaits', async () => {
    const codes: unknown[] = []
    const api: AuthFetch = createAuthFetch({
      baseUrl,
      fetch: scriptedFetch(401, 200).fetch,
      store: memoryStore(first),
      async refresh() {
        codes.push(await rejectionOf(api.refresh()))
        await new Promise(setImmediate)
        codes.push(await rejectionOf(api.refresh('at-1')))
        return { accessToken: 'at-2' }
      },
    })
    expect((await api('/orders')).status).toBe(200)
    expect(codes).toMatchObject([{ code: 'reentrant-refresh' }, { code: 'reentrant-refresh' }])
  })

  it('R5 tokens() inside gives the tokens there are, without a refresh', async () => {
    const store = memoryStore({ ...first, expiresAt: Date.now() - 1000 })
    const seen: unknown[] = []
    const api: AuthFetch = createAuthFetch({
      baseUrl,
      fetch: scriptedFetch(200).fetch,
      store,
      async refresh() {
        seen.push((await api.tokens())?.refreshToken)
        await null
        seen.push((await api.tokens({ minValidityMs: 60_000 }))?.refreshToken)
        return { accessToken: 'at-2' }
      },
    })
    expect((await api('/orders')).status).toBe(200)
    expect(seen).toEqual(['rt-1', 'rt-1'])
  })

  it('R5 does not change what happens to requests from elsewhere in the meantime', async () => {
    const { fetch } = homemade()
    const elsewhere = deferred<Response>()
    const api: AuthFetch = createAuthFetch({
      baseUrl,
      fetch,
      store: memoryStore(first),
      async refresh() {
        begin.resolve()
        await sent.promise
        return (await api('/refresh')).json()
      },
    })
    const begin = deferred<void>()
    const sent = deferred<void>()
    void begin.promise.then(() => {
      elsewhere.resolve(api('/elsewhere'))
      sent.resolve()
    })
    expect((await api('/orders')).status).toBe(200)
    expect((await elsewhere.promise).status).toBe(200)
  })

  it('R5 what a past refresher has left running recovers like any other request', async () => {
    const { fetch } = homemade('at-3')
    const gate = deferred<void>()
    const poll = deferred<Response>()
    let refreshes = 0
    const api: AuthFetch = createAuthFetch({
      baseUrl,
      fetch,
      store: memoryStore(first),
      async refresh() {
        refreshes++
        if (refreshes === 1) {
          // A poller that is started lazily, by whoever comes first.
          void gate.promise.then(() => poll.resolve(api('/poll')))
          return { accessToken: 'at-2' }
        }
        gate.resolve()
        await new Promise(setImmediate)
        return { accessToken: 'at-3' }
      },
    })
    await api.refresh()
    expect((await api('/orders')).status).toBe(200)
    expect((await poll.promise).status).toBe(200)
  })

  describe('where AsyncLocalStorage cannot be switched off, as in workerd', () => {
    afterEach(() => {
      vi.unstubAllGlobals()
    })

    it('R5 R1 a refresh is done all the same', async () => {
      class Stubborn extends AsyncLocalStorage<unknown> {
        override disable(): void {
          throw new Error('asyncLocalStorage.disable() is not implemented')
        }
      }
      const getBuiltinModule = () => ({ AsyncLocalStorage: Stubborn })
      vi.stubGlobal('process', { ...process, getBuiltinModule })
      vi.resetModules()
      const relatch = await import('../../src/index.ts')
      const { fetch } = homemade()
      const api: AuthFetch = relatch.createAuthFetch({
        baseUrl,
        fetch,
        store: relatch.memoryStore(first),
        refresh: async () => (await api('/refresh', { method: 'POST' })).json(),
      })
      expect((await api('/orders')).status).toBe(200)
    })
  })

  describe('where there is no AsyncLocalStorage, as in a browser', () => {
    let relatch: typeof import('../../src/index.ts')
    // Another copy of the package: whether there is one is found out once.
    beforeEach(async () => {
      vi.stubGlobal('process', { ...process, getBuiltinModule: undefined })
      vi.resetModules()
      relatch = await import('../../src/index.ts')
    })
    afterEach(() => {
      vi.unstubAllGlobals()
    })

    it.each(['rejected', 'expired'])('R5 at once, for a token that was %s', async (why) => {
      const { fetch } = homemade()
      const expiresAt = why === 'expired' ? Date.now() - 1000 : undefined
      const store = relatch.memoryStore({ ...first, ...(expiresAt !== undefined && { expiresAt }) })
      const api: AuthFetch = relatch.createAuthFetch({
        baseUrl,
        fetch,
        store,
        refresh: async () => (await api('/refresh', { method: 'POST' })).json(),
      })
      expect((await api('/orders')).status).toBe(200)
    })

    it.each([undefined, Date.now() - 1000])(
      'R5 after awaits, with the signal of its context, expiry %s',
      async (expiresAt) => {
        const { fetch } = homemade()
        const store = relatch.memoryStore({ ...first, ...(expiresAt !== undefined && { expiresAt }) })
        const api: AuthFetch = relatch.createAuthFetch({
          baseUrl,
          fetch,
          store,
          async refresh({ signal }) {
            await null
            return (await api('/refresh', { method: 'POST', signal })).json()
          },
        })
        expect((await api('/orders')).status).toBe(200)
      },
    )

    it('R5 refresh() at once rejects with reentrant-refresh', async () => {
      const api: AuthFetch = relatch.createAuthFetch({
        baseUrl,
        fetch: scriptedFetch(401).fetch,
        store: relatch.memoryStore(first),
        refreshRetries: 0,
        refresh: () => api.refresh(),
      })
      expect(await rejectionOf(api('/orders'))).toMatchObject({ cause: { code: 'reentrant-refresh' } })
    })

    it('R5 after awaits and without that signal it ends within refreshTimeoutMs, and the next call works', async () => {
      const { fetch } = homemade()
      let isOld = true
      const api: AuthFetch = relatch.createAuthFetch({
        baseUrl,
        fetch,
        store: relatch.memoryStore({ ...first, expiresAt: Date.now() - 1000 }),
        refreshTimeoutMs: 50,
        async refresh() {
          await null
          if (isOld) await api('/refresh')
          return { accessToken: 'at-2' }
        },
      })
      const outcome = await api('/orders').then(
        ({ status }) => status,
        ({ code }) => code,
      )
      // Nothing tells such a call from any other one here.
      expect(outcome).toBe('refresh-timeout')
      isOld = false
      expect((await api('/orders')).status).toBe(200)
    })
  })

  it('R5 two clients whose refreshers call each other do not wait for each other', async () => {
    const { fetch } = homemade()
    const one: AuthFetch = createAuthFetch({
      baseUrl,
      fetch,
      store: memoryStore(first),
      async refresh() {
        await two('/orders')
        return { accessToken: 'at-2' }
      },
    })
    const two: AuthFetch = createAuthFetch({
      baseUrl,
      fetch,
      store: memoryStore(first),
      async refresh() {
        await one('/orders')
        return { accessToken: 'at-2' }
      },
    })
    expect((await one('/orders')).status).toBe(200)
    expect((await two('/orders')).status).toBe(200)
  })
})

describe('R6', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })

  it('R6 a refresh that never answers ends at refreshTimeoutMs, and everyone who waits is told', async () => {
    const world = rotatingWorld()
    const signals: AbortSignal[] = []
    const api = createAuthFetch({
      ...world.options(),
      refresh({ signal }) {
        signals.push(signal)
        return new Promise(() => {})
      },
    })
    world.expire()
    const outcomes: unknown[] = []
    for (let count = 0; count < 5; count++) api('/orders').catch((error) => outcomes.push(error))
    api.refresh().catch((error) => outcomes.push(error))
    await vi.advanceTimersByTimeAsync(9_999)
    expect(outcomes).toEqual([])
    expect(api.snapshot().status).toBe('refreshing')
    await vi.advanceTimersByTimeAsync(1)
    expect(outcomes).toHaveLength(6)
    for (const error of outcomes) {
      expect(isAuthError(error)).toBe(true)
      expect(error).toMatchObject({ code: 'refresh-timeout', retryable: true })
    }
    expect(signals).toHaveLength(1)
    expect(signals[0]?.aborted).toBe(true)
    expect(api.snapshot().status).toBe('signed-in')
    expect((await api.tokens())?.refreshToken).toBe('rt-1')
  })

  it('R6 C2 a page that was frozen between two attempts, and wakes with every timer due, sends nothing more', async () => {
    const world = rotatingWorld()
    const refresh = vi.fn<Refresher>(() => Promise.reject(Object.assign(new Error('busy'), { status: 503 })))
    const api = createAuthFetch({ ...world.options(), refresh })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({ code: 'refresh-timeout' })
    await vi.advanceTimersByTimeAsync(1)
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000)
    await vi.advanceTimersByTimeAsync(9_999)
    await told
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('C2 a page that was frozen while it read the store asks for the lock, and reads, again', async () => {
    const world = rotatingWorld()
    const inner = memoryStore(world.first)
    let locks = 0
    let onRead = async (): Promise<void> => {}
    const store: TokenStore = {
      async read() {
        const stored = inner.read()
        await onRead()
        return stored
      },
      write: (next, expected) => inner.write(next, expected),
      lock(task) {
        locks++
        return task()
      },
    }
    const api = createAuthFetch({ ...world.options(), store })
    await api.tokens()
    world.expire()
    const now = performance.now.bind(performance)
    // While it was frozen, another tab took the lock, refreshed, and wrote.
    onRead = async () => {
      if (locks === 0) return
      onRead = async () => {}
      vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000)
      const stored = (await inner.read()) as StoredSession
      const context = { tokens: world.first, reason: 'rejected', fetch, signal: AbortSignal.abort() } as const
      const tokens = (await world.refresh(context)) as TokenSet
      inner.write({ ...stored, version: stored.version + 1, tokens }, stored.version)
    }
    expect((await api('/orders')).status).toBe(200)
    expect(locks).toBe(2)
    expect(world.refreshes).toEqual(['rt-1'])
  })

  it('C2 who has waited for the lock in vain refreshes beside nobody, and is told to try again', async () => {
    const world = rotatingWorld()
    const inner = memoryStore(world.first)
    let isHeld = true
    const store: TokenStore = {
      ...inner,
      async lock(task, { waitMs }) {
        if (isHeld) await new Promise((resolve) => setTimeout(resolve, waitMs))
        return task()
      },
    }
    const api = createAuthFetch({ ...world.options(), store })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({ code: 'refresh-timeout', retryable: true })
    await vi.advanceTimersByTimeAsync(25_000)
    await told
    expect(world.refreshes).toEqual([])
    expect(api.snapshot().status).toBe('signed-in')
    isHeld = false
    expect((await api('/orders')).status).toBe(200)
  })

  it('R6 the next request starts a new refresh', async () => {
    const world = rotatingWorld()
    const refresh = vi
      .fn<Refresher>()
      .mockImplementationOnce(() => new Promise(() => {}))
      .mockImplementation(world.refresh)
    const api = createAuthFetch({ ...world.options(), refresh })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({ code: 'refresh-timeout' })
    await vi.advanceTimersByTimeAsync(10_000)
    await told
    expect((await api('/orders')).status).toBe(200)
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('R6 the time counts for one refresh with all its retries', async () => {
    const world = rotatingWorld()
    const refresh = vi.fn<Refresher>(
      () => new Promise((_, reject) => setTimeout(() => reject(new TypeError('fetch failed')), 900)),
    )
    const api = createAuthFetch({ ...world.options(), refresh, refreshTimeoutMs: 2000, refreshRetries: 10 })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({ code: 'refresh-timeout' })
    await vi.advanceTimersByTimeAsync(2000)
    await told
    await vi.advanceTimersByTimeAsync(60_000)
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('R6 a token endpoint that hangs is given up by the signal of the context’s fetch', async () => {
    const world = rotatingWorld()
    const given: (AbortSignal | null | undefined)[] = []
    const api = createAuthFetch({
      ...world.options(),
      fetch(input, init) {
        if (!String(input).startsWith('https://auth.example')) return world.fetch(input, init)
        given.push(init?.signal)
        return new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
      },
      refresh: ({ fetch }) => fetch('https://auth.example/token', { method: 'POST' }).then((answer) => answer.json()),
    })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({ code: 'refresh-timeout' })
    await vi.advanceTimersByTimeAsync(10_000)
    await told
    expect(given.map((signal) => signal?.aborted)).toEqual([true])
  })

  it('R6, R11 a result that comes after the timeout is kept, and is what the next request is sent with', async () => {
    const world = rotatingWorld()
    const store = memoryStore(first)
    const api = createAuthFetch({
      ...world.options(),
      store,
      async refresh(context) {
        const tokens = await world.refresh(context)
        await new Promise((resolve) => setTimeout(resolve, 12_000))
        return tokens
      },
    })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({ code: 'refresh-timeout' })
    await vi.advanceTimersByTimeAsync(10_000)
    await told
    await vi.advanceTimersByTimeAsync(2_000)
    expect((await api('/orders')).status).toBe(200)
    expect(world.refreshes).toEqual(['rt-1'])
    expect(await store.read()).toMatchObject({ tokens: { accessToken: 'at-2', refreshToken: 'rt-2' } })
  })

  it('R6, R12 a result that comes after the timeout and after a sign-out is not kept', async () => {
    const world = rotatingWorld()
    const store = memoryStore(first)
    const api = createAuthFetch({
      ...world.options(),
      store,
      async refresh(context) {
        await new Promise((resolve) => setTimeout(resolve, 12_000))
        return world.refresh(context)
      },
    })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({ code: 'refresh-timeout' })
    await vi.advanceTimersByTimeAsync(11_000)
    await told
    await api.signOut()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(world.refreshes).toEqual(['rt-1'])
    expect(await store.read()).toBeNull()
    expect(await api.tokens()).toBeNull()
  })

  it('R6 refreshed and refresh-failed tell how a refresh went', async () => {
    const world = rotatingWorld()
    const refresh = vi
      .fn<Refresher>()
      .mockRejectedValueOnce(new TypeError('fetch failed'))
      .mockImplementation(world.refresh)
    const api = createAuthFetch({ ...world.options(), refresh, refreshRetries: 0 })
    const failed = nextEvent(api, 'refresh-failed')
    const refreshed = nextEvent(api, 'refreshed')
    world.expire()
    await rejectionOf(api('/orders'))
    expect(await failed).toMatchObject({ verdict: 'transient', reason: 'rejected', attempts: 1 })
    await api('/orders')
    expect(await refreshed).toMatchObject({ reason: 'rejected', attempts: 1, refreshId: expect.any(String) })
    expect((await refreshed).refreshId).not.toBe((await failed).refreshId)
  })
})
