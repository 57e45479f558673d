// S2, R11: whatever a user's store does, requests go on, none waits for it, and what memory knows is never lost to it.
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AuthFetch, StoredSession, TokenStore } from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { durationOf, fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { createMedium, type Fault, type Medium } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { clientOf, statusOf } from '../helpers/server-client.ts'

fakeTime()

const FAULTS = {
  throws: () => {
    throw new Error('broken')
  },
  'throws a quota error': () => {
    throw new DOMException('The quota has been exceeded.', 'QuotaExceededError')
  },
  rejects: () => Promise.reject(new Error('broken')),
  'never settles': () => new Promise(() => {}),
  'answers after 5 s': (work) => new Promise((answer) => setTimeout(() => answer(work()), 5000)),
} satisfies Record<string, Fault>

const broken = (['read', 'write'] as const).flatMap((operation) =>
  Object.entries(FAULTS).map(([fault, play]) => ({
    operation,
    fault,
    play: play as Fault,
    reason: fault.startsWith('never') || fault.startsWith('answers') ? 'timed-out' : 'threw',
  })),
)

/** As long as any pause between two attempts at a failing store. */
const LONGEST_PAUSE_MS = 61_000

interface Timed {
  status: unknown
  waitedMs: number
}

/** So many requests at once, and how long each of them took. */
function requests(api: AuthFetch, count: number): Promise<Timed[]> {
  const timed = async (): Promise<Timed> => {
    const startedAt = performance.now()
    return { status: await statusOf(api('/me')), waitedMs: performance.now() - startedAt }
  }
  return settled(Promise.all(Array.from({ length: count }, timed)))
}

function expectAllServed(answers: Timed[]): void {
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
  expect(Math.max(...answers.map(({ waitedMs }) => waitedMs))).toBeLessThanOrEqual(1000)
}

/** Somebody else's write is heard of, or ours comes back. */
async function rumour(medium: Medium): Promise<void> {
  medium.tell()
  await pass(1500)
}

describe('a store that fails from the start', () => {
  it.each(broken)('S2 whose $operation $fault costs no request', async ({ operation, play }) => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults[operation] = play
    const api = clientOf(server, { store: medium.store({ hasWatch: true }) })
    expect(await durationOf(api.signIn(server.signIn('viewer')))).toBeLessThanOrEqual(1000)
    expectAllServed(await requests(api, 5))
    server.expireAccessTokens()
    expectAllServed(await requests(api, 10))
    server.expireAccessTokens()
    expectAllServed(await requests(api, 10))
    expect(await durationOf(api.signOut())).toBeLessThanOrEqual(1000)
    expect(server.stats).toMatchObject({ refreshes: 2, refreshAttempts: 2, reuses: 0 })
  })

  it.each(broken)('S2 whose $operation $fault is told of once', async ({ operation, play, reason }) => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults[operation] = play
    const api = clientOf(server, { store: medium.store({ hasWatch: true }) })
    const failures = eventsOf(api, 'store-failed')
    await settled(api.signIn(server.signIn('viewer')))
    await requests(api, 3)
    server.expireAccessTokens()
    await requests(api, 3)
    await pass(300_000)
    expect(failures).toEqual([{ operation, reason }])
  })

  it.each(broken)('S2 whose $operation $fault is given the tokens once it works', async ({ operation, play }) => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults[operation] = play
    const api = clientOf(server, { store: medium.store({ hasWatch: true }) })
    await settled(api.signIn(server.signIn('viewer')))
    server.expireAccessTokens()
    await requests(api, 3)
    medium.faults = {}
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored?.tokens).toEqual(await api.tokens())
    expectAllServed(await requests(api, 3))
  })

  it.each(['throws', 'rejects', 'never settles'] as const)(
    'S2 whose read %s gives the session that rests in it once it works',
    async (fault) => {
      const server = createAuthServer()
      const { access_token, refresh_token = '' } = server.signIn('viewer')
      const tokens = { accessToken: access_token, refreshToken: refresh_token }
      const medium = createMedium({ sessionId: 'resting', version: 7, tokens })
      medium.faults.read = FAULTS[fault]
      const api = clientOf(server, { store: medium.store() })
      expect(await settled(statusOf(api('/me')))).toBe(401)
      medium.faults = {}
      await pass(LONGEST_PAUSE_MS)
      expect(api.snapshot().status).toBe('signed-in')
      expectAllServed(await requests(api, 3))
    },
  )

  it('S2 entirely is told of once', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults = { read: FAULTS.throws, write: FAULTS.throws, lock: FAULTS.throws, watch: FAULTS.throws }
    const api = clientOf(server, { store: medium.store({ hasLock: true, hasWatch: true }) })
    const failures = eventsOf(api, 'store-failed')
    await settled(api.signIn(server.signIn('viewer')))
    server.expireAccessTokens()
    expectAllServed(await requests(api, 10))
    await pass(300_000)
    expect(failures).toHaveLength(1)
  })
})

