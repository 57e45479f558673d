/**
 * Entries in bursts: what happened together, with no pause in between, and is drawn on one time axis. Bounded: the oldest entries
 * are let go of. Pure, and knows nothing of what the entries mean.
 */
import type { Entry, Mark } from './entry.ts'

export interface Burst {
  readonly id: number
  /** In the order in which they began; never empty. */
  readonly entries: Entry[]
  /** Grows with every change: what is drawn already need not be drawn again. */
  version: number
  lastAt: number
}

/** An entry, and where it is. */
export interface Placed {
  readonly entry: Entry
  readonly burst: Burst
}

export type NewEntry = Pick<Entry, 'what' | 'name'> & { method?: string; url?: string; mark: Mark }

export interface Bursts {
  readonly all: readonly Burst[]
  /** How many entries there are. */
  readonly size: number
  add(at: number, entry: NewEntry): Placed
  /** The entries of this burst have changed. */
  touch(burst: Burst, at?: number): void
  /** How many entries are kept, from 1. */
  limit(max: number): void
  /** Forgets what has ended. */
  clear(): void
}

/** A pause that parts two bursts, in milliseconds. */
const PAUSE_MS = 1000
/** However busy it is, a new axis begins after this. */
const BURST_MS = 10_000

export const isUnderWay = ({ endedAt }: Entry): boolean => endedAt === null

export function createBursts(max: number): Bursts {
  let limit = max
  let serial = 0
  let size = 0
  let all: Burst[] = []

  const touch = (burst: Burst, at: number = burst.lastAt): void => {
    burst.version++
    burst.lastAt = Math.max(burst.lastAt, at)
  }

  const burstAt = (at: number): Burst => {
    const last = all.at(-1)
    const startedAt = last?.entries[0]?.startedAt ?? Number.NEGATIVE_INFINITY
    const isTogether = at - startedAt < BURST_MS
    if (last && isTogether && (at - last.lastAt < PAUSE_MS || last.entries.some(isUnderWay))) return last
    const burst = { id: ++serial, entries: [], version: 0, lastAt: at }
    all.push(burst)
    return burst
  }

  const keep = (burst: Burst, kept: Entry[]): void => {
    if (kept.length === burst.entries.length) return
    size -= burst.entries.length - kept.length
    burst.entries.splice(0, Number.POSITIVE_INFINITY, ...kept)
    touch(burst)
  }

  const trim = (): void => {
    for (const burst of all) {
      const excess = size - limit
      if (excess <= 0) break
      keep(burst, burst.entries.slice(excess))
    }
    all = all.filter(({ entries }) => entries.length > 0)
  }

  return {
    get all() {
      return all
    },
    get size() {
      return size
    },
    touch,
    add(at, { what, name, method = '', url = '', mark }) {
      const burst = burstAt(at)
      const entry: Entry = {
        serial: ++serial,
        what,
        method,
        name,
        url,
        startedAt: at,
        endedAt: null,
        phases: [],
        marks: new Set([mark]),
        outcome: '',
        tone: 'open',
        facts: new Map(),
      }
      burst.entries.push(entry)
      size++
      touch(burst, at)
      trim()
      return { entry, burst }
    },
    limit(next) {
      limit = next
      trim()
    },
    clear() {
      for (const burst of all) keep(burst, burst.entries.filter(isUnderWay))
      trim()
      all = all.filter(({ entries }) => entries.length > 0)
    },
  }
}
