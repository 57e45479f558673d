/**
 * A store that cannot hurt: every call to the user's store is bounded and caught here, so that one which throws, hangs, is full
 * or talks nonsense costs a request at most a second, once, and never its answer (S2). Decides nothing about sessions.
 */
import { after, within } from '../clock.ts'
import { type AuthEvents, notify } from '../events.ts'
import type { LockOptions, TokenStore } from '../ports.ts'
import { readStoredSession, type StoredSession } from '../tokens.ts'

type StoreFailure = AuthEvents['store-failed']

/** What a read brought: a session, nothing, something unreadable, or undefined where the store failed. */
export type Reading = StoredSession | null | 'garbage' | undefined

export interface SteadyStore {
  /** Synchronous where the store is. */
  read(): Reading | Promise<Reading>
  /** Whether it wrote, or undefined where the store failed. */
  write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean | undefined>
  /**
   * Runs the task under the store's lock; without it where there is none or it fails. Settles once the lock is released. The
   * task is told whether it was the store that ran it. Whoever aborts leaves the line, and the task runs without the lock.
   */
  lock<T>(task: (isStores: boolean, isHeld?: () => boolean) => Promise<T>, options: LockOptions): Promise<T>
  watch(listener: () => void): () => void
  /** Takes a refusal for a failure: the store would not write although nobody else had. */
  refuse(): void
  isFailing(): boolean
  /** Lets calls through to a failing store again. */
  retry(): void
}

/** Below the promised second, so that the rest of the request fits into it. */
const STORE_LIMIT_MS = 800

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null)?.then === 'function'

/** Nothing stored is null; undefined says the same in a Map, in IndexedDB and in most key-value stores. */
const readingOf = (value: unknown): Reading => (value == null ? null : (readStoredSession(value) ?? 'garbage'))

/** @param onFailure called once when the store begins to fail, and again only after it has worked in between */
export function steadyStore(store: TokenStore, onFailure: (failure: StoreFailure) => void): SteadyStore {
  // Reads and writes fail as one, the lock by itself: a store without its lock still keeps sessions.
  const medium = createHealth(onFailure)
  const locking = createHealth(onFailure)

  /** Runs one call: undefined where it threw, rejected, took too long, or was not let through. */
  function attempt<T>(
    operation: 'read' | 'write',
    call: () => unknown,
    read: (value: unknown) => T,
  ): T | undefined | Promise<T | undefined> {
    if (!medium.isTrying()) return undefined
    const settle = (value: unknown): T => {
      const result = read(value)
      if (operation === 'read' || value === true) medium.succeed(operation)
      return result
    }
    const fail = (): undefined => medium.fail({ operation, reason: 'threw' })
    try {
      const answer = call()
      if (!isThenable(answer)) return settle(answer)
      return within(answer, STORE_LIMIT_MS, () => medium.fail({ operation, reason: 'timed-out' }))
        .then(settle)
        .catch(fail)
    } catch {
      return fail()
    }
  }

  return {
    read: () => attempt('read', () => store.read(), readingOf),
    // A store that forgets to say whether it wrote is asked what it holds, as one that refused.
    write: async (next, expectedVersion) =>
      attempt(
        'write',
        () => store.write(next, expectedVersion),
        (answer) => answer === true,
      ),

    lock(task, options) {
      if (store.lock === undefined || !locking.isTrying() || !medium.isTrying()) return task(false)
      return new Promise((resolve) => {
        let started: ReturnType<typeof task> | undefined
        let cancelRelease = (): void => {}
        const start = (isStores = true, isHeld?: () => boolean): ReturnType<typeof task> => {
          cancelWait()
          if (started === undefined) {
            started = task(isStores, isHeld)
            // Resolved by the release, so that nothing of the user's runs under the lock; a release may hang, though.
            const release = (): void => {
              cancelRelease = after(STORE_LIMIT_MS, () => resolve(start()), true)
            }
            started.then(release, release)
          }
          return started
        }
        // A lock that neither runs the task nor gives up breaks its contract: go on without it.
        const finish = (reason: StoreFailure['reason']): void => {
          if (started !== undefined) locking.succeed('lock')
          else if (!options.signal?.aborted) locking.fail({ operation: 'lock', reason })
          resolve(start(false))
          cancelRelease()
        }
        const cancelWait = after(options.waitMs + STORE_LIMIT_MS, () => finish('timed-out'), true)
        try {
          // Whatever else a lock may hand to its task (a Web Lock hands over itself) is nothing to us.
          const run = (isHeld?: unknown): ReturnType<typeof task> =>
            start(true, typeof isHeld === 'function' ? (isHeld as () => boolean) : undefined)
          Promise.resolve(store.lock?.(run, options)).then(
            () => finish('refused'),
            () => finish('threw'),
          )
        } catch {
          finish('threw')
        }
      })
    },

    watch(listener) {
      const fail = (): void => medium.note({ operation: 'watch', reason: 'threw' })
      try {
        const unwatch: unknown = store.watch?.(listener)
        if (isThenable(unwatch)) unwatch.then(undefined, fail)
        return () => notify(() => typeof unwatch === 'function' && unwatch())
      } catch {
        fail()
        return () => {}
      }
    },

    refuse: () => medium.fail({ operation: 'write', reason: 'refused' }),
    isFailing: medium.isFailing,
    retry() {
      medium.retry()
      locking.retry()
    },
  }
}

/** What fails, and whether calls are let through: one report a failing period, however many operations take part in it. */
interface Health {
  isFailing(): boolean
  /** Whether calls are let through: not between a failure and the next retry. */
  isTrying(): boolean
  succeed(operation: StoreFailure['operation']): void
  fail(failure: StoreFailure): undefined
  /** Reports a failure that does not keep the other operations from working. */
  note(failure: StoreFailure): void
  retry(): void
}

function createHealth(onFailure: (failure: StoreFailure) => void): Health {
  const failing = new Set<StoreFailure['operation']>()
  let isTrying = true
  const note = (failure: StoreFailure): void => {
    if (failing.size === 0) onFailure(failure)
    failing.add(failure.operation)
  }
  return {
    isFailing: () => failing.size > 0,
    isTrying: () => isTrying,
    succeed(operation) {
      failing.delete(operation)
      // A store without its watch works; that it is missing was said once.
      failing.delete('watch')
      if (failing.size === 0) isTrying = true
    },
    fail(failure) {
      isTrying = false
      note(failure)
    },
    note,
    retry() {
      isTrying = true
    },
  }
}