describe('a store that fails in the middle', () => {
  it.each(broken)('S2 whose $operation $fault costs no request and is told of once', async (broken) => {
    const { server, medium, api } = await signedIn()
    const failures = eventsOf(api, 'store-failed')
    medium.faults[broken.operation] = broken.play
    server.expireAccessTokens()
    expectAllServed(await requests(api, 10))
    server.expireAccessTokens()
    expectAllServed(await requests(api, 10))
    await pass(300_000)
    expect(failures).toEqual([{ operation: broken.operation, reason: broken.reason }])
    expect(server.stats).toMatchObject({ refreshes: 2, refreshAttempts: 2, reuses: 0 })
  })

  it.each(broken)('S2 whose $operation $fault is given the tokens once it works', async ({ operation, play }) => {
    const { server, medium, api } = await signedIn()
    medium.faults[operation] = play
    server.expireAccessTokens()
    await requests(api, 3)
    medium.faults = {}
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored?.tokens).toEqual(await api.tokens())
  })

  it.each(broken)('S2 whose $operation $fault is told of again the next time', async ({ operation, play }) => {
    const { server, medium, api } = await signedIn()
    const failures = eventsOf(api, 'store-failed')
    for (let period = 1; period <= 3; period++) {
      medium.faults[operation] = play
      server.expireAccessTokens()
      await requests(api, 3)
      medium.faults = {}
      await pass(LONGEST_PAUSE_MS)
      expect(failures).toHaveLength(period)
    }
  })

  it.each(broken)('S2 whose $operation $fault is not asked without pause', async ({ operation, play }) => {
    const { server, medium, api } = await signedIn()
    medium.faults[operation] = play
    server.expireAccessTokens()
    await requests(api, 3)
    const { read, write } = medium.calls
    await pass(600_000)
    // Ten minutes: at most one attempt a minute, and the first ones sooner.
    expect(medium.calls.read + medium.calls.write - read - write).toBeLessThanOrEqual(40)
  })

  it.each(broken)('S2 whose $operation $fault does not keep a sign-out from lasting', async ({ operation, play }) => {
    const { medium, api } = await signedIn()
    medium.faults[operation] = play
    expect(await durationOf(api.signOut())).toBeLessThanOrEqual(1000)
    expect((await requests(api, 1))[0]?.status).toBe(401)
    medium.faults = {}
    await rumour(medium)
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored).toBeNull()
    expect(api.snapshot().status).toBe('signed-out')
  })
})

describe('a write that does not say what happened', () => {
  const ANSWERS: Record<string, unknown> = { nothing: undefined, null: null, "'OK'": 'OK', 1: 1, 'an object': {} }

  it.each(Object.keys(ANSWERS))('S2 %s after it wrote: tokens are stored, and none is lost', async (answer) => {
    const { server, medium, api } = await signedIn()
    medium.faults.write = (work) => {
      work()
      return ANSWERS[answer]
    }
    for (let round = 0; round < 3; round++) {
      server.expireAccessTokens()
      expectAllServed(await requests(api, 5))
    }
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored?.tokens).toEqual(await api.tokens())
    expect(server.stats).toMatchObject({ refreshes: 3, refreshAttempts: 3, reuses: 0 })
  })

  it.each(Object.keys(ANSWERS))('R11 %s though it wrote nothing: the new tokens live on', async (answer) => {
    const { server, medium, api } = await signedIn()
    medium.faults.write = () => ANSWERS[answer]
    for (let round = 0; round < 3; round++) {
      server.expireAccessTokens()
      expectAllServed(await requests(api, 5))
    }
    expect(server.stats).toMatchObject({ refreshes: 3, refreshAttempts: 3, reuses: 0 })
  })
})

