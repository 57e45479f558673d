// Stores with one fault each, and the tests of the contract that have to notice.
import type { LockOptions, StoredSession, TokenStore } from '../../src/ports.ts'
import type { StoreUnderTest } from '../../src/testing/index.ts'
import { emptyShelf, type Shelf, shelfStore } from './shelf-store.ts'

interface BrokenStore {
  fault: string
  make: () => TokenStore | StoreUnderTest
  /** How the titles begin. */
  failing: string[]
}

type Good = Required<TokenStore>
type Lock = Good['lock']

/** A good store, with some of it replaced. Both stores on the shelf have the fault. */
function broken(fault: string, failing: string[], breakIt: (good: Good, shelf: Shelf) => Partial<Good>): BrokenStore {
  const make = (): StoreUnderTest => {
    const shelf = emptyShelf()
    const one = (): TokenStore => {
      const good = shelfStore(shelf)
      return { ...good, ...breakIt(good, shelf) }
    }
    const corrupt = (): void => {
      shelf.text = '{"version":'
    }
    return { store: one(), sibling: one, corrupt }
  }
  return { fault, make, failing }
}

const READS_BACK = 'what was written is read'
const LARGE = 'large versions survive'
const COMPARES = 'writes only at the expected version'
const EMPTY = 'writes into an empty medium only'
const REMOVES = 'removes only at the expected version'
const AFTER_REMOVAL = 'after a removal'
const ALIASING = 'changing an object that was handed'
const FIRST_RACE = 'of 50 writers of a first session'
const RACE = 'of 50 writers at one version'
const LOST = 'no write is lost'
const GARBAGE = 'garbage in the medium'

const readingAndWriting: BrokenStore[] = [
  broken('gives undefined for nothing', ['reading nothing', REMOVES], ({ read }) => ({
    read: () => read() ?? (undefined as never),
  })),
  broken('writes whatever is expected', [COMPARES, EMPTY, REMOVES, AFTER_REMOVAL, FIRST_RACE, RACE], (good) => ({
    write: (next) => good.write(next, version(good)),
  })),
  broken('compares with the version after', [READS_BACK, COMPARES], (good) => ({
    write: (next, expected) => good.write(next, expected && expected - 1),
  })),
  broken('takes an older version for good enough', [COMPARES, REMOVES, RACE], (good) => ({
    write: (next, expected) => {
      const current = version(good)
      const isOlder = expected !== null && current !== null && expected < current
      return good.write(next, isOlder ? current : expected)
    },
  })),
  broken('takes null for "whatever there is"', [COMPARES, REMOVES, FIRST_RACE], (good) => ({
    write: (next, expected) => good.write(next, expected ?? version(good)),
  })),
  broken('takes version 0 for nothing', [LARGE, EMPTY], (good) => ({
    write: (next, expected) => good.write(next, expected || version({ read: () => good.read() }) || null),
  })),
  broken('removes without comparing', [REMOVES], (good) => ({
    write: (next, expected) => good.write(next, next ? expected : version(good)),
  })),
  broken('refuses to remove', [REMOVES, AFTER_REMOVAL], (good) => ({
    write: (next, expected) => next !== null && good.write(next, expected),
  })),
  broken('says nothing', [COMPARES, RACE], (good) => ({
    write: (next, expected) => void good.write(next, expected) as never,
  })),
  broken('says true to all', [COMPARES, EMPTY, REMOVES, RACE], (good) => ({
    write: (next, expected) => good.write(next, expected) || true,
  })),
  broken('keeps versions in 32 bits', [LARGE], (good) => ({
    write: (next, expected) => good.write(next && { ...next, version: next.version | 0 }, expected),
  })),
  broken('counts versions by itself', [LARGE, COMPARES], (good) => ({
    write: (next, expected) => good.write(next && { ...next, version: (version(good) ?? 0) + 1 }, expected),
  })),
  broken('keeps only what it knows', [READS_BACK], ({ read }) => ({
    read: () => withTokens(read() as StoredSession, ({ idToken: _, ...known }) => known),
  })),
  broken('keeps one byte a character', [READS_BACK], ({ read }) => ({
    read: () => withTokens(read() as StoredSession, (tokens) => ({ ...tokens, scope: latin1(tokens.scope) })),
  })),
  broken('makes an object of a cookie session', [READS_BACK], ({ read }) => ({
    read: () => {
      const stored = read() as StoredSession | null
      return stored && { ...stored, tokens: stored.tokens ?? { accessToken: '' } }
    },
  })),
  broken('is full at 4 KiB', [READS_BACK], (good) => ({
    write: (next, expected) => JSON.stringify(next).length < 4096 && good.write(next, expected),
  })),
  { fault: 'hands out what it keeps', failing: [ALIASING], make: () => sharing('out') },
  { fault: 'keeps what it is handed', failing: [ALIASING], make: () => sharing('in') },
  broken('compares first and writes a turn later', [FIRST_RACE, RACE, LOST], (good, shelf) => ({
    async write(next, expected) {
      if (version(good) !== expected) return false
      await new Promise((resolve) => setTimeout(resolve, 1))
      shelf.text = next && JSON.stringify(next)
      return true
    },
  })),
  broken('keeps a memory of its own', [READS_BACK, FIRST_RACE], () => shelfStore(emptyShelf())),
  broken('throws at garbage', [GARBAGE], (_good, shelf) => ({ read: () => JSON.parse(shelf.text ?? 'null') })),
  broken('hands out garbage', [GARBAGE], ({ read }, shelf) => ({ read: () => read() ?? (shelf.text as never) })),
  broken('never gets over garbage', [GARBAGE], (good, shelf) => ({
    write: (next, expected) => (shelf.text === null || good.read() !== null) && good.write(next, expected),
  })),
]

