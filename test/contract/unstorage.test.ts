// S1 for unstorage: drivers that watch and drivers that do not, one storage object and two, and what is special about a medium
// that compares nothing.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createStorage, type Driver, defineDriver, prefixStorage } from 'unstorage'
import fsDriver from 'unstorage/drivers/fs'
import fsLiteDriver from 'unstorage/drivers/fs-lite'
import memoryDriver from 'unstorage/drivers/memory'
import redisDriver from 'unstorage/drivers/redis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createAuthFetch } from '../../src/index.ts'
import type { StoredSession, TokenStore } from '../../src/ports.ts'
import { type UnstorageLike, unstorageStore } from '../../src/stores/unstorage.ts'
import { describeTokenStore, type StoreUnderTest } from '../../src/testing/index.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'

// Side by side, since they wait more than they work.
const runner = { describe: describe.concurrent, it }
/** Two storages race as two processes do: nearly every race has one winner, and a machine that is held up can lose one. */
const racing = {
  ...runner,
  it: (title: string, run: () => Promise<void>) => it(title, { retry: 3 }, run),
}
const session = (version: number): StoredSession => ({
  sessionId: 'session-1',
  version,
  tokens: { accessToken: `access-${version}` },
})

/** Two storage objects are what two processes have. Where the driver cannot watch, they hear nothing of each other. */
function onTwoStorages(make: () => Driver, cleanup: () => Promise<void>, canWatch: boolean): StoreUnderTest {
  const storages = [createStorage({ driver: make() }), createStorage({ driver: make() })] as const
  const storeOn = (storage: UnstorageLike): TokenStore => {
    // A storage that cannot be watched makes a store that cannot.
    const { watch: _, ...deaf } = storage
    return unstorageStore({ storage: canWatch ? storage : deaf })
  }
  return {
    store: storeOn(storages[0]),
    sibling: () => storeOn(storages[1]),
    corrupt: () => storages[1].setItem('relatch', '{"stamp":"0123456789abcdef0123456789abcdef","key":"relatch","ses'),
    async cleanup() {
      for (const storage of storages) await storage.dispose()
      await cleanup()
    },
  }
}

const folder = async (): Promise<[base: string, remove: () => Promise<void>]> => {
  const base = await mkdtemp(path.join(tmpdir(), 'unstorage-'))
  return [base, () => rm(base, { recursive: true, force: true })]
}

describeTokenStore(
  'unstorageStore on one storage in memory',
  () => {
    const storage = createStorage({ driver: memoryDriver() })
    return {
      store: unstorageStore({ storage }),
      sibling: () => unstorageStore({ storage }),
      corrupt: () => storage.setItem('relatch', { stamp: 'x', session: session(5) }),
    }
  },
  runner,
)

describeTokenStore(
  'unstorageStore on one storage with a prefix',
  () => {
    const storage = prefixStorage(createStorage({ driver: slowDriver(new Map()) }), 'sessions')
    const options = { storage, key: 'user:1' }
    return { store: unstorageStore(options), sibling: () => unstorageStore(options) }
  },
  runner,
)

describeTokenStore(
  'unstorageStore on two storages that watch one folder',
  async () => {
    const [base, remove] = await folder()
    return onTwoStorages(() => fsDriver({ base }), remove, true)
  },
  racing,
)

describeTokenStore(
  'unstorageStore on two storages on one folder',
  async () => {
    const [base, remove] = await folder()
    return onTwoStorages(() => fsLiteDriver({ base }), remove, false)
  },
  racing,
)

describe.concurrent('on a Redis', () => {
  let redis: RedisServer
  let count = 0
  beforeAll(async () => {
    redis = await startRedis()
  })
  afterAll(() => redis.stop())
  describeTokenStore(
    'unstorageStore on two storages on one Redis',
    () => {
      const base = `test-${count++}`
      return onTwoStorages(
        () => redisDriver({ url: redis.url, base }),
        async () => {},
        false,
      )
    },
    racing,
  )
})

