// What becomes of the tokens: the dead ones (R9), what an answer leaves out (R10), what a store cannot take (R11), and what is
// no token at all (R14).
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  createAuthFetch,
  isAuthError,
  type LoginNeed,
  memoryStore,
  type Refresher,
  type StoredSession,
  type TokenSet,
} from '../../src/index.ts'
import { unauthorized } from '../helpers/answer.ts'
import { deferred } from '../helpers/deferred.ts'
import { flush, pass, settled, startFakeTime } from '../helpers/fake-time.ts'
import { heldApi } from '../helpers/held-api.ts'
import { createMedium, type Fault } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { rotatingWorld } from '../helpers/rotating-world.ts'
import { scriptedFetch } from '../helpers/scripted-fetch.ts'
import tokenValues from '../vectors/tokenValues.json' with { type: 'json' }

const baseUrl = 'https://api.example'
const first: TokenSet = { accessToken: 'at-1', refreshToken: 'rt-1' }
const stored: StoredSession = { sessionId: 's-1', version: 1, tokens: first }

/** What may become of a write. */
const faults: Array<[string, Fault]> = [
  [
    'throws',
    () => {
      throw new Error('disk full')
    },
  ],
  ['rejects', async () => Promise.reject(new Error('disk full'))],
  ['never answers', () => new Promise(() => {})],
  ['refuses, though nothing else was written', () => false],
  ['refuses, later', async () => false],
  ['answers nothing and writes nothing', () => undefined],
]

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('a session that is over', () => {
  it('R9 20 calls that wait: one onLoginRequired, the session cleared, each gets its own original 401', async () => {
    const originals: Response[] = []
    const store = memoryStore(first)
    const onLoginRequired = vi.fn<(need: LoginNeed) => void>()
    const refresh = vi.fn<Refresher>(async () => null)
    const api = createAuthFetch({
      baseUrl,
      store,
      refresh,
      onLoginRequired,
      async fetch() {
        const original = unauthorized()
        originals.push(original)
        return original
      },
    })
    const ended = eventsOf(api, 'signed-out')
    const responses = await Promise.all(Array.from({ length: 20 }, () => api('/orders')))
    expect(responses).toHaveLength(20)
    expect(new Set(responses)).toEqual(new Set(originals))
    expect(responses.every(({ bodyUsed }) => !bodyUsed)).toBe(true)
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
    expect(onLoginRequired.mock.lastCall?.[0]).toMatchObject({ reason: 'refresh-refused' })
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(ended).toMatchObject([{ reason: 'over' }])
    expect(api.snapshot().status).toBe('signed-out')
    expect(await store.read()).toBeNull()
    expect(await api.tokens()).toBeNull()
  })

  it('R9 without onLoginRequired the original 401s come back as well', async () => {
    const api = createAuthFetch({
      baseUrl,
      store: memoryStore(first),
      refresh: async () => null,
      fetch: async () => unauthorized(),
    })
    const responses = await Promise.all(Array.from({ length: 20 }, () => api('/orders')))
    expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(401))
  })

  it('R9 tokens from onLoginRequired bring all of them through', async () => {
    const world = rotatingWorld()
    const onLoginRequired = vi.fn(async () => ({ accessToken: 'at-9' }))
    const api = createAuthFetch({
      ...world.options(),
      refresh: async () => null,
      onLoginRequired,
      async fetch(input, init) {
        const { headers } = new Request(input, init)
        return headers.get('authorization') === 'Bearer at-9' ? Response.json({ ok: true }) : unauthorized()
      },
    })
    const responses = await Promise.all(Array.from({ length: 20 }, () => api('/orders')))
    expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
  })

  it('R9 401s of that session that come later ask nobody to log in again', async () => {
    const server = heldApi()
    const onLoginRequired = vi.fn()
    const refresh = vi.fn<Refresher>(async () => null)
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store: memoryStore(first), refresh, onLoginRequired })
    const calls = Array.from({ length: 5 }, () => api('/orders'))
    await server.request(4)
    for (const [index, call] of calls.entries()) {
      server.requests[index]?.reject()
      expect((await call).status).toBe(401)
    }
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(server.requests).toHaveLength(5)
  })

  it('R9 requests that were about to be sent ask for one login together, whenever their 401s come', async () => {
    const server = heldApi()
    const onLoginRequired = vi.fn()
    const refresh = vi.fn<Refresher>(async () => null)
    const store = memoryStore({ ...first, expiresAt: Date.now() - 1 })
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store, refresh, onLoginRequired })
    const calls = Array.from({ length: 5 }, () => api('/orders'))
    await server.request(4)
    expect(server.requests.map(({ token }) => token)).toEqual(Array(5).fill('at-1'))
    for (const [index, call] of calls.entries()) {
      server.requests[index]?.reject()
      expect((await call).status).toBe(401)
    }
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('R9 a dead refresh token is never sent again, whatever is asked for', async () => {
    const asked: (string | undefined)[] = []
    const api = createAuthFetch({
      baseUrl,
      store: memoryStore({ ...first, expiresAt: Date.now() - 1 }),
      fetch: async () => unauthorized(),
      async refresh({ tokens }) {
        asked.push(tokens?.refreshToken)
        return null
      },
    })
    await Promise.all(Array.from({ length: 10 }, () => api('/orders')))
    for (let count = 0; count < 10; count++) await api('/orders')
    await api.tokens({ minValidityMs: 60_000 })
    await api.refresh()
    await api.refresh('at-1')
    expect(asked.filter((refreshToken) => refreshToken === 'rt-1')).toHaveLength(1)
  })

  it('R9 a dead session goes out with no request any more', async () => {
    const { fetch, requests } = scriptedFetch(401, 200)
    const api = createAuthFetch({ baseUrl, fetch, store: memoryStore(first), refresh: async () => null })
    await api('/orders')
    await api('/orders')
    expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer at-1', null])
  })

  it.each(faults)('R9 a store whose write %s does not bring the dead session back', async (_, fault) => {
    startFakeTime()
    const medium = createMedium(stored)
    const refresh = vi.fn<Refresher>(async () => null)
    const api = createAuthFetch({
      baseUrl,
      store: medium.store({ hasWatch: true }),
      refresh,
      fetch: async () => unauthorized(),
    })
    medium.faults.write = fault
    expect((await settled(api('/orders'))).status).toBe(401)
    for (let round = 0; round < 5; round++) {
      medium.tell()
      await pass(20_000)
      expect((await settled(api('/orders'))).status).toBe(401)
    }
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(api.snapshot().status).toBe('signed-out')

    medium.faults = {}
    await pass(120_000)
    expect(medium.stored).toBeNull()
  })
})

