// C3: how often who looks, what is listened to and when, with a client that is made up and a clock that is moved on.
import { describe, expect, it, vi } from 'vitest'
import { type RedisLike, redisStore } from '../../../src/stores/redis.ts'
import { fakeTime, flush, pass } from '../../helpers/fake-time.ts'

fakeTime()

interface Duplicate {
  isClosed: boolean
  isUnrefed: boolean
  channels: string[]
  emit(event: string): void
  hear(message: string, channel?: string): void
}

/** A client of node-redis: what was asked of it, and the connections that were made of it. */
function fakeClient() {
  const reads: string[] = []
  const duplicates: Duplicate[] = []
  const behaviour = {
    isReady: true,
    stamp: 'aa',
    session: 'null',
    duplicates: true,
    connects: true,
    subscribes: true,
    answers: true,
    onSwap: (_stamp: string): boolean => true,
  }
  const duplicate = () => {
    if (!behaviour.duplicates) throw new Error('no duplicates of this')
    const listeners = new Map<string, () => void>()
    let hear: (message: string, channel: string) => void = () => {}
    const made: Duplicate = {
      isClosed: false,
      isUnrefed: false,
      channels: [],
      emit: (event) => listeners.get(event)?.(),
      hear: (message, channel = 'relatch:changes') => hear(message, channel),
    }
    duplicates.push(made)
    return {
      on: (event: string, listener: () => void) => void listeners.set(event, listener),
      unref: () => {
        made.isUnrefed = true
      },
      connect: () => (behaviour.connects ? Promise.resolve() : Promise.reject(new Error('refused'))),
      async subscribe(channel: string, listener: (message: string, channel: string) => void) {
        if (!behaviour.subscribes) throw new Error('NOPERM')
        made.channels.push(channel)
        hear = listener
      },
      destroy: () => {
        made.isClosed = true
      },
    }
  }
  const client = {
    get isReady() {
      return behaviour.isReady
    },
    async eval(_: string, { keys, arguments: [nonce, , next] }: { keys: string[]; arguments: string[] }) {
      if (next !== undefined) return nonce + (behaviour.onSwap(next && JSON.parse(next).stamp) ? '1' : '0')
      reads.push(keys[0] ?? '')
      if (!behaviour.answers) await new Promise(() => {})
      return `${nonce}{"stamp":"${behaviour.stamp}","key":"${keys[0]}","session":${behaviour.session}}`
    },
    subscribe: () => Promise.reject(new Error('not on the client itself')),
    duplicate,
    unref() {},
  } satisfies RedisLike & Record<string, unknown>
  /** How many looks there were since it was last asked. */
  const looks = (): number => reads.splice(0).length
  const open = () => duplicates.filter(({ isClosed }) => !isClosed)
  return { client, behaviour, reads, duplicates, open, looks }
}

/** Watches so many sessions; returns what ends that. */
function watch(client: RedisLike, count: number): () => void {
  const ends = Array.from({ length: count }, (_, index) => redisStore({ client, key: `${index}` }).watch?.(() => {}))
  return () => {
    for (const end of ends) end?.()
  }
}

