/**
 * A store that cannot hurt: every call to the user's store is bounded and caught here, so that one which throws, hangs, is full
 * or talks nonsense costs a request at most a second, once, and never its answer (S2). Decides nothing about sessions.
 */
import { after, monotonicNow, withinAwake } from '../clock.ts'
import { type AuthEvents, notify } from '../events.ts'
import type { LockOptions, TokenStore } from '../ports.ts'
import { readStoredSession, type StoredSession } from '../tokens.ts'

type StoreFailure = AuthEvents['store-failed']

/** What a read brought: a session, nothing, something unreadable, or undefined where the store failed. */
export type Reading = StoredSession | null | 'garbage' | undefined

/** What runs under the store's lock; told whether it was the store that ran it. */
export type LockedTask<T> = (isStores: boolean, isHeld?: () => boolean) => Promise<T>

/** Lists are replaced, never changed: the empty one is everybody's. */
export const NONE: readonly never[] = []

/** Below the promised second, so that the rest of the request fits into it. */
const STORE_LIMIT_MS = 800

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null)?.then === 'function'

/** Nothing stored is null; undefined says the same in a Map, in IndexedDB and in most key-value stores. */
const readingOf = (value: unknown): Reading => (value == null ? null : (readStoredSession(value) ?? 'garbage'))

export abstract class SteadyStore {
  readonly #store: TokenStore
  // Reads and writes fail as one, the lock by itself: a store without its lock still keeps sessions.
  #failing: readonly StoreFailure['operation'][] = NONE
  /** Whether calls are let through: not between a failure and the next retry. */
  #isTrying = true
  #isLocking = true
  #unwatch: unknown

  constructor(store: TokenStore) {
    this.#store = store
  }

  /** Called once when the store begins to fail, and again only after it has worked in between. */
  protected abstract onFailure(failure: StoreFailure): void

  /** What is to be done before others may have the lock, within `leftMs`; nobody here waits for it. null: nothing. */
  protected abstract beforeRelease(leftMs: number): Promise<unknown> | null

  /** Synchronous where the store is. */
  read(): Reading | Promise<Reading> {
    return this.#attempt('read', () => this.#store.read(), readingOf)
  }

  /**
   * Whether it wrote, or undefined where the store failed. A store that forgets to say is asked what it holds, as one that
   * refused.
   */
  async write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean | undefined> {
    return this.#attempt(
      'write',
      () => this.#store.write(next, expectedVersion),
      (answer) => answer === true,
    )
  }

  /** Runs one call: undefined where it threw, rejected, took too long, or was not let through. */
  #attempt<T>(
    operation: 'read' | 'write',
    call: () => unknown,
    read: (value: unknown) => T,
  ): T | undefined | Promise<T | undefined> {
    if (!this.#isTrying) return undefined
    const settle = (value: unknown): T => {
      const result = read(value)
      if (operation === 'read' || value === true) this.#succeed(operation)
      return result
    }
    const fail = (): undefined => this.#fail({ operation, reason: 'threw' })
    try {
      const answer = call()
      if (!isThenable(answer)) return settle(answer)
      return withinAwake(answer, STORE_LIMIT_MS, () => this.#fail({ operation, reason: 'timed-out' }))
        .then(settle)
        .catch(fail)
    } catch {
      return fail()
    }
  }

  /**
   * Runs the task under the store's lock; without it where there is none or it fails. Settles once the lock is released, or is
   * kept for no reason of the task's. Whoever aborts leaves the line, and the task runs without the lock.
   */
  lock<T>(task: LockedTask<T>, options: LockOptions): Promise<T> {
    const store = this.#store
    if (store.lock === undefined || !this.#isLocking || !this.#isTrying) return task(false)
    return new Promise((resolve) => {
      let started: Promise<T> | undefined
      let cancelRelease = (): void => {}
      const start = (isStores = true, isHeld?: () => boolean): Promise<T> => {
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
        if (started !== undefined) this.#succeed('lock')
        else if (!options.signal?.aborted) this.#fail({ operation: 'lock', reason })
        resolve(start(false))
        cancelRelease()
      }
      const cancelWait = after(options.waitMs + STORE_LIMIT_MS, () => finish('timed-out'), true)
      // Whatever the store makes of the signal.
      options.signal?.addEventListener('abort', () => resolve(start(false)))
      try {
        const run = async (isHeld?: unknown): Promise<void> => {
          const lockedAt = monotonicNow()
          // Whatever else a lock may hand to its task (a Web Lock hands over itself) is nothing to us.
          await start(true, typeof isHeld === 'function' ? (isHeld as () => boolean) : undefined)
          const rest = this.beforeRelease(options.holdMs + lockedAt - monotonicNow())
          if (rest === null) return
          resolve(start())
          await rest
        }
        Promise.resolve(store.lock?.(run, options)).then(
          () => finish('refused'),
          () => finish('threw'),
        )
      } catch {
        finish('threw')
      }
    })
  }

  /** One listener at a time. */
  watch(listener: () => void): void {
    const fail = (): void => this.#note({ operation: 'watch', reason: 'threw' })
    try {
      this.#unwatch = this.#store.watch?.(listener)
      if (isThenable(this.#unwatch)) this.#unwatch.then(undefined, fail)
    } catch {
      fail()
    }
  }

  unwatch(): void {
    const unwatch = this.#unwatch
    this.#unwatch = undefined
    notify(() => typeof unwatch === 'function' && unwatch())
  }

  /** Takes a refusal for a failure: the store would not write although nobody else had. */
  refuse(): void {
    this.#fail({ operation: 'write', reason: 'refused' })
  }

  isFailing(): boolean {
    return this.#failing.some((operation) => operation !== 'lock')
  }

  /** Lets calls through to a failing store again. */
  retry(): void {
    this.#isTrying = true
    this.#isLocking = true
  }

  #succeed(done: StoreFailure['operation']): void {
    if (this.#failing.length === 0) return
    const isLock = done === 'lock'
    // A store without its watch works; that it is missing was said once.
    this.#failing = this.#failing.filter((operation) => operation !== done && (isLock || operation !== 'watch'))
    if (isLock) this.#isLocking = true
    else if (!this.isFailing()) this.#isTrying = true
  }

  #fail(failure: StoreFailure): undefined {
    if (failure.operation === 'lock') this.#isLocking = false
    else this.#isTrying = false
    this.#note(failure)
  }

  /** One report a failing period, however many operations take part in it. A watch that fails keeps nothing from working. */
  #note(failure: StoreFailure): void {
    const isLock = failure.operation === 'lock'
    if (!this.#failing.some((operation) => (operation === 'lock') === isLock)) this.onFailure(failure)
    this.#failing = this.#failing.concat(failure.operation)
  }
}
