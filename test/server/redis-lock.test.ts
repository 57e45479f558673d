// S5: one compare-and-set for all, and a lock that nobody but its owner extends or takes away. On a real redis-server.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LeasePlace } from '../../src/coordination/lease.ts'
import { redisLease } from '../../src/coordination/redis-lease.ts'
import type { StoredSession, TokenStore } from '../../src/index.ts'
import { type RedisLike, redisStore } from '../../src/stores/redis.ts'
import { deferred } from '../helpers/deferred.ts'
import { type Connection, connect, KINDS, type RedisAdmin, redisAdmin } from '../helpers/redis-clients.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const WRITERS = 50
const session = (version: number, label = ''): StoredSession => ({
  sessionId: 'session-1',
  version,
  tokens: { accessToken: `at-${version}-${label}`, refreshToken: `rt-${version}` },
})

let server: RedisServer
let admin: RedisAdmin
/** A connection each, as so many processes have. */
let connections: Connection[]
const clientOf = (index: number): RedisLike => (connections[index % connections.length] as Connection).client
const storesOf = (count: number, key: string): TokenStore[] =>
  Array.from({ length: count }, (_, index) => redisStore({ client: clientOf(index), key }))
const placesOf = (key: string): [LeasePlace, LeasePlace] => {
  const [a, b] = [0, 1].map((index) => redisLease({ client: clientOf(index), prefix: 'relatch:', key }))
  return [a as LeasePlace, b as LeasePlace]
}

beforeAll(async () => {
  server = await startRedis()
  admin = redisAdmin(server.port)
  const kinds = Array.from({ length: WRITERS }, (_, index) => KINDS[index % 2] as (typeof KINDS)[number])
  connections = await Promise.all(kinds.map((kind) => connect(kind, server.port)))
})
afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()))
  await admin[Symbol.asyncDispose]()
  await server.stop()
})

describe('compare and set', () => {
  it(`S5 of ${WRITERS} writers on as many connections one wins, 20 times in a row`, async () => {
    const stores = storesOf(WRITERS, 'writers')
    let expected: number | null = null
    for (let round = 1; round <= 20; round++) {
      const entrants = stores.map((_, index) => session(round, `${index}`))
      const wins = await Promise.all(stores.map((store, index) => store.write(entrants[index] ?? null, expected)))
      expect(wins.filter(Boolean)).toHaveLength(1)
      expect(await stores[0]?.read()).toEqual(entrants[wins.indexOf(true)])
      expected = round
    }
  })

  it('S5 no update is lost between writers that try again', async () => {
    const stores = storesOf(10, 'counter')
    await stores[0]?.write(session(0), null)
    const count = async (store: TokenStore): Promise<void> => {
      for (let done = 0; done < 10; ) {
        const version = (await store.read())?.version ?? 0
        if (await store.write(session(version + 1), version)) done++
      }
    }
    await Promise.all(stores.map(count))
    expect((await stores[0]?.read())?.version).toBe(100)
  })

  it('S5 a removal and a write at one version: one of them wins', async () => {
    for (let round = 0; round < 50; round++) {
      const [first, second, third] = storesOf(3, `removal-${round}`)
      await first?.write(session(1), null)
      const [hasRemoved, hasWritten] = await Promise.all([second?.write(null, 1), third?.write(session(2), 1)])
      const left = await first?.read()
      expect([hasRemoved, hasWritten, left]).toEqual(hasRemoved ? [true, false, null] : [false, true, session(2)])
    }
  })
})