describe('where changes are heard of', () => {
  it('C3 what others say about a session is told to whoever watches that session, and to nobody else', async () => {
    const { client, open } = fakeClient()
    const [mine, theirs] = [vi.fn(), vi.fn()]
    const ends = [redisStore({ client, key: 'a' }).watch?.(mine), redisStore({ client, key: 'b' }).watch?.(theirs)]
    await pass(1000)
    mine.mockClear()
    theirs.mockClear()
    open()[0]?.hear('bb a')
    open()[0]?.hear('nothing a')
    for (const odd of ['', ' ', 'bb', 'a', 'free a', 'bb a ', 'bb  a', 'bb relatch:{a}']) open()[0]?.hear(odd)
    open()[0]?.hear('bb a', 'other:changes')
    expect([mine.mock.calls.length, theirs.mock.calls.length]).toEqual([2, 0])
    for (const end of ends) end?.()
  })

  it.each([
    [1, 1, 3],
    [100, 100, 300],
  ])(
    'C3 %i sessions are looked at once a minute each, since a dead connection tells nobody',
    async (count, least, most) => {
      const { client, looks } = fakeClient()
      const end = watch(client, count)
      await pass(5000)
      looks()
      await pass(120_000)
      const seen = looks()
      expect(seen).toBeGreaterThanOrEqual(least)
      expect(seen).toBeLessThanOrEqual(most)
      end()
    },
  )

  it('C3 of very many at most 100 a second are, each in its turn', async () => {
    const { client, reads } = fakeClient()
    const end = watch(client, 20_000)
    await pass(60_000)
    reads.length = 0
    await pass(10_000)
    expect(reads.length).toBeGreaterThanOrEqual(950)
    expect(reads.length).toBeLessThanOrEqual(1050)
    expect(new Set(reads).size).toBe(reads.length)
    end()
  })

  it('C3 when a connection is made again, all are looked at, 1000 a second', async () => {
    const { client, duplicates, open, reads } = fakeClient()
    const end = watch(client, 3000)
    await pass(10_000)
    reads.length = 0
    duplicates[0]?.emit('error')
    expect(open()).toEqual([])
    await pass(1000)
    expect(open()).toHaveLength(1)
    expect(reads.length).toBeLessThanOrEqual(1500)
    await pass(4000)
    expect(new Set(reads).size).toBe(3000)
    expect(reads.length).toBeLessThan(4000)
    expect(duplicates).toHaveLength(2)
    end()
  })

  it.each([true, false])(
    'C3 what a store writes itself is no news to it, and no loss to others: it stands = %s',
    async (stands) => {
      const { client, behaviour, open } = fakeClient()
      const [store, other] = [redisStore({ client, key: 'a' }), redisStore({ client, key: 'a' })]
      const [mine, theirs] = [vi.fn(), vi.fn()]
      const ends = [store.watch?.(mine), other.watch?.(theirs)]
      behaviour.stamp = 'nobody'
      await Promise.all([store.read(), other.read()])
      await pass(1000)
      // The hint is sooner than the reply, which comes another way.
      behaviour.onSwap = (stamp) => {
        open()[0]?.hear(`${stands ? stamp : 'ffffffffffffffff'} a`)
        return stands
      }
      expect(await store.write({ sessionId: 's', version: 1, tokens: null }, null)).toBe(stands)
      expect([mine.mock.calls.length, theirs.mock.calls.length]).toEqual([stands ? 0 : 1, 1])
      for (const end of ends) end?.()
    },
  )

  it('C3 a removal that lost is no reason not to hear of the next one', async () => {
    const { client, behaviour, open } = fakeClient()
    behaviour.session = '{"sessionId":"s","version":1,"tokens":null}'
    const store = redisStore({ client, key: 'a' })
    const heard = vi.fn()
    const end = store.watch?.(heard)
    await store.read()
    await pass(1000)
    behaviour.onSwap = () => false
    expect(await store.write(null, 1)).toBe(false)
    expect(heard).not.toHaveBeenCalled()
    open()[0]?.hear('nothing a')
    expect(heard).toHaveBeenCalledTimes(1)
    end?.()
  })

  it('C3 what is known already is not told', async () => {
    const { client, behaviour, open } = fakeClient()
    const store = redisStore({ client, key: 'a' })
    const heard = vi.fn()
    const end = store.watch?.(heard)
    await pass(1000)
    heard.mockClear()
    // As the engine does when it is told: a record without a session is not known, one that is gone is.
    behaviour.stamp = 'no stamp'
    await store.read()
    open()[0]?.hear('nothing a')
    await pass(120_000)
    expect(heard).not.toHaveBeenCalled()
    behaviour.stamp = 'cc'
    await pass(120_000)
    expect(heard).toHaveBeenCalled()
    end?.()
  })
})

