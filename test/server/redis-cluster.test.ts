// S1, S5 on a cluster: the contract, with the cluster clients of node-redis and ioredis on either side, and what is said of names.
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type RedisLike, redisStore } from '../../src/stores/redis.ts'
import { createAuthServer, describeTokenStore } from '../../src/testing/index.ts'
import { type Connection, connect, KINDS, type RedisAdmin, redisAdmin } from '../helpers/redis-clients.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'
import { clientOf, statusesOf } from '../helpers/server-client.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

let server: RedisServer
let admin: RedisAdmin
let connections: Connection[]
let keys = 0
const client = (index: number): RedisLike => (connections[index] as Connection).client

beforeAll(async () => {
  server = await startRedis({ cluster: true })
  admin = redisAdmin(server.port)
  connections = await Promise.all(KINDS.map((kind) => connect(kind, server.port, { cluster: true })))
})
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()))
  await admin[Symbol.asyncDispose]()
  await server.stop()
})

describeTokenStore(
  'redisStore on a cluster of node-redis, with one of ioredis beside it',
  () => {
    const key = `user:${++keys}`
    return {
      store: redisStore({ client: client(0), key }),
      sibling: () => redisStore({ client: client(1), key }),
      corrupt: async () => void (await admin.run('SET', `relatch:{${key}}`, 'garbage')),
    }
  },
  { describe, it },
)

it.each(KINDS)('S1 a change is heard of through the cluster client of %s', async (kind) => {
  const index = KINDS.indexOf(kind)
  const key = `heard:${kind}`
  const [here, there] = [index, 1 - index].map((each) => redisStore({ client: client(each), key }))
  let end = (): void => {}
  const heard = new Promise<unknown>((resolve) => {
    end =
      here?.watch?.(async () => {
        const session = await here.read()
        if (session) resolve(session)
      }) ?? end
  })
  const session = { sessionId: 's', version: 1, tokens: { accessToken: 'a' } }
  await there?.write(session, null)
  expect(await heard).toEqual(session)
  end()
})

it('S5 a session and its lock are in one slot, whatever the key', async () => {
  const slot = (name: string): Promise<unknown> => admin.run('CLUSTER', 'KEYSLOT', name)
  const slots = new Set<unknown>()
  for (const key of ['user:1', 'user:2', '{tenant}:user', 'a{b}c', 'ключ', 'x}y{z']) {
    const store = redisStore({ client: client(0), key: `slots:${key}` })
    const names = await store.lock?.(
      async () => {
        await store.write({ sessionId: key, version: 1, tokens: { accessToken: 'a' } }, null)
        return (await admin.run('KEYS', 'relatch:{slots:*')) as string[]
      },
      { waitMs: 0, holdMs: 10_000 },
    )
    await store.write(null, 1)
    expect(names).toHaveLength(2)
    const [first, second] = await Promise.all((names ?? []).map(slot))
    expect(first).toBe(second)
    slots.add(first)
  }
  expect(slots.size).toBeGreaterThan(3)
})

it('C1 processes on a cluster share each refresh', async () => {
  const auth = createAuthServer()
  const apis = connections.map(({ client }) => clientOf(auth, { store: redisStore({ client, key: 'alice' }) }))
  await apis[0]?.signIn(auth.signIn('viewer'))
  for (let round = 1; round <= 5; round++) {
    auth.expireAccessTokens()
    const statuses = await statusesOf(20, (index) => (apis[index % 2] as typeof fetch)('/me'))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(auth.stats).toMatchObject({ refreshAttempts: round, reuses: 0 })
  }
  for (const api of apis) api.dispose()
})
