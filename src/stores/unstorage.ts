/** The session in any storage that unstorage has a driver for, kept as well as drivers without a compare-and-set can keep it. */

import { judgedLease, type LeaseRecord, leaseLock } from '../coordination/lease.ts'
import { type UnstorageLike, unstorageJudge } from '../coordination/unstorage-judge.ts'
import { watchKey } from '../coordination/unstorage-watch.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { TokenStore } from '../ports.ts'
import { type JudgedStore, judgedStore, NOTHING, type SessionRecord, sessionRecords } from './judged.ts'

export type { UnstorageLike }

export interface UnstorageStoreOptions {
  /** What `createStorage()` or `prefixStorage()` gave. */
  storage: UnstorageLike
  /**
   * The key of the session in it; beside it there is `<key>.lock`. unstorage would shorten or change a key with `?`, `/`, `\`,
   * `::`, a `:` at an end, or a part that is `.` or `..`: such a key is refused, and one that ends in `.lock`, since two sessions
   * could end up under one.
   * @default 'relatch'
   */
  key?: string | undefined
}

/** How often to look whether the lock is free. */
const POLL_MS = 100

/**
 * Keeps the session in an unstorage `Storage`, with any driver, in clear text.
 *
 * Within one process compare-and-set is exact, for all stores on one storage object and key. Between processes it is as good as
 * can be without a driver that compares: a write is read back, and whoever does not find its own has lost. That decides nearly
 * every race, and not all: where a process is held up for longer than a few round trips between its look and its write, two
 * can both believe that they have won, spend one refresh token, and a server that detects reuse ends the session. Where several
 * processes refresh, use `fileStore` or `redisStore`; the same goes for storages that show old values for a while (Cloudflare KV).
 *
 * Changes made by others are heard of at once where the driver watches (`fs`) or they went through the same storage object,
 * and elsewhere at the next refresh. The watch of `fs` keeps Node alive until `dispose()`, unless the driver was given
 * `watchOptions: { persistent: false }`. Who may read the files of `fs` is up to the umask.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`
 * @example
 * const storage = createStorage({ driver: mongodbDriver({ connectionString, databaseName: 'app', collectionName: 'sessions' }) })
 * const api = createAuthFetch({ baseUrl: 'https://api.example', store: unstorageStore({ storage, key: `user:${id}` }) })
 */
export function unstorageStore(options: UnstorageStoreOptions): TokenStore {
  const { storage, key = 'relatch' } = ownOptions(options, ['storage', 'key'])
  if (!isStorage(storage)) throw expected('storage', 'what createStorage() of unstorage gave')
  if (!isKey(key))
    throw expected(
      'key',
      'a key that unstorage takes as it is (no `?`, `/`, `\\`, empty or dot parts) and that is no `.lock`',
    )
  const judge = unstorageJudge<SessionRecord>(storage, key)
  const lease = judgedLease(unstorageJudge<LeaseRecord>(storage, `${key}.lock`))
  const store = judgedStore(
    judge,
    sessionRecords,
    {
      listen(hear) {
        const look = async (): Promise<void> => hear((await judge.read())?.stamp ?? NOTHING)
        // A storage that fails is found out by whoever needs it.
        return watchKey(storage, key, () => void look().catch(() => {}))
      },
    },
    leaseLock(lease, POLL_MS),
  )
  return typeof storage.watch === 'function' ? store : unwatched(store)
}

/** The same where nothing can be watched. */
const unwatched = (store: JudgedStore): TokenStore => ({
  read: () => store.read(),
  write: (next, expectedVersion) => store.write(next, expectedVersion),
  lock: (task, options) => store.lock(task, options),
})

function isStorage(value: unknown): value is UnstorageLike {
  const methods = ['getItem', 'setItem', 'removeItem'] as const
  return methods.every((method) => typeof (value as UnstorageLike | null | undefined)?.[method] === 'function')
}

/** Keys that unstorage does not normalize: of two that it makes one, one user would get the other's session. */
const isKey = (key: unknown): key is string =>
  typeof key === 'string' &&
  !/[?/\\]|\.lock$/.test(key) &&
  key.split(':').every((part) => !['', '.', '..'].includes(part))