const TELLS_WRITES = 'watch, where there is one, tells of a write'
const TELLS_REMOVALS = 'watch, where there is one, tells of a removal'
const LEAVES = 'watch, where there is one, tells each listener until'
const THROWS = 'watch, where there is one, survives'

const watching: BrokenStore[] = [
  broken('never tells', [TELLS_WRITES, TELLS_REMOVALS, LEAVES, THROWS], () => ({ watch: () => () => {} })),
  broken('tells of no removal', [TELLS_REMOVALS], ({ read, watch }) => ({
    watch: (listener) => watch(() => read() !== null && listener()),
  })),
  broken('tells too early', [TELLS_WRITES], (good, shelf) => ({
    async write(next, expected) {
      for (const listener of shelf.listeners) listener()
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (version(good) !== expected) return false
      shelf.text = next && JSON.stringify(next)
      return true
    },
  })),
  broken('lets no listener leave', [LEAVES], ({ watch }) => ({
    watch: (listener) => {
      watch(listener)
      return () => {}
    },
  })),
  broken('lets all listeners leave at once', [LEAVES], ({ watch }, shelf) => ({
    watch: (listener) => {
      const stop = watch(listener)
      return () => {
        stop()
        shelf.listeners.clear()
      }
    },
  })),
  broken('calls listeners unguarded', [THROWS], (good, shelf) => ({
    write(next, expected) {
      const listeners = [...shelf.listeners]
      const hasWritten = good.write(next, expected)
      for (const listener of listeners) listener()
      return hasWritten
    },
  })),
]

const lockTest = (behaviour: string): string => `lock, where there is one, ${behaviour}`
const GIVES = lockTest('runs the task')
const REJECTS = lockTest('passes on what the task throws')
const EXCLUDES = lockTest('runs one task at a time')
const WAIT_BOUND = lockTest('waits for a holder no longer')
const HOLD_BOUND = lockTest('outlives a holder that dies')
const LATE = lockTest('is not taken from its next holder')
const ABORTS = lockTest('lets a waiting task go')
const ABORTED = lockTest('runs nothing for a signal')