describe('a store that refuses every write, though nobody else wrote', () => {
  it('R11 the new tokens live on', async () => {
    const { server, medium, api } = await signedIn()
    medium.faults.write = () => false
    for (let round = 0; round < 3; round++) {
      server.expireAccessTokens()
      expectAllServed(await requests(api, 5))
    }
    expect(server.stats).toMatchObject({ refreshes: 3, refreshAttempts: 3, reuses: 0 })
  })

  it('S2 is told of once, and not asked without pause', async () => {
    const { server, medium, api } = await signedIn()
    const failures = eventsOf(api, 'store-failed')
    medium.faults.write = () => false
    server.expireAccessTokens()
    await requests(api, 5)
    const { read, write } = medium.calls
    await pass(600_000)
    expect(failures).toEqual([{ operation: 'write', reason: 'refused' }])
    expect(medium.calls.read + medium.calls.write - read - write).toBeLessThanOrEqual(200)
  })

  it('S2 is given the tokens once it takes them', async () => {
    const { server, medium, api } = await signedIn()
    medium.faults.write = () => false
    server.expireAccessTokens()
    await requests(api, 5)
    medium.faults = {}
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored?.tokens).toEqual(await api.tokens())
  })
})

describe('a medium that lags behind', () => {
  it('R11 tokens of before a refresh do not come back', async () => {
    const { server, medium, api } = await signedIn()
    const before = medium.stored
    server.expireAccessTokens()
    expectAllServed(await requests(api, 3))
    medium.faults.read = () => before
    const tokens = await api.tokens()
    await rumour(medium)
    expect(await api.tokens()).toEqual(tokens)
    server.expireAccessTokens()
    expectAllServed(await requests(api, 3))
    expect(server.stats.reuses).toBe(0)
  })

  it('R11 tokens of before a refresh that could not be stored do not come back', async () => {
    const { server, medium, api } = await signedIn()
    medium.faults.write = FAULTS.throws
    server.expireAccessTokens()
    expectAllServed(await requests(api, 3))
    const tokens = await api.tokens()
    await rumour(medium)
    await pass(LONGEST_PAUSE_MS)
    expect(await api.tokens()).toEqual(tokens)
    medium.faults = {}
    await rumour(medium)
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored?.tokens).toEqual(tokens)
  })

  it('R11 R12 the session of before a sign-in does not come back', async () => {
    const { server, medium, api } = await signedIn()
    const before = medium.stored
    await api.signIn(server.signIn('admin'))
    medium.faults.read = () => before
    await rumour(medium)
    expect(await (await api('/me')).json()).toMatchObject({ user: 'admin' })
  })

  it('R11 R12 the session of before two sign-ins does not come back', async () => {
    const { server, medium, api } = await signedIn()
    const before = medium.stored
    await api.signIn(server.signIn('viewer'))
    await api.signIn(server.signIn('admin'))
    medium.faults.read = () => before
    await rumour(medium)
    expect(await (await api('/me')).json()).toMatchObject({ user: 'admin' })
  })

  it('R12 the session of before a sign-out does not come back', async () => {
    const { medium, api } = await signedIn()
    const before = medium.stored
    await api.signOut()
    medium.faults.read = () => before
    await rumour(medium)
    expect(api.snapshot().status).toBe('signed-out')
    expect(await statusOf(api('/me'))).toBe(401)
  })

  it('R9 the session that was refused does not come back, nor does its refresh token', async () => {
    const { server, medium, api } = await signedIn()
    const before = medium.stored
    server.revokeSession()
    expect((await requests(api, 1))[0]?.status).toBe(401)
    medium.faults.read = () => before
    await rumour(medium)
    expect((await requests(api, 3)).map(({ status }) => status)).toEqual([401, 401, 401])
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('R11 R12 a read that began before a write of ours is not believed', async () => {
    const { server, medium, api } = await signedIn()
    await api.signOut()
    await pass(2000)
    const held = deferred<void>()
    medium.faults.read = async (work) => {
      const before = work()
      await held.promise
      return before
    }
    medium.tell()
    await flush()
    medium.faults = {}
    await api.signIn(server.signIn('admin'))
    const ended = eventsOf(api, 'signed-out')
    held.resolve()
    await flush()
    expect(ended).toEqual([])
    expect(await statusOf(api('/me'))).toBe(200)
    await api.signOut()
    await pass(5000)
    expect(medium.stored).toBeNull()
    expect(await statusOf(api('/me'))).toBe(401)
  })

  it('R11 a first read that is slower than the next one is not believed', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const held = deferred<void>()
    medium.faults.read = async (work) => {
      const before = work()
      await held.promise
      return before
    }
    const api = clientOf(server, { store: medium.store({ hasWatch: true }) })
    await flush()
    medium.faults = {}
    await clientOf(server, { store: medium.store() }).signIn(server.signIn('viewer'))
    await flush()
    held.resolve()
    await pass(2000)
    expect(api.snapshot().status).toBe('signed-in')
    expect(await statusOf(api('/me'))).toBe(200)
  })

  it('R11 a write that lands late does not undo what came after it', async () => {
    const { server, medium, api } = await signedIn()
    medium.faults.write = FAULTS['answers after 5 s']
    server.expireAccessTokens()
    expectAllServed(await requests(api, 3))
    medium.faults = {}
    await pass(2000)
    server.expireAccessTokens()
    expectAllServed(await requests(api, 3))
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored?.tokens).toEqual(await api.tokens())
    expectAllServed(await requests(api, 3))
    expect(server.stats.reuses).toBe(0)
  })

  it('R12 a write that lands after the sign-out is removed again', async () => {
    const { server, medium, api } = await signedIn()
    medium.faults.write = FAULTS['answers after 5 s']
    server.expireAccessTokens()
    await requests(api, 3)
    await settled(api.signOut())
    await pass(5000)
    medium.faults = {}
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored).toBeNull()
    expect(api.snapshot().status).toBe('signed-out')
  })
})

