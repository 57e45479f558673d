// What is kept in Redis, for how long and under which name, and what a server that refuses costs. On a real redis-server.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { createClient, RESP_TYPES } from 'redis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { StoredSession, TokenStore } from '../../src/index.ts'
import { type RedisLike, redisStore } from '../../src/stores/redis.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { exposures, marksIn, OLD } from '../helpers/canary.ts'
import { deferred } from '../helpers/deferred.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { type Connection, connect, KINDS, type Kind, type RedisAdmin, redisAdmin } from '../helpers/redis-clients.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'
import { clientOf, statusesOf } from '../helpers/server-client.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

const jwt = (claims: object): string =>
  `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`
const inHours = (hours: number): number => Math.floor((Date.now() + hours * HOUR_MS) / 1000)
const session = (version: number, refreshToken?: string): StoredSession => ({
  sessionId: 'session-1',
  version,
  tokens: { accessToken: 'at', ...(refreshToken && { refreshToken }) },
})

let server: RedisServer
let admin: RedisAdmin
let connections: Record<Kind, Connection>
let keys = 0

beforeAll(async () => {
  server = await startRedis()
  admin = redisAdmin(server.port)
  const [first, second] = await Promise.all(KINDS.map((kind) => connect(kind, server.port)))
  connections = { 'node-redis': first as Connection, ioredis: second as Connection }
})
afterAll(async () => {
  for (const kind of KINDS) await connections[kind].close()
  await admin[Symbol.asyncDispose]()
  await server.stop()
})

describe.each(KINDS)('how long, with %s', (kind) => {
  const open = (options: { ttlMs?: number } = {}) => {
    const key = `kept:${++keys}`
    return {
      store: redisStore({ client: connections[kind].client, key, ...options }),
      leftMs: async () => Number(await admin.run('PTTL', `relatch:{${key}}`)),
      shorten: () => admin.run('PEXPIRE', `relatch:{${key}}`, 1000),
    }
  }

  it('S1 for ttlMs after each write, where that is given, whatever the refresh token says', async () => {
    const { store, leftMs, shorten } = open({ ttlMs: 60_000.5 })
    for (const version of [1, 2, 3]) {
      await store.write(session(version, jwt({ exp: inHours(5) })), version === 1 ? null : version - 1)
      expect(await leftMs()).toBeGreaterThan(50_000)
      expect(await leftMs()).toBeLessThanOrEqual(60_001)
      await shorten()
    }
    // A refusal renews nothing.
    expect(await store.write(session(9), 8)).toBe(false)
    expect(await leftMs()).toBeLessThanOrEqual(1000)
  })

  it('S1 a day longer than a refresh token that says how long it is good for, anew with each', async () => {
    const { store, leftMs } = open()
    for (const [index, hours] of [1, 48, 24 * 30].entries()) {
      await store.write(session(index + 1, jwt({ exp: inHours(hours) })), index || null)
      const left = (await leftMs()) - DAY_MS
      expect(left).toBeGreaterThan((hours - 0.1) * HOUR_MS)
      expect(left).toBeLessThanOrEqual(hours * HOUR_MS)
    }
    // One that does not say replaces one that did.
    await store.write(session(4, 'opaque'), 3)
    expect(await leftMs()).toBe(-1)
  })

  it.each([
    ['a refresh token that does not say', 'opaque'],
    ['no refresh token', undefined],
    ['a refresh token that says nothing of it', jwt({ sub: 'me' })],
    ['a refresh token that is past its time already', jwt({ exp: inHours(-1) })],
    ['a refresh token that says nonsense', jwt({ exp: 'soon' })],
  ])('S1 until it is signed out: %s', async (_, refreshToken) => {
    const { store, leftMs } = open()
    await store.write(session(1, refreshToken), null)
    expect(await leftMs()).toBe(-1)
    await store.write(null, 1)
    expect(await leftMs()).toBe(-2)
  })

  it('S1 for a cookie session too, and with the last instant that there is', async () => {
    const cookie = open({ ttlMs: 60_000 })
    await cookie.store.write({ sessionId: 's', version: 1, tokens: null }, null)
    expect(await cookie.leftMs()).toBeGreaterThan(50_000)
    const late = open()
    expect(await late.store.write(session(1, jwt({ exp: 8.64e12 })), null)).toBe(true)
    expect(await late.leftMs()).toBeGreaterThan(DAY_MS)
  })

  it('S1 what is past its time is gone, and the next sign-in finds an empty place', async () => {
    const { store } = open({ ttlMs: 30 })
    await store.write(session(1), null)
    while (await store.read()) await sleep(5)
    expect(await store.write(session(2), 1)).toBe(false)
    expect(await store.write(session(2), null)).toBe(true)
  })
})

it('S1 a store that has been read keeps nothing of what it read', async () => {
  const { client } = connections['node-redis']
  const stores = Array.from({ length: 200 }, (_, index) => redisStore({ client, key: `large:${index}` }))
  const large = { sessionId: 's', version: 1, tokens: { accessToken: 'a'.repeat(100_000) } }
  for (const store of stores) await store.write(large, null)
  const before = heapUsed()
  for (const store of stores) expect((await store.read())?.version).toBe(1)
  // What it read comes to 20 MB.
  expect(heapUsed() - before).toBeLessThan(5_000_000)
  for (const store of stores) await store.write(null, 1)
})

