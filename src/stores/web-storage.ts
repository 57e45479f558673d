/**
 * The session in localStorage, where every tab can read it at once. What a tab reads there may be old, so that an IndexedDB
 * record is the judge of which session stands, and localStorage has to catch up with it; no token is in the record.
 */
import { after } from '../clock.ts'
import type { Stamped } from '../coordination/judge.ts'
import { notify } from '../events.ts'
import { jsonObject } from '../http/json.ts'
import { createId } from '../id.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { StoredSession, TokenStore } from '../ports.ts'
import { readStoredSession } from '../tokens.ts'
import { tabStore } from './tabs.ts'

export interface WebStorageStoreOptions {
  /**
   * The key of the session, the same in every tab that shares it.
   * @default 'relatch'
   */
  key?: string | undefined
  /**
   * Any other storage than localStorage is taken for this tab's alone, and for that of one store object in it. Default:
   * `localStorage`.
   */
  storage?: Storage | undefined
}

/** How long to wait for a copy that another tab has written and this one cannot see yet. */
const CATCH_UP_MS = 400
/** What `createId` makes. */
const STAMP = /^\w{32}$/

/**
 * Keeps the session in `localStorage`: across reloads, and one among all tabs of the origin. With `storage: sessionStorage` it
 * is one tab's, and gone with it; a tab that the user duplicates takes a copy of the session along, refresh token included, and a
 * server that detects reuse will end it.
 *
 * Any script on the page can read it, injected ones too: prefer `indexedDbStore()`, or a cookie that no script sees.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`
 * @example
 * const api = createAuthFetch({ baseUrl: 'https://api.example', store: webStorageStore() })
 */
export function webStorageStore(options: WebStorageStoreOptions = {}): TokenStore {
  const { key = 'relatch', storage } = ownOptions(options, ['key', 'storage'])
  if (typeof key !== 'string' || key === '') throw expected('key', 'a name')
  if (storage !== undefined && typeof storage?.getItem !== 'function') throw expected('storage', 'a Storage')
  const name = `relatch:web-storage:${key}`
  // Looked up when it is used: storage that is blocked throws at the very look, and a server has none.
  const place = (): Storage => storage ?? globalThis.localStorage
  let isShared = storage === undefined
  // Where localStorage is blocked, what was given is something else.
  notify(() => {
    isShared ||= storage === globalThis.localStorage
  })
  return (isShared ? sharedStorage : privateStorage)(place, key, name)
}

/** One tab's: what it reads is what stands, and a write that looks first is a compare-and-set. */
function privateStorage(place: () => Storage, key: string): TokenStore {
  const read = (): StoredSession | null => readStoredSession(jsonObject(place().getItem(key)))
  return {
    read,
    write(next, expectedVersion) {
      if ((read()?.version ?? null) !== expectedVersion) return false
      if (next) place().setItem(key, JSON.stringify(next))
      else place().removeItem(key)
      return true
    },
  }
}

/**
 * Each session rests under a key of its own, so that no tab writes over what another one has just put there; under `key` itself
 * stands which of them it was last. That may be old, and is believed by a page's first look only; afterwards the judge says.
 */
function sharedStorage(place: () => Storage, key: string, name: string): TokenStore {
  const keyOf = (stamp: string): string => `${key}#${stamp}`
  /** What stood under `key` before the removal that is under way. */
  let removed: string | null = null
  const find = (wanted?: string): StoredSession | null => {
    const last = removed ?? place().getItem(key) ?? ''
    // Somebody has removed or overwritten it: then nothing is stored.
    return STAMP.test(last) ? readStoredSession(jsonObject(place().getItem(keyOf(wanted ?? last)))) : null
  }
  const shared = tabStore<Stamped>(name, {
    open: ({ stamp }) => find(stamp) ?? caughtUp(() => find(stamp)),
    seal(session) {
      const stamp = createId()
      place().setItem(keyOf(stamp), JSON.stringify(session))
      return { stamp }
    },
    settle({ sealed, before, hasWon }) {
      const lost = hasWon ? before : sealed
      if (lost) place().removeItem(keyOf(lost.stamp))
      // A tab may be stopped before this and go on long after: what it leaves then points to nothing.
      if (hasWon && sealed) place().setItem(key, sealed.stamp)
    },
  })
  // The first look is at what is here, so that a page knows its session from the first line on. It may be old: whoever has
  // written, or was told to look again, asks the judge.
  let isFirst = true
  return {
    ...shared,
    read() {
      const copy = isFirst && find()
      isFirst = false
      return copy || shared.read()
    },
    async write(next, expectedVersion) {
      isFirst = false
      if (next) return shared.write(next, expectedVersion)
      // At once: a page that signs out and leaves must not be signed in again when it comes back. And all that is there by now,
      // what tabs have left that died in the middle of a write too.
      removed = place().getItem(key)
      place().removeItem(key)
      const copies = Object.keys(place()).filter((each) => each.startsWith(keyOf('')))
      // One that fails is tried again, as one that was refused.
      const hasWon = await shared.write(null, expectedVersion).catch(() => false)
      if (hasWon) for (const each of copies) place().removeItem(each)
      else if (removed) place().setItem(key, removed)
      removed = null
      return hasWon
    },
    watch(listener) {
      const look = (): void => {
        isFirst = false
        listener()
      }
      const endHints = shared.watch(look)
      // Somebody who clears the storage signs the user out, and tells nobody on the channel.
      const endEvents = onStorage(({ key: changed }) => changed === null && look())
      return () => {
        endHints()
        endEvents()
      }
    },
  }
}

/** What `find` gives as soon as it gives something; null where that takes too long. */
function caughtUp(find: () => StoredSession | null): Promise<StoredSession | null> {
  return new Promise((resolve) => {
    const retry = (event?: StorageEvent): void => {
      const found = find()
      if (event && !found) return
      cancel()
      endEvents()
      resolve(found)
    }
    const cancel = after(CATCH_UP_MS, retry)
    const endEvents = onStorage(retry)
  })
}

/** Hears what other tabs write; a server has no such events. */
function onStorage(listener: (event: StorageEvent) => void): () => void {
  globalThis.addEventListener?.('storage', listener)
  return () => globalThis.removeEventListener?.('storage', listener)
}
