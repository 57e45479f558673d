/** Where a session rests that several processes share, and how any of them opens it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { TokenStore } from '../../../src/index.ts'

export const KINDS = ['file', 'redis'] as const
export type StoreKind = (typeof KINDS)[number]

export const REDIS_CLIENTS = ['node-redis', 'ioredis'] as const
export type RedisClient = (typeof REDIS_CLIENTS)[number]

/** Plain text, so that a child can be told. */
export type Place = { kind: 'file'; path: string } | { kind: 'redis'; url: string; key: string }

/** A folder or a redis-server, until the tests are over. */
export interface Ground extends AsyncDisposable {
  /** A new place each time: who is given another knows nothing of this one. */
  place(): Place
}

export async function openGround(kind: StoreKind): Promise<Ground> {
  let places = 0
  if (kind === 'file') {
    const folder = await mkdtemp(path.join(tmpdir(), 'relatch-'))
    return {
      place: () => ({ kind, path: path.join(folder, `${++places}`, 'session') }),
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    }
  }
  const { startRedis } = await import('../../helpers/redis-server.ts')
  const server = await startRedis()
  return {
    place: () => ({ kind, url: server.url, key: `session-${++places}` }),
    [Symbol.asyncDispose]: () => server.stop(),
  }
}

export interface OpenStore extends AsyncDisposable {
  readonly store: TokenStore
}

/** Loads what this place needs and nothing else: children are started by the hundred. */
export async function openStore(place: Place, client: RedisClient = 'node-redis'): Promise<OpenStore> {
  if (place.kind === 'file') {
    const { fileStore } = await import('../../../src/stores/file.ts')
    return { store: fileStore({ path: place.path }), [Symbol.asyncDispose]: async () => {} }
  }
  const { redisStore } = await import('../../../src/stores/redis.ts')
  if (client === 'ioredis') {
    const { Redis } = await import('ioredis')
    const connection = new Redis(place.url)
    const store = redisStore({ client: connection, key: place.key })
    return { store, [Symbol.asyncDispose]: async () => connection.disconnect() }
  }
  const { createClient } = await import('redis')
  const connection = await createClient({ url: place.url }).connect()
  return {
    store: redisStore({ client: connection, key: place.key }),
    [Symbol.asyncDispose]: async () => connection.destroy(),
  }
}