describe('a lock that', () => {
  const LOCK_FAULTS: Record<string, Fault> = {
    ...FAULTS,
    'ends without running the task': async () => {},
    'ends at once, and has run the task': (work) => {
      work()
    },
    'rejects once the task is done': async (work) => {
      await work()
      throw new Error('lost the connection')
    },
    'runs the task and never settles': (work) => {
      work()
      return new Promise(() => {})
    },
    'runs the task twice': async (work) => {
      await work()
      return work()
    },
  }

  it.each(Object.keys(LOCK_FAULTS))('S2 %s costs no request and no second refresh', async (fault) => {
    const { server, medium, api } = await signedIn()
    medium.faults.lock = LOCK_FAULTS[fault] as Fault
    server.expireAccessTokens()
    const answers = await requests(api, 10)
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    // Two holds, of a holder that is lost and of whoever took over from it, and a second; that is all.
    expect(Math.max(...answers.map(({ waitedMs }) => waitedMs))).toBeLessThanOrEqual(25_000)
    expect(server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1, reuses: 0 })
  })

  it.each(['throws', 'rejects', 'never settles', 'ends without running the task'])(
    'S2 %s is told of once',
    async (fault) => {
      const { server, medium, api } = await signedIn()
      const failures = eventsOf(api, 'store-failed')
      medium.faults.lock = LOCK_FAULTS[fault] as Fault
      for (let round = 0; round < 3; round++) {
        server.expireAccessTokens()
        await requests(api, 3)
      }
      expect(failures.map(({ operation }) => operation)).toEqual(['lock'])
    },
  )

  it.each(['throws', 'rejects'] as const)('S2 %s is used again once it works', async (fault) => {
    const { server, medium, api } = await signedIn()
    medium.faults.lock = FAULTS[fault]
    server.expireAccessTokens()
    await requests(api, 3)
    medium.faults = {}
    await pass(LONGEST_PAUSE_MS)
    const { lock } = medium.calls
    server.expireAccessTokens()
    await requests(api, 3)
    expect(medium.calls.lock).toBe(lock + 1)
  })
})

