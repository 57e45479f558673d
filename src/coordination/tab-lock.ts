/**
 * One task at a time among the tabs of an origin: a Web Lock, or a lease where a browser has none. It saves calls and decides
 * nothing: a holder that freezes or is killed costs the others its hold at most (C2), and compare-and-set keeps sessions right.
 */
import { after, monotonicNow, sleep, wallNow } from '../clock.ts'
import { createId } from '../id.ts'
import type { LockOptions } from '../ports.ts'
import { abortable } from './abortable.ts'
import { indexedDbJudge } from './indexeddb-judge.ts'
import type { Judge, Stamped } from './judge.ts'
import type { Lock } from './lease.ts'

/** Who may run now, and until when by the wall clock. */
interface Lease extends Stamped {
  readonly until: number
}

type Release = () => void

/** @param database for the leases, where Web Locks are missing (plain http, old browsers) */
export function tabLock(name: string, database: string): Lock {
  const leases = indexedDbJudge<Lease>(`${name}:lease`, database)
  return async (task, options) => {
    const locks = globalThis.navigator?.locks as LockManager | undefined
    options.signal?.throwIfAborted()
    const release = await (locks ? enter(locks, name, options) : rent(leases, options))
    // By our own clock: a task that never ends must not keep the others out.
    const cancel = after(options.holdMs, () => release?.(), true)
    try {
      return await task()
    } finally {
      cancel()
      release?.()
    }
  }
}

/** Waits in line; from a holder that is past its hold the lock is taken. null = waited long enough. */
async function enter(
  locks: LockManager,
  name: string,
  { waitMs, holdMs, signal }: LockOptions,
): Promise<Release | null> {
  const endsAt = monotonicNow() + waitMs
  const holder = async (): Promise<string | undefined> =>
    (await locks.query().catch(() => null))?.held?.find((held) => held.name === name)?.clientId
  for (;;) {
    const leftMs = endsAt - monotonicNow()
    if (leftMs <= 0) return null
    const waiting = request(locks, name, signal, Math.min(leftMs, holdMs))
    // Asked once we stand in line: from here on there is a holder, or it is us.
    const before = holder()
    const release = await waiting
    if (release !== null) return release
    // Still the same after a whole hold: frozen, or its own clock would have let go.
    if (leftMs < holdMs || (await before) === undefined || (await before) !== (await holder())) continue
    // Those who find that out go one at a time, or the second would take the lock from the first.
    const turn = await request(locks, `${name}:late`, signal, endsAt - monotonicNow())
    if (turn === null) return null
    const stolen = (await before) === (await holder()) ? await request(locks, name) : null
    turn()
    if (stolen !== null) return stolen
  }
}

/** Resolves with what releases the lock, or null after `waitMs`. Without `waitMs` the lock is taken from its holder. */
function request(locks: LockManager, name: string, signal?: AbortSignal, waitMs?: number): Promise<Release | null> {
  const leaving = new AbortController()
  const granted = new Promise<Release | null>((resolve) => {
    const cancel = waitMs === undefined ? () => {} : after(waitMs, () => leaving.abort(), true)
    const hold = (): Promise<void> => {
      cancel()
      return new Promise((release) => resolve(release))
    }
    const options = waitMs === undefined ? { steal: true } : { signal: leaving.signal }
    // A browser that denies locks to this page lets it go on without. It also rejects where somebody takes the lock from us,
    // long after this was resolved: then the judge sees to the rest.
    locks.request(name, options, hold).catch(() => resolve(leaving.signal.aborted ? null : () => {}))
  })
  return abortable(granted, signal).catch((reason: unknown) => {
    leaving.abort()
    void granted.then((release) => release?.())
    throw reason
  })
}

const POLL_MS = 50

/** For pages that have no Web Locks, which are few: `leaseLock` with its heartbeat would cost all of them half a kilobyte. */
async function rent(leases: Judge<Lease>, { waitMs, holdMs, signal }: LockOptions): Promise<Release | null> {
  const endsAt = monotonicNow() + waitMs
  const stamp = createId()
  for (;;) {
    const now = wallNow()
    const standing = await leases.read()
    const leftMs = (standing?.until ?? 0) - now
    const mine = { stamp, until: now + holdMs }
    // One that ends much later than any could was made under another clock; a little may be between two processes.
    if (!(leftMs > 0 && leftMs <= 10 * holdMs) && (await leases.swap(mine, standing)))
      return () => void leases.swap(undefined, mine).catch(() => {})
    if (monotonicNow() >= endsAt) return null
    await abortable(sleep(POLL_MS), signal)
  }
}
