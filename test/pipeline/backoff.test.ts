// R7: how a failing authorization server is left alone, and how soon we notice that it is back.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AuthFetch, createAuthFetch, isAuthError, memoryStore, type Refresher } from '../../src/index.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { type RotatingWorld, rotatingWorld } from '../helpers/rotating-world.ts'

const offline = (): Error => new TypeError('fetch failed')

interface Outage {
  world: RotatingWorld
  api: AuthFetch
  refresh: ReturnType<typeof vi.fn<Refresher>>
  /** What each refresh throws while this is not null. */
  fault: (() => unknown) | null
}

/** A client with a rejected token, and a refresher that fails until `fault` is null. */
function outage(options: Parameters<typeof createAuthFetch>[0] = {}): Outage {
  const world = rotatingWorld()
  const refresh = vi.fn<Refresher>(async (context) => {
    if (state.fault !== null) throw state.fault()
    return world.refresh(context)
  })
  world.expire()
  const api = createAuthFetch({ ...world.options(), refresh, refreshRetries: 0, ...options })
  const state: Outage = { world, api, refresh, fault: offline }
  return state
}

/** Fails twice, which starts the first pause. */
async function failTwice({ api }: Outage): Promise<void> {
  await rejectionOf(api('/orders'))
  await rejectionOf(api('/orders'))
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('one failure', () => {
  it('R7 does not keep the next call from trying, and it works as soon as the server does', async () => {
    const state = outage()
    const { api, refresh } = state
    expect(await rejectionOf(api('/orders'))).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    state.fault = null
    expect((await api('/orders')).status).toBe(200)
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('R7 does not either where it came with a Retry-After', async () => {
    const state = outage()
    const { api } = state
    state.fault = () => new Response('', { status: 503, headers: { 'retry-after': '3600' } })
    expect(await rejectionOf(api('/orders'))).toMatchObject({ retryAfterMs: 3_600_000 })
    state.fault = null
    expect((await api('/orders')).status).toBe(200)
  })

  it('R7 failures with successes between them never add up', async () => {
    const state = outage()
    const { api, world, refresh } = state
    for (let round = 0; round < 10; round++) {
      state.fault = offline
      await rejectionOf(api('/orders'))
      state.fault = null
      expect((await api('/orders')).status).toBe(200)
      world.expire()
    }
    expect(refresh).toHaveBeenCalledTimes(20)
  })

  it('R7 100 calls that share a failed refresh have seen one failure', async () => {
    const state = outage()
    const { api, refresh } = state
    await Promise.allSettled(Array.from({ length: 100 }, () => api('/orders')))
    expect(refresh).toHaveBeenCalledTimes(1)
    state.fault = null
    expect((await api('/orders')).status).toBe(200)
  })
})

describe('from the second failure in a row on', () => {
  it('R7 calls fail fast, with retryAfterMs, and the refresher is left alone', async () => {
    const state = outage()
    const { api, refresh } = state
    await failTwice(state)
    for (let count = 0; count < 50; count++) {
      const error = await rejectionOf(api('/orders'))
      expect(isAuthError(error)).toBe(true)
      expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true, retryAfterMs: expect.any(Number) })
    }
    expect(refresh).toHaveBeenCalledTimes(2)
    const { retryAfterMs } = (await rejectionOf(api('/orders'))) as { retryAfterMs: number }
    expect(retryAfterMs).toBeGreaterThan(0)
    expect(retryAfterMs).toBeLessThanOrEqual(6000)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await rejectionOf(api('/orders'))).toMatchObject({ retryAfterMs: retryAfterMs - 1000 })
  })

  it('R7 the second failure itself says when to come again', async () => {
    const state = outage()
    const { api } = state
    await rejectionOf(api('/orders'))
    const { retryAfterMs } = (await rejectionOf(api('/orders'))) as { retryAfterMs?: number }
    expect(retryAfterMs).toBeGreaterThan(0)
  })

  it('R7 waiting for as long as retryAfterMs says is enough', async () => {
    const state = outage()
    const { api } = state
    await failTwice(state)
    const { retryAfterMs } = (await rejectionOf(api('/orders'))) as { retryAfterMs: number }
    state.fault = null
    await vi.advanceTimersByTimeAsync(retryAfterMs)
    expect((await api('/orders')).status).toBe(200)
  })

  it('R7 refresh() and an expired token fail fast too', async () => {
    const state = outage({
      store: memoryStore({ accessToken: 'at-1', refreshToken: 'rt-1', expiresAt: Date.now() - 1 }),
    })
    const { api, refresh, world } = state
    await failTwice(state)
    expect(await rejectionOf(api.refresh())).toMatchObject({ retryAfterMs: expect.any(Number) })
    expect(await rejectionOf(api.tokens())).toMatchObject({ retryAfterMs: expect.any(Number) })
    expect(await rejectionOf(api('/orders'))).toMatchObject({ retryAfterMs: expect.any(Number) })
    expect(refresh).toHaveBeenCalledTimes(2)
    expect(world.sends).toEqual([])
  })

  it('R7 the cause of the last failure is what fail-fast calls are told', async () => {
    const state = outage()
    const cause = Object.assign(new Error('Bad Gateway'), { status: 502 })
    state.fault = () => cause
    await failTwice(state)
    expect(await rejectionOf(state.api('/orders'))).toMatchObject({ cause })
  })

  it('R7 a misconfigured client is left alone as well, and still says what is wrong', async () => {
    const state = outage()
    const { api, refresh } = state
    state.fault = () => Object.assign(new Error(), { error: 'invalid_client', status: 401 })
    await failTwice(state)
    const error = (await rejectionOf(api('/orders'))) as Error
    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: false })
    expect(error.message).toContain('invalid_client')
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('R7 after the pause one call probes for all, once, without retries', async () => {
    const state = outage({ refreshRetries: 2 })
    const { api, refresh } = state
    for (let count = 0; count < 2; count++) {
      const failed = rejectionOf(api('/orders'))
      await vi.advanceTimersByTimeAsync(3000)
      await failed
    }
    expect(refresh).toHaveBeenCalledTimes(6)
    await vi.advanceTimersByTimeAsync(6000)
    const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => api('/orders')))
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(refresh).toHaveBeenCalledTimes(7)
  })

  it('R7 the pauses grow to a minute and no further', async () => {
    const state = outage()
    const { api } = state
    await rejectionOf(api('/orders'))
    const pauses: number[] = []
    for (let count = 0; count < 7; count++) {
      await rejectionOf(api('/orders'))
      const { retryAfterMs } = (await rejectionOf(api('/orders'))) as { retryAfterMs: number }
      pauses.push(retryAfterMs)
      await vi.advanceTimersByTimeAsync(retryAfterMs)
    }
    const floors = [5000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]
    pauses.forEach((pause, index) => {
      expect(pause).toBeGreaterThanOrEqual(floors[index] ?? 0)
      expect(pause).toBeLessThanOrEqual((floors[index] ?? 0) * 1.2 + 1)
    })
  })

  it('R7 the pauses are jittered, so that a fleet does not come back in one instant', async () => {
    const pauseWith = async (random: number): Promise<number> => {
      vi.spyOn(Math, 'random').mockReturnValue(random)
      const state = outage()
      await failTwice(state)
      return ((await rejectionOf(state.api('/orders'))) as { retryAfterMs: number }).retryAfterMs
    }
    expect(await pauseWith(0.9)).toBeGreaterThan((await pauseWith(0)) * 1.1)
  })

  it('R7 a Retry-After longer than the pause is honoured', async () => {
    const state = outage()
    const { api, refresh } = state
    state.fault = () => new Response('', { status: 429, headers: { 'retry-after': '120' } })
    await failTwice(state)
    expect(await rejectionOf(api('/orders'))).toMatchObject({ retryAfterMs: 120_000 })
    await vi.advanceTimersByTimeAsync(119_000)
    await rejectionOf(api('/orders'))
    expect(refresh).toHaveBeenCalledTimes(2)
    state.fault = null
    await vi.advanceTimersByTimeAsync(1000)
    expect((await api('/orders')).status).toBe(200)
  })

  it('R7 timeouts count like any other failure', async () => {
    const state = outage({ refreshTimeoutMs: 1000 })
    const { api, refresh } = state
    refresh.mockImplementation(() => new Promise(() => {}))
    for (let count = 0; count < 2; count++) {
      const failed = rejectionOf(api('/orders'))
      await vi.advanceTimersByTimeAsync(1000)
      expect(await failed).toMatchObject({ code: 'refresh-timeout' })
    }
    expect(await rejectionOf(api('/orders'))).toMatchObject({ retryAfterMs: expect.any(Number) })
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('R7 one success ends it for everyone at once', async () => {
    const state = outage()
    const { api, world } = state
    await failTwice(state)
    state.fault = null
    await vi.advanceTimersByTimeAsync(6000)
    const responses = await Promise.all(Array.from({ length: 100 }, () => api('/orders')))
    expect(responses.every(({ status }) => status === 200)).toBe(true)
    // And the slate is clean: the next failure is a first one.
    world.expire()
    state.fault = offline
    await rejectionOf(api('/orders'))
    state.fault = null
    expect((await api('/orders')).status).toBe(200)
  })

  it('R7 a success that came too late for its callers ends it too', async () => {
    const state = outage()
    const { api, world, refresh } = state
    await rejectionOf(api('/orders'))
    state.fault = null
    refresh.mockImplementationOnce(async (context) => {
      await new Promise((resolve) => setTimeout(resolve, 11_000))
      return world.refresh(context)
    })
    const late = rejectionOf(api('/orders'))
    await vi.advanceTimersByTimeAsync(11_000)
    expect(await late).toMatchObject({ code: 'refresh-timeout' })
    world.expire()
    expect((await api('/orders')).status).toBe(200)
  })

  it('R7 a sign-in ends it: what failed for one session says nothing about the next', async () => {
    const state = outage()
    const { api, refresh } = state
    await failTwice(state)
    await api.signIn({ accessToken: 'at-9', refreshToken: 'rt-1' })
    state.fault = null
    expect((await api('/orders')).status).toBe(200)
    expect(refresh).toHaveBeenCalledTimes(3)
  })

  it('R7 instances on one store share what they have learned', async () => {
    const state = outage()
    const { world, refresh } = state
    const store = memoryStore(world.first)
    const clients = Array.from({ length: 3 }, () =>
      createAuthFetch({ ...world.options(), store, refresh, refreshRetries: 0 }),
    )
    for (const api of [...clients, ...clients]) await rejectionOf(api('/orders'))
    expect(refresh).toHaveBeenCalledTimes(2)
  })
})

