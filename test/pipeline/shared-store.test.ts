// C5, R8, R11: several instances on one store object, and several store objects on one medium, as two processes have them.
import { describe, expect, it } from 'vitest'
import { type AuthFetch, type AuthFetchOptions, memoryStore, type TokenStore } from '../../src/index.ts'
import { type AuthServer, type AuthServerOptions, createAuthServer } from '../../src/testing/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { fakeTime, pass, settled } from '../helpers/fake-time.ts'
import { distant, seededRandom } from '../helpers/latency.ts'
import { createMedium, type Medium } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

fakeTime()

const oneStoreObject: Record<string, () => TokenStore> = {
  memoryStore,
  'synchronous store': () => createMedium().store(),
  'asynchronous store': () => createMedium().store({ latencyMs: () => 4 }),
  'asynchronous store with watch and lock': () =>
    createMedium().store({ latencyMs: () => 4, hasLock: true, hasWatch: true }),
}
const shapes = Object.keys(oneStoreObject).flatMap((kind) => [2, 5].map((count) => ({ count, kind })))

/** So many instances on one store object; somebody is signed in. */
async function instances(count: number, kind: string, options: AuthFetchOptions = {}) {
  const server = createAuthServer()
  const store = (oneStoreObject[kind] as () => TokenStore)()
  const apis = Array.from({ length: count }, () => clientOf(server, { store, ...options }))
  await settled(first(apis).signIn(server.signIn('viewer')))
  return { server, store, apis }
}

const first = (apis: AuthFetch[]): AuthFetch => apis[0] as AuthFetch
const last = (apis: AuthFetch[]): AuthFetch => apis.at(-1) as AuthFetch

