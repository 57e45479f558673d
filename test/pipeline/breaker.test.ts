// R13: an endpoint that rejects freshly refreshed tokens must not keep the authorization server busy.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AuthFetch, createAuthFetch, type Refresher } from '../../src/index.ts'
import { unauthorized } from '../helpers/answer.ts'
import { type RotatingWorld, rotatingWorld } from '../helpers/rotating-world.ts'

const BROKEN = 'GET https://api.example/broken'
const ORDERS = 'GET https://api.example/orders'

interface Client {
  world: RotatingWorld
  api: AuthFetch
  refresh: ReturnType<typeof vi.fn<Refresher>>
  /** Endpoints for which no token is good enough, as `METHOD url`. */
  stubborn: Set<string>
}

/** A client whose API rejects every token on some endpoints, and works on the others. */
function client(...stubborn: string[]): Client {
  const world = rotatingWorld()
  const refresh = vi.fn<Refresher>(world.refresh)
  const refused = new Set(stubborn)
  const api = createAuthFetch({
    ...world.options(),
    refresh,
    origins: ['https://api.example', 'https://other.example'],
    async fetch(input, init) {
      const answer = await world.fetch(input, init)
      const { method, url } = new Request(input, init)
      return refused.has(`${method} ${url.replace(/[?#].*/, '')}`) ? unauthorized() : answer
    },
  })
  return { world, api, refresh, stubborn: refused }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('an endpoint that rejects every token', () => {
  it('R13 costs at most three refreshes in 100 calls, one after the other', async () => {
    const { api, refresh } = client(BROKEN)
    for (let count = 0; count < 100; count++) {
      expect((await api('/broken')).status).toBe(401)
      await vi.advanceTimersByTimeAsync(99)
    }
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(3)
    expect(refresh.mock.calls.length).toBeGreaterThan(0)
  })

  it('R13 costs at most three refreshes in 100 calls at once', async () => {
    const { api, refresh } = client(BROKEN)
    const responses = await Promise.all(Array.from({ length: 100 }, () => api('/broken')))
    expect(responses.map(({ status }) => status)).toEqual(Array(100).fill(401))
    expect(new Set(responses).size).toBe(100)
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(3)
  })

  it('R13 costs at most three refreshes in 100 calls that come in waves', async () => {
    const { api, refresh } = client(BROKEN)
    for (let wave = 0; wave < 10; wave++) {
      await Promise.all(Array.from({ length: 10 }, () => api('/broken')))
      await vi.advanceTimersByTimeAsync(900)
    }
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(3)
  })

  it('R13 costs at most three refreshes in 100 calls whose answers overtake each other', async () => {
    const { world, refresh } = client()
    let turn = 0
    const api = createAuthFetch({
      ...world.options(),
      refresh,
      async fetch() {
        turn++
        await new Promise((resolve) => setTimeout(resolve, ((turn * 7919) % 500) + 1))
        return unauthorized()
      },
    })
    const calls: Promise<Response>[] = []
    for (let count = 0; count < 100; count++) {
      calls.push(api('/broken'))
      await vi.advanceTimersByTimeAsync(40)
    }
    await vi.advanceTimersByTimeAsync(3000)
    expect((await Promise.all(calls)).every(({ status }) => status === 401)).toBe(true)
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(3)
  })

  it('R13 counts the endpoint, whatever the query', async () => {
    const { api, refresh } = client(BROKEN)
    for (let count = 0; count < 100; count++) await api(`/broken?page=${count}#${count}`)
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(3)
  })

  it('R13 is left to answer for itself once the breaker is open: its 401 comes back after one send', async () => {
    const { api, world } = client(BROKEN)
    for (let count = 0; count < 10; count++) await api('/broken')
    const before = world.sends.length
    const response = await api('/broken')
    expect(response.status).toBe(401)
    expect(await response.text()).toBe('who are you?')
    expect(world.sends).toHaveLength(before + 1)
  })

  it('R13 asks nobody to log in: the session works elsewhere', async () => {
    const world = rotatingWorld()
    const onLoginRequired = vi.fn()
    const api = createAuthFetch({ ...world.options(), onLoginRequired, fetch: async () => unauthorized() })
    for (let count = 0; count < 20; count++) await api('/broken')
    expect(onLoginRequired).not.toHaveBeenCalled()
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('R13 is tried again after pauses that grow, to ten minutes and no further', async () => {
    const { api, refresh } = client(BROKEN)
    const times: number[] = []
    for (let second = 0; second < 7200; second++) {
      const before = refresh.mock.calls.length
      await api('/broken')
      if (refresh.mock.calls.length > before) times.push(second)
      await vi.advanceTimersByTimeAsync(1000)
    }
    const pauses = times.slice(3).map((time, index) => time - (times[index + 2] ?? 0))
    expect(times.slice(0, 3)).toEqual([0, 1, 2])
    expect(pauses.slice(0, 7)).toEqual([10, 20, 40, 80, 160, 320, 600])
    expect(new Set(pauses.slice(6))).toEqual(new Set([600]))
  })
})

describe('other endpoints', () => {
  it('R13 recover as usual meanwhile', async () => {
    const { api, world } = client(BROKEN)
    for (let count = 0; count < 20; count++) await api('/broken')
    for (let round = 0; round < 5; round++) {
      world.expire()
      expect((await api('/orders')).status).toBe(200)
    }
  })

  it.each([
    ['another method', '/broken', 'POST'],
    ['another path', '/broken/1', 'GET'],
    ['another origin', 'https://other.example/broken', 'GET'],
  ])('R13 %s is another endpoint', async (_, url, method) => {
    const { api, world, refresh } = client(BROKEN)
    for (let count = 0; count < 20; count++) await api('/broken')
    const before = refresh.mock.calls.length
    world.expire()
    expect((await api(url, { method })).status).toBe(200)
    expect(refresh.mock.calls.length).toBe(before + 1)
  })

  it('R13 do not reset it by being accepted', async () => {
    const { api, refresh } = client(BROKEN)
    for (let count = 0; count < 50; count++) {
      await api('/broken')
      await api('/orders')
    }
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(3)
  })
})

describe('an accepted answer', () => {
  it.each([200, 204, 403, 404, 500])('R13 of status %i resets it', async (status) => {
    const world = rotatingWorld()
    let answer: number | null = null
    const refresh = vi.fn<Refresher>(world.refresh)
    const api = createAuthFetch({
      ...world.options(),
      refresh,
      fetch: async () => (answer === null ? unauthorized() : new Response(null, { status: answer })),
    })
    for (let count = 0; count < 10; count++) await api('/orders')
    expect(refresh).toHaveBeenCalledTimes(3)
    answer = status
    await api('/orders')
    answer = null
    await api('/orders')
    expect(refresh).toHaveBeenCalledTimes(4)
  })

  it('R13 that comes by a recovery resets it too', async () => {
    const { api, world, refresh, stubborn } = client(ORDERS)
    await api('/orders')
    await api('/orders')
    expect(refresh).toHaveBeenCalledTimes(2)
    stubborn.clear()
    world.expire()
    expect((await api('/orders')).status).toBe(200)
    stubborn.add(ORDERS)
    for (let count = 0; count < 10; count++) await api('/orders')
    expect(refresh).toHaveBeenCalledTimes(6)
  })

  it('R13 after the pause lets it work again', async () => {
    const { api, world, stubborn } = client(ORDERS)
    for (let count = 0; count < 10; count++) await api('/orders')
    stubborn.clear()
    world.expire()
    expect((await api('/orders')).status).toBe(401)
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await api('/orders')).status).toBe(200)
  })
})

it('R13 real expiries in quick succession are not that: 50 in 5 s recover 50 times', async () => {
  const { api, world, refresh } = client()
  for (let count = 0; count < 50; count++) {
    world.expire()
    expect((await api('/orders')).status).toBe(200)
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(refresh).toHaveBeenCalledTimes(50)
})

it('R13 50 expiries in 5 s under load recover every call', async () => {
  const { api, world, refresh } = client()
  for (let count = 0; count < 50; count++) {
    world.expire()
    const responses = await Promise.all(Array.from({ length: 10 }, () => api('/orders')))
    expect(responses.every(({ status }) => status === 200)).toBe(true)
    await vi.advanceTimersByTimeAsync(100)
  }
  expect(refresh).toHaveBeenCalledTimes(50)
})

it('R13 a sign-in resets it: another session may be welcome', async () => {
  const { api, refresh } = client(BROKEN)
  for (let count = 0; count < 10; count++) await api('/broken')
  expect(refresh).toHaveBeenCalledTimes(3)
  await api.signIn({ accessToken: 'at-x', refreshToken: 'rt-4' })
  await api('/broken')
  expect(refresh).toHaveBeenCalledTimes(4)
})
