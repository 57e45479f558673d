/** The session in Redis or Valkey, one among all processes, through the client that the user has. */
import { wallNow } from '../clock.ts'
import { leaseLock } from '../coordination/lease.ts'
import { NOTHING, nameOf, type RedisSpot, readCell, stampOf, swapCell } from '../coordination/redis-cell.ts'
import type { IoRedisLike, NodeRedisLike, RedisLike } from '../coordination/redis-client.ts'
import { type Ear, leave, listen } from '../coordination/redis-hints.ts'
import { FREE, redisLease } from '../coordination/redis-lease.ts'
import { jsonObject } from '../http/json.ts'
import { jwtExpiresAt } from '../http/jwt.ts'
import { createId } from '../id.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { LockOptions, StoredSession, TokenStore } from '../ports.ts'
import { own, readStoredSession } from '../tokens.ts'

export type { IoRedisLike, NodeRedisLike, RedisLike }

export interface RedisStoreOptions {
  /** A client of node-redis 6 (`createClient`, `createCluster`) or ioredis 6 (`Redis`, `Cluster`), connected. It stays yours. */
  client: RedisLike
  /** Whose session it is: a user's id, say. Stores of one key, in any process, share one session. */
  key: string
  /**
   * How long a session is kept after its last write, in milliseconds. Default: a day longer than the refresh token is good for,
   * where that is a JWT which says so; otherwise until it is signed out.
   */
  ttlMs?: number | undefined
  /**
   * What the names of all keys and of the channel begin with.
   * @default 'relatch:'
   */
  prefix?: string | undefined
}

/** How often to look whether the lock is free, on average; its release is heard of sooner. */
const POLL_MS = 500
/** For clocks that differ. */
const DAY_MS = 86_400_000

/**
 * Keeps the session in Redis, in clear text, shared by all processes that use the same `key` and `prefix`.
 *
 * One Lua script compares and sets, so that of two writers one wins. The lock has an owner and ends by itself. The session is at
 * `<prefix>{<key>}` and the lock at `<prefix>{<key>}:lock`, in one slot of a cluster. Changes are told of on the channel
 * `<prefix>changes`, over one more connection for all stores on a client, which keeps no process alive and goes with the client;
 * who may not subscribe looks every five seconds. The client's user needs EVAL, GET, SET, DEL, PUBLISH and SUBSCRIBE.
 *
 * A session that Redis loses is signed out: by a restart without persistence, by eviction, or with a primary that failed before
 * its replica had it.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`
 * @example
 * const client = await createClient({ url: 'redis://127.0.0.1:6379' }).on('error', console.error).connect()
 * const api = createAuthFetch({ baseUrl: 'https://api.example', store: redisStore({ client, key: `user:${id}` }) })
 */
export function redisStore(options: RedisStoreOptions): TokenStore {
  const { client, key, ttlMs, prefix = 'relatch:' } = ownOptions(options, ['client', 'key', 'ttlMs', 'prefix'])
  if (!isClient(client)) throw expected('client', 'a client of node-redis or ioredis')
  if (typeof key !== 'string' || key === '') throw expected('key', 'a name')
  if (typeof prefix !== 'string') throw expected('prefix', 'a string')
  if (ttlMs !== undefined && !(Number.isFinite(ttlMs) && ttlMs > 0 && ttlMs <= Number.MAX_SAFE_INTEGER))
    throw expected('ttlMs', 'a positive number')
  return new RedisStore(client, prefix, key, ttlMs)
}

const isClient = (value: unknown): boolean =>
  ['eval', 'subscribe', 'duplicate'].every((method) => typeof Object(value)[method] === 'function')

/** A class, and a small one: a server has one a user, and whatever can be made for a call is. */
class RedisStore implements Required<TokenStore> {
  readonly #client: RedisLike
  readonly #prefix: string
  readonly #key: string
  readonly #ttlMs: number | undefined
  /** What stood when we last looked, and what we are putting there: to hear of either is no news. */
  #seen: string | undefined
  #coming: string | undefined

  constructor(client: RedisLike, prefix: string, key: string, ttlMs: number | undefined) {
    this.#client = client
    this.#prefix = prefix
    this.#key = key
    this.#ttlMs = ttlMs
  }

  get spot(): RedisSpot {
    return { client: this.#client, prefix: this.#prefix, key: this.#key }
  }

  async read(): Promise<StoredSession | null> {
    return (await this.#look()).session
  }

  async write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean> {
    const { stamp: expected, session } = await this.#look()
    if ((session?.version ?? null) !== expectedVersion) return false
    const stamp = createId()
    const word = next ? stamp : NOTHING
    this.#coming = sign(word)
    try {
      const hasWon = await swapCell(this.spot, {
        expected,
        next: next && JSON.stringify({ stamp, key: nameOf(this.spot), session: next }),
        ttlMs: next && (this.#ttlMs ?? lifeOf(next)),
        word,
      })
      if (hasWon) this.#seen = sign(word)
      return hasWon
    } finally {
      this.#coming = undefined
    }
  }

  watch(listener: () => void): () => void {
    const ear = new StoreEar(this, listener)
    listen(ear)
    return ear.leave.bind(ear)
  }

  lock<T>(task: (isHeld?: () => boolean) => Promise<T>, options: LockOptions): Promise<T> {
    return leaseLock(redisLease(this.spot), POLL_MS)(task, options)
  }

  isNews(word: string): boolean {
    return ![this.#seen, this.#coming, FREE].includes(sign(word))
  }

  async #look(): Promise<{ stamp: string | undefined; session: StoredSession | null }> {
    const text = await readCell(this.spot)
    const stamp = stampOf(text)
    const record = (stamp !== undefined && jsonObject(text)) || {}
    const name = own(record, 'key')
    // Whatever brought it here, it is somebody else's session.
    if (typeof name === 'string' && name !== nameOf(this.spot)) {
      throw new Error('Redis holds the session of another key here')
    }
    this.#seen = sign(stamp ?? NOTHING)
    return { stamp, session: readStoredSession(own(record, 'session')) }
  }
}

/** As a class smaller than the closures that would do: there is one a session. */
class StoreEar implements Ear {
  readonly #store: RedisStore
  readonly #listener: () => void

  constructor(store: RedisStore, listener: () => void) {
    this.#store = store
    this.#listener = listener
  }

  get spot(): RedisSpot {
    return this.#store.spot
  }

  hear(word: string): void {
    if (this.#store.isNews(word)) this.#listener()
  }

  leave(): void {
    leave(this)
  }
}

/** Enough of a stamp to know it by. A longer part of a text would keep all of the text in memory, tokens and all. */
const sign = (word: string): string => word.slice(0, 12)

/** Undefined where the refresh token does not say, or is not good for anything any more. */
function lifeOf({ tokens }: StoredSession): number | undefined {
  const leftMs = (jwtExpiresAt(tokens?.refreshToken ?? '') ?? 0) - wallNow()
  return leftMs > 0 ? leftMs + DAY_MS : undefined
}