describe('unstorageStore: its options', () => {
  const storage = createStorage()
  const codeOf = (make: () => unknown): unknown => {
    try {
      return make()
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError)
      return (error as { code: unknown }).code
    }
  }

  it.each([undefined, null, 5, {}, { getItem: () => null }])('refuses a storage: %s', (value) => {
    expect(codeOf(() => unstorageStore({ storage: value as never }))).toBe('ERR_INVALID_OPTION')
  })

  it.each(['', 5, null, 'a?b', 'a/b', 'a\\b', ':a', 'a:', 'a::b', '.', '..', 'a:..:b', 'a.lock'])(
    'S1 refuses a key: %s',
    (key) => {
      expect(codeOf(() => unstorageStore({ storage, key: key as never }))).toBe('ERR_INVALID_OPTION')
    },
  )

  it('names the nearest option where there is none of that name', () => {
    expect(codeOf(() => unstorageStore({ storage, kye: 'a' } as never))).toBe('ERR_UNKNOWN_OPTION')
  })

  it.each(['relatch', 'user:1', 'user:a@example', 'b.c', '.hidden'])('S1 takes a key as it is: %s', async (key) => {
    await unstorageStore({ storage, key }).write(session(1), null)
    expect(await storage.hasItem(key)).toBe(true)
  })

  it('touches nothing before it is used', () => {
    const calls: string[] = []
    const driver = new Proxy(memoryDriver(), {
      get(target, name) {
        calls.push(String(name))
        return Reflect.get(target, name)
      },
    })
    unstorageStore({ storage: createStorage({ driver }) })
    expect(calls).toEqual([])
  })
})

describe('unstorageStore: compare-and-set', () => {
  it('S1 within a process one of many stores wins, and one that is much slower takes nothing from it', async () => {
    const items = new Map<string, string>()
    let isFirst = true
    const latencyMs = (operation: string) => {
      const isSlow = operation === 'setItem' && isFirst
      if (isSlow) isFirst = false
      return isSlow ? 300 : Math.random()
    }
    const storage = createStorage({ driver: slowDriver(items, latencyMs) })
    const wins = await Promise.all(
      Array.from({ length: 10 }, (_, index) => unstorageStore({ storage }).write(session(index), null)),
    )
    expect(wins.filter(Boolean)).toHaveLength(1)
    expect(await unstorageStore({ storage }).read()).toEqual(session(wins.indexOf(true)))
  })

  it('S1 between processes that look at the same time the last to write wins, and the other knows', async () => {
    const items = new Map<string, string>()
    const writing = (ms: number) => (operation: string) => (operation === 'setItem' ? ms : 20)
    const fast: UnstorageLike = createStorage({ driver: slowDriver(items, writing(2)) })
    const slow: UnstorageLike = createStorage({ driver: slowDriver(items, writing(80)) })
    const wins = await Promise.all([
      unstorageStore({ storage: fast }).write(session(1), null),
      unstorageStore({ storage: slow }).write(session(2), null),
    ])
    expect(wins).toEqual([false, true])
    expect(await unstorageStore({ storage: fast }).read()).toEqual(session(2))
  })

  it('S1 one whose record others have built on meanwhile has won too', async () => {
    const items = new Map<string, string>()
    const [one, other] = [0, 1].map(() =>
      unstorageStore({ storage: createStorage({ driver: slowDriver(items) }) }),
    ) as [TokenStore, TokenStore]
    const first = one.write(session(1), null)
    await vi.waitFor(async () => expect(await other.read()).toEqual(session(1)), { interval: 1 })
    expect(await other.write(session(2), 1)).toBe(true)
    expect(await first).toBe(true)
  })

  it('S1 a driver that drops writes says so, and one that drops removals too', async () => {
    const driver = memoryDriver()
    const readOnly = createStorage({ driver: { ...driver, setItem: () => {}, removeItem: () => {} } })
    expect(await unstorageStore({ storage: readOnly }).write(session(1), null)).toBe(false)
    await unstorageStore({ storage: createStorage({ driver }) }).write(session(1), null)
    expect(await unstorageStore({ storage: readOnly }).write(null, 1)).toBe(false)
  })
})

