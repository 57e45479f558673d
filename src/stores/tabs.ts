/**
 * What the browser stores have in common: a judge that says which record stands, and copies of the session that the record
 * stands for. A candidate is put among the copies before the judge decides, so that a tab which dies right after has lost
 * nothing.
 */
import { judge, type Stamped } from '../coordination/judge.ts'
import { call, listen } from '../coordination/tab-channel.ts'
import { tabLock } from '../coordination/tab-lock.ts'
import type { StoredSession, TokenStore } from '../ports.ts'

export interface Copies<R extends Stamped> {
  /** The session that a record stands for; null where there is none to be had in time. */
  open(record: R): StoredSession | null | Promise<StoredSession | null>
  /** Makes a candidate of a session. */
  seal(next: StoredSession): R | Promise<R>
  /** Told how a write went: what was sealed for `next` (both null for a removal) and what stood before it. */
  settle?(write: { next: StoredSession | null; sealed: R | null; before: R | undefined; hasWon: boolean }): void
}

export interface TabStore extends Required<Pick<TokenStore, 'watch' | 'lock'>> {
  read(): Promise<StoredSession | null>
  write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean>
}

/** @param name of the session, its channel and its lock, the same in every tab that shares them */
export function tabStore<R extends Stamped>(
  name: string,
  { open, seal, settle }: Copies<R>,
  database: string = 'relatch',
): TabStore {
  const { read, swap } = judge<R>(name, database)
  /** What stood when we last looked. A hint names what stands now: one that we know already costs nothing. */
  let seen: string | undefined
  const stampOf = (record: R | null | undefined): string => record?.stamp ?? 'nothing'
  const look = async (): Promise<[record: R | undefined, stored: StoredSession | null]> => {
    const record = await read()
    const stored = record ? await open(record) : null
    // Somebody has replaced it while we looked, and taken the copy of the old one away.
    if (record && !stored && (await read())?.stamp !== record.stamp) return look()
    if (stored || !record) seen = stampOf(record)
    return [record, stored]
  }
  return {
    read: async () => (await look())[1],
    async write(next, expectedVersion) {
      const [record, stored] = await look()
      if ((stored?.version ?? null) !== expectedVersion) return false
      const sealed = next && (await seal(next))
      const hasWon = await swap(sealed ?? undefined, record)
      settle?.({ next, sealed, before: record, hasWon })
      if (hasWon) {
        seen = stampOf(sealed)
        call(name, seen)
      }
      return hasWon
    },
    watch: (listener) => listen(name, (stamp) => typeof stamp === 'string' && stamp !== seen && listener()),
    lock: tabLock(name, database),
  }
}

/** What a JSON text holds; null where it holds nothing, or is none. */
export function parse(text: string | null): unknown {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    return null
  }
}