describe('a watch that', () => {
  const WATCH_FAULTS: Record<string, Fault> = {
    throws: FAULTS.throws,
    rejects: FAULTS.rejects,
    'returns nothing': () => undefined,
    'returns a promise': async () => () => {},
    'returns what cannot be called': () => ({ unsubscribe: () => {} }),
    'returns what throws': () => () => {
      throw new Error('broken')
    },
  }

  it.each(Object.keys(WATCH_FAULTS))('S2 %s costs no request, and can be disposed of', async (fault) => {
    const rejections: unknown[] = []
    const note = (reason: unknown): void => void rejections.push(reason)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults.watch = WATCH_FAULTS[fault] as Fault
    const api = clientOf(server, { store: medium.store({ hasWatch: true }) })
    await settled(api.signIn(server.signIn('viewer')))
    server.expireAccessTokens()
    expectAllServed(await requests(api, 5))
    expect(() => api.dispose()).not.toThrow()
    await flush()
    expect(rejections).toEqual([])
  })

  it.each(['throws', 'rejects'] as const)('S2 %s is told of once', async (fault) => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults.watch = FAULTS[fault]
    const api = clientOf(server, { store: medium.store({ hasWatch: true }) })
    const failures = eventsOf(api, 'store-failed')
    await settled(api.signIn(server.signIn('viewer')))
    await pass(10_000)
    expect(failures).toEqual([{ operation: 'watch', reason: 'threw' }])
  })

  it('S2 calls back at once is a watch like any other', async () => {
    const { server, api } = await signedIn((good) => ({
      ...good,
      watch(listener) {
        listener()
        return good.watch?.(listener) ?? (() => {})
      },
    }))
    server.expireAccessTokens()
    expectAllServed(await requests(api, 5))
  })

  it.each([
    ['at once', 0],
    ['a millisecond later', 1],
  ])('S2 is told by every read, %s, and does not go round in circles', async (_when, delayMs) => {
    const listeners = new Set<() => void>()
    let reads = 0
    const { server, api } = await signedIn((good) => ({
      ...good,
      read() {
        if (++reads > 5000) throw new Error('round in circles')
        for (const listener of listeners) {
          if (delayMs === 0) listener()
          else setTimeout(listener, delayMs)
        }
        return good.read()
      },
      watch(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    }))
    const failures = eventsOf(api, 'store-failed')
    server.expireAccessTokens()
    expectAllServed(await requests(api, 5))
    reads = 0
    for (const listener of listeners) listener()
    await pass(10_000)
    expect(failures).toEqual([])
    expect(reads).toBeLessThanOrEqual(1000)
  })
})

describe('garbage', () => {
  const token = { accessToken: 'a' }
  const GARBAGE: Record<string, unknown> = {
    'an empty string': '',
    'a string': 'garbage',
    JSON: JSON.stringify({ sessionId: 's', version: 1, tokens: token }),
    zero: 0,
    'a number': 42,
    NaN: Number.NaN,
    false: false,
    true: true,
    'a function': () => {},
    'an empty array': [],
    'an empty object': {},
    'a session without a version': { sessionId: 's', tokens: token },
    'a session without an id': { version: 1, tokens: token },
    'a session with an empty id': { sessionId: '', version: 1, tokens: token },
    'a session whose version is a string': { sessionId: 's', version: '1', tokens: token },
    'a session whose version is a fraction': { sessionId: 's', version: 1.5, tokens: token },
    'a session without tokens': { sessionId: 's', version: 1 },
    'a session of empty tokens': { sessionId: 's', version: 1, tokens: {} },
    'a token that would split a header': { sessionId: 's', version: 1, tokens: { accessToken: 'a\r\nx: y' } },
    'a session on the prototype': Object.create({ sessionId: 's', version: 1, tokens: token }),
    'an object whose members throw': {
      get sessionId() {
        throw new Error('trap')
      },
    },
    'a revoked proxy': revokedProxy(),
  }
  const cases = Object.keys(GARBAGE).flatMap((garbage) => [
    { garbage, how: 'at once' },
    { garbage, how: 'later' },
  ])
  const giving = (garbage: string, how: string): Fault => {
    const value = GARBAGE[garbage]
    return () => (how === 'at once' ? value : Promise.resolve(null).then(() => value))
  }

  it.each(cases)('S2 $garbage, read $how: nobody is signed in, nothing is sent', async ({ garbage, how }) => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults.read = giving(garbage, how)
    const api = clientOf(server, { store: medium.store() })
    expect(await settled(statusOf(api('/public')))).toBe(200)
    expect(await settled(statusOf(api('/me')))).toBe(401)
    expect(api.snapshot()).toEqual({ status: 'signed-out' })
    expect(server.requests.map(({ credential }) => credential)).toEqual(['none', 'none'])
  })

  it.each(cases)('S2 $garbage, read $how: a sign-in works, and so does every refresh', async ({ garbage, how }) => {
    const server = createAuthServer()
    const medium = createMedium()
    medium.faults.read = giving(garbage, how)
    const api = clientOf(server, { store: medium.store() })
    await settled(api.signIn(server.signIn('viewer')))
    for (let round = 0; round < 2; round++) {
      server.expireAccessTokens()
      expectAllServed(await requests(api, 5))
    }
    expect(server.stats).toMatchObject({ refreshes: 2, refreshAttempts: 2, reuses: 0 })
  })

  it.each(cases)('S2 $garbage, read $how in the middle: the session lives on', async ({ garbage, how }) => {
    const { server, medium, api } = await signedIn()
    medium.faults.read = giving(garbage, how)
    await rumour(medium)
    server.expireAccessTokens()
    expectAllServed(await requests(api, 5))
    medium.faults = {}
    await pass(LONGEST_PAUSE_MS)
    expect(medium.stored?.tokens).toEqual(await api.tokens())
  })
})

