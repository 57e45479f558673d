/**
 * A place outside of the process where a session rests, and stores on it as a user would write them from the port alone. Two
 * stores on one medium are what two processes have: each its own object, with the same thing behind it.
 */
import type { LockOptions, StoredSession, TokenStore } from '../../src/index.ts'

export interface Medium {
  stored: StoredSession | null
  /** What was written, in order. */
  readonly writes: ReadonlyArray<StoredSession | null>
  /** What happens instead of an operation's work; empty: everything works. */
  faults: { [operation in keyof TokenStore]?: Fault }
  /** How often each operation was asked for. */
  readonly calls: { [operation in keyof Required<TokenStore>]: number }
  /** The same medium once more. */
  store(traits?: Traits): TokenStore
  /** Tells every watcher, as if somebody else had written. */
  tell(): void
  /** How many listen. */
  readonly watchers: number
}

/** Gives what the operation answers; may throw, reject, or never settle. `work` is what it would have done. */
export type Fault = (work: () => unknown) => unknown

export interface Traits {
  /** How long each operation takes, in milliseconds, asked each time; half of it passes before the work. Left out: synchronous. */
  latencyMs?: () => number
  hasLock?: boolean
  hasWatch?: boolean
}

export function createMedium(initial: StoredSession | null = null): Medium {
  let stored = structuredClone(initial)
  const writes: Array<StoredSession | null> = []
  const listeners = new Set<() => void>()
  const calls = { read: 0, write: 0, watch: 0, lock: 0 }
  let queue: Promise<unknown> = Promise.resolve()
  const tell = (): void => {
    for (const listener of [...listeners]) listener()
  }

  const medium: Medium = {
    get stored() {
      return structuredClone(stored)
    },
    set stored(next) {
      stored = structuredClone(next)
    },
    writes,
    faults: {},
    calls,
    tell,
    get watchers() {
      return listeners.size
    },
    store({ latencyMs, hasLock = false, hasWatch = false } = {}) {
      const perform = (operation: 'read' | 'write', work: () => unknown): never => {
        calls[operation]++
        const answer = (): unknown => (medium.faults[operation] ?? ((good) => good()))(work)
        return (latencyMs === undefined ? answer() : travelling(latencyMs() / 2, answer)) as never
      }
      return {
        read: () => perform('read', () => structuredClone(stored)),
        write: (next, expectedVersion) =>
          perform('write', () => {
            if ((stored?.version ?? null) !== expectedVersion) return false
            stored = structuredClone(next)
            writes.push(structuredClone(next))
            tell()
            return true
          }),
        ...(hasWatch && {
          watch: (listener: () => void) => {
            calls.watch++
            const listen = (): (() => void) => {
              const own = (): void => listener()
              listeners.add(own)
              return () => void listeners.delete(own)
            }
            return (medium.faults.watch ?? ((good) => good()))(listen) as () => void
          },
        }),
        ...(hasLock && {
          lock: <T>(task: () => Promise<T>, _options: LockOptions): Promise<T> => {
            calls.lock++
            const takeTurn = (): Promise<T> => {
              const turn = queue.then(task)
              queue = turn.catch(() => {})
              return turn
            }
            return (medium.faults.lock ?? ((good) => good()))(takeTurn) as Promise<T>
          },
        }),
      }
    },
  }
  return medium
}

/** There and back again. */
async function travelling<T>(oneWayMs: number, answer: () => T): Promise<T> {
  await delay(oneWayMs)
  const value = await answer()
  await delay(oneWayMs)
  return value
}

const delay = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
