// R4, R7, C5: nobody signs in, and the refresher gets the first tokens too: services that speak for themselves (RFC 6749 §4.4).
import { describe, expect, it } from 'vitest'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  type RefreshContext,
  refreshEndpoint,
} from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { fakeTime, pass, settled } from '../helpers/fake-time.ts'
import { createMedium } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

fakeTime()

const asService = (secret = 'service') =>
  refreshEndpoint({
    url: '/token',
    body: () => ({ grant_type: 'client_credentials', client_id: 'service', client_secret: secret }),
  })

function service(options: AuthFetchOptions = {}, secret?: string) {
  const server = createAuthServer()
  const contexts: RefreshContext[] = []
  const ask = asService(secret)
  const api = clientOf(server, {
    refresh: (context) => {
      contexts.push(context)
      return ask(context)
    },
    ...options,
  })
  const grants = () => server.requests.filter(({ grant }) => grant === 'client_credentials').length
  return { server, api, contexts, grants }
}

const SERVED = Array(20).fill(200)

describe('a service', () => {
  it('R4 C5 20 first calls: the refresher is asked once, with no tokens, before any is sent', async () => {
    const { server, api, contexts, grants } = service()
    expect(await settled(statusesOf(20, () => api('/reports')))).toEqual(SERVED)
    expect(contexts.map(({ tokens, reason }) => ({ tokens, reason }))).toEqual([{ tokens: null, reason: 'expiring' }])
    expect(grants()).toBe(1)
    expect(server.stats.rejected).toBe(0)
  })

  it('R4 tokens() alone gets them', async () => {
    const { api, grants } = service()
    expect(await settled(api.tokens())).toMatchObject({ scope: 'items:read reports:read' })
    expect(await settled(api.tokens())).not.toBeNull()
    expect(grants()).toBe(1)
  })

  it('R4 is signed in from then on, and hears of it once', async () => {
    const { api } = service()
    const [signedIn, refreshed] = [eventsOf(api, 'signed-in'), eventsOf(api, 'refreshed')]
    await settled(statusesOf(5, () => api('/reports')))
    expect(api.snapshot().status).toBe('signed-in')
    expect(signedIn).toMatchObject([{ where: 'here' }])
    expect(refreshed).toMatchObject([{ reason: 'expiring', attempts: 1 }])
  })

  it('R4 an expiry is met before a request is', async () => {
    const { server, api, grants } = service()
    for (let hour = 1; hour <= 5; hour++) {
      expect(await settled(statusesOf(20, () => api('/reports')))).toEqual(SERVED)
      expect(grants()).toBe(hour)
      await pass(300_000)
    }
    expect(server.stats.rejected).toBe(0)
  })

  it('R1 R2 a rejected token is replaced, though there is no refresh token', async () => {
    const { server, api, contexts, grants } = service()
    await settled(api('/reports'))
    server.expireAccessTokens()
    expect(await settled(statusesOf(20, () => api('/reports')))).toEqual(SERVED)
    expect(grants()).toBe(2)
    expect(contexts[1]).toMatchObject({ reason: 'rejected', tokens: { tokenType: 'Bearer' } })
    expect(contexts[1]?.tokens).not.toHaveProperty('refreshToken')
  })

  it('R7 a server that is down: calls that need tokens reject and may be tried again; public ones are served', async () => {
    const { server, api } = service({ refreshRetries: 0 })
    server.down = true
    const reason = await settled(rejectionOf(api('/reports')))
    expect(reason).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(await settled(statusOf(api('/public')))).toBe(200)
    server.heal()
    await pass(20_000)
    expect(await settled(statusOf(api('/reports')))).toBe(200)
  })

  it('R7 one failed first refresh is one refresh: the 401 that follows starts no second one', async () => {
    const { server, api, contexts } = service({ refreshRetries: 0 })
    server.down = true
    await settled(rejectionOf(api('/reports')))
    expect(contexts).toHaveLength(1)
    expect(server.stats.apiRequests).toBe(1)
  })

  it('R7 a wrong secret is a misconfiguration, named, and nobody’s login', async () => {
    let logins = 0
    const { api } = service({ onLoginRequired: () => void logins++ }, 'wrong')
    const reason = await settled(rejectionOf(api('/reports')))
    expect(reason).toMatchObject({ code: 'refresh-unavailable', retryable: false })
    expect(String((reason as Error).message)).toContain('invalid_client')
    expect(logins).toBe(0)
  })

  it('R12 after signOut() the refresher is not asked on its own, and refresh() starts anew', async () => {
    const { api, grants } = service()
    await settled(api('/reports'))
    await api.signOut()
    expect(await settled(statusOf(api('/reports')))).toBe(401)
    expect(await settled(api.tokens())).toBeNull()
    expect(grants()).toBe(1)
    expect(await settled(api.refresh())).not.toBeNull()
    expect(await settled(statusOf(api('/reports')))).toBe(200)
    expect(grants()).toBe(2)
  })

  it('R12 signIn() while the first tokens are on their way wins', async () => {
    const { server, api } = service()
    const ask = asService()
    const slow = clientOf(server, {
      refresh: async (context) => {
        await new Promise((resolve) => setTimeout(resolve, 1000))
        return ask(context)
      },
    })
    const call = slow('/me')
    await pass(500)
    await slow.signIn(server.signIn('admin'))
    expect((await settled(call)).status).toBe(200)
    expect(await (await settled(slow('/me'))).json()).toMatchObject({ user: 'admin' })
    api.dispose()
  })

  it('C5 a store keeps the tokens for the next process', async () => {
    const medium = createMedium()
    const { server, api, grants } = service({ store: medium.store({ latencyMs: () => 4 }) })
    await settled(api('/reports'))
    const next = clientOf(server, { refresh: asService(), store: medium.store({ latencyMs: () => 4 }) })
    expect(await settled(statusOf(next('/reports')))).toBe(200)
    expect(grants()).toBe(1)
  })

  it('C5 two processes that start at once, with a lock, get one token between them', async () => {
    const medium = createMedium()
    const store = () => medium.store({ latencyMs: () => 4, hasLock: true, hasWatch: true })
    const { server, api, grants } = service({ store: store() })
    const other = clientOf(server, { refresh: asService(), store: store() })
    expect(await settled(statusesOf(20, (index) => (index % 2 ? api : other)('/reports')))).toEqual(SERVED)
    expect(grants()).toBe(1)
  })
})