describe('what a refresh answer leaves out', () => {
  it.each([
    ['no refresh_token', {}],
    ['an empty one', { refresh_token: '' }],
    ['null', { refresh_token: null }],
    ['undefined', { refresh_token: undefined }],
    ['a number', { refresh_token: 5 }],
  ])('R10 a token response with %s keeps the old one', async (_, members) => {
    const asked: (string | undefined)[] = []
    const store = memoryStore(first)
    const api = createAuthFetch({
      baseUrl,
      store,
      fetch: scriptedFetch(401, 200, 401, 200).fetch,
      async refresh({ tokens }) {
        asked.push(tokens?.refreshToken)
        return { access_token: `at-${asked.length + 1}`, ...members }
      },
    })
    await api('/orders')
    await api('/orders')
    expect(asked).toEqual(['rt-1', 'rt-1'])
    expect(await store.read()).toMatchObject({ tokens: { accessToken: 'at-3', refreshToken: 'rt-1' } })
  })

  it.each([
    ['no refreshToken', {}],
    ['an empty one', { refreshToken: '' }],
    ['null', { refreshToken: null as never }],
    ['undefined', { refreshToken: undefined as never }],
  ])('R10 a TokenSet with %s keeps the old one', async (_, members) => {
    const store = memoryStore(first)
    const api = createAuthFetch({
      baseUrl,
      store,
      fetch: scriptedFetch(401, 200).fetch,
      refresh: async () => ({ accessToken: 'at-2', ...members }),
    })
    await api('/orders')
    expect(await store.read()).toMatchObject({ tokens: { accessToken: 'at-2', refreshToken: 'rt-1' } })
  })

  it('R10 scope, subject and token type are kept too; the expiry of the old token is not', async () => {
    const store = memoryStore({ ...first, scope: 'a b', subject: 'alice', expiresAt: Date.now() + 3_600_000 })
    const api = createAuthFetch({
      baseUrl,
      store,
      fetch: scriptedFetch(401, 200).fetch,
      refresh: async () => ({ access_token: 'at-2' }),
    })
    await api('/orders')
    expect((await store.read())?.tokens).toEqual({
      accessToken: 'at-2',
      refreshToken: 'rt-1',
      scope: 'a b',
      subject: 'alice',
    })
  })

  it.each([
    {},
    { access_token: '' },
    { access_token: null },
    { access_token: undefined },
    { access_token: 12 },
    { access_token: {} },
    { access_token: 'undefined' },
    { access_token: 'null' },
    { accessToken: undefined },
    { accessToken: null },
    { accessToken: '' },
    { accessToken: 'undefined' },
    { refresh_token: 'rt-2' },
    { refreshToken: 'rt-2' },
  ])('R10 %j stores nothing, and none of it is ever sent', async (answer) => {
    const store = memoryStore(first)
    const before = await store.read()
    const { fetch, requests } = scriptedFetch(401, 401)
    const api = createAuthFetch({ baseUrl, store, fetch, refreshRetries: 0, refresh: async () => answer as never })
    const error = await rejectionOf(api('/orders'))
    expect(error).toMatchObject({ code: 'refresh-unavailable' })
    await rejectionOf(api('/orders'))
    expect(await store.read()).toEqual(before)
    expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer at-1', 'Bearer at-1'])
  })
})

