// C2: a lock that can be lost: what its holder knows of it, and how long those who wait do.
import { describe, expect, it, vi } from 'vitest'
import type { Judge } from '../../../src/coordination/judge.ts'
import { judgedLease, type LeasePlace, type LeaseRecord, leaseLock } from '../../../src/coordination/lease.ts'
import type { LockOptions } from '../../../src/ports.ts'
import { deferred } from '../../helpers/deferred.ts'
import { durationOf, fakeTime, flush, pass, settled } from '../../helpers/fake-time.ts'
import { rejectionOf } from '../../helpers/rejection.ts'

fakeTime()

const POLL_MS = 50
const HOLD_MS = 12_000
/** Half a hold. */
const LEASE_MS = 6000
const OPTIONS: LockOptions = { waitMs: 24_000, holdMs: HOLD_MS }
const HOUR_MS = 3_600_000

interface Cell {
  judge: Judge<LeaseRecord>
  standing(): LeaseRecord | undefined
  put(record: LeaseRecord): void
}

/** What all who share it see at once. */
function cell(): Cell {
  let standing: LeaseRecord | undefined
  return {
    standing: () => standing,
    put: (record) => {
      standing = record
    },
    judge: {
      read: async () => standing,
      async swap(next, expected) {
        if (standing?.stamp !== expected?.stamp) return false
        standing = next
        return true
      },
    },
  }
}

/** A machine of its own on the cell. */
const lockOn = ({ judge }: Cell) => leaseLock(judgedLease(judge), POLL_MS)
type Lock = ReturnType<typeof lockOn>

interface Holder {
  isHeld: () => boolean
  /** Ends the task; resolves when the lock is released. */
  end(): Promise<void>
}

async function hold(lock: Lock, options = OPTIONS): Promise<Holder> {
  const [started, over] = [deferred<() => boolean>(), deferred<void>()]
  const done = lock(async (isHeld) => {
    started.resolve(isHeld as () => boolean)
    await over.promise
  }, options)
  const isHeld = await settled(started.promise)
  return {
    isHeld,
    async end() {
      over.resolve()
      await settled(done)
    },
  }
}

/** Runs nothing; says whether the lock was its own. */
const pop = (lock: Lock, options = OPTIONS): Promise<boolean | undefined> => lock(async (isHeld) => isHeld?.(), options)

/** Somebody who is always let in, and what they ask. */
function openPlace(answers: Partial<LeasePlace> = {}) {
  const asked: [what: string, owner: string, ttlMs: number][] = []
  const ask =
    <T>(what: string, answer: T) =>
    async (owner: string, ttlMs = 0): Promise<T> => {
      asked.push([what, owner, ttlMs])
      return answer
    }
  const place = { take: ask('take', true), extend: ask('extend', true), release: ask('release', true), ...answers }
  return { place, asked, lock: leaseLock(place, POLL_MS) }
}

