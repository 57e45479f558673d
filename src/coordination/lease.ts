/**
 * A lock as a lease: whoever takes it says for how long, says so again while the task runs, and has lost it once that time is
 * over. It saves calls and decides nothing: a holder that is killed or stopped costs the others its hold at most (C2), and
 * compare-and-set keeps sessions right.
 */
import { after, monotonicNow, wallNow } from '../clock.ts'
import { createId } from '../id.ts'
import type { LockOptions, TokenStore } from '../ports.ts'
import { abortable } from './abortable.ts'
import type { Judge, Stamped } from './judge.ts'

/** Where one owner can stand at a time. */
export interface LeasePlace {
  /** Puts `owner` there, if nobody stands there or whoever does is past its time. Says whether it did. */
  take(owner: string, ttlMs: number): Promise<boolean>
  /** Says whether `owner` still stands there; then for another `ttlMs` from now. */
  extend(owner: string, ttlMs: number): Promise<boolean>
  /** Leaves the place, if it is still the owner's. */
  release(owner: string): Promise<unknown>
  /** Tells that it may be free, sooner than the next look would find out. Returns what ends it. */
  onFree?(listener: () => void): () => void
}

export type Lock = NonNullable<TokenStore['lock']>

interface Lease {
  /** By our own clock, so that a process which was stopped knows before it does anything. */
  isHeld(): boolean
  end(): Promise<void>
}

/** @param pollMs how often to look whether the place is free, on average */
export function leaseLock(place: LeasePlace, pollMs: number): Lock {
  return async (task, options) => {
    options.signal?.throwIfAborted()
    const lease = await rent(place, options, pollMs)
    try {
      return await task(lease?.isHeld)
    } finally {
      await lease?.end()
    }
  }
}

/** Waits for its turn; null = waited long enough. */
async function rent(place: LeasePlace, { waitMs, holdMs, signal }: LockOptions, pollMs: number): Promise<Lease | null> {
  const endsAt = monotonicNow() + waitMs
  const owner = createId()
  for (;;) {
    const askedAt = monotonicNow()
    if (await place.take(owner, holdMs / 2)) {
      if (!signal?.aborted) return keep(place, owner, holdMs, askedAt)
      await place.release(owner)
    }
    signal?.throwIfAborted()
    const leftMs = endsAt - monotonicNow()
    if (leftMs <= 0) return null
    // At random, so that those who wait do not all look at once.
    await abortable(freedOr(place, Math.min(leftMs, pollMs * (0.5 + Math.random()))), signal)
  }
}

/** Resolves after `delayMs`, or when the place tells that it is free. */
function freedOr(place: LeasePlace, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      cancel()
      endHints?.()
      resolve()
    }
    const cancel = after(delayMs, go, true)
    const endHints = place.onFree?.(go)
  })
}

/**
 * Half the hold at a time: of a holder that is killed that is what the others wait for, and one whose event loop is busy for
 * a while does not lose the lock in the middle of a refresh.
 */
function keep(place: LeasePlace, owner: string, holdMs: number, takenAt: number): Lease {
  // A task that does not end must not keep the others out.
  const endsAt = takenAt + holdMs
  let heldUntil = takenAt + holdMs / 2
  let beat = Promise.resolve()
  let cancelBeat = (): void => {}
  const extend = async (): Promise<void> => {
    const askedAt = monotonicNow()
    const ttlMs = Math.min(holdMs / 2, endsAt - askedAt)
    // What could not be extended runs out by itself.
    const isOurs = await place.extend(owner, ttlMs).catch(() => null)
    if (isOurs !== null) heldUntil = isOurs ? askedAt + ttlMs : askedAt
    schedule()
  }
  const schedule = (): void => {
    const isOver = monotonicNow() >= heldUntil || heldUntil >= endsAt
    if (isOver) return
    cancelBeat = after(holdMs / 6, () => {
      beat = extend()
    })
  }
  schedule()
  return {
    isHeld: () => monotonicNow() < heldUntil,
    async end() {
      cancelBeat()
      await beat
      cancelBeat()
      await place.release(owner).catch(() => {})
    },
  }
}

/** Who holds a lease, and until when by the wall clock. */
export interface LeaseRecord extends Stamped {
  readonly owner: string
  readonly until: number
}

/**
 * A place for leases in whatever a judge keeps.
 *
 * @param sign made part of our leases: what `isGone` goes by
 * @param isGone whether the holder of a lease is known to be no more, so that nobody has to wait for its end
 */
export function judgedLease<R extends LeaseRecord = LeaseRecord>(
  judge: Judge<R>,
  sign: () => Omit<R, keyof LeaseRecord> = () => ({}) as R,
  isGone: (lease: R) => boolean = () => false,
): LeasePlace {
  const put = (owner: string, ttlMs: number, standing: R | undefined): Promise<boolean> =>
    judge.swap({ ...sign(), stamp: createId(), owner, until: wallNow() + ttlMs } as R, standing)
  return {
    async take(owner, ttlMs) {
      const standing = await judge.read()
      const leftMs = (standing?.until ?? 0) - wallNow()
      // One that ends much later than any could was made under another clock; a little may be between two processes.
      const isTaken = standing !== undefined && leftMs > 0 && leftMs <= 20 * ttlMs && !isGone(standing)
      return !isTaken && put(owner, ttlMs, standing)
    },
    async extend(owner, ttlMs) {
      const standing = await judge.read()
      return standing?.owner === owner && put(owner, ttlMs, standing)
    },
    async release(owner) {
      const standing = await judge.read()
      if (standing?.owner === owner) await judge.swap(undefined, standing)
    },
  }
}
