// C3 on Redis: what one process changes the others hear of, through one more connection for all sessions on a client, which nobody
// has to close; and where nothing can be heard they look.
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { AuthFetch } from '../../src/index.ts'
import { type RedisLike, redisStore } from '../../src/stores/redis.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { runChild } from '../helpers/child-process.ts'
import { eventsOf, nextEvent } from '../helpers/next-event.ts'
import {
  type ConnectOptions,
  connect,
  KINDS,
  otherKind,
  type RedisAdmin,
  redisAdmin,
} from '../helpers/redis-clients.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'
import { clientOf, statusOf } from '../helpers/server-client.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const program = new URL('../helpers/programs/redis-lives.ts', import.meta.url).href
const session = (version: number) => ({ sessionId: 's', version, tokens: { accessToken: `at-${version}` } })

/** A server of its own: here connections are counted, and killed. */
async function open() {
  const stack = new AsyncDisposableStack()
  const redis = stack.use(await startRedis())
  const admin: RedisAdmin = stack.use(redisAdmin(redis.port))
  const auth = createAuthServer()
  const join = async (kind: (typeof KINDS)[number], options?: ConnectOptions): Promise<RedisLike> =>
    stack.use(await connect(kind, redis.port, options)).client
  const sessionOf = (client: RedisLike, key = 'alice'): AuthFetch => {
    const api = clientOf(auth, { store: redisStore({ client, key }) })
    stack.defer(() => api.dispose())
    return api
  }
  const listening = async (count: number): Promise<void> => {
    while ((await admin.subscribers()).length !== count) await sleep(10)
  }
  return { admin, auth, join, sessionOf, listening, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

describe.concurrent.each(KINDS)('with %s', (kind) => {
  it('C3 a sign-in and a sign-out reach the others at once', async () => {
    await using world = await open()
    const { auth, join, sessionOf, listening } = world
    const [here, there] = [sessionOf(await join(kind)), sessionOf(await join(otherKind(kind)))]
    await listening(2)
    const startedAt = performance.now()
    for (let round = 0; round < 10; round++) {
      const isIn = nextEvent(there, 'signed-in')
      await here.signIn(auth.signIn('viewer'))
      await isIn
      expect(await statusOf(there('/me'))).toBe(200)
      const isOut = nextEvent(there, 'signed-out')
      await here.signOut()
      expect(await isOut).toMatchObject({ reason: 'elsewhere' })
    }
    // Who hears nothing looks once a minute.
    expect(performance.now() - startedAt).toBeLessThan(15_000)
  })

  it('C3 what happens while nobody listens is found out, and what comes after is heard', async () => {
    await using world = await open()
    const { admin, auth, join, sessionOf, listening } = world
    const [here, there] = [sessionOf(await join(kind)), sessionOf(await join(otherKind(kind)))]
    const failures = [here, there].map((api) => eventsOf(api, 'store-failed'))
    await here.signIn(auth.signIn('viewer'))
    await listening(2)
    for (let round = 0; round < 3; round++) {
      const isOut = nextEvent(there, 'signed-out')
      await Promise.all([admin.run('CLIENT', 'KILL', 'TYPE', 'pubsub'), here.signOut()])
      await isOut
      await listening(2)
      const isIn = nextEvent(there, 'signed-in')
      await here.signIn(auth.signIn('viewer'))
      await isIn
    }
    expect(failures).toEqual([[], []])
  })

  it('C3 who may not use channels writes all the same, and the others find out', async () => {
    await using world = await open()
    const { admin, auth, join, sessionOf } = world
    await admin.run('ACL', 'SETUSER', 'quiet', 'on', '>secret', '~*', 'resetchannels', '+@all')
    const user = { username: 'quiet', password: 'secret' }
    const [here, there] = [sessionOf(await join(kind, user)), sessionOf(await join(otherKind(kind), user))]
    const failures = [here, there].map((api) => eventsOf(api, 'store-failed'))
    const isIn = nextEvent(there, 'signed-in')
    await here.signIn(auth.signIn('viewer'))
    // Everyone looks every five seconds.
    await isIn
    expect(await statusOf(there('/me'))).toBe(200)
    expect(failures).toEqual([[], []])
  })

  it('S1 one connection listens for 1000 sessions of a client, of many prefixes too, and none once they are disposed of', async () => {
    await using world = await open()
    const { admin, join, listening } = world
    const client = await join(kind)
    const other = redisStore({ client: await join(otherKind(kind)), key: 'user:0', prefix: 'tenant:late:' })
    const stores = Array.from({ length: 1000 }, (_, index) =>
      redisStore({ client, key: `user:${index}`, prefix: `tenant:${index % 50}:` }),
    )
    const heard: number[] = []
    const ends = stores.map((store, index) => store.watch?.(() => heard.push(index)))
    await listening(1)
    // A prefix that comes later is listened for too.
    const late = redisStore({ client, key: 'user:0', prefix: 'tenant:late:' })
    const hears = new Promise<void>((resolve) =>
      ends.push(late.watch?.(async () => void ((await late.read()) && resolve()))),
    )
    await other.write(session(1), null)
    await hears
    expect(await admin.subscribers()).toHaveLength(1)
    for (const end of ends) end?.()
    await listening(0)
    heard.length = 0
    expect(await stores[5]?.write(session(1), null)).toBe(true)
    expect(heard).toEqual([])
    // And again.
    const end = stores[6]?.watch?.(() => {})
    await listening(1)
    end?.()
    end?.()
    await listening(0)
  })

  it('S1 a client that its user closes takes its listener along, and one that comes back gets it back', async () => {
    await using world = await open()
    const { join, sessionOf, listening } = world
    const client = (await join(kind)) as RedisLike & {
      connect(): Promise<unknown>
      destroy(): void
      disconnect(): void
    }
    sessionOf(client)
    await listening(1)
    if (kind === 'ioredis') client.disconnect()
    else client.destroy()
    await listening(0)
    await client.connect()
    await listening(1)
  })
})

it.concurrent('S1 nothing is sent behind the QUIT of a user, who would get an error for it', async () => {
  await using redis = await startRedis()
  for (let round = 0; round < 50; round++) {
    const client = new Redis({ host: '127.0.0.1', port: redis.port })
    await once(client, 'ready')
    const store = redisStore({ client, key: 'alice' })
    await store.read()
    const quitting = client.quit()
    const options = { waitMs: 0, holdMs: 1000 }
    const late = Promise.allSettled([
      store.read(),
      store.write(session(1), null),
      store.lock?.(async () => {}, options),
    ])
    expect(await quitting).toBe('OK')
    await late
    await expect(store.read()).rejects.toThrow('closed')
  }
})

describe.concurrent('a process that closes its client and nothing else', () => {
  let single: RedisServer
  let cluster: RedisServer
  beforeAll(async () => {
    const servers = await Promise.all([startRedis(), startRedis({ cluster: true })])
    ;[single, cluster] = servers
  })
  afterAll(async () => void (await Promise.all([single.stop(), cluster.stop()])))

  it.each([
    ['node-redis', 'closed'],
    ['node-redis', 'closed-at-once'],
    ['node-redis', 'unref'],
    ['ioredis', 'closed'],
    ['ioredis', 'closed-at-once'],
    ['ioredis', 'unref'],
    ['node-redis-cluster', 'closed'],
    ['ioredis-cluster', 'closed'],
  ])('T2 ends by itself: %s, %s', async (kind, ending) => {
    const { port } = kind.endsWith('cluster') ? cluster : single
    const { exitCode, stdout, stderr } = await runChild(program, [kind, ending, String(port)])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    const [, ms] = /^ended after (\d+) ms\n$/.exec(stdout) ?? []
    expect(Number(ms)).toBeLessThan(3000)
  })
})
