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

/** A look that fails once is no reason to go on beside whoever has the lock; a store that stays broken must not be waited for. */
const FAILING_MS = 500
/** Garbage that happens to be a lease must not keep everybody out for ever. */
const LONGEST_LEASE_MS = 3_600_000
/** What one look after another can tell of at most. */
const LONGEST_LOOK_MS = 1000

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
  let failingFor: (() => number) | undefined
  for (;;) {
    const age = stopwatch()
    const taking = place.take(owner, holdMs / 2)
    try {
      if (await abortable(taking, signal)) return keep(place, owner, holdMs, age)
      failingFor = undefined
    } catch (error) {
      if (signal?.aborted) {
        // It may be on its way still.
        taking.then((isTaken) => isTaken && place.release(owner)).catch(() => {})
        throw signal.reason
      }
      failingFor ??= age
      if (failingFor() >= FAILING_MS) throw error
    }
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
function keep(place: LeasePlace, owner: string, holdMs: number, holdAge: () => number): Lease {
  let lease = { age: holdAge, ttlMs: holdMs / 2 }
  let beat = Promise.resolve()
  let cancelBeat = (): void => {}
  const isHeld = (): boolean => lease.age() < lease.ttlMs
  const extend = async (): Promise<void> => {
    const age = stopwatch()
    // A task that does not end must not keep the others out.
    const ttlMs = Math.min(holdMs / 2, holdMs - holdAge())
    if (ttlMs <= 0) return
    // What could not be extended runs out by itself.
    const isOurs = await place.extend(owner, ttlMs).catch(() => null)
    if (isOurs !== null) lease = { age, ttlMs: isOurs ? ttlMs : 0 }
    schedule()
  }
  const schedule = (): void => {
    const isLast = lease.ttlMs < holdMs / 2
    if (isLast || !isHeld()) return
    cancelBeat = after(holdMs / 6, () => {
      beat = extend()
    })
  }
  schedule()
  return {
    isHeld,
    async end() {
      cancelBeat()
      await beat
      cancelBeat()
      await place.release(owner).catch(() => {})
    },
  }
}

/**
 * Tells how long ago it was started, by the clock that says more: the monotonic one stands still while the machine sleeps, and
 * others do not sleep with it; the wall clock may be put back.
 */
function stopwatch(): () => number {
  const [monotonic, wall] = [monotonicNow(), wallNow()]
  return () => Math.max(monotonicNow() - monotonic, wallNow() - wall)
}

/** Who holds a lease, and for how long from when it was written. */
export interface LeaseRecord extends Stamped {
  readonly owner: string
  readonly ttlMs: number
}

/**
 * A place for leases in whatever a judge keeps. Whoever finds a lease counts its time from there on, by a clock of its own: two
 * machines need not agree on what time it is, and a clock that is set takes no lease from anybody.
 *
 * @param sign made part of our leases: what `isGone` goes by
 * @param isGone whether the holder of a lease is known to be no more, so that nobody has to wait for its end
 */
export function judgedLease<R extends LeaseRecord = LeaseRecord>(
  judge: Judge<R>,
  sign: () => Omit<R, keyof LeaseRecord> = () => ({}) as R,
  isGone: (lease: R) => boolean = () => false,
): LeasePlace {
  let found = { stamp: '', lookedAt: 0, seenMs: 0 }
  const isOver = ({ stamp, ttlMs }: R): boolean => {
    const now = monotonicNow()
    // Looks that are far apart say that we were stopped, maybe together with the holder (Ctrl-Z, a paused container).
    const seenMs = found.stamp === stamp ? found.seenMs + Math.min(now - found.lookedAt, LONGEST_LOOK_MS) : 0
    found = { stamp, lookedAt: now, seenMs }
    // Garbage is no number, and lasts for no time.
    return !(seenMs < Math.min(ttlMs, LONGEST_LEASE_MS))
  }
  const put = (owner: string, ttlMs: number, standing: R | undefined): Promise<boolean> =>
    judge.swap({ ...sign(), stamp: createId(), owner, ttlMs } as R, standing)
  return {
    async take(owner, ttlMs) {
      const standing = await judge.read()
      // Ours already: it was written, and the answer got lost.
      const isFree = !standing || standing.owner === owner || isOver(standing) || isGone(standing)
      return isFree && put(owner, ttlMs, standing)
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