describe('unstorageStore: what it reads', () => {
  const garbage = ['', 'x', '{', 'null', '[]', '5', '{"stamp":"x"}', '{"key":"relatch","stamp":{}}', '"{}"']
  it.each(garbage)('S1 takes garbage for nothing, and writes over it: %s', async (text) => {
    const driver = memoryDriver()
    driver.setItem?.('relatch', text, {})
    const store = unstorageStore({ storage: createStorage({ driver }) })
    expect(await store.read()).toBe(null)
    expect(await store.write(session(1), null)).toBe(true)
    expect(await store.read()).toEqual(session(1))
  })

  it('S1 looks again where a text is torn: somebody may be writing it', async () => {
    const driver = memoryDriver()
    const store = unstorageStore({ storage: createStorage({ driver }) })
    await store.write(session(1), null)
    const torn = ['', '{"stamp":"0123456']
    const readingLate = { ...driver, getItem: (key: string) => torn.shift() ?? driver.getItem(key) }
    expect(await unstorageStore({ storage: createStorage({ driver: readingLate }) }).read()).toEqual(session(1))
  })

  it('S2 rejects where a driver returns an error as if it were a value', async () => {
    const failure = Object.assign(new Error('too many open files'), { code: 'EMFILE' })
    const storage = createStorage({ driver: { ...memoryDriver(), getItem: () => failure as never } })
    await expect(unstorageStore({ storage }).read()).rejects.toBe(failure)
  })

  it('S1 never takes the session of another key, nor writes over it, where a driver makes one of both', async () => {
    const driver = memoryDriver()
    const lower = { ...driver, getItem: (key: string) => driver.getItem(key.toLowerCase()) }
    await unstorageStore({ storage: createStorage({ driver }), key: 'ada' }).write(session(1), null)
    const other = unstorageStore({ storage: createStorage({ driver: lower }), key: 'ADA' })
    await expect(other.read()).rejects.toThrow('Expected')
    await expect(other.write(session(2), null)).rejects.toThrow('Expected')
  })

  it('O4 takes no session from a polluted prototype', async () => {
    Object.defineProperty(Object.prototype, 'session', { value: session(1), configurable: true })
    try {
      const driver = memoryDriver()
      driver.setItem?.('relatch', `{"key":"relatch","stamp":"${'0'.repeat(32)}"}`, {})
      expect(await unstorageStore({ storage: createStorage({ driver }) }).read()).toBe(null)
    } finally {
      Reflect.deleteProperty(Object.prototype, 'session')
    }
  })
})

describe('unstorageStore: its watch', () => {
  const LISTEN = () => {}

  it('S1 begins once for all stores on a storage, and ends with the last', async () => {
    const { storage, begun, ended } = watchedStorage()
    const ends = [1, 2, 3].map((user) => unstorageStore({ storage, key: `user:${user}` }).watch?.(LISTEN))
    await vi.waitFor(() => expect(begun()).toBe(1))
    ends[0]?.()
    ends[1]?.()
    await turn()
    expect(ended()).toBe(0)
    ends[2]?.()
    await vi.waitFor(() => expect(ended()).toBe(1))
  })

  it('S1 is not left behind where it was ended before it had begun', async () => {
    const { storage, begun, ended, letBegin } = watchedStorage(true)
    unstorageStore({ storage }).watch?.(LISTEN)()
    letBegin()
    await turn()
    expect(ended()).toBe(begun())
  })

  it('S1 hears again where it begins while the one before is ending', async () => {
    const storage = createStorage({ driver: memoryDriver() })
    const store = unstorageStore({ storage })
    const end = store.watch?.(LISTEN)
    await turn()
    end?.()
    const heard = vi.fn()
    store.watch?.(heard)
    await turn()
    heard.mockClear()
    await unstorageStore({ storage }).write(session(1), null)
    await vi.waitFor(() => expect(heard).toHaveBeenCalled())
  })

  it('S1 tells of what came while it began', async () => {
    const { storage, letBegin } = watchedStorage(true)
    const store = unstorageStore({ storage })
    await store.read()
    const heard = vi.fn()
    store.watch?.(heard)
    await unstorageStore({ storage: { ...storage } }).write(session(1), null)
    letBegin()
    await vi.waitFor(() => expect(heard).toHaveBeenCalled())
  })

  it('S1 costs one look for a change of its own key, and none for one of others or of the lock', async () => {
    const driver = memoryDriver()
    const looks: string[] = []
    const getItem = (key: string) => {
      looks.push(key)
      return driver.getItem(key)
    }
    const counting = { ...driver, getItem }
    const storage = createStorage({ driver: counting })
    const end = unstorageStore({ storage, key: 'ada' }).watch?.(LISTEN)
    await turn()
    looks.length = 0
    await storage.setItem('bob', 'x')
    await storage.setItem('ada.lock', 'x')
    await turn()
    expect(looks).toEqual([])
    await storage.setItem('ada', { stamp: '0'.repeat(32), key: 'ada' })
    await turn()
    expect(looks).toEqual(['ada'])
    end?.()
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('on purpose'))],
    [
      'throws',
      () => {
        throw new Error('on purpose')
      },
    ],
    ['gives nothing to end it with', async () => undefined as never],
    ['gives what rejects', async () => () => Promise.reject(new Error('on purpose'))],
    ['never settles', () => new Promise<never>(() => {})],
  ])('E3 is quiet where that of the storage %s', async (_what, watch) => {
    const storage = { ...createStorage(), watch }
    const store = unstorageStore({ storage })
    for (let times = 0; times < 2; times++) {
      const end = store.watch?.(LISTEN)
      await turn()
      end?.()
    }
    await turn()
    expect(await store.write(session(1), null)).toBe(true)
  })

  it('E3 is quiet where the storage fails when it looks', async () => {
    const storage = createStorage({
      driver: { ...memoryDriver(), getItem: () => Promise.reject(new Error('on purpose')) },
    })
    const heard = vi.fn()
    unstorageStore({ storage }).watch?.(heard)
    await storage.setItem('relatch', 'x')
    await turn()
    expect(heard).not.toHaveBeenCalled()
  })

  it('S1 there is none where the storage has none', () => {
    const { watch: _, ...storage } = createStorage()
    expect(unstorageStore({ storage }).watch).toBeUndefined()
  })
})