describe('instances on one store object', () => {
  it.each(shapes)('C5 $count on one $kind share one refresh', async ({ count, kind }) => {
    const { server, apis } = await instances(count, kind)
    for (let round = 1; round <= 3; round++) {
      server.expireAccessTokens()
      const statuses = await settled(statusesOf(20 * count, (index) => (apis[index % count] as AuthFetch)('/me')))
      expect(statuses).toEqual(statuses.map(() => 200))
      expect(server.stats).toMatchObject({ refreshAttempts: round, reuses: 0 })
    }
  })

  it.each(shapes)('C5 $count on one $kind share the refresh before an expiry', async ({ count, kind }) => {
    const { server, apis } = await instances(count, kind)
    await pass(299_000)
    const statuses = await settled(statusesOf(4 * count, (index) => (apis[index % count] as AuthFetch)('/me')))
    expect(statuses).toEqual(statuses.map(() => 200))
    expect(server.stats).toMatchObject({ refreshAttempts: 1, rejected: 0 })
  })

  it.each(shapes)('C5 $count on one $kind see a sign-in at once', async ({ count, kind }) => {
    const { server, apis } = await instances(count, kind)
    const told = apis.map((api) => {
      const heard: string[] = []
      api.subscribe(() => void heard.push(api.snapshot().status))
      return heard
    })
    await settled(first(apis).signOut())
    expect(apis.map((api) => api.snapshot().status)).toEqual(apis.map(() => 'signed-out'))
    await settled(last(apis).signIn(server.signIn('admin')))
    expect(apis.map((api) => api.snapshot().status)).toEqual(apis.map(() => 'signed-in'))
    expect(told.map((heard) => heard.slice(0, 2))).toEqual(apis.map(() => ['signed-out', 'signed-in']))
    for (const api of apis) expect(await (await settled(api('/me'))).json()).toMatchObject({ user: 'admin' })
  })

  it.each(shapes)(
    'C5 $count on one $kind send nothing of a session that one of them ended',
    async ({ count, kind }) => {
      const { server, apis } = await instances(count, kind)
      await settled(last(apis).signOut())
      server.reset()
      const statuses = await settled(statusesOf(count, (index) => (apis[index] as AuthFetch)('/me')))
      expect(statuses).toEqual(apis.map(() => 401))
      expect(server.requests.map(({ kind, credential }) => `${kind} ${credential}`)).toEqual(apis.map(() => 'api none'))
    },
  )

  it.each(shapes)('C5 $count on one $kind all hear of what happens to the session', async ({ count, kind }) => {
    const { server, apis } = await instances(count, kind)
    const refreshed = apis.map((api) => eventsOf(api, 'refreshed'))
    const signedOut = apis.map((api) => eventsOf(api, 'signed-out'))
    server.expireAccessTokens()
    await settled(first(apis)('/me'))
    expect(refreshed.map(({ length }) => length)).toEqual(apis.map(() => 1))
    await settled(last(apis).signOut())
    expect(signedOut.map(({ length }) => length)).toEqual(apis.map(() => 1))
  })

  it('C5 each has its own callback and its own events for what concerns a request', async () => {
    const server = createAuthServer()
    const store = memoryStore()
    const denials: string[] = []
    const apis = ['a', 'b'].map((name) =>
      clientOf(server, { store, onPermissionDenied: () => void denials.push(name) }),
    )
    const denied = apis.map((api) => eventsOf(api, 'denied'))
    const recovered = apis.map((api) => eventsOf(api, 'recovered'))
    await first(apis).signIn(server.signIn('viewer'))
    await last(apis)('/admin')
    expect(denials).toEqual(['b'])
    expect(denied.map(({ length }) => length)).toEqual([0, 1])
    server.expireAccessTokens()
    await first(apis)('/me')
    expect(recovered.map(({ length }) => length)).toEqual([1, 0])
  })

  it('C5 L1 ask for one login between them, and all resume', async () => {
    const server = createAuthServer()
    const store = memoryStore()
    const asked: string[] = []
    const apis = ['a', 'b', 'c'].map((name) =>
      clientOf(server, {
        store,
        onLoginRequired: () => {
          asked.push(name)
          return server.signIn('viewer')
        },
      }),
    )
    await first(apis).signIn(server.signIn('viewer'))
    server.revokeSession()
    const statuses = await settled(statusesOf(30, (index) => (apis[index % 3] as AuthFetch)('/me')))
    expect(statuses).toEqual(statuses.map(() => 200))
    expect(asked).toHaveLength(1)
  })

  it('C5 L2 one without a callback waits for the login that another has asked for', async () => {
    const server = createAuthServer()
    const store = memoryStore()
    const login = deferred<ReturnType<AuthServer['signIn']>>()
    const asking = clientOf(server, { store, onLoginRequired: () => login.promise })
    const silent = clientOf(server, { store })
    const calls = [statusOf(asking('/me'))]
    await pass(0)
    calls.push(statusOf(silent('/me')))
    await pass(0)
    login.resolve(server.signIn('viewer'))
    expect(await settled(Promise.all(calls))).toEqual([200, 200])
  })

  it.each(shapes)(
    'C5 dispose() of some of $count on one $kind leaves the last one working',
    async ({ count, kind }) => {
      const { server, apis } = await instances(count, kind)
      const survivor = last(apis)
      const heard = eventsOf(survivor, 'refreshed')
      for (const api of apis.slice(0, -1)) api.dispose()
      server.expireAccessTokens()
      expect(await settled(statusOf(survivor('/me')))).toBe(200)
      expect(heard).toHaveLength(1)
      await settled(survivor.signOut())
      expect(survivor.snapshot().status).toBe('signed-out')
    },
  )

  it('C5 dispose() of one in the middle of its refresh leaves the refresh to the others', async () => {
    const { server, apis } = await instances(2, 'memoryStore')
    server.expireAccessTokens()
    server.failRefresh('hang')
    const calls = apis.map((api) => statusOf(api('/me')))
    await server.seen(1, { kind: 'refresh' })
    first(apis).dispose()
    server.release()
    expect(await settled(Promise.all(calls))).toEqual([200, 200])
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('C5 A2 an abort in one does not end the refresh of the others', async () => {
    const { server, apis } = await instances(2, 'memoryStore')
    server.expireAccessTokens()
    server.failRefresh('hang')
    const leaving = new AbortController()
    const left = statusOf(first(apis)('/me', { signal: leaving.signal }))
    const stayed = statusOf(last(apis)('/me'))
    await server.seen(1, { kind: 'refresh' })
    leaving.abort('left')
    expect(await left).toBe('left')
    server.release()
    expect(await settled(stayed)).toBe(200)
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('C5 two store objects that hold nothing in common share nothing', async () => {
    const server = createAuthServer()
    const [a, b] = [clientOf(server, { store: memoryStore() }), clientOf(server, { store: memoryStore() })]
    await a.signIn(server.signIn('viewer'))
    expect(b.snapshot().status).toBe('signed-out')
    expect(await statusOf(b('/me'))).toBe(401)
  })

  it('C5 a store is watched once however many stand on it, and no longer when all are disposed of', () => {
    const medium = createMedium()
    const store = medium.store({ hasWatch: true })
    const server = createAuthServer()
    const apis = [1, 2, 3].map(() => clientOf(server, { store }))
    expect(medium.watchers).toBe(1)
    first(apis).dispose()
    first(apis).dispose()
    last(apis).dispose()
    expect(medium.watchers).toBe(1)
    for (const api of apis) api.dispose()
    expect(medium.watchers).toBe(0)
  })

  it('C5 an instance made after all others were disposed of goes on with the session', async () => {
    const medium = createMedium()
    const store = medium.store({ hasWatch: true })
    const server = createAuthServer()
    const before = clientOf(server, { store })
    await before.signIn(server.signIn('viewer'))
    before.dispose()
    const stranger = clientOf(server, { store: medium.store({ hasWatch: true }) })
    await stranger.signIn(server.signIn('admin'))
    const after = clientOf(server, { store })
    await pass(10)
    expect(medium.watchers).toBe(2)
    expect(await (await settled(after('/me'))).json()).toMatchObject({ user: 'admin' })
  })
})

/** Two processes: each has a store object of its own, and the medium is some way off, as is the server. */
async function processes(seed: number, hasLock: boolean, options: AuthServerOptions = {}) {
  const random = seededRandom(seed)
  const server = createAuthServer({ rotation: true, reuseDetection: true, graceMs: 0, ...options })
  const medium = createMedium()
  /** Of each process, the refresh tokens that it was refused. */
  const refused: string[][] = [[], []]
  const [a, b] = refused.map((tokens) =>
    clientOf(server, {
      store: medium.store({ hasLock, hasWatch: true, latencyMs: () => random() * 8 }),
      fetch: distant(
        async (input, init) => {
          const response = await server.fetch(input, init)
          if (String(input).endsWith('/token') && !response.ok) tokens.push(String(init?.body))
          return response
        },
        () => random() * 20,
      ),
    }),
  ) as [AuthFetch, AuthFetch]
  await settled(a.signIn(server.signIn('viewer')))
  await pass(50)
  return { server, medium, a, b, refused }
}

const together = (a: AuthFetch, b: AuthFetch): Promise<unknown[]> =>
  settled(statusesOf(10, (index) => (index % 2 ? a : b)('/me')))

async function expectAgreement(medium: Medium, ...apis: AuthFetch[]): Promise<void> {
  await pass(5000)
  const stored = medium.stored?.tokens?.accessToken ?? null
  for (const api of apis) expect((await settled(api.tokens()))?.accessToken ?? null).toBe(stored)
}

describe('two store objects on one medium', () => {
  it('C5 R2 with a lock: one refresh a round, nothing spent twice, everyone served, 20 rounds', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { server, medium, a, b } = await processes(seed, true)
      for (let round = 1; round <= 20; round++) {
        server.expireAccessTokens()
        const statuses = await together(a, b)
        expect(statuses, `seed ${seed}, round ${round}`).toEqual(statuses.map(() => 200))
        expect(server.stats, `seed ${seed}`).toMatchObject({ refreshAttempts: round, refreshes: round, reuses: 0 })
      }
      await expectAgreement(medium, a, b)
    }
  }, 30_000)

  it('C5 R4 with a lock: one refresh before an expiry, too', async () => {
    const { server, a, b } = await processes(5, true)
    for (let round = 1; round <= 20; round++) {
      await pass(299_000)
      const statuses = await together(a, b)
      expect(statuses).toEqual(statuses.map(() => 200))
      expect(server.stats).toMatchObject({ refreshAttempts: round, reuses: 0 })
    }
  })

  it('R8 without a lock: the loser takes over what the winner stored', async () => {
    const server = createAuthServer({ reuseDetection: false })
    const medium = createMedium()
    const held = deferred<void>()
    const slowly: typeof fetch = async (input, init) => {
      if (String(input).endsWith('/token')) await held.promise
      return server.fetch(input, init)
    }
    const winner = clientOf(server, { store: medium.store() })
    const loser = clientOf(server, { store: medium.store(), fetch: slowly })
    await winner.signIn(server.signIn('viewer'))
    await loser.refresh('somebody-has-to-read-the-store')
    server.expireAccessTokens()
    const adopted = eventsOf(loser, 'adopted')
    const late = statusOf(loser('/me'))
    await pass(10)
    expect(await settled(statusOf(winner('/me')))).toBe(200)
    held.resolve()
    expect(await settled(late)).toBe(200)
    expect(adopted).toHaveLength(1)
    expect(server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 2 })
    await expectAgreement(medium, winner, loser)
  })

  it('R8 without a lock: a server with a grace period serves both, and both end with the same tokens', async () => {
    for (let seed = 1; seed <= 4; seed++) {
      const { server, medium, a, b } = await processes(seed, false, { graceMs: 10_000 })
      for (let round = 1; round <= 20; round++) {
        server.expireAccessTokens()
        const statuses = await together(a, b)
        expect(statuses, `seed ${seed}, round ${round}`).toEqual(statuses.map(() => 200))
        await pass(15_000)
      }
      expect(server.stats.refreshAttempts).toBeLessThanOrEqual(40)
      await expectAgreement(medium, a, b)
    }
  }, 30_000)

  it('R9 without a lock and without grace: everyone settles, and neither sends a dead token again', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { server, medium, a, b, refused } = await processes(seed, false)
      server.expireAccessTokens()
      const statuses = await together(a, b)
      expect(
        statuses.every((status) => status === 200 || status === 401),
        `seed ${seed}: ${statuses}`,
      ).toBe(true)
      await pass(5000)
      await together(a, b)
      expect(server.stats.refreshAttempts, `seed ${seed}`).toBeLessThanOrEqual(4)
      for (const tokens of refused) expect(tokens, `seed ${seed}`).toEqual([...new Set(tokens)])
      await expectAgreement(medium, a, b)
    }
  })

  it('R12 a sign-out there ends the session here, and keeps a refresh here from bringing it back', async () => {
    const { server, medium, a, b } = await processes(6, true)
    server.expireAccessTokens()
    server.failRefresh('hang')
    const call = statusOf(a('/me'))
    await settled(server.seen(1, { kind: 'refresh' }))
    await settled(b.signOut())
    server.release()
    expect(await settled(call)).toBe(401)
    await pass(5000)
    expect(medium.stored).toBeNull()
    expect([a, b].map((api) => api.snapshot().status)).toEqual(['signed-out', 'signed-out'])
  })

  it('R12 a sign-in there takes the place of the session here, and no request changes hands', async () => {
    const { server, medium, a, b } = await processes(7, true)
    server.expireAccessTokens('viewer')
    server.failRefresh('hang')
    const call = statusOf(a('/me'))
    await settled(server.seen(1, { kind: 'refresh' }))
    await settled(b.signIn(server.signIn('admin')))
    server.release()
    expect(await settled(call)).toBe(401)
    await expectAgreement(medium, a, b)
    expect(await (await settled(a('/me'))).json()).toMatchObject({ user: 'admin' })
    expect(server.requests.filter(({ kind, session }) => kind === 'api' && session === 's2')).toHaveLength(1)
  })

  it('R11 tokens rotated while another writer replaced the record of a sign-in are not lost', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const slow = medium.store({ latencyMs: () => 20, hasWatch: true })
    const a = clientOf(server, { store: slow })
    await settled(a.tokens())
    // Somebody else writes a record with a higher version than ours will have: ours has to move up.
    medium.stored = { sessionId: 'other', version: Date.now() + 1_000_000, tokens: { accessToken: 'other' } }
    const issued = server.signIn('viewer')
    server.expireAccessTokens()
    const signingIn = a.signIn(issued)
    const statuses = await settled(statusesOf(10, () => a('/me')))
    await settled(signingIn)
    expect(statuses).toEqual(statuses.map(() => 200))
    await pass(100)
    server.expireAccessTokens()
    expect(await settled(statusOf(a('/me')))).toBe(200)
    expect(server.stats).toMatchObject({ refreshAttempts: 2, reuses: 0 })
    await expectAgreement(medium, a)
  })
})