describe('a store that cannot take a rotation', () => {
  beforeEach(startFakeTime)

  it.each(faults)('R11 whose write %s: the new tokens are used all the same, and it is told once', async (_, fault) => {
    const world = rotatingWorld()
    const medium = createMedium(stored)
    const api = createAuthFetch({ ...world.options(), store: medium.store() })
    const failed = eventsOf(api, 'store-failed')
    medium.faults.write = fault
    world.expire()
    expect((await settled(api('/orders'))).status).toBe(200)
    for (let count = 0; count < 5; count++) {
      expect((await settled(api('/orders'))).status).toBe(200)
      await pass(1000)
    }
    expect(world.tokens).toEqual(['at-1', ...Array(6).fill('at-2')])
    expect(failed).toHaveLength(1)
    expect(failed[0]).toMatchObject({ operation: 'write' })
    expect(medium.stored).toEqual(stored)
  })

  it.each(faults)(
    'R11 whose write %s: the next refresh uses the newest refresh token, not the stored one',
    async (_, fault) => {
      const world = rotatingWorld()
      const medium = createMedium(stored)
      const api = createAuthFetch({ ...world.options(), store: medium.store() })
      medium.faults.write = fault
      for (let count = 0; count < 4; count++) {
        world.expire()
        expect((await settled(api('/orders'))).status).toBe(200)
        await pass(3000)
      }
      expect(world.refreshes).toEqual(['rt-1', 'rt-2', 'rt-3', 'rt-4'])
    },
  )

  it.each(faults)('R11 whose write %s: the write is tried again until it works', async (_, fault) => {
    const world = rotatingWorld()
    const medium = createMedium(stored)
    const api = createAuthFetch({ ...world.options(), store: medium.store() })
    medium.faults.write = fault
    world.expire()
    await settled(api('/orders'))
    await pass(10_000)
    expect(medium.stored).toEqual(stored)
    medium.faults = {}
    await pass(61_000)
    expect(medium.stored).toMatchObject({ sessionId: 's-1', tokens: { accessToken: 'at-2', refreshToken: 'rt-2' } })

    // And from then on it is written as ever.
    world.expire()
    await settled(api('/orders'))
    expect(medium.stored).toMatchObject({ tokens: { refreshToken: 'rt-3' } })
  })

  it.each(faults)('R11 whose write %s: its stale value never wins over the newer one in memory', async (_, fault) => {
    const world = rotatingWorld()
    const medium = createMedium(stored)
    const api = createAuthFetch({ ...world.options(), store: medium.store({ hasWatch: true }) })
    medium.faults.write = fault
    world.expire()
    await settled(api('/orders'))
    for (let round = 0; round < 4; round++) {
      medium.tell()
      await pass(30_000)
      expect((await settled(api('/orders'))).status).toBe(200)
    }
    expect(world.refreshes).toEqual(['rt-1'])
    expect(world.tokens.slice(1)).toEqual(Array(5).fill('at-2'))
  })

  it('R11 a write that is late by five seconds changes nothing', async () => {
    const world = rotatingWorld()
    const medium = createMedium(stored)
    const api = createAuthFetch({ ...world.options(), store: medium.store({ hasWatch: true }) })
    medium.faults.write = async (work) => {
      await new Promise((resolve) => setTimeout(resolve, 5000))
      return work()
    }
    world.expire()
    expect((await settled(api('/orders'))).status).toBe(200)
    await pass(6000)
    medium.faults = {}
    await pass(61_000)
    expect(medium.stored).toMatchObject({ tokens: { accessToken: 'at-2', refreshToken: 'rt-2' } })
    world.expire()
    expect((await settled(api('/orders'))).status).toBe(200)
    expect(world.refreshes).toEqual(['rt-1', 'rt-2'])
    expect(medium.stored).toMatchObject({ tokens: { refreshToken: 'rt-3' } })
  })

  it('R11 that cannot be read during the refresh either', async () => {
    const world = rotatingWorld()
    const medium = createMedium(stored)
    const api = createAuthFetch({ ...world.options(), store: medium.store() })
    medium.faults.read = () => Promise.reject(new Error('no'))
    medium.faults.write = () => Promise.reject(new Error('no'))
    for (let count = 0; count < 3; count++) {
      world.expire()
      expect((await settled(api('/orders'))).status).toBe(200)
    }
    expect(world.refreshes).toEqual(['rt-1', 'rt-2', 'rt-3'])
    medium.faults = {}
    await pass(61_000)
    expect(medium.stored).toMatchObject({ tokens: { refreshToken: 'rt-4' } })
  })

  it('R11 the tokens of the one who was faster are taken, where that is why the store refuses', async () => {
    const medium = createMedium(stored)
    const theirs = { accessToken: 'at-theirs', refreshToken: 'rt-theirs' }
    const { fetch, requests } = scriptedFetch(401, 200)
    const api = createAuthFetch({
      baseUrl,
      fetch,
      store: medium.store(),
      async refresh() {
        medium.stored = { ...stored, version: 2, tokens: theirs }
        return { accessToken: 'at-2', refreshToken: 'rt-2' }
      },
    })
    expect((await settled(api('/orders'))).status).toBe(200)
    expect(requests[1]?.headers.get('authorization')).toBe('Bearer at-theirs')
    expect(medium.stored).toMatchObject({ version: 2, tokens: theirs })
  })

  it('R11 a result that comes too late for its own callers saves the next refresh, which was refused', async () => {
    const world = rotatingWorld()
    const medium = createMedium(stored)
    const onLoginRequired = vi.fn()
    let refreshes = 0
    const api = createAuthFetch({
      ...world.options(),
      store: medium.store(),
      onLoginRequired,
      async refresh(context) {
        refreshes++
        if (refreshes > 1) {
          // The first one has spent it.
          await new Promise((resolve) => setTimeout(resolve, 5000))
          return null
        }
        const tokens = await world.refresh(context)
        await new Promise((resolve) => setTimeout(resolve, 12_000))
        return tokens
      },
    })
    world.expire()
    expect(await settled(rejectionOf(api('/orders')))).toMatchObject({ code: 'refresh-timeout' })
    expect((await settled(api('/orders'))).status).toBe(200)
    expect(refreshes).toBe(2)
    expect(onLoginRequired).not.toHaveBeenCalled()
    expect(medium.stored).toMatchObject({ tokens: { refreshToken: 'rt-2' } })
  })

  it('R11 a rotation is stored even where the one who asked for it has left', async () => {
    const world = rotatingWorld()
    const medium = createMedium(stored)
    const answer = deferred<void>()
    const api = createAuthFetch({
      ...world.options(),
      store: medium.store(),
      async refresh(context) {
        await answer.promise
        return world.refresh(context)
      },
    })
    world.expire()
    const controller = new AbortController()
    const call = rejectionOf(api('/orders', { signal: controller.signal }))
    await flush()
    controller.abort('gone')
    expect(await call).toBe('gone')
    answer.resolve()
    await flush()
    expect(medium.stored).toMatchObject({ tokens: { accessToken: 'at-2', refreshToken: 'rt-2' } })
    expect((await settled(api('/orders'))).status).toBe(200)
    expect(world.refreshes).toEqual(['rt-1'])
  })
})

