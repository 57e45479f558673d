/**
 * A judge over a key-value store that has no compare-and-swap of its own. Within a process it is exact: whoever swaps the same
 * key of the same storage object takes turns. Between processes it writes, waits for others who looked at the same time to have
 * written too, and looks whose record stands: the last of them has won. One that is held up between its look and its write can
 * still take the place of a record that its owner believes in.
 */
import { after, monotonicNow, sleep } from '../clock.ts'
import { jsonObject } from '../http/json.ts'
import { own } from '../tokens.ts'
import type { Judge, Stamped } from './judge.ts'

/** As much of an unstorage `Storage` as is needed; `prefixStorage` makes one too. */
export interface UnstorageLike {
  getItem(key: string): Promise<unknown>
  setItem(key: string, value: string): Promise<void>
  removeItem(key: string): Promise<void>
  watch?(listener: (event: 'update' | 'remove', key: string) => void): Promise<() => unknown>
}

/** How long until the second look. At most, because a write has to fit into the second that a store may take (S2). */
const SHORTEST_PAUSE_MS = 10
const LONGEST_PAUSE_MS = 100
/** How many of the records before it a record names. */
const TRAIL = 8
/** So long everybody else waits for one whose driver hangs. */
const LONGEST_TURN_MS = 5000
/** Between looks at a text that cannot be read: drivers that write in place (fs) show an empty or torn one for a moment. */
const TORN_MS = [5, 25]
/** What `createId` makes. */
const STAMP = /^\w{32}$/

/** @param key one that unstorage takes as it is; it is written into the record, so that what is read is known to be ours */
export function unstorageJudge<R extends Stamped>(storage: UnstorageLike, key: string): Judge<R> {
  const look = async (): Promise<R | 'nothing' | 'garbage'> => {
    const value = await storage.getItem(key)
    // What drivers of files return where they cannot read, for EMFILE for example: no reason to take the session for gone.
    if (value instanceof Error) throw value
    if (value == null) return 'nothing'
    const record = typeof value === 'string' ? jsonObject(value) : value
    if (typeof record !== 'object' || record === null || !STAMP.test(String(own(record, 'stamp')))) return 'garbage'
    // Another session's, under a key that the driver takes for the same: neither to be used nor to be written over.
    if (own(record, 'key') !== key) throw new Error('Expected a record of this key')
    return record as R
  }
  const read = async (): Promise<R | undefined> => {
    for (const pauseMs of [...TORN_MS, 0]) {
      const seen = await look()
      if (typeof seen === 'object') return seen
      if (seen === 'nothing') break
      await sleep(pauseMs)
    }
    return undefined
  }
  return {
    read,
    swap: (next, expected) =>
      inTurn(storage, key, async (isMyTurn) => {
        const startedAt = monotonicNow()
        const standing = await read()
        if (standing?.stamp !== expected?.stamp || !isMyTurn()) return false
        const trail = standing ? [standing.stamp, ...trailOf(standing)].slice(0, TRAIL) : []
        if (next) await storage.setItem(key, JSON.stringify({ ...next, key, trail }))
        else await storage.removeItem(key)
        // Whoever looked before this write came has written by then, unless they are much slower than we are.
        const pauseMs = Math.max(2 * (monotonicNow() - startedAt), SHORTEST_PAUSE_MS)
        await sleep(Math.min(pauseMs, LONGEST_PAUSE_MS))
        const last = await read()
        // One that names ours was written by somebody who had read it: then ours has stood.
        return last?.stamp === next?.stamp || (next !== undefined && trailOf(last).includes(next.stamp))
      }),
  }
}

function trailOf(record: Stamped | undefined): unknown[] {
  const trail = record && own(record, 'trail')
  return Array.isArray(trail) ? trail : []
}

/** By storage object and key: settles when everybody in line so far has done. */
const lines = new WeakMap<UnstorageLike, Map<string, Promise<void>>>()

/** Runs `task` when those before it have done, or have had their time. `isMyTurn`: that its own time is not over. */
function inTurn<T>(storage: UnstorageLike, key: string, task: (isMyTurn: () => boolean) => Promise<T>): Promise<T> {
  const line = lines.get(storage) ?? new Map<string, Promise<void>>()
  lines.set(storage, line)
  let isMine = true
  const work = (line.get(key) ?? Promise.resolve()).then(() => {
    cancel = after(LONGEST_TURN_MS, leave)
    return task(() => isMine)
  })
  let cancel = (): void => {}
  let leave = (): void => {}
  const turn = new Promise<void>((resolve) => {
    leave = () => {
      isMine = false
      cancel()
      if (line.get(key) === turn) line.delete(key)
      resolve()
    }
  })
  line.set(key, turn)
  work.then(leave, leave)
  return work
}