describe('whoever holds it', () => {
  it('C2 says so again at each third of the lease, and no longer than its hold', async () => {
    const { asked, lock } = openPlace()
    const holder = await hold(lock)
    await pass(HOLD_MS - 1)
    expect(holder.isHeld()).toBe(true)
    await pass(HOLD_MS)
    expect(holder.isHeld()).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
    await holder.end()
    const [, owner] = asked[0] ?? []
    expect(asked).toEqual([
      ['take', owner, 6000],
      ...[6000, 6000, 6000, 4000].map((ttlMs) => ['extend', owner, ttlMs]),
      ['release', owner, 0],
    ])
  })

  it('C2 keeps it from others for as long as the task runs, to the end of the hold', async () => {
    const shared = cell()
    const holder = await hold(lockOn(shared))
    expect(await durationOf(pop(lockOn(shared)))).toBeGreaterThan(HOLD_MS)
    expect(holder.isHeld()).toBe(false)
    const next = await hold(lockOn(shared))
    await holder.end()
    // Late, and no business of its.
    expect(next.isHeld()).toBe(true)
    expect(shared.standing()).toBeDefined()
    await next.end()
    expect(shared.standing()).toBeUndefined()
  })

  it('C2 leaves it at once when the task ends, or throws', async () => {
    const shared = cell()
    const error = new Error('of the task')
    expect(await rejectionOf(lockOn(shared)(() => Promise.reject(error), OPTIONS))).toBe(error)
    expect(shared.standing()).toBeUndefined()
    expect(await pop(lockOn(shared))).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('C2 knows that it has lost it once the time is over, whatever kept it from saying so', async () => {
    const { lock } = openPlace({ extend: () => Promise.reject(new Error('down')) })
    const holder = await hold(lock)
    await pass(LEASE_MS - 1)
    expect(holder.isHeld()).toBe(true)
    await pass(1)
    expect(holder.isHeld()).toBe(false)
    await holder.end()
  })

  it('C2 knows it when it goes on after a stop, before any timer has told it', async () => {
    const { lock } = openPlace()
    const holder = await hold(lock)
    const now = performance.now()
    vi.spyOn(performance, 'now').mockReturnValue(now + LEASE_MS)
    expect(holder.isHeld()).toBe(false)
    vi.restoreAllMocks()
    expect(holder.isHeld()).toBe(true)
    await holder.end()
  })

  it('C2 knows it when the machine has slept, where the monotonic clock has slept too', async () => {
    const { lock } = openPlace()
    const holder = await hold(lock)
    vi.setSystemTime(Date.now() + LEASE_MS)
    expect(holder.isHeld()).toBe(false)
    await holder.end()
  })

  it('C2 holds it no longer because the wall clock was put back', async () => {
    const { lock } = openPlace({ extend: () => Promise.reject(new Error('down')) })
    const holder = await hold(lock)
    vi.setSystemTime(Date.now() - HOUR_MS)
    await pass(LEASE_MS)
    expect(holder.isHeld()).toBe(false)
    await holder.end()
  })

  it('C2 that was late and is let on holds it again, for what is left', async () => {
    const { lock } = openPlace()
    const holder = await hold(lock)
    vi.setSystemTime(Date.now() + LEASE_MS)
    expect(holder.isHeld()).toBe(false)
    await pass(2000)
    expect(holder.isHeld()).toBe(true)
    await pass(4000)
    expect(holder.isHeld()).toBe(false)
    await holder.end()
  })

  it('C2 that is told no has lost it at once, and asks no more', async () => {
    const { lock } = openPlace({ extend: async () => false })
    const holder = await hold(lock)
    await pass(2000)
    expect(holder.isHeld()).toBe(false)
    expect(vi.getTimerCount()).toBe(0)
    await holder.end()
  })

  it('C2 counts from when it asked, however long the answer took', async () => {
    const late = (ms: number) => new Promise<boolean>((resolve) => setTimeout(() => resolve(true), ms))
    const slow = openPlace({ take: () => late(4000), extend: () => new Promise(() => {}) })
    const over = deferred<void>()
    let isHeld = (): boolean | undefined => undefined
    void slow.lock(async (answer) => {
      isHeld = () => answer?.()
      await over.promise
    }, OPTIONS)
    await pass(LEASE_MS - 1)
    expect(isHeld()).toBe(true)
    await pass(1)
    expect(isHeld()).toBe(false)

    const holder = await hold(openPlace({ extend: () => late(3000) }).lock)
    // Asked for at 2 s and given at 5 s.
    await pass(2000 + LEASE_MS - 1)
    expect(holder.isHeld()).toBe(true)
    await pass(1)
    // Asked for the next at 7 s.
    expect(holder.isHeld()).toBe(false)
    await holder.end()
  })

  it('C2 that could not say so once says so the next time', async () => {
    let failures = 1
    const { lock } = openPlace({ extend: async () => failures-- <= 0 || Promise.reject(new Error('once')) })
    const holder = await hold(lock)
    await pass(LEASE_MS + 100)
    expect(holder.isHeld()).toBe(true)
    await holder.end()
  })

  it('C2 gets the outcome of its task, even where it cannot be released', async () => {
    const { lock } = openPlace({ release: () => Promise.reject(new Error('down')) })
    expect(await lock(async () => 'value', OPTIONS)).toBe('value')
  })

  it('C2 leaves nothing behind it, where it ends in the middle of saying so', async () => {
    const answer = deferred<boolean>()
    const order: string[] = []
    const { lock } = openPlace({
      extend: () => answer.promise.finally(() => order.push('extended')),
      release: async () => void order.push('released'),
    })
    const over = deferred<void>()
    const done = lock(() => over.promise, OPTIONS)
    await pass(2000)
    over.resolve()
    await flush()
    answer.resolve(true)
    await done
    // The other way round it would stand there again, with nobody to leave.
    expect(order).toEqual(['extended', 'released'])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('whoever waits', () => {
  it('C2 goes on without it after waitMs, and is told so', async () => {
    const { lock } = openPlace({ take: async () => false })
    const waiting = pop(lock, { ...OPTIONS, waitMs: 1000 })
    expect(await durationOf(waiting)).toBe(1000)
    expect(await waiting).toBeUndefined()
  })

  it('C2 looks now and then, not in step with others, and at once where it is told', async () => {
    const looks: number[] = []
    let tell = (): void => {}
    let listeners = 0
    const { lock } = openPlace({
      take: async () => looks.push(performance.now()) > 20,
      onFree(listener) {
        listeners++
        tell = listener
        return () => listeners--
      },
    })
    const done = pop(lock)
    await flush()
    tell()
    await settled(done)
    const pauses = looks.slice(1).map((at, index) => at - (looks[index] as number))
    expect(pauses[0]).toBe(0)
    expect(Math.min(...pauses.slice(1))).toBeGreaterThanOrEqual(POLL_MS / 2)
    expect(Math.max(...pauses)).toBeLessThanOrEqual(POLL_MS * 1.5)
    expect(new Set(pauses).size).toBeGreaterThan(5)
    expect(listeners).toBe(0)
  })

  it('C2 leaves when its signal aborts, at once and with its reason, and gives back what it has just been given', async () => {
    const taken = deferred<boolean>()
    const release = vi.fn(() => Promise.reject(new Error('down')))
    const { lock } = openPlace({ take: () => taken.promise, release })
    const reason = new Error('no more')
    const leaving = new AbortController()
    const task = vi.fn(async () => {})
    const done = rejectionOf(lock(task, { ...OPTIONS, signal: leaving.signal }))
    leaving.abort(reason)
    taken.resolve(true)
    expect(await settled(done)).toBe(reason)
    expect(await rejectionOf(lock(task, { ...OPTIONS, signal: leaving.signal }))).toBe(reason)
    expect(task).not.toHaveBeenCalled()
    expect(release).toHaveBeenCalledTimes(1)

    const patient = new AbortController()
    const busy = openPlace({ take: async () => false })
    const waiting = rejectionOf(busy.lock(task, { ...OPTIONS, signal: patient.signal }))
    await pass(500)
    patient.abort(reason)
    expect(await durationOf(waiting)).toBe(0)
  })

  it('C2 is not let go beside the holder by a look that fails once', async () => {
    let looks = 0
    const { lock } = openPlace({
      take: async () => {
        if (++looks % 3 === 0) throw new Error('now and then')
        return looks > 30
      },
    })
    expect(await settled(pop(lock))).toBe(true)
    expect(looks).toBeGreaterThan(30)
  })

  it('S2 gives a place up that keeps failing, within the second, with its error', async () => {
    const error = new Error('down')
    const { lock } = openPlace({ take: () => Promise.reject(error) })
    const task = vi.fn(async () => {})
    const done = rejectionOf(lock(task, OPTIONS))
    expect(await durationOf(done)).toBeLessThan(800)
    expect(await done).toBe(error)
    expect(task).not.toHaveBeenCalled()
  })
})

describe('a lease in what a judge keeps', () => {
  it('C2 is over when its holder has not been heard of for its time: half a hold, for one that was killed', async () => {
    const shared = cell()
    await judgedLease(shared.judge).take('dead', LEASE_MS)
    const waitedMs = await durationOf(pop(lockOn(shared)))
    expect(waitedMs).toBeGreaterThanOrEqual(LEASE_MS)
    expect(waitedMs).toBeLessThanOrEqual(LEASE_MS + 2 * POLL_MS)
  })

  it('C2 is not over because whoever waits was stopped, maybe together with its holder', async () => {
    const shared = cell()
    await judgedLease(shared.judge).take('stopped as well', LEASE_MS)
    const waiting = judgedLease(shared.judge)
    expect(await waiting.take('me', LEASE_MS)).toBe(false)
    const now = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => now() + HOUR_MS)
    expect(await waiting.take('me', LEASE_MS)).toBe(false)
  })

  it('C2 counts by the clock of whoever waits: machines need not agree on what time it is', async () => {
    for (const skewMs of [2 * HOUR_MS, -2 * HOUR_MS]) {
      const shared = cell()
      const holder = await hold(lockOn(shared))
      const real = Date.now
      // From here on by another machine's clock, but for the holder's own.
      const lock = lockOn(shared)
      const waiting = pop(lock, { ...OPTIONS, waitMs: 4000 })
      vi.spyOn(Date, 'now').mockImplementation(() => real() + skewMs)
      await flush()
      vi.restoreAllMocks()
      expect(await settled(waiting)).toBeUndefined()
      expect(holder.isHeld()).toBe(true)
      await holder.end()
      expect(shared.standing()).toBeUndefined()
    }
  })

  it('C1 is respected by those with shorter ones, and lasts no longer for those with longer ones', async () => {
    const [short, long] = [
      { waitMs: 20_000, holdMs: 2000 },
      { waitMs: 200_000, holdMs: 602_000 },
    ]
    const shared = cell()
    const holder = await hold(lockOn(shared), long)
    expect(await settled(pop(lockOn(shared), short))).toBeUndefined()
    expect(holder.isHeld()).toBe(true)
    await holder.end()
    await judgedLease(shared.judge).take('dead', 1000)
    expect(await durationOf(pop(lockOn(shared), long))).toBeLessThan(1000 + 2 * POLL_MS)
  })

  it('C2 is free at once where its holder is known to be gone', async () => {
    const shared = cell()
    await judgedLease(shared.judge).take('dead', LEASE_MS)
    const isGone = vi.fn((lease: LeaseRecord) => lease.owner === 'dead')
    const lock = leaseLock(
      judgedLease(shared.judge, () => ({}), isGone),
      POLL_MS,
    )
    expect(await durationOf(pop(lock))).toBe(0)
    expect(isGone).toHaveBeenCalledTimes(1)
  })

  it('C2 is extended and left by its owner only', async () => {
    const shared = cell()
    const place = judgedLease(shared.judge)
    expect(await place.take('a', LEASE_MS)).toBe(true)
    expect(await place.take('b', LEASE_MS)).toBe(false)
    expect(await place.extend('b', LEASE_MS)).toBe(false)
    await place.release('b')
    expect(shared.standing()?.owner).toBe('a')
    expect(await place.extend('a', LEASE_MS)).toBe(true)
    await place.release('a')
    expect(await place.extend('a', LEASE_MS)).toBe(false)
    expect(shared.standing()).toBeUndefined()
  })

  it('C2 is its own for whoever took it, where the answer to that got lost', async () => {
    const shared = cell()
    const { read, swap } = shared.judge
    let isLost = false
    const forgetful: Judge<LeaseRecord> = {
      read,
      async swap(next, expected) {
        const hasWon = await swap(next, expected)
        if (isLost) return hasWon
        isLost = true
        throw new Error('lost on the way')
      },
    }
    const waiting = pop(leaseLock(judgedLease(forgetful), POLL_MS))
    expect(await durationOf(waiting)).toBeLessThanOrEqual(2 * POLL_MS)
    expect(await waiting).toBe(true)
    expect(shared.standing()).toBeUndefined()
  })

  it('S1 that is garbage is none, or ends some day', async () => {
    for (const ttlMs of [undefined, null, 'long', Number.NaN, {}, -1]) {
      const shared = cell()
      shared.put({ stamp: 'a', owner: 'nobody', ttlMs } as LeaseRecord)
      expect(await durationOf(pop(lockOn(shared)))).toBe(0)
    }
    const shared = cell()
    shared.put({ stamp: 'a', owner: 'nobody', ttlMs: 1e300 })
    const lock = leaseLock(judgedLease(shared.judge), 600)
    expect(await durationOf(pop(lock, { waitMs: 2 * HOUR_MS, holdMs: HOLD_MS }))).toBeLessThan(1.1 * HOUR_MS)
  })

  it('C2 of two who find the same one over, one takes it', async () => {
    const shared = cell()
    await judgedLease(shared.judge).take('dead', 100)
    let [running, most] = [0, 0]
    const task = async (): Promise<void> => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 300))
      running--
    }
    await settled(Promise.all(Array.from({ length: 8 }, () => lockOn(shared)(task, OPTIONS))))
    expect(most).toBe(1)
  })
})
