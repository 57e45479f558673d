// Compiled by `npm run typecheck`, never run: clients are taken as their users have them, without a cast.
import { Cluster, Redis } from 'ioredis'
import { createClient, createClientPool, createCluster, createSentinel, defineScript, RESP_TYPES } from 'redis'
import type { TokenStore } from '../../src/index.ts'
import { type RedisLike, type RedisStoreOptions, redisStore } from '../../src/stores/redis.ts'

const url = 'redis://127.0.0.1:6379'
const node = { host: '127.0.0.1', port: 6379 }
const script = defineScript({ NUMBER_OF_KEYS: 0, SCRIPT: 'return 1', parseCommand() {}, transformReply: () => 1 })

export const taken: readonly RedisLike[] = [
  createClient(),
  createClient({ url }).on('error', () => {}),
  createClient({ url, RESP: 2 }),
  createClient({ url, scripts: { script }, clientSideCache: { ttl: 0, maxEntries: 0, evictPolicy: 'LRU' } }),
  createClient({ url }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }),
  createCluster({ rootNodes: [{ url }] }),
  createCluster({ rootNodes: [{ url }], RESP: 2, useReplicas: true }),
  createSentinel({ name: 'main', sentinelRootNodes: [node] }),
  new Redis(),
  new Redis(url, { lazyConnect: true, keyPrefix: 'app:' }),
  new Redis({ ...node, protocol: 3, replyMapping: 'resp3' }),
  new Redis({ sentinels: [node], name: 'main' }),
  new Cluster([node]),
  new Cluster([node], { scaleReads: 'slave', redisOptions: { replyMapping: 'resp3' } }),
  await createClient({ url }).connect(),
]

const client = createClient({ url })
export const store: TokenStore = redisStore({ client, key: 'user:1' })
redisStore({ client: new Redis(), key: 'user:1', ttlMs: undefined, prefix: undefined })
redisStore({
  client: new Cluster([node]),
  key: 'user:1',
  ttlMs: 86_400_000,
  prefix: 'app:',
} satisfies RedisStoreOptions)

// @ts-expect-error whose session?
redisStore({ client })
// @ts-expect-error through what?
redisStore({ key: 'user:1' })
// @ts-expect-error nothing is known of the future of a name
redisStore({ client, key: 'user:1', ttl: 1000 })
// @ts-expect-error a number of milliseconds
redisStore({ client, key: 'user:1', ttlMs: '1d' })
// @ts-expect-error nobody can listen on a pool
redisStore({ client: createClientPool({ url }), key: 'user:1' })
// @ts-expect-error not yet a client
redisStore({ client: createClient({ url }).connect(), key: 'user:1' })
// @ts-expect-error a URL is no client
redisStore({ client: url, key: 'user:1' })