/** A good lock that is told something else than the caller said. */
const withOptions =
  (change: (options: LockOptions) => LockOptions) =>
  ({ lock }: Good): { lock: Lock } => ({ lock: (task, options) => lock(task, change(options)) })

const locking: BrokenStore[] = [
  broken('never runs the task', [GIVES, REJECTS, EXCLUDES], () => ({ lock: () => new Promise(() => {}) })),
  broken('forgets what the task gave', [GIVES], ({ lock }) => ({
    lock: (task, options) => lock(task, options).then(() => undefined as never),
  })),
  broken('swallows what the task throws', [REJECTS], ({ lock }) => ({
    lock: (task, options) => lock(task, options).catch(() => undefined as never),
  })),
  broken('wraps what the task throws', [REJECTS], ({ lock }) => ({
    lock: (task, options) => lock(task, options).catch((cause) => Promise.reject(new Error('lock failed', { cause }))),
  })),
  broken('stays locked after a task that throws', [REJECTS], ({ lock }) => ({
    lock: (task, options) =>
      new Promise((resolve, reject) => {
        const taskThatNeverThrows = (): Promise<never> => {
          task().then(resolve, reject)
          return new Promise(() => {})
        }
        lock(taskThatNeverThrows, options).catch(reject)
      }),
  })),
  broken('lets everyone in', [EXCLUDES, LATE], () => ({
    async lock(task, { signal }) {
      signal?.throwIfAborted()
      return task()
    },
  })),
  broken('locks each store by itself', [EXCLUDES], () => ({ lock: shelfStore(emptyShelf()).lock })),
  broken(
    'waits for ever',
    [WAIT_BOUND],
    withOptions((options) => ({ ...options, waitMs: 1e9 })),
  ),
  broken(
    'holds for ever',
    [HOLD_BOUND, LATE],
    withOptions((options) => ({ ...options, holdMs: 1e9 })),
  ),
  broken('is released by whoever ends', [LATE], ({ lock }, shelf) => ({
    async lock(task, options) {
      try {
        return await lock(task, options)
      } finally {
        shelf.holder = shelf.queue.shift() ?? null
        shelf.holder?.begin()
      }
    },
  })),
  broken(
    'does not hear the signal',
    [ABORTS, ABORTED],
    withOptions(({ signal: _, ...options }) => options),
  ),
  broken('has a reason of its own for an abort', [ABORTS], ({ lock }) => ({
    lock: (task, options) =>
      lock(task, options).catch((error) => Promise.reject(options.signal ? new Error('no') : error)),
  })),
  broken('runs the task of a waiter that left', [ABORTS, ABORTED], ({ lock }) => ({
    lock: (task, { signal, ...options }) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) reject(signal.reason)
        signal?.addEventListener('abort', () => reject(signal.reason))
        lock(task, options).then(resolve, reject)
      }),
  })),
]

export const brokenStores: BrokenStore[] = [...readingAndWriting, ...watching, ...locking]

const version = ({ read }: Pick<Good, 'read'>): number | null => (read() as StoredSession | null)?.version ?? null
const latin1 = (text = ''): string => text.replace(/[^\0-\xff]/g, '?')

function withTokens(
  stored: StoredSession | null,
  change: (tokens: Record<string, string>) => object,
): StoredSession | null {
  return stored?.tokens ? { ...stored, tokens: change(stored.tokens as never) as never } : stored
}

/** Copies on the one side only. */
function sharing(side: 'in' | 'out'): TokenStore {
  let stored: StoredSession | null = null
  return {
    read: () => (side === 'out' ? stored : structuredClone(stored)),
    write(next, expectedVersion) {
      if ((stored?.version ?? null) !== expectedVersion) return false
      stored = side === 'in' ? next : structuredClone(next)
      return true
    },
  }
}