describe('where they are not', () => {
  const deaf: Record<string, (behaviour: ReturnType<typeof fakeClient>['behaviour']) => void> = {
    'nobody may subscribe': (behaviour) => {
      behaviour.subscribes = false
    },
    'there are no more connections': (behaviour) => {
      behaviour.connects = false
    },
    'the client cannot be duplicated': (behaviour) => {
      behaviour.duplicates = false
    },
  }
  it.each(Object.keys(deaf))('C3 every session is looked at every five seconds: %s', async (why) => {
    const { client, behaviour, duplicates, open, looks } = fakeClient()
    deaf[why]?.(behaviour)
    const end = watch(client, 10)
    await pass(10_000)
    looks()
    await pass(50_000)
    const seen = looks()
    expect(seen).toBeGreaterThanOrEqual(90)
    expect(seen).toBeLessThanOrEqual(110)
    // Another connection is tried ever more rarely, and none is left behind.
    await pass(600_000)
    expect(duplicates.length).toBeLessThan(30)
    expect(open()).toEqual([])
    Object.assign(behaviour, { duplicates: true, connects: true, subscribes: true })
    await pass(120_000)
    expect(open()).toHaveLength(1)
    end()
  })

  it('C3 of very many at most 1000 a second are', async () => {
    const { client, behaviour, looks } = fakeClient()
    behaviour.subscribes = false
    const end = watch(client, 20_000)
    await pass(10_000)
    looks()
    await pass(5000)
    expect(looks()).toBeLessThanOrEqual(5500)
    end()
  })

  it('C3 a server that does not answer is not asked ever more', async () => {
    const { client, behaviour, looks } = fakeClient()
    Object.assign(behaviour, { answers: false, subscribes: false })
    const end = watch(client, 20_000)
    await pass(60_000)
    expect(looks()).toBe(500)
    end()
  })

  it('C3 nothing is asked of a client that is not connected, and nobody listens beside it', async () => {
    const { client, behaviour, duplicates, open, looks } = fakeClient()
    behaviour.isReady = false
    const end = watch(client, 10)
    await pass(60_000)
    expect([looks(), duplicates.length]).toEqual([0, 0])
    behaviour.isReady = true
    await pass(1000)
    expect(open()).toHaveLength(1)
    behaviour.isReady = false
    await pass(1000)
    expect(open()).toEqual([])
    looks()
    await pass(60_000)
    expect(looks()).toBe(0)
    end()
  })
})

describe('what is there', () => {
  it('T2 one connection that holds no process, and one timer, for a thousand sessions', async () => {
    const { client, duplicates } = fakeClient()
    const end = watch(client, 1000)
    await pass(1000)
    expect(duplicates).toMatchObject([{ isUnrefed: true, isClosed: false, channels: ['relatch:changes'] }])
    expect(vi.getTimerCount()).toBe(1)
    end()
    expect(vi.getTimerCount()).toBe(0)
    await flush()
    expect(duplicates).toMatchObject([{ isClosed: true }])
  })

  it('C3 a prefix that comes later is listened for too, on the same connection', async () => {
    const { client, open } = fakeClient()
    const ends = ['a:', 'b:', 'a:', 'c:'].map((prefix) => redisStore({ client, key: 'x', prefix }).watch?.(() => {}))
    await pass(1000)
    ends.push(redisStore({ client, key: 'y', prefix: 'd:' }).watch?.(() => {}))
    await flush()
    expect(open()).toHaveLength(1)
    expect(new Set(open()[0]?.channels)).toEqual(new Set(['a:changes', 'b:changes', 'c:changes', 'd:changes']))
    for (const end of ends) end?.()
  })

  it.each(['at once', 'while it connects', 'later'])(
    'S1 nothing is left when the last watch ends: %s',
    async (when) => {
      const { client, open, looks } = fakeClient()
      const end = watch(client, 5)
      if (when !== 'at once') await vi.advanceTimersByTimeAsync(1)
      if (when === 'later') await pass(2000)
      end()
      end()
      await flush()
      looks()
      await pass(120_000)
      expect([open().length, looks(), vi.getTimerCount()]).toEqual([0, 0, 0])
      // And it can begin again.
      const again = watch(client, 1)
      await pass(1000)
      expect(open()).toHaveLength(1)
      end()
      await pass(1000)
      expect(open()).toHaveLength(1)
      again()
    },
  )
})