describe('an outage of 60 s at 200 requests a second', () => {
  it.each([
    ['rejected tokens', undefined],
    ['expired tokens', -1],
    ['tokens about to expire', 25_000],
  ])('R7 costs at most 10 attempts, with %s', async (_, expiresIn) => {
    const state = outage({
      refreshRetries: 2,
      store: memoryStore({
        accessToken: 'at-1',
        refreshToken: 'rt-1',
        ...(expiresIn !== undefined && { expiresAt: Date.now() + expiresIn }),
      }),
    })
    const { api, refresh } = state
    const outcomes: Array<Promise<unknown>> = []
    for (let ms = 0; ms < 60_000; ms += 5) {
      outcomes.push(api('/orders').catch((error) => expect(isAuthError(error)).toBe(true)))
      await vi.advanceTimersByTimeAsync(5)
    }
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(10)
    expect(refresh.mock.calls.length).toBeGreaterThanOrEqual(5)
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await Promise.all(outcomes)).toHaveLength(12_000)

    // The server is back: the first probe finds out, and from then on everything works.
    state.fault = null
    await vi.advanceTimersByTimeAsync(72_000)
    const responses = await Promise.all(Array.from({ length: 50 }, () => api('/orders')))
    expect(responses.every(({ status }) => status === 200)).toBe(true)
  })
})
