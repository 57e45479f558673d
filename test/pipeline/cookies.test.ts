// R1–R3, R12: sessions whose credential lives in an HttpOnly cookie. There is nothing to hold and nothing to attach.
import { describe, expect, it } from 'vitest'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  refreshEndpoint,
  type TokenStore,
} from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { ok, unauthorized } from '../helpers/answer.ts'
import { fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { heldApi } from '../helpers/held-api.ts'
import { createMedium } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

fakeTime()

const credentials = {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ username: 'viewer', password: 'viewer' }),
}

/** A browser whose cookies hold both tokens. */
function browser(options: AuthFetchOptions = {}) {
  const server = createAuthServer({ cookies: 'session' })
  const api = clientOf(server, {
    refresh: refreshEndpoint({ url: '/refresh', credentials: 'include', format: 'json' }),
    ...options,
  })
  const logIn = async (): Promise<void> => {
    expect((await server.fetch('/login', credentials)).status).toBe(200)
    await settled(api.signIn(true))
  }
  return { server, api, logIn }
}

describe('a cookie session', () => {
  it('R1 R2 expires: one refresh, and all calls get their answers', async () => {
    const { server, api, logIn } = browser()
    await logIn()
    for (let round = 1; round <= 3; round++) {
      server.expireAccessTokens()
      expect(await settled(statusesOf(20, () => api('/me')))).toEqual(Array(20).fill(200))
      expect(server.stats).toMatchObject({ refreshAttempts: round, reuses: 0 })
    }
  })

  it('R10 sends no Authorization header, ever', async () => {
    const { fetch, credentials: sentCredentials } = recorder((_sent, index) => (index === 0 ? unauthorized() : ok()))
    const api = createAuthFetch({ baseUrl: 'https://api.test', fetch, refresh: async () => true })
    await api.signIn(true)
    expect((await api('/me')).status).toBe(200)
    expect(sentCredentials()).toEqual([null, null])
  })

  it('R10 has no tokens to show, and is signed in all the same', async () => {
    const { server, api, logIn } = browser()
    await logIn()
    expect(await api.tokens()).toBeNull()
    expect(api.snapshot()).toEqual({ status: 'signed-in' })
    server.expireAccessTokens()
    await settled(api('/me'))
    expect(await settled(api.refresh())).toBeNull()
    expect(await api.tokens()).toBeNull()
    expect(api.snapshot()).toEqual({ status: 'signed-in' })
  })

  it('S1 rests in the store without tokens, and its version grows', async () => {
    const medium = createMedium()
    const { server, api, logIn } = browser({ store: medium.store() })
    await logIn()
    server.expireAccessTokens()
    await settled(api('/me'))
    const [before, after] = medium.writes
    expect(before).toMatchObject({ tokens: null })
    expect(after).toMatchObject({ tokens: null, sessionId: before?.sessionId })
    expect(after?.version).toBeGreaterThan(before?.version ?? Number.POSITIVE_INFINITY)
  })

  it('S1 is there after a reload', async () => {
    const medium = createMedium()
    const { server, logIn } = browser({ store: medium.store() })
    await logIn()
    const reloaded = clientOf(server, { store: medium.store({ latencyMs: () => 4 }), refresh: async () => null })
    expect(await settled(statusOf(reloaded('/me')))).toBe(200)
    expect(reloaded.snapshot().status).toBe('signed-in')
  })

  it('R4 is found by its cookie where the store remembers nothing: the refresher is asked once', async () => {
    const { server, api } = browser()
    await server.fetch('/login', credentials)
    expect(await settled(statusesOf(10, () => api('/me')))).toEqual(Array(10).fill(200))
    expect(api.snapshot().status).toBe('signed-in')
    expect(server.stats).toMatchObject({ refreshAttempts: 1 })
  })

  it('R3 a late 401 is told by its version: no second refresh', async () => {
    const held = heldApi()
    let refreshes = 0
    const api = createAuthFetch({
      baseUrl: 'https://api.test',
      fetch: held.fetch,
      refresh: async () => {
        refreshes++
        return true
      },
    })
    await api.signIn(true)
    const calls = [api('/early'), api('/late')].map((call) => statusOf(call))
    const [early, late] = [await held.request(0), await held.request(1)]
    early.reject()
    ;(await held.request(2)).accept()
    await flush()
    late.reject()
    ;(await held.request(3)).accept()
    expect(await settled(Promise.all(calls))).toEqual([200, 200])
    expect(refreshes).toBe(1)
  })

  it('R9 is over when its refresh is refused: one login, and everyone resumes', async () => {
    let asked = 0
    const { server, api, logIn } = browser({
      onLoginRequired: async () => {
        asked++
        await logIn()
      },
    })
    await logIn()
    server.revokeSession()
    expect(await settled(statusesOf(10, () => api('/me')))).toEqual(Array(10).fill(200))
    expect(asked).toBe(1)
  })

  it('R9 R12 is over without a login: the 401s are handed back, and the store forgets it', async () => {
    const medium = createMedium()
    const { server, api, logIn } = browser({ store: medium.store() })
    await logIn()
    const ended = eventsOf(api, 'signed-out')
    server.revokeSession()
    expect(await settled(statusesOf(3, () => api('/me')))).toEqual([401, 401, 401])
    expect(ended).toMatchObject([{ reason: 'over' }])
    expect(medium.stored).toBeNull()
  })

  it('R7 a refresh that fails for now keeps it', async () => {
    const { server, api, logIn } = browser({ refreshRetries: 0 })
    await logIn()
    server.expireAccessTokens()
    server.failRefresh(503)
    expect(await settled(rejectionOf(api('/me')))).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(api.snapshot().status).toBe('signed-in')
    expect(await settled(statusOf(api('/me')))).toBe(200)
  })

  it('R12 signOut() during its refresh wins', async () => {
    const { server, api, logIn } = browser()
    await logIn()
    server.expireAccessTokens()
    server.failRefresh('hang')
    const call = statusOf(api('/me'))
    await server.seen(1, { kind: 'refresh' })
    await api.signOut()
    server.release()
    expect(await settled(call)).toBe(401)
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('C5 two tabs with a lock refresh it once between them', async () => {
    const medium = createMedium()
    const store = (): TokenStore => medium.store({ latencyMs: () => 4, hasLock: true, hasWatch: true })
    const { server, api, logIn } = browser({ store: store() })
    const other: AuthFetch = clientOf(server, {
      store: store(),
      refresh: refreshEndpoint({ url: '/refresh', credentials: 'include', format: 'json' }),
    })
    await logIn()
    await pass(50)
    for (let round = 1; round <= 5; round++) {
      server.expireAccessTokens()
      const statuses = await settled(statusesOf(10, (index) => (index % 2 ? api : other)('/me')))
      expect(statuses).toEqual(Array(10).fill(200))
      expect(server.stats).toMatchObject({ refreshAttempts: round, reuses: 0 })
    }
  })

  it('R12 gives way to tokens, and tokens to it', async () => {
    const { server, api, logIn } = browser()
    await logIn()
    await api.signIn({ accessToken: server.signIn('admin').access_token })
    expect(await (await settled(api('/me'))).json()).toMatchObject({ user: 'admin' })
    await api.signIn(true)
    expect(await (await settled(api('/me'))).json()).toMatchObject({ user: 'viewer' })
    expect(await api.tokens()).toBeNull()
  })
})