describe('a store in its own way', () => {
  it('S2 gives undefined for nothing, at once', async () => {
    expect(await storesWhatItGets((give) => give)).toBe(true)
  })

  it('S2 gives undefined for nothing, later', async () => {
    expect(await storesWhatItGets(async (give) => give)).toBe(true)
  })

  it('S2 answers with promises of another realm', async () => {
    const foreign: PromiseConstructor = runInNewContext('Promise')
    expect(foreign.resolve(1)).not.toBeInstanceOf(Promise)
    expect(await storesWhatItGets((give) => foreign.resolve(give))).toBe(true)
  })

  it('S2 answers with thenables', async () => {
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what this is about
    const thenable = (value: unknown): unknown => ({ then: (resolve: (value: unknown) => void) => resolve(value) })
    expect(await storesWhatItGets(thenable)).toBe(true)
  })

  it('S2 is a class with private state', async () => {
    class Shelf implements TokenStore {
      #session: StoredSession | null = null
      read(): StoredSession | null {
        return this.#session
      }
      write(next: StoredSession | null, expectedVersion: number | null): boolean {
        if ((this.#session?.version ?? null) !== expectedVersion) return false
        this.#session = next
        return true
      }
      lock<T>(task: () => Promise<T>): Promise<T> {
        return this.#session ? task() : task()
      }
    }
    const server = createAuthServer()
    const api = clientOf(server, { store: new Shelf() })
    const failures = eventsOf(api, 'store-failed')
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    expectAllServed(await requests(api, 5))
    expect(failures).toEqual([])
  })

  it('R12 hands out and keeps the very same object', async () => {
    let session: StoredSession | null = null
    const store: TokenStore = {
      read: () => session,
      write(next, expectedVersion) {
        if ((session?.version ?? null) !== expectedVersion) return false
        session = next
        return true
      },
    }
    const server = createAuthServer()
    const api = clientOf(server, { store })
    await api.signIn(server.signIn('viewer'))
    const tokens = await api.tokens()
    const held = session as StoredSession | null
    if (held?.tokens) held.tokens.accessToken = 'meddled-with'
    expect(await api.tokens()).toEqual(tokens)
    expect(await statusOf(api('/me'))).toBe(200)
  })
})

/** Signs in and refreshes on a store that wraps its answers, and says whether the medium ends up with the tokens. */
async function storesWhatItGets(wrap: (value: unknown) => unknown): Promise<boolean> {
  let session: StoredSession | undefined
  const store = {
    read: () => wrap(session),
    write(next: StoredSession | null, expectedVersion: number | null) {
      if ((session?.version ?? null) !== expectedVersion) return wrap(false)
      session = next ?? undefined
      return wrap(true)
    },
  } as TokenStore
  const server = createAuthServer()
  const api = clientOf(server, { store })
  const failures = eventsOf(api, 'store-failed')
  await settled(api.signIn(server.signIn('viewer')))
  server.expireAccessTokens()
  expectAllServed(await requests(api, 3))
  const tokens = await api.tokens()
  const again = clientOf(server, { store: { ...store } })
  expectAllServed(await requests(again, 3))
  expect(failures).toEqual([])
  return tokens !== null && session?.tokens?.accessToken === tokens.accessToken
}

/** Somebody who is signed in, on a synchronous store that works. */
async function signedIn(wrap = (good: TokenStore) => good) {
  const server = createAuthServer()
  const medium = createMedium()
  const api = clientOf(server, { store: wrap(medium.store({ hasLock: true, hasWatch: true })) })
  await api.signIn(server.signIn('viewer'))
  expect(await statusOf(api('/me'))).toBe(200)
  return { server, medium, api }
}

function revokedProxy(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
