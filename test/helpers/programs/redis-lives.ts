/** A program with a session in Redis: ends as its argument names, never disposes of anything, and should be gone by itself. */
import { once } from 'node:events'
import { createAuthFetch } from '../../../src/index.ts'
import { type RedisLike, redisStore } from '../../../src/stores/redis.ts'

const [kind = '', ending = '', port = ''] = process.argv.slice(2)
const node = { host: '127.0.0.1', port: Number(port) }

interface Life {
  client: RedisLike
  close(): Promise<unknown>
  /** Leaves it open, and is not held by it. */
  unref(): void
}

const lives: Record<string, () => Promise<Life>> = {
  async 'node-redis'() {
    const { createClient } = await import('redis')
    // Closing ends the pings; who does not close has to do without.
    const client = createClient({ socket: node, ...(ending !== 'unref' && { pingInterval: 60_000 }) })
    await client.on('error', () => {}).connect()
    return { client, close: () => client.close(), unref: () => client.unref() }
  },
  async ioredis() {
    const { Redis } = await import('ioredis')
    const client = new Redis(node)
    client.on('error', () => {})
    await once(client, 'ready')
    return { client, close: () => client.quit(), unref: () => client.stream.unref?.() }
  },
  async 'node-redis-cluster'() {
    const { createCluster } = await import('redis')
    const client = createCluster({ rootNodes: [{ socket: node }] })
    await client.on('error', () => {}).connect()
    return { client, close: () => client.close(), unref: () => {} }
  },
  async 'ioredis-cluster'() {
    const { Cluster } = await import('ioredis')
    const client = new Cluster([node])
    client.on('error', () => {})
    await once(client, 'ready')
    return { client, close: () => client.quit(), unref: () => {} }
  },
}

const life = await lives[kind]?.()
if (!life) throw new Error(`Expected a kind of client, got ${kind}`)
const api = createAuthFetch({
  baseUrl: 'https://api.test',
  fetch: async () => new Response(),
  store: redisStore({ client: life.client, key: 'alice' }),
})
await api.signIn({ accessToken: 'a', refreshToken: 'r' })
await api('/me')
// Until it listens, so that there is something to end.
if (ending !== 'closed-at-once') await new Promise((resolve) => setTimeout(resolve, 300))
const startedAt = performance.now()
process.once('exit', () => process.stdout.write(`ended after ${Math.round(performance.now() - startedAt)} ms\n`))
if (ending === 'unref') life.unref()
else await life.close()
