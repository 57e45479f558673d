/**
 * A store that cannot hurt: every call to the user's store is bounded and caught here, so that one which throws, hangs or is
 * full costs a request at most a second, once, and never its answer (S2). Decides nothing about sessions.
 */
import { after, within } from '../clock.ts'
import type { AuthEvents } from '../events.ts'
import type { LockOptions, TokenStore } from '../ports.ts'
import { readStoredSession, type StoredSession } from '../tokens.ts'

type StoreFailure = AuthEvents['store-failed']

export interface SteadyStore {
  /** What is stored, or undefined where the store failed. Synchronous where the store is. */
  read(): StoredSession | null | undefined | Promise<StoredSession | null | undefined>
  /** Whether it wrote, or undefined where the store failed. */
  write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean | undefined>
  /** Runs the task under the store's lock; without it where there is none or it fails. */
  lock<T>(task: () => Promise<T>, options: LockOptions): Promise<T>
  watch(listener: () => void): () => void
  isFailing(): boolean
  /** Lets calls through to a failing store again. */
  retry(): void
}

/** Below the promised second, so that the rest of the request fits into it. */
const STORE_LIMIT_MS = 800

/** @param onFailure called once when the store begins to fail, and again only after it has worked in between */
export function steadyStore(store: TokenStore, onFailure: (failure: StoreFailure) => void): SteadyStore {
  /** Reads and writes that failed, and have not worked since. */
  let isFailing = false
  /** Whether a failing store may be asked again. */
  let isTrying = true
  let isLockBroken = false

  const fail = (operation: 'read' | 'write', reason: StoreFailure['reason']): undefined => {
    isTrying = false
    if (!isFailing) {
      isFailing = true
      onFailure({ operation, reason })
    }
  }
  const succeed = <T>(value: T): T => {
    isFailing = false
    isTrying = true
    return value
  }
  const bounded = async <T>(operation: 'read' | 'write', answer: Promise<T>): Promise<T | undefined> => {
    let isLate = false
    try {
      return succeed(await within(answer, STORE_LIMIT_MS, () => (isLate = true)))
    } catch {
      return fail(operation, isLate ? 'timed-out' : 'threw')
    }
  }

  return {
    read() {
      if (!isTrying) return undefined
      try {
        const answer = store.read()
        if (answer instanceof Promise) return bounded('read', answer).then((value) => value && readStoredSession(value))
        return succeed(readStoredSession(answer))
      } catch {
        return fail('read', 'threw')
      }
    },
    async write(next, expectedVersion) {
      if (!isTrying) return undefined
      try {
        const answer = await bounded('write', Promise.resolve(store.write(next, expectedVersion)))
        // A store that forgets to answer is asked what it holds, as one that refused.
        return isFailing ? undefined : answer === true
      } catch {
        return fail('write', 'threw')
      }
    },
    lock(task, options) {
      if (store.lock === undefined || isLockBroken || !isTrying) return task()
      return new Promise((resolve) => {
        let started: ReturnType<typeof task> | undefined
        const start = (): ReturnType<typeof task> => {
          cancelWait()
          if (started === undefined) {
            started = task()
            // Resolved by the release, so that nothing of the user's runs under the lock; a release may hang, though.
            const release = (): unknown => after(STORE_LIMIT_MS, () => resolve(start()), true)
            started.then(release, release)
          }
          return started
        }
        // A lock that neither runs the task nor gives up breaks its contract: go on without it.
        const startWithout = (reason: StoreFailure['reason']): void => {
          if (started === undefined) {
            isLockBroken = true
            onFailure({ operation: 'lock', reason })
          }
          resolve(start())
        }
        const cancelWait = after(options.waitMs + STORE_LIMIT_MS, () => startWithout('timed-out'), true)
        try {
          Promise.resolve(store.lock?.(start, options)).then(
            () => startWithout('refused'),
            () => startWithout('threw'),
          )
        } catch {
          startWithout('threw')
        }
      })
    },
    watch(listener) {
      try {
        return store.watch?.(listener) ?? (() => {})
      } catch {
        onFailure({ operation: 'watch', reason: 'threw' })
        return () => {}
      }
    },
    isFailing: () => isFailing,
    retry: () => {
      isTrying = true
    },
  }
}
