/** The session in IndexedDB, encrypted under a key that no script can read out, and one among all tabs. */
import { indexedDbJudge } from '../coordination/indexeddb-judge.ts'
import type { Stamped } from '../coordination/judge.ts'
import { newSealingKey } from '../coordination/sealing-key.ts'
import { jsonObject } from '../http/json.ts'
import { createId } from '../id.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { TokenStore } from '../ports.ts'
import { readStoredSession } from '../tokens.ts'
import { tabStore } from './tabs.ts'

/** A `CryptoKey`, also for those who compile without the DOM's types. */
type SealingKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

export interface IndexedDbStoreOptions {
  /**
   * The database, for this store alone; sessions of different names know nothing of each other.
   * @default 'relatch'
   */
  name?: string | undefined
  /**
   * The AES-GCM key that seals the session, in place of one that rests beside it in the database: for whoever has a key that no
   * page has, as a service worker may. What another key has sealed counts as nothing stored.
   */
  key?: SealingKey | PromiseLike<SealingKey> | undefined
}

interface KeyRecord extends Stamped {
  readonly key: CryptoKey
}

interface Sealed extends Stamped {
  readonly iv: Uint8Array<ArrayBuffer>
  readonly data: ArrayBuffer
}

/**
 * Keeps the session in IndexedDB: across reloads, and one among all tabs of the origin.
 *
 * What rests there is AES-GCM under a key that cannot be extracted, so a copy of the disk or of the database is worth nothing.
 * A script that is injected into the page can still use the key as this store does, and read the session: against that only a
 * credential helps that no script holds. Needs a secure context; elsewhere the session lives in memory, with `store-failed`.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`
 * @example
 * const api = createAuthFetch({ baseUrl: 'https://api.example', store: indexedDbStore() })
 */
export function indexedDbStore(options: IndexedDbStoreOptions = {}): TokenStore {
  const { name = 'relatch', key: given } = ownOptions(options, ['name', 'key'])
  if (typeof name !== 'string' || name === '') throw expected('name', 'a name')
  if (given !== undefined && typeof given !== 'object') throw expected('key', 'a CryptoKey, or a promise of one')
  const keys = indexedDbJudge<KeyRecord>('key', name)
  /** The first tab to ask makes it; all others get the same. Asked for each time: somebody may have cleared the database. */
  const keyOf = async (): Promise<CryptoKey> => {
    if (given !== undefined) return given
    const kept = await keys.read()
    if (kept?.key instanceof CryptoKey) return kept.key
    const key = await newSealingKey()
    return (await keys.swap({ stamp: createId(), key }, kept)) ? key : keyOf()
  }
  return tabStore<Sealed>(
    `relatch:indexeddb:${name}`,
    {
      async open({ iv, data }) {
        const text = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await keyOf(), data).catch(() => null)
        return text && readStoredSession(jsonObject(new TextDecoder().decode(text)))
      },
      async seal(next) {
        const iv = crypto.getRandomValues(new Uint8Array(12))
        const text = new TextEncoder().encode(JSON.stringify(next))
        const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await keyOf(), text)
        return { stamp: createId(), iv, data }
      },
    },
    name,
  )
}
