// S2: a user's store behind a wall: bounded, caught, and told of once while it fails.
import { describe, expect, it, vi } from 'vitest'
import { SteadyStore } from '../../src/coordination/steady-store.ts'
import type { TokenStore } from '../../src/index.ts'
import { durationOf, fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { rejectionOf } from '../helpers/rejection.ts'

fakeTime()

const SESSION = { sessionId: 's', version: 1, tokens: { accessToken: 'a' } }
const OPTIONS = { waitMs: 12_000, holdMs: 12_000 }
const never = (): Promise<never> => new Promise(() => {})
const throwing = (): never => {
  throw new Error('broken')
}

function steady(store: Partial<TokenStore>) {
  const failures: unknown[] = []
  class Wall extends SteadyStore {
    protected override onFailure(failure: unknown): void {
      failures.push(failure)
    }
    protected override beforeRelease(): null {
      return null
    }
  }
  const wall = new Wall({ read: () => null, write: () => true, ...store })
  return { wall, failures }
}

describe('read()', () => {
  it('S2 is synchronous where the store is, and a promise where that is', async () => {
    expect(steady({ read: () => SESSION }).wall.read()).toEqual(SESSION)
    const later = steady({ read: async () => SESSION }).wall.read()
    expect(later).toBeInstanceOf(Promise)
    expect(await later).toEqual(SESSION)
  })

  it('S2 is undefined where the store fails, and then without asking it, until retry()', async () => {
    let calls = 0
    const { wall, failures } = steady({
      read: () => {
        calls++
        return throwing()
      },
    })
    expect(wall.read()).toBeUndefined()
    expect(wall.read()).toBeUndefined()
    expect(calls).toBe(1)
    wall.retry()
    expect(wall.read()).toBeUndefined()
    expect(calls).toBe(2)
    expect(failures).toEqual([{ operation: 'read', reason: 'threw' }])
  })

  it('S2 gives up within the second', async () => {
    const { wall, failures } = steady({ read: never })
    expect(await durationOf(Promise.resolve(wall.read()))).toBeLessThan(1000)
    expect(failures).toEqual([{ operation: 'read', reason: 'timed-out' }])
  })

  it('S2 an answer that comes after that does not end the failure', async () => {
    const { wall } = steady({ read: () => new Promise((answer) => setTimeout(() => answer(SESSION), 5000)) })
    expect(await settled(Promise.resolve(wall.read()))).toBeUndefined()
    await pass(10_000)
    expect(wall.isFailing()).toBe(true)
  })

  it('S2 tells once per failing period', () => {
    let isBroken = true
    const { wall, failures } = steady({ read: () => (isBroken ? throwing() : SESSION) })
    for (let period = 1; period <= 3; period++) {
      isBroken = true
      for (let attempt = 0; attempt < 5; attempt++) {
        wall.retry()
        wall.read()
      }
      expect(failures).toHaveLength(period)
      expect(wall.isFailing()).toBe(true)
      isBroken = false
      wall.retry()
      expect(wall.read()).toEqual(SESSION)
      expect(wall.isFailing()).toBe(false)
    }
  })
})

describe('write()', () => {
  it.each([
    ['true', true, true],
    ['false', false, false],
    ['nothing', undefined, false],
    ["'OK'", 'OK', false],
  ])('S2 counts as written only where the store says true: %s', async (_what, answer, hasWritten) => {
    expect(await steady({ write: () => answer as boolean }).wall.write(SESSION, null)).toBe(hasWritten)
    expect(await steady({ write: async () => answer as boolean }).wall.write(SESSION, null)).toBe(hasWritten)
  })

  it.each([
    ['throws', throwing, 'threw'],
    ['rejects', async () => throwing(), 'threw'],
    ['never settles', never, 'timed-out'],
  ])('S2 is undefined where the store %s', async (_how, write, reason) => {
    const { wall, failures } = steady({ write })
    const work = wall.write(SESSION, null)
    expect(await durationOf(work)).toBeLessThan(1000)
    expect(await work).toBeUndefined()
    expect(failures).toEqual([{ operation: 'write', reason }])
  })

  it('S2 a read that works does not end a failure of writing', () => {
    const { wall } = steady({ read: () => SESSION, write: throwing })
    void wall.write(SESSION, null)
    wall.retry()
    wall.read()
    expect(wall.isFailing()).toBe(true)
  })
})

describe('lock()', () => {
  const task = async (): Promise<string> => 'done'

  it('S2 without a lock the task runs all the same', async () => {
    expect(await steady({}).wall.lock(task, OPTIONS)).toBe('done')
  })

  it('S2 settles once the lock is released, not before', async () => {
    let release = (): void => {}
    const { wall } = steady({
      lock: async (work) => {
        const result = await work()
        await new Promise<void>((resolve) => {
          release = resolve
        })
        return result
      },
    })
    let isSettled = false
    const work = wall.lock(task, OPTIONS).finally(() => {
      isSettled = true
    })
    await flush()
    expect(isSettled).toBe(false)
    release()
    expect(await settled(work)).toBe('done')
  })

  it('T2 leaves no timer behind once the lock is released', async () => {
    const { wall } = steady({ lock: (work) => work() })
    await wall.lock(task, OPTIONS)
    await flush()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('S2 does not wait for a release that hangs', async () => {
    const { wall } = steady({
      lock: async (work) => {
        await work()
        return never()
      },
    })
    expect(await durationOf(wall.lock(task, OPTIONS))).toBeLessThan(1000)
  })

  it.each([
    ['throws', throwing, 'threw'],
    ['rejects', async () => throwing(), 'threw'],
    ['runs nothing', async () => 'nothing' as never, 'refused'],
    ['never settles', never, 'timed-out'],
  ])('S2 goes on without a lock that %s', async (_how, lock, reason) => {
    let runs = 0
    const { wall, failures } = steady({ lock })
    const work = wall.lock(async () => ++runs, OPTIONS)
    expect(await settled(work)).toBe(1)
    expect(failures).toEqual([{ operation: 'lock', reason }])
  })

  it('S2 runs the task once, however often the lock does', async () => {
    let runs = 0
    const { wall } = steady({
      lock: async (work) => {
        await work()
        await work()
        return work()
      },
    })
    await settled(wall.lock(async () => ++runs, OPTIONS))
    expect(runs).toBe(1)
  })

  it('S2 passes on what the task throws', async () => {
    const { wall, failures } = steady({ lock: (work) => work() })
    const failure = new Error('of the task')
    expect(await settled(rejectionOf(wall.lock(() => Promise.reject(failure), OPTIONS)))).toBe(failure)
    expect(failures).toEqual([])
  })
})

describe('watch()', () => {
  it('S2 ends once, and survives a store that cannot', () => {
    let ended = 0
    const { wall } = steady({
      watch: () => () => {
        ended++
        throwing()
      },
    })
    wall.watch(() => {})
    expect(() => wall.unwatch()).not.toThrow()
    expect(ended).toBe(1)
  })

  it('S2 is nothing where the store has none', () => {
    const { wall } = steady({})
    wall.watch(() => {})
    expect(() => wall.unwatch()).not.toThrow()
  })
})