describe.concurrent('the lock', () => {
  it('S5 who is past its time neither releases nor extends what is another’s by then: 1000 of 1000', async () => {
    const rounds = await Promise.all(
      Array.from({ length: 1000 }, async (_, index) => {
        const [a, b] = placesOf(`late-${index}`)
        const isA = await a.take('a', 1)
        while (!(await b.take('b', 60_000))) await sleep(1)
        const late = [await a.extend('a', 60_000), await a.take('a', 60_000), await a.release('a')]
        return [isA, ...late, await b.extend('b', 60_000), await b.release('b'), await a.take('a', 1)]
      }),
    )
    const expected = [true, false, false, false, true, true, true]
    expect(rounds.filter((round) => round.join() === expected.join())).toHaveLength(1000)
  })

  it('S5 a lease that was taken goes by itself, whatever its length', async () => {
    const [a] = placesOf('lengths')
    for (const ttlMs of [0.4, 1.5, 6000.25, 2 ** 40]) {
      expect(await a.take('a', ttlMs)).toBe(true)
      const left = Number(await admin.run('PTTL', 'relatch:{lengths}:lock'))
      expect(left).toBeGreaterThanOrEqual(-2)
      expect(left).not.toBe(-1)
      await admin.run('DEL', 'relatch:{lengths}:lock')
    }
  })

  it('S5 is extended while a long task runs, and nobody else comes in', async () => {
    const holdMs = 3000
    const [store] = storesOf(1, 'long')
    const place = redisLease({ client: clientOf(1), prefix: 'relatch:', key: 'long' })
    const answers: boolean[] = []
    let lastHeld: boolean | undefined
    const task = async (isHeld?: () => boolean): Promise<void> => {
      // A lease is half the hold, so that it has to be extended.
      const startedAt = performance.now()
      while (performance.now() - startedAt < 0.6 * holdMs) {
        answers.push(await place.take('rival', 1))
        await sleep(25)
      }
      lastHeld = isHeld?.()
    }
    await store?.lock?.(task, { waitMs: 1000, holdMs })
    expect(lastHeld).toBe(true)
    expect(answers.length).toBeGreaterThan(10)
    expect(new Set(answers)).toEqual(new Set([false]))
    // Released, not run out.
    expect(await admin.run('EXISTS', 'relatch:{long}:lock')).toBe(0)
  })

  it('C2 a task that does not end holds it no longer than its hold, and is told', async () => {
    const holdMs = 1000
    const [store, other] = storesOf(2, 'endless')
    const end = deferred<void>()
    const [started, startedAt] = [deferred<() => boolean>(), performance.now()]
    const stuck = store?.lock?.(
      async (isHeld) => {
        started.resolve(isHeld ?? (() => false))
        await end.promise
      },
      { waitMs: 1000, holdMs },
    )
    const isHeld = await started.promise
    expect(isHeld()).toBe(true)
    const heldMs = await other?.lock?.(async () => performance.now() - startedAt, { waitMs: 20_000, holdMs })
    expect(isHeld()).toBe(false)
    expect(heldMs).toBeGreaterThan(0.9 * holdMs)
    end.resolve()
    await stuck
  })

  it('S5 what somebody else has put at its key is no lock, and nobody is shut out by it', async () => {
    const [store] = storesOf(1, 'litter')
    await admin.run('SET', 'relatch:{litter}:lock', 'litter')
    expect(await store?.lock?.(async (isHeld) => isHeld?.(), { waitMs: 0, holdMs: 1000 })).toBe(true)
    await admin.run('RPUSH', 'relatch:{litter}:lock', 'a')
    await expect(store?.lock?.(async () => {}, { waitMs: 20_000, holdMs: 1000 })).rejects.toThrow('WRONGTYPE')
  })

  it('S5 passes from one to the next as soon as it is free, where they watch', async () => {
    const stores = storesOf(2, 'handover')
    const ends = stores.map((store) => store.watch?.(() => {}))
    // They listen: what one of them changes, the other hears.
    const [first, second] = stores as [TokenStore, TokenStore]
    for (const [writer, reader] of [[first, second] as const, [second, first] as const]) {
      const heard = deferred<void>()
      const end = reader.watch?.(() => heard.resolve())
      const version = (await writer.read())?.version ?? null
      await writer.write(session((version ?? 0) + 1), version)
      await heard.promise
      end?.()
    }
    const delays: number[] = []
    for (let round = 0; round < 10; round++) {
      const [holder, waiter] = round % 2 ? [second, first] : [first, second]
      const held = deferred<void>()
      const holding = holder.lock?.(
        async () => {
          held.resolve()
          // Until the other has found it taken, and waits.
          await sleep(50)
        },
        { waitMs: 0, holdMs: 20_000 },
      )
      await held.promise
      const begun = waiter.lock?.(async () => performance.now(), { waitMs: 20_000, holdMs: 20_000 })
      await holding
      const releasedAt = performance.now()
      delays.push(Number(await begun) - releasedAt)
    }
    // A look at random comes 250 to 750 ms after the first one.
    expect(delays.filter((delayMs) => delayMs < 150).length).toBeGreaterThanOrEqual(7)
    for (const end of ends) end?.()
  })

  it('S5 100 who wait cost Redis two scripts a second each, and a few more', async () => {
    // A server of its own, where nobody else is counted.
    await using redis = await startRedis()
    await using counter = redisAdmin(redis.port)
    await using connection = await connect('ioredis', redis.port)
    const options = { client: connection.client, key: 'waiters' }
    const stores = Array.from({ length: 100 }, () => redisStore(options))
    const store = redisStore(options)
    const end = deferred<void>()
    const held = deferred<void>()
    const holder = store.lock?.(
      async () => {
        held.resolve()
        await end.promise
      },
      { waitMs: 0, holdMs: 60_000 },
    )
    await held.promise
    const [before, startedAt] = [await counter.scripts(), performance.now()]
    const leaving = new AbortController()
    const patience = { waitMs: 60_000, holdMs: 60_000, signal: leaving.signal }
    const waiters = stores.map((each) => each.lock?.(async () => {}, patience).catch(() => {}))
    await sleep(2500)
    const [scripts, seconds] = [(await counter.scripts()) - before, (performance.now() - startedAt) / 1000]
    leaving.abort()
    end.resolve()
    await Promise.all([holder, ...waiters])
    expect(scripts).toBeGreaterThan(100)
    expect(scripts).toBeLessThan(100 * (1 + 2.3 * seconds))
  })
})