describe('what is no token', () => {
  const accepted = tokenValues.filter(({ expected }) => expected === 'accept').map(({ value }) => value)
  // With a canary in front, so that finding the value somewhere means something.
  const rejected = tokenValues
    .filter(({ expected, value }) => expected === 'reject' && value !== '')
    .map(({ value }) => (/^[\w"]/.test(value) ? `c4n4ry${value}` : value))

  it('R14 the vectors hold both kinds', () => {
    expect(accepted.length).toBeGreaterThan(2)
    expect(rejected.length).toBeGreaterThan(8)
  })

  it.each(accepted)('R14 %j is sent as it is', async (accessToken) => {
    const { fetch, requests } = scriptedFetch(200, 401, 200)
    const api = createAuthFetch({ baseUrl, fetch, refresh: async () => ({ access_token: accessToken }) })
    await api.signIn({ accessToken })
    await api('/orders')
    await api.signIn({ accessToken: 'other' })
    await api('/orders')
    expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual([
      `Bearer ${accessToken}`,
      'Bearer other',
      `Bearer ${accessToken}`,
    ])
  })

  it.each(rejected)('R14 signIn refuses %j by an error of ours that does not hold it', async (accessToken) => {
    const { fetch, requests } = scriptedFetch(200)
    const api = createAuthFetch({ baseUrl, fetch })
    for (const tokens of [{ accessToken }, { access_token: accessToken }]) {
      const error = await rejectionOf(api.signIn(tokens))
      expect(isAuthError(error)).toBe(true)
      expect(error).toMatchObject({ code: 'invalid-token', retryable: false })
      expectNowhere(accessToken, error)
    }
    expect(api.snapshot().status).toBe('signed-out')
    await api('/orders')
    expect(requests[0]?.headers.has('authorization')).toBe(false)
  })

  it.each(rejected)('R14 memoryStore refuses %j when it is made, without repeating it', (accessToken) => {
    let error: unknown
    try {
      memoryStore({ accessToken })
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(TypeError)
    expectNowhere(accessToken, error)
  })

  it.each(rejected)('R14 a refresher that hands back %j changes nothing and is not quoted', async (accessToken) => {
    const store = memoryStore(first)
    const { fetch, requests } = scriptedFetch(401, 401)
    for (const answer of [{ accessToken }, { access_token: accessToken }]) {
      const api = createAuthFetch({ baseUrl, store, fetch, refreshRetries: 0, refresh: async () => answer })
      const error = await rejectionOf(api('/orders'))
      expect(isAuthError(error)).toBe(true)
      expectNowhere(accessToken, error)
    }
    expect(await store.read()).toMatchObject({ tokens: first })
    expect(requests.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer at-1', 'Bearer at-1'])
  })

  it.each(rejected)(
    'R14 onLoginRequired that hands back %j rejects the call, without repeating it',
    async (accessToken) => {
      const { fetch } = scriptedFetch(401)
      const api = createAuthFetch({ baseUrl, fetch, onLoginRequired: () => ({ accessToken }) })
      const error = await rejectionOf(api('/orders'))
      expect(error).toMatchObject({ code: 'invalid-token' })
      expectNowhere(accessToken, error)
      expect(api.snapshot().status).toBe('signed-out')
    },
  )

  it.each(rejected)('R14 a store that holds %j holds nothing', async (accessToken) => {
    const { fetch, requests } = scriptedFetch(200)
    const tokens = { accessToken, refreshToken: 'rt-1' }
    const store = createMedium({ sessionId: 's-1', version: 1, tokens }).store()
    const api = createAuthFetch({ baseUrl, fetch, store })
    expect((await api('/orders')).status).toBe(200)
    expect(requests[0]?.headers.has('authorization')).toBe(false)
    expect(await api.tokens()).toBeNull()
  })

  function expectNowhere(value: string, error: unknown): void {
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(value)
    expect(String((error as Error).stack)).not.toContain(value)
    expect(inspect(error)).not.toContain('c4n4ry')
  }
})