describe('a refresher that cannot start from nothing', () => {
  const nobody = (options: AuthFetchOptions = {}) => {
    const server = createAuthServer()
    let asked = 0
    const api: AuthFetch = createAuthFetch({
      baseUrl: server.url,
      fetch: server.fetch,
      refresh: async ({ tokens }) => {
        asked++
        return tokens && null
      },
      ...options,
    })
    return { server, api, asked: () => asked }
  }

  it('R4 is asked once, and no more until somebody signs in', async () => {
    const { server, api, asked } = nobody()
    expect(await settled(statusesOf(20, () => api('/public')))).toEqual(SERVED)
    expect(await settled(statusesOf(20, () => api('/public')))).toEqual(SERVED)
    await settled(api.tokens())
    expect(asked()).toBe(1)
    await api.signIn(server.signIn('viewer'))
    expect(await settled(statusOf(api('/me')))).toBe(200)
    expect(asked()).toBe(1)
  })

  it('R9 is no end of a session: nobody hears of one', async () => {
    const { api } = nobody()
    const [over, failed] = [eventsOf(api, 'signed-out'), eventsOf(api, 'refresh-failed')]
    await settled(api('/public'))
    expect([over, failed]).toEqual([[], []])
    expect(api.snapshot()).toEqual({ status: 'signed-out' })
  })

  it('L2 leaves a login as the way in', async () => {
    const { server, api } = nobody({ onLoginRequired: () => server.signIn('viewer') })
    expect(await settled(statusOf(api('/me')))).toBe(200)
  })

  it('R4 is not asked where somebody is signed in already', async () => {
    const { server, asked } = nobody()
    const { access_token } = server.signIn('viewer')
    const { api } = {
      api: clientOf(server, { store: memoryStore({ accessToken: access_token }), refresh: async () => null }),
    }
    expect(await settled(statusOf(api('/me')))).toBe(200)
    expect(asked()).toBe(0)
  })
})
