// Answers that come late: after the login that they would have asked for, or while a refresh takes its time.
import { describe, expect, it, vi } from 'vitest'
import { createAuthFetch, memoryStore, type TokenSet } from '../../src/index.ts'

const CALLS = 20
const baseUrl = 'https://api.example'

/** 401 for everything but the good token, each answer one turn of the event loop later than the one before. */
function staggered(good: string): typeof fetch {
  let delay = Promise.resolve()
  return async (_input, init) => {
    delay = delay.then(() => new Promise((next) => setImmediate(next)))
    await delay
    return new Response(null, {
      status: new Headers(init?.headers).get('authorization') === `Bearer ${good}` ? 200 : 401,
    })
  }
}
const many = <T>(call: () => Promise<T>): Promise<Array<PromiseSettledResult<T>>> =>
  Promise.allSettled(Array.from({ length: CALLS }, call))

describe('401s that come after the login is over', () => {
  it('L1 L2 of the session that it was asked for go on with the new one', async () => {
    const onLoginRequired = vi.fn((): TokenSet => ({ accessToken: 'new' }))
    const store = memoryStore({ accessToken: 'old' })
    const api = createAuthFetch({ baseUrl, store, fetch: staggered('new'), refresh: async () => null, onLoginRequired })
    const outcomes = await many(() => api('/orders'))
    expect(outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value.status)).toEqual(
      Array(CALLS).fill(200),
    )
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
  })

  it('L1 share in what the callback threw, and do not call it again', async () => {
    const redirect = { to: '/login' }
    const onLoginRequired = vi.fn(() => {
      throw redirect
    })
    const store = memoryStore({ accessToken: 'old' })
    const api = createAuthFetch({ baseUrl, store, fetch: staggered('new'), refresh: async () => null, onLoginRequired })
    const outcomes = await many(() => api('/orders'))
    for (const outcome of outcomes) expect(outcome).toEqual({ status: 'rejected', reason: redirect })
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
  })

  it('R12 L2 of another known subject are handed back', async () => {
    const store = memoryStore({ accessToken: 'old', subject: 'ann' })
    const onLoginRequired = (): TokenSet => ({ accessToken: 'new', subject: 'bob' })
    const api = createAuthFetch({ baseUrl, store, fetch: staggered('new'), refresh: async () => null, onLoginRequired })
    const outcomes = await many(() => api('/orders'))
    expect(outcomes.map((outcome) => outcome.status === 'fulfilled' && outcome.value.status)).toEqual(
      Array(CALLS).fill(401),
    )
  })
})

describe('a refresh before the send that takes its time', () => {
  it('R4 does not hold up a token that is still good', async () => {
    vi.useFakeTimers()
    try {
      const fetch = vi.fn(async () => new Response())
      const store = memoryStore({ accessToken: 'good', expiresAt: Date.now() + 20_000 })
      const api = createAuthFetch({ baseUrl, store, fetch, refresh: () => new Promise(() => {}) })
      const call = api('/orders')
      await vi.advanceTimersByTimeAsync(1000)
      expect((await call).status).toBe(200)
    } finally {
      vi.useRealTimers()
    }
  })

  it('R4 tokens() refreshes whatever expires within minValidityMs, whoever issued it when', async () => {
    const refresh = vi.fn(async () => ({ access_token: 'b', expires_in: 3600 }))
    const api = createAuthFetch({ baseUrl, refresh })
    await api.signIn({ access_token: 'a', refresh_token: 'r', expires_in: 60 })
    expect((await api.tokens({ minValidityMs: 120_000 }))?.accessToken).toBe('b')
    expect(refresh).toHaveBeenCalledTimes(1)
  })
})
