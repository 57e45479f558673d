/**
 * What the stores of a shared session have in common: a judge that says which record stands, and copies of the session that
 * the record stands for. A candidate is put among the copies before the judge decides, so that a tab or a process which dies
 * right after has lost nothing.
 */
import type { Judge, Stamped } from '../coordination/judge.ts'
import { createId } from '../id.ts'
import type { StoredSession, TokenStore } from '../ports.ts'
import { own, readStoredSession } from '../tokens.ts'

export interface Copies<R extends Stamped> {
  /** The session that a record stands for; null where there is none to be had in time. */
  open(record: R): StoredSession | null | Promise<StoredSession | null>
  /** Makes a candidate of a session. */
  seal(next: StoredSession): R | Promise<R>
  /** Told how a write went: what was sealed for `next` (both null for a removal) and what stood before it. */
  settle?(write: { next: StoredSession | null; sealed: R | null; before: R | undefined; hasWon: boolean }): void
}

/** A record that holds the session itself, where a judge can keep it. */
export interface SessionRecord extends Stamped {
  readonly session: StoredSession
}

export const sessionRecords: Copies<SessionRecord> = {
  open: (record) => readStoredSession(own(record, 'session')),
  seal: (session) => ({ stamp: createId(), session }),
}

/** What others are told by, and told of: the stamp of what stands now. */
export interface Bell {
  /** Left out where a write rings by itself. */
  ring?(stamp: string): void
  /** Returns what ends it. Whoever listens judges what it hears. */
  listen(hear: (stamp: unknown) => void): () => void
}

export interface JudgedStore extends Required<Pick<TokenStore, 'watch' | 'lock'>> {
  read(): Promise<StoredSession | null>
  write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean>
}

/** What is said where no record stands. */
export const NOTHING = 'nothing'

export function judgedStore<R extends Stamped>(
  { read, swap }: Judge<R>,
  { open, seal, settle }: Copies<R>,
  { ring, listen }: Bell,
  lock: JudgedStore['lock'],
): JudgedStore {
  /** What stood when we last looked. A hint names what stands now: one that we know already costs nothing. */
  let seen: string | undefined
  const look = async (): Promise<[record: R | undefined, stored: StoredSession | null]> => {
    const record = await read()
    const stored = record ? await open(record) : null
    // Somebody has replaced it while we looked, and taken the copy of the old one away.
    if (record && !stored && (await read())?.stamp !== record.stamp) return look()
    if (stored || !record) seen = record?.stamp ?? NOTHING
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
        seen = sealed?.stamp ?? NOTHING
        ring?.(seen)
      }
      return hasWon
    },
    watch: (listener) => listen((stamp) => typeof stamp === 'string' && stamp !== seen && listener()),
    lock,
  }
}