function heapUsed(): number {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

describe.concurrent('clients as users set them', () => {
  const node = { host: '127.0.0.1' }
  const variants: Record<string, (port: number) => Promise<{ client: RedisLike; close(): unknown }>> = {
    'node-redis with RESP 2': (port) => nodeRedis({ socket: { ...node, port }, RESP: 2 }),
    'node-redis with a prefix of its own': (port) => nodeRedis({ socket: { ...node, port }, keyPrefix: 'app:' }),
    'node-redis with a cache of its own': (port) =>
      nodeRedis({ socket: { ...node, port }, clientSideCache: { ttl: 0, maxEntries: 100, evictPolicy: 'LRU' } }),
    async 'node-redis that gives bytes'(port) {
      const { client, close } = await nodeRedis({ socket: { ...node, port } })
      return { client: client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }), close }
    },
    'ioredis with RESP 2': (port) => ioRedis(new Redis({ ...node, port, protocol: 2 })),
    'ioredis with a prefix of its own': (port) => ioRedis(new Redis({ ...node, port, keyPrefix: 'app:' })),
    'ioredis with pipelines of its own': (port) => ioRedis(new Redis({ ...node, port, enableAutoPipelining: true })),
    'ioredis that connects when it has to': (port) => ioRedis(new Redis({ ...node, port, lazyConnect: true }), false),
  }
  async function nodeRedis(options: Parameters<typeof createClient>[0]) {
    const client = createClient(options)
    await client.on('error', () => {}).connect()
    return { client, close: () => client.close() }
  }
  async function ioRedis(client: Redis, isConnecting = true) {
    client.on('error', () => {})
    if (isConnecting) await once(client, 'ready')
    return { client, close: () => client.quit() }
  }

  it.each(Object.keys(variants))('S1 work, and hear of each other: %s', async (name) => {
    const two = await Promise.all([1, 2].map(() => variants[name]?.(server.port)))
    const key = `variant:${name}`
    const [store, other] = two.map((made) => redisStore({ client: made?.client as RedisLike, key })) as [
      TokenStore,
      TokenStore,
    ]
    // Before it is watched, as an engine does.
    expect([await store.read(), await other.read()]).toEqual([null, null])
    const heard = deferred<StoredSession>()
    const look = async (): Promise<void> => {
      const found = await other.read()
      if (found) heard.resolve(found)
    }
    const end = other.watch?.(() => void look())
    expect(await store.write(session(1, 'ü'), null)).toBe(true)
    expect(await heard.promise).toEqual(session(1, 'ü'))
    expect(await other.write(session(2), 1)).toBe(true)
    expect(await store.write(session(2), 1)).toBe(false)
    expect(await store.lock?.(async (isHeld) => isHeld?.(), { waitMs: 1000, holdMs: 1000 })).toBe(true)
    expect(await store.write(null, 2)).toBe(true)
    end?.()
    for (const made of two) await made?.close()
  })
})

const refusals: Record<string, { refuse: string[]; relent: string[] }> = {
  'a list in its place': { refuse: ['RPUSH', 'relatch:{alice}', 'a'], relent: ['DEL', 'relatch:{alice}'] },
  'no memory left': { refuse: ['CONFIG', 'SET', 'maxmemory', '1'], relent: ['CONFIG', 'SET', 'maxmemory', '0'] },
  'no scripts for this user': {
    refuse: ['ACL', 'SETUSER', 'default', '-eval'],
    relent: ['ACL', 'SETUSER', 'default', '+eval'],
  },
}

describe.concurrent.each(KINDS)('a server that refuses %s', (kind) => {
  it.each(Object.keys(refusals))('S2 costs one report, and the session lives on in memory: %s', async (name) => {
    const { refuse = [], relent = [] } = refusals[name] ?? {}
    await using redis = await startRedis()
    await using own = redisAdmin(redis.port)
    await using connection = await connect(kind, redis.port)
    const auth = createAuthServer()
    const store = redisStore({ client: connection.client, key: 'alice' })
    const api = clientOf(auth, { store })
    const failures = eventsOf(api, 'store-failed')
    await own.run(...(refuse as [string]))
    await api.signIn(auth.signIn('viewer'))
    auth.expireAccessTokens()
    expect(await statusesOf(5, () => api('/me'))).toEqual([200, 200, 200, 200, 200])
    // A lock that fails is another matter: a session can be kept without.
    expect(failures.filter(({ operation }) => operation !== 'lock')).toHaveLength(1)
    const error = await Promise.resolve(store.write({ sessionId: 's', version: 1, tokens: OLD }, null)).catch(
      (reason: unknown) => reason,
    )
    expect(error).toBeInstanceOf(Error)
    expect(marksIn(exposures(error))).toEqual([])
    await own.run(...(relent as [string]))
    // The next probe writes what memory holds.
    while ((await store.read()) === null) await sleep(20)
    expect(auth.stats).toMatchObject({ refreshes: 1, reuses: 0 })
    api.dispose()
  })
})
