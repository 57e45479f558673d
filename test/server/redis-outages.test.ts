// S5, R11: a redis-server that is restarted, stays away or loses its connections in the middle of a refresh loses nothing.
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { AuthEvents, AuthFetch } from '../../src/index.ts'
import { type RedisLike, redisStore } from '../../src/stores/redis.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { connect, KINDS, type Kind, otherKind } from '../helpers/redis-clients.ts'
import { startRedis } from '../helpers/redis-server.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'
import { tcpProxy } from '../helpers/tcp-proxy.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

/** Somebody who shares the session with the others, and what went wrong with the store. */
interface Party {
  api: AuthFetch
  failures: AuthEvents['store-failed'][]
}

async function scene(kind: Kind) {
  const stack = new AsyncDisposableStack()
  const redis = stack.use(await startRedis({ appendOnly: true }))
  const proxy = stack.use(await tcpProxy(redis.port))
  const near = stack.use(await connect(kind, proxy.port))
  const other = stack.use(await connect(otherKind(kind), redis.port))
  const auth = createAuthServer()
  const party = (client: RedisLike): Party => {
    const api = clientOf(auth, { store: redisStore({ client, key: 'alice' }) })
    stack.defer(() => api.dispose())
    return { api, failures: eventsOf(api, 'store-failed') }
  }
  const a = party(near.client)
  await a.api.signIn(auth.signIn('viewer'))
  const b = party(other.client)
  expect(await statusOf(b.api('/me'))).toBe(200)
  auth.reset()
  const stored = redisStore({ client: other.client, key: 'alice' })
  /** Whether what rests in Redis is what was issued last. */
  const isStored = async (): Promise<boolean> => {
    const { tokens } = (await Promise.resolve(stored.read()).catch(() => null)) ?? {}
    return tokens?.accessToken !== undefined && (await statusOf(bearing(tokens.accessToken))) === 200
  }
  const bearing = (token: string): Promise<Response> =>
    auth.fetch('/me', { headers: { authorization: `Bearer ${token}` } })
  return { redis, proxy, auth, a, b, isStored, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

async function until(isMet: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isMet())) await sleep(20)
}

describe.concurrent.each(KINDS)('through %s', (kind) => {
  it('S5 a restart in the middle of a refresh loses nothing, and the session goes on', async () => {
    await using world = await scene(kind)
    const { redis, auth, a, b, isStored } = world
    for (let round = 1; round <= 3; round++) {
      auth.expireAccessTokens()
      auth.failRefresh('hang')
      const calls = statusesOf(10, () => a.api('/me'))
      await auth.seen(1, { kind: 'refresh', status: null })
      await redis.restart()
      auth.release()
      expect(new Set(await calls)).toEqual(new Set([200]))
      await until(isStored)
      expect(auth.stats).toMatchObject({ refreshes: 1, reuses: 0 })
      // Nobody was left behind.
      expect(await statusesOf(4, (index) => (index % 2 ? a : b).api('/me'))).toEqual([200, 200, 200, 200])
      expect(auth.stats).toMatchObject({ refreshes: 1, reuses: 0 })
      for (const { failures } of [a, b]) expect(failures.splice(0).length).toBeLessThanOrEqual(1)
      auth.reset()
    }
  })

  it('S5 who waits in line, and loses the connection again and again, does not refresh beside the others', async () => {
    await using world = await scene(kind)
    const { proxy, auth, a, b, isStored } = world
    auth.expireAccessTokens()
    auth.failRefresh('hang')
    const first = statusesOf(5, () => b.api('/me'))
    await auth.seen(1, { kind: 'refresh', status: null })
    const waiting = statusesOf(5, () => a.api('/me'))
    for (let drops = 0; drops < 4; drops++) {
      await sleep(150)
      proxy.drop()
    }
    await sleep(300)
    auth.release()
    expect(new Set([...(await first), ...(await waiting)])).toEqual(new Set([200]))
    expect(await isStored()).toBe(true)
    expect(auth.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
  })

  it('R11 one that stays away for longer than a store may take: the rotation lives on, and is stored when it is back', async () => {
    await using world = await scene(kind)
    const { redis, auth, a, b, isStored } = world
    auth.expireAccessTokens()
    auth.failRefresh('hang')
    const call = statusOf(a.api('/me'))
    await auth.seen(1, { kind: 'refresh', status: null })
    await redis.kill()
    auth.release()
    expect(await call).toBe(200)
    await until(() => a.failures.length > 0)
    expect(await statusesOf(5, () => a.api('/me'))).toEqual([200, 200, 200, 200, 200])
    await redis.restart()
    await until(isStored)
    expect(await statusOf(b.api('/me'))).toBe(200)
    expect(auth.stats).toMatchObject({ refreshes: 1, reuses: 0 })
    expect(a.failures).toHaveLength(1)
  })

  it('S5 a connection that breaks before the answer to a write loses no rotation, and writes nothing twice', async () => {
    await using world = await scene(kind)
    const { proxy, auth, a, b, isStored } = world
    for (let round = 1; round <= 3; round++) {
      auth.expireAccessTokens()
      const cut = proxy.cutAfter('"session":{')
      expect(await statusesOf(3, () => a.api('/me'))).toEqual([200, 200, 200])
      await cut
      await until(isStored)
      expect(await statusesOf(4, (index) => (index % 2 ? a : b).api('/me'))).toEqual([200, 200, 200, 200])
      expect(auth.stats).toMatchObject({ refreshes: round, reuses: 0 })
    }
    // It is sent again, and Redis says that it stands; only a machine that is very busy takes too long for that.
    expect(a.failures.length).toBeLessThanOrEqual(3)
    expect(b.failures).toEqual([])
  })

  it('S5 nor does one that breaks while the lock is taken or released', async () => {
    await using world = await scene(kind)
    const { proxy, auth, a, b, isStored } = world
    for (const [index, text] of ['{alice}:lock', 'free alice'].entries()) {
      auth.expireAccessTokens()
      const cut = proxy.cutAfter(text)
      const startedAt = performance.now()
      expect(await statusesOf(3, () => a.api('/me'))).toEqual([200, 200, 200])
      // It has not waited for the lock that it has itself.
      expect(performance.now() - startedAt).toBeLessThan(4000)
      await cut
      await until(isStored)
      expect(await statusOf(b.api('/me'))).toBe(200)
      expect(auth.stats).toMatchObject({ refreshes: index + 1, reuses: 0 })
    }
  })

  it('S5 a sign-out whose answer is lost is one', async () => {
    await using world = await scene(kind)
    const { proxy, auth, a, b } = world
    const cut = proxy.cutAfter('nothing alice')
    await a.api.signOut()
    await cut
    await until(() => b.api.snapshot().status === 'signed-out')
    expect([await statusOf(a.api('/me')), await statusOf(b.api('/me'))]).toEqual([401, 401])
    // And the next sign-in is not taken for the last one.
    await a.api.signIn(auth.signIn('admin'))
    await until(() => b.api.snapshot().status === 'signed-in')
    expect(await (await b.api('/me')).json()).toMatchObject({ user: 'admin' })
  })
})