describe('unstorageStore: a driver that hangs', () => {
  afterEach(() => void vi.useRealTimers())

  it('S2 does not keep those in line behind it for ever, and writes nothing when it comes back late', async () => {
    vi.useFakeTimers()
    const driver = memoryDriver()
    let goOn = (): void => {}
    let hangs = 2
    const getItem = (key: string) => {
      if (--hangs !== 0) return driver.getItem(key)
      return new Promise<null>((resolve) => {
        goOn = () => resolve(null)
      })
    }
    const storage = createStorage({ driver: { ...driver, getItem } })
    const stuck = unstorageStore({ storage }).write(session(1), null)
    await vi.advanceTimersByTimeAsync(10)
    const next = unstorageStore({ storage }).write(session(2), null)
    await vi.advanceTimersByTimeAsync(6000)
    expect(await next).toBe(true)
    goOn()
    expect(await stuck).toBe(false)
    expect(await unstorageStore({ storage }).read()).toEqual(session(2))
  })

  it('S2 costs a request less than a second, with one store-failed', async () => {
    const never = () => new Promise<never>(() => {})
    const driver = { ...memoryDriver(), getItem: never, setItem: never }
    const fetch = async () => new Response('fine')
    const store = unstorageStore({ storage: createStorage({ driver }) })
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch, store })
    const failures: string[] = []
    api.on('store-failed', ({ reason }) => failures.push(reason))
    const startedAt = performance.now()
    await api.signIn({ accessToken: 'a' })
    expect((await api('/')).status).toBe(200)
    expect(performance.now() - startedAt).toBeLessThan(2000)
    expect(failures).toEqual(['timed-out'])
    api.dispose()
  })
})

it('S1 the lock stands beside the session, where a driver makes folders of colons too', async () => {
  const [base, remove] = await folder()
  const store = unstorageStore({ storage: createStorage({ driver: fsLiteDriver({ base }) }) })
  const beside = { waitMs: 1000, holdMs: 1000 }
  await store.lock?.(async () => expect(await store.write(session(1), null)).toBe(true), beside)
  await store.lock?.(async () => expect(await store.read()).toEqual(session(1)), beside)
  await remove()
})

it('S2 a text that somebody else put there is no session, on disk either', async () => {
  const [base, remove] = await folder()
  await writeFile(path.join(base, 'relatch'), 'not ours')
  expect(await unstorageStore({ storage: createStorage({ driver: fsLiteDriver({ base }) }) }).read()).toBe(null)
  await remove()
})

/** Until everything has run that can run at once. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

/** As far away as a database is: every operation takes effect in the middle of its way. */
function slowDriver(items: Map<string, string>, latencyMs = (_operation: string): number => 1): Driver {
  const travel = async <T>(operation: string, work: () => T): Promise<T> => {
    const halfMs = latencyMs(operation) / 2
    await new Promise((resolve) => setTimeout(resolve, halfMs))
    const answer = work()
    await new Promise((resolve) => setTimeout(resolve, halfMs))
    return answer
  }
  return defineDriver(() => ({
    hasItem: (key) => travel('hasItem', () => items.has(key)),
    getItem: (key) => travel('getItem', () => items.get(key) ?? null),
    setItem: (key, value) => travel('setItem', () => void items.set(key, value)),
    removeItem: (key) => travel('removeItem', () => void items.delete(key)),
    getKeys: () => travel('getKeys', () => [...items.keys()]),
  }))(undefined)
}

/** Counts its watches; `isHeld`: they begin when they are let. */
function watchedStorage(isHeld = false) {
  const storage = createStorage({ driver: memoryDriver() })
  let [begun, ended] = [0, 0]
  let letBegin = (): void => {}
  const held = isHeld
    ? new Promise<void>((resolve) => {
        letBegin = resolve
      })
    : Promise.resolve()
  const watch = async (_listener: unknown) => {
    begun++
    await held
    return async () => void ended++
  }
  return { storage: { ...storage, watch }, begun: () => begun, ended: () => ended, letBegin: () => letBegin() }
}
