// Who wins when sessions, refreshes and stores race: newer tokens over a refusal (R8), people over refreshes (R12).
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  type Refresher,
  type StoredSession,
  type TokenSet,
} from '../../src/index.ts'
import { unauthorized } from '../helpers/answer.ts'
import { type Deferred, deferred } from '../helpers/deferred.ts'
import { flush, pass, settled, startFakeTime } from '../helpers/fake-time.ts'
import { heldApi } from '../helpers/held-api.ts'
import { createMedium, type Medium } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { scriptedFetch } from '../helpers/scripted-fetch.ts'

const baseUrl = 'https://api.example'
const first: TokenSet = { accessToken: 'at-1', refreshToken: 'rt-1' }
const stored: StoredSession = { sessionId: 's-1', version: 1, tokens: first }
const newer: StoredSession = { ...stored, version: 2, tokens: { accessToken: 'at-2', refreshToken: 'rt-2' } }
const someoneElse: StoredSession = {
  sessionId: 's-2',
  version: 2,
  tokens: { accessToken: 'bob-1', refreshToken: 'bob-r' },
}

beforeEach(startFakeTime)
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const credentialsOf = (requests: readonly Request[]) => requests.map(({ headers }) => headers.get('authorization'))

describe('a refresh that is refused while the store has moved on', () => {
  for (const hasWatch of [true, false]) {
    const traits = { hasWatch }
    const told = hasWatch ? 'a store that tells' : 'a store that does not tell'

    it(`R8 ${told}: the newer tokens are adopted, and the request goes again`, async () => {
      const medium = createMedium(stored)
      const { fetch, requests } = scriptedFetch(401, 200)
      const onLoginRequired = vi.fn()
      const api = createAuthFetch({
        baseUrl,
        fetch,
        store: medium.store(traits),
        onLoginRequired,
        async refresh() {
          medium.stored = newer
          medium.tell()
          return null
        },
      })
      const adopted = eventsOf(api, 'adopted')
      const ended = eventsOf(api, 'signed-out')
      expect((await settled(api('/orders'))).status).toBe(200)
      expect(credentialsOf(requests)).toEqual(['Bearer at-1', 'Bearer at-2'])
      expect(medium.stored).toEqual(newer)
      expect(onLoginRequired).not.toHaveBeenCalled()
      expect(adopted).toEqual([{ sessionId: 's-1', version: 2 }])
      expect(ended).toEqual([])
      expect((await api.tokens())?.refreshToken).toBe('rt-2')
    })

    it(`R8 ${told}: 20 calls that wait all go again`, async () => {
      const medium = createMedium(stored)
      const refresh = vi.fn<Refresher>(async () => {
        medium.stored = newer
        medium.tell()
        throw Object.assign(new Error(), { error: 'invalid_grant' })
      })
      const api = createAuthFetch({
        baseUrl,
        store: medium.store(traits),
        refresh,
        async fetch(input, init) {
          const token = new Request(input, init).headers.get('authorization')
          return token === 'Bearer at-2' ? Response.json({ ok: true }) : unauthorized()
        },
      })
      const responses = await settled(Promise.all(Array.from({ length: 20 }, () => api('/orders'))))
      expect(responses.map(({ status }) => status)).toEqual(Array(20).fill(200))
      expect(refresh).toHaveBeenCalledTimes(1)
    })

    it(`R8 ${told}: another session there is left alone, and nothing of ours is sent with it`, async () => {
      const medium = createMedium(stored)
      const { fetch, requests } = scriptedFetch(401, 200)
      const api = createAuthFetch({
        baseUrl,
        fetch,
        store: medium.store(traits),
        async refresh() {
          medium.stored = someoneElse
          medium.tell()
          return null
        },
      })
      expect((await settled(api('/orders'))).status).toBe(401)
      expect(credentialsOf(requests)).toEqual(['Bearer at-1'])
      expect(medium.stored).toEqual(someoneElse)
      // What is asked for from now on is asked for by whoever is signed in now.
      expect((await settled(api('/orders'))).status).toBe(200)
      expect(credentialsOf(requests)[1]).toBe('Bearer bob-1')
    })
  }

  it('R8 clearing compares: tokens that are written at the very moment survive', async () => {
    const medium = createMedium(stored)
    const { fetch, requests } = scriptedFetch(401, 200)
    const api = createAuthFetch({ baseUrl, fetch, store: medium.store(), refresh: async () => null })
    medium.faults.write = (work) => {
      medium.stored = newer
      return work()
    }
    expect((await settled(api('/orders'))).status).toBe(200)
    expect(credentialsOf(requests)).toEqual(['Bearer at-1', 'Bearer at-2'])
    expect(medium.stored).toEqual(newer)
    expect(medium.writes).toEqual([])
  })

  it('R8 every removal names the version that it removes', async () => {
    const medium = createMedium({ ...stored, version: 41 })
    const inner = medium.store()
    const write = vi.fn(inner.write)
    const api = createAuthFetch({
      baseUrl,
      fetch: async () => unauthorized(),
      store: { read: inner.read, write },
      refresh: async () => null,
    })
    await settled(api('/orders'))
    expect(write.mock.calls).toEqual([[null, 41]])
    expect(medium.stored).toBeNull()
  })

  it('R8 two processes that spend one refresh token: the loser takes over what the winner got', async () => {
    const medium = createMedium(stored)
    const winnerHasWritten = deferred<void>()
    let current = 'at-1'
    const fetch: typeof globalThis.fetch = async (input, init) =>
      new Request(input, init).headers.get('authorization') === `Bearer ${current}` ? Response.json({}) : unauthorized()
    const spent = new Set<string | undefined>()
    const refresh: Refresher = async ({ tokens }) => {
      if (spent.has(tokens?.refreshToken)) {
        await winnerHasWritten.promise
        throw Object.assign(new Error(), { status: 400, error: 'invalid_grant' })
      }
      spent.add(tokens?.refreshToken)
      current = 'at-2'
      return { accessToken: 'at-2', refreshToken: 'rt-2' }
    }
    const onLoginRequired = vi.fn()
    const clients = [1, 2].map(() =>
      createAuthFetch({ baseUrl, fetch, store: medium.store(), refresh, onLoginRequired }),
    )
    current = 'nothing yet'
    const calls = clients.map((api) => api('/orders'))
    await flush()
    winnerHasWritten.resolve()
    expect((await settled(Promise.all(calls))).map(({ status }) => status)).toEqual([200, 200])
    expect(medium.stored).toMatchObject({ tokens: { refreshToken: 'rt-2' } })
    expect(onLoginRequired).not.toHaveBeenCalled()
  })

  it('R8 a transient failure while the store has moved on: the newer tokens are adopted as well', async () => {
    const medium = createMedium(stored)
    const { fetch, requests } = scriptedFetch(401, 200)
    const api = createAuthFetch({
      baseUrl,
      fetch,
      store: medium.store(),
      refreshRetries: 0,
      async refresh() {
        medium.stored = newer
        throw new TypeError('fetch failed')
      },
    })
    expect((await settled(api('/orders'))).status).toBe(200)
    expect(credentialsOf(requests)).toEqual(['Bearer at-1', 'Bearer at-2'])
  })
})

/** A refresh that can be halted on its way, on a store that is asynchronous and has a lock. */
interface Halted {
  api: AuthFetch
  medium: Medium
  /** The credentials of all sends. */
  sent: (string | null)[]
  /** The responses that the server gave, in order. */
  given: Response[]
  onLoginRequired: ReturnType<typeof vi.fn>
  reached: Deferred<void>
  resume: Deferred<void>
}

type Stage =
  | 'the lock is waited for'
  | 'the store is read again'
  | 'the refresher runs'
  | 'a retry is waited for'
  | 'the store is about to write'
  | 'the store has written and not said so'

const STAGES: Stage[] = [
  'the lock is waited for',
  'the store is read again',
  'the refresher runs',
  'a retry is waited for',
  'the store is about to write',
  'the store has written and not said so',
]

/** @param tokens of the session at first; the server accepts none but those that a refresh or a sign-in brings */
async function halted(stage: Stage, tokens: TokenSet): Promise<Halted> {
  const medium = createMedium({ ...stored, tokens })
  const reached = deferred<void>()
  const resume = deferred<void>()
  const sent: (string | null)[] = []
  const given: Response[] = []
  const onLoginRequired = vi.fn()
  let attempts = 0
  const api = createAuthFetch({
    baseUrl,
    store: medium.store({ latencyMs: () => 2, hasLock: true, hasWatch: true }),
    onLoginRequired,
    async fetch(input, init) {
      const token = new Request(input, init).headers.get('authorization')?.replace('Bearer ', '') ?? null
      sent.push(token)
      const answer = token === null || token === 'at-1' ? unauthorized() : Response.json({ token })
      given.push(answer)
      return answer
    },
    async refresh() {
      attempts++
      if (stage === 'the refresher runs') {
        reached.resolve()
        await resume.promise
      }
      if (stage === 'a retry is waited for' && attempts === 1) {
        reached.resolve()
        throw new TypeError('fetch failed')
      }
      return { accessToken: 'at-2', refreshToken: 'rt-2' }
    },
  })
  // The store is read when the client is made; what is held comes after that.
  await pass(10)
  /** Holds the next such operation once; later ones pass. */
  const hold = (operation: 'read' | 'write' | 'lock', isWorkDone = false): void => {
    medium.faults[operation] = async (work) => {
      delete medium.faults[operation]
      const answer = isWorkDone ? await work() : undefined
      reached.resolve()
      await resume.promise
      return isWorkDone ? answer : work()
    }
  }
  if (stage === 'the lock is waited for') hold('lock')
  if (stage === 'the store is read again') hold('read')
  if (stage === 'the store is about to write') hold('write')
  if (stage === 'the store has written and not said so') hold('write', true)
  return { api, medium, sent, given, onLoginRequired, reached, resume }
}

describe('a 401 waits for a refresh', () => {
  it.each(STAGES)('R12 a sign-out while %s wins', async (stage) => {
    const { api, medium, sent, given, onLoginRequired, reached, resume } = await halted(stage, first)
    const calls = Promise.all(Array.from({ length: 5 }, () => api('/orders')))
    await settled(reached.promise)
    const signedOut = api.signOut()
    resume.resolve()
    const responses = await settled(calls)
    await settled(signedOut)
    await pass(5000)
    expect(responses.map(({ status }) => status)).toEqual(Array(5).fill(401))
    expect(new Set(responses)).toEqual(new Set(given))
    expect(sent).toEqual(Array(5).fill('at-1'))
    expect(api.snapshot().status).toBe('signed-out')
    expect(await api.tokens()).toBeNull()
    expect(medium.stored).toBeNull()
    expect(onLoginRequired).not.toHaveBeenCalled()
  })

  it.each(STAGES)('R12 a sign-in of someone else while %s wins', async (stage) => {
    const { api, medium, sent, given, onLoginRequired, reached, resume } = await halted(stage, first)
    const calls = Promise.all(Array.from({ length: 5 }, () => api('/orders')))
    await settled(reached.promise)
    const signedIn = api.signIn({ accessToken: 'bob-1', refreshToken: 'bob-r' })
    resume.resolve()
    const responses = await settled(calls)
    await settled(signedIn)
    await pass(5000)
    expect(responses.map(({ status }) => status)).toEqual(Array(5).fill(401))
    expect(new Set(responses)).toEqual(new Set(given))
    expect(sent).toEqual(Array(5).fill('at-1'))
    expect((await api.tokens())?.accessToken).toBe('bob-1')
    expect(medium.stored).toMatchObject({ tokens: { accessToken: 'bob-1', refreshToken: 'bob-r' } })
    expect(medium.stored?.sessionId).not.toBe('s-1')
    expect(onLoginRequired).not.toHaveBeenCalled()
    expect((await settled(api('/orders'))).status).toBe(200)
    expect(sent.at(-1)).toBe('bob-1')
  })

  it.each(STAGES)('R12 a sign-out and a new sign-in while %s win', async (stage) => {
    const { api, medium, sent, reached, resume } = await halted(stage, first)
    const call = api('/orders')
    await settled(reached.promise)
    const changes = [api.signOut(), api.signIn({ accessToken: 'at-9', refreshToken: 'rt-9' })]
    resume.resolve()
    expect((await settled(call)).status).toBe(401)
    await settled(Promise.all(changes))
    await pass(5000)
    expect(sent).toEqual(['at-1'])
    expect((await api.tokens())?.refreshToken).toBe('rt-9')
    expect(medium.stored).toMatchObject({ tokens: { refreshToken: 'rt-9' } })
  })
})

describe('a 401 whose refresh is done, while its body is still being drained', () => {
  /** A 401 that takes its time, which is given up after a tenth of a second. */
  const slow401 = (): Response =>
    new Response(new ReadableStream({ pull: () => new Promise(() => {}) }), { status: 401 })

  it.each<[string, (api: AuthFetch) => Promise<void>]>([
    ['a sign-out', (api) => api.signOut()],
    ['a sign-in of someone else', (api) => api.signIn({ accessToken: 'bob-1' })],
    [
      'a sign-out and a sign-in',
      async (api) => {
        await api.signOut()
        await api.signIn({ accessToken: 'bob-1' })
      },
    ],
  ])('R12 %s wins: the request is not sent again', async (_, change) => {
    const medium = createMedium(stored)
    const { fetch, requests } = scriptedFetch(slow401)
    const refresh = async () => ({ accessToken: 'at-2', refreshToken: 'rt-2' })
    const api = createAuthFetch({ baseUrl, fetch, store: medium.store(), refresh })
    const refreshed = eventsOf(api, 'refreshed')
    const call = api('/orders')
    await flush()
    expect(refreshed).toHaveLength(1)
    await change(api)
    expect((await settled(call)).status).toBe(401)
    expect(credentialsOf(requests)).toEqual(['Bearer at-1'])
  })
})

describe('a request waits for a refresh before it is sent', () => {
  const expired = (): TokenSet => ({ ...first, expiresAt: Date.now() - 1 })

  it.each(STAGES)('R12 a sign-out while %s rejects it with signed-out', async (stage) => {
    const { api, medium, sent, reached, resume } = await halted(stage, { ...first, expiresAt: 1 })
    const call = rejectionOf(api('/orders'))
    await settled(reached.promise)
    const signedOut = api.signOut()
    resume.resolve()
    expect(await settled(call)).toMatchObject({ code: 'signed-out' })
    await settled(signedOut)
    await pass(5000)
    expect(sent).toEqual([])
    expect(medium.stored).toBeNull()
    expect(await api.tokens()).toBeNull()
  })

  it.each(STAGES)('R12 a sign-in of someone else while %s rejects it with session-changed', async (stage) => {
    const { api, medium, sent, reached, resume } = await halted(stage, { ...first, expiresAt: 1 })
    const call = rejectionOf(api('/orders'))
    await settled(reached.promise)
    const signedIn = api.signIn({ accessToken: 'bob-1', refreshToken: 'bob-r' })
    resume.resolve()
    expect(await settled(call)).toMatchObject({ code: 'session-changed' })
    await settled(signedIn)
    await pass(5000)
    expect(sent).toEqual([])
    expect(medium.stored).toMatchObject({ tokens: { refreshToken: 'bob-r' } })
  })

  it('R12 where nobody was signed in, a sign-out drops what the refresher brings', async () => {
    const medium = createMedium()
    const asked = deferred<void>()
    const answer = deferred<void>()
    const api = createAuthFetch({
      baseUrl,
      store: medium.store(),
      fetch: async () => unauthorized(),
      async refresh() {
        asked.resolve()
        await answer.promise
        return { accessToken: 'robot-1' }
      },
    })
    const call = api('/orders').catch((error) => error)
    await settled(asked.promise)
    await settled(api.signOut())
    answer.resolve()
    await settled(call)
    expect(await settled(api.tokens())).toBeNull()
    expect(medium.stored).toBeNull()
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('R12 where nobody was signed in, a sign-in wins over what the refresher brings', async () => {
    const medium = createMedium()
    const asked = deferred<void>()
    const answer = deferred<void>()
    const { fetch, requests } = scriptedFetch(200)
    const api = createAuthFetch({
      baseUrl,
      store: medium.store(),
      fetch,
      async refresh() {
        asked.resolve()
        await answer.promise
        return { accessToken: 'robot-1' }
      },
    })
    const tokens = api.tokens()
    await settled(asked.promise)
    await settled(api.signIn(first))
    answer.resolve()
    await settled(tokens)
    await settled(api('/orders'))
    expect(credentialsOf(requests)).toEqual(['Bearer at-1'])
    expect(medium.stored).toMatchObject({ tokens: first })
  })

  it('R12 a sign-in during a refresh does not wait for it', async () => {
    const medium = createMedium({ ...stored, tokens: expired() })
    const { fetch, requests } = scriptedFetch(200)
    const api = createAuthFetch({ baseUrl, fetch, store: medium.store(), refresh: () => new Promise(() => {}) })
    const waiting = rejectionOf(api('/old'))
    await flush()
    await settled(api.signIn({ accessToken: 'bob-1' }))
    await flush()
    expect((await settled(api('/new'))).status).toBe(200)
    expect(credentialsOf(requests)).toEqual(['Bearer bob-1'])
    expect(await settled(waiting)).toMatchObject({ code: 'session-changed' })
  })
})

describe('a change of session while another one is being stored', () => {
  /** So many microtasks later. */
  async function ticks(count: number): Promise<void> {
    for (let tick = 0; tick < count; tick++) await null
  }
  const moments = Array.from({ length: 40 }, (_, index) => index)

  it('R12 a sign-out is in the store when it returns, whatever the moment', async () => {
    for (const moment of moments) {
      const medium = createMedium()
      const api = createAuthFetch({ baseUrl, fetch: async () => unauthorized(), store: medium.store() })
      const written = deferred<void>()
      medium.faults.write = (work) => written.promise.then(work)
      const signedIn = api.signIn(first)
      await flush()
      written.resolve()
      await ticks(moment)
      await api.signOut()
      expect(medium.stored, `${moment} ticks later`).toBeNull()
      await signedIn
      api.dispose()
    }
  })

  it('R12 many changes while the store is slow are no failure of the store', async () => {
    const medium = createMedium()
    const api = createAuthFetch({ baseUrl, fetch: async () => unauthorized(), store: medium.store() })
    const failed = eventsOf(api, 'store-failed')
    const pending: Deferred<void>[] = []
    medium.faults.write = (work) => {
      const write = deferred<void>()
      pending.push(write)
      return write.promise.then(work)
    }
    const changes: Promise<void>[] = []
    for (let count = 0; count < 10; count++) {
      changes.push(api.signIn({ accessToken: `at-${count}` }))
      await flush()
      pending[count - 1]?.resolve()
      await flush()
    }
    medium.faults = {}
    changes.push(api.signOut())
    for (const write of pending) write.resolve()
    await Promise.all(changes)
    expect(medium.stored).toBeNull()
    expect(failed).toEqual([])
  })

  it('R12 a sign-in is in the store when it returns, whatever the moment', async () => {
    for (const moment of moments) {
      const medium = createMedium(stored)
      const api = createAuthFetch({ baseUrl, fetch: async () => unauthorized(), store: medium.store() })
      const written = deferred<void>()
      medium.faults.write = (work) => written.promise.then(work)
      const signedOut = api.signOut()
      await flush()
      written.resolve()
      await ticks(moment)
      await api.signIn({ accessToken: 'bob-1' })
      expect(medium.stored, `${moment} ticks later`).toMatchObject({ tokens: { accessToken: 'bob-1' } })
      await signedOut
      api.dispose()
    }
  })
})

describe('a 401 comes after the session has changed', () => {
  it('R12 signed out: the original 401, no refresh, no login', async () => {
    const server = heldApi()
    const refresh = vi.fn<Refresher>(async () => null)
    const onLoginRequired = vi.fn()
    const store = createMedium(stored).store()
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store, refresh, onLoginRequired })
    const call = api('/orders')
    const sent = await server.request(0)
    await settled(api.signOut())
    sent.reject()
    expect((await settled(call)).status).toBe(401)
    expect(server.requests).toHaveLength(1)
    expect(refresh).not.toHaveBeenCalled()
    expect(onLoginRequired).not.toHaveBeenCalled()
  })

  it('R12 someone else has signed in: the original 401, and never their token', async () => {
    const server = heldApi()
    const refresh = vi.fn<Refresher>(async () => null)
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store: createMedium(stored).store(), refresh })
    const call = api('/transfer', { method: 'POST', body: '{"to":"alice"}' })
    const sent = await server.request(0)
    await settled(api.signIn({ accessToken: 'bob-1', refreshToken: 'bob-r' }))
    sent.reject()
    expect((await settled(call)).status).toBe(401)
    expect(server.requests.map(({ token }) => token)).toEqual(['at-1'])
    expect(refresh).not.toHaveBeenCalled()
  })

  it('R12 the same person has signed in anew: that is another session all the same', async () => {
    const server = heldApi()
    const store = createMedium({ ...stored, tokens: { ...first, subject: 'alice' } }).store()
    const api = createAuthFetch({ baseUrl, fetch: server.fetch, store, refresh: async () => null })
    const call = api('/orders')
    const sent = await server.request(0)
    await settled(api.signIn({ accessToken: 'at-9', subject: 'alice' }))
    sent.reject()
    expect((await settled(call)).status).toBe(401)
    expect(server.requests).toHaveLength(1)
  })
})

describe('a refresh that answers with tokens of someone else', () => {
  /** An ID token that says who. */
  const idTokenOf = (sub: string): string =>
    `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ sub }))}.`.replaceAll('=', '')

  it.each([
    ['a TokenSet', { accessToken: 'bob-1', refreshToken: 'bob-r', subject: 'bob' }],
    ['a token response', { access_token: 'bob-1', refresh_token: 'bob-r', id_token: idTokenOf('bob') }],
  ])('R12 %s: the waiting requests are not sent with them', async (_, answer) => {
    const medium = createMedium({ ...stored, tokens: { ...first, subject: 'alice' } })
    const { fetch, requests } = scriptedFetch(401, 401, 200)
    const api = createAuthFetch({ baseUrl, fetch, store: medium.store(), refresh: async () => answer })
    const signedIn = eventsOf(api, 'signed-in')
    const responses = await settled(Promise.all([api('/mine'), api('/mine')]))
    expect(responses.map(({ status }) => status)).toEqual([401, 401])
    expect(credentialsOf(requests)).toEqual(['Bearer at-1', 'Bearer at-1'])
    expect(signedIn).toHaveLength(1)
    expect(medium.stored?.sessionId).not.toBe('s-1')
    expect(medium.stored).toMatchObject({ tokens: { subject: 'bob', refreshToken: 'bob-r' } })
    expect(api.snapshot().subject).toBe('bob')
    // A request that is made now is Bob's.
    expect((await settled(api('/mine'))).status).toBe(200)
    expect(credentialsOf(requests)[2]).toBe('Bearer bob-1')
  })

  it('R12 nothing of the first one’s tokens is carried over to the other', async () => {
    const medium = createMedium({ ...stored, tokens: { ...first, subject: 'alice', scope: 'admin', idToken: 'x.y.z' } })
    const api = createAuthFetch({
      baseUrl,
      fetch: scriptedFetch(401).fetch,
      store: medium.store(),
      refresh: async () => ({ accessToken: 'bob-1', subject: 'bob' }),
    })
    await settled(api('/orders'))
    expect(medium.stored?.tokens).toEqual({ accessToken: 'bob-1', subject: 'bob' })
  })

  it('R12 a request that waited before it was sent rejects with session-changed', async () => {
    const medium = createMedium({ ...stored, tokens: { ...first, subject: 'alice', expiresAt: 1 } })
    const api = createAuthFetch({
      baseUrl,
      fetch: scriptedFetch().fetch,
      store: medium.store(),
      refresh: async () => ({ accessToken: 'bob-1', subject: 'bob' }),
    })
    expect(await settled(rejectionOf(api('/orders')))).toMatchObject({ code: 'session-changed' })
  })

  it('R12 an answer that says the same or nothing about who it is for goes on with the session', async () => {
    for (const subject of ['alice', undefined]) {
      const medium = createMedium({ ...stored, tokens: { ...first, subject: 'alice' } })
      const { fetch } = scriptedFetch(401, 200)
      const refresh = async () => ({ accessToken: 'at-2', ...(subject !== undefined && { subject }) })
      const api = createAuthFetch({ baseUrl, fetch, store: medium.store(), refresh })
      expect((await settled(api('/orders'))).status).toBe(200)
      expect(medium.stored).toMatchObject({ sessionId: 's-1', tokens: { subject: 'alice' } })
    }
  })
})

describe('any order of requests, refreshes, sign-outs and sign-ins', () => {
  type Action = 'request' | 'request' | 'refresh' | 'tokens' | 'expire' | 'sign-out' | 'sign-in'
  const action = fc.constantFrom<Action>(
    'request',
    'request',
    'request',
    'refresh',
    'tokens',
    'expire',
    'sign-out',
    'sign-in',
  )
  const fate = fc.constantFrom('works', 'works', 'works', 'fails', 'over')

  it('R12, R2 no refresh token is spent twice, no request changes hands, everyone settles, and the last word is kept', async () => {
    vi.useRealTimers()
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(action, { minLength: 3, maxLength: 14 }),
        fc.array(fate, { minLength: 8, maxLength: 8 }),
        fc.boolean(),
        async (scheduler, actions, fates, isStoreAsync) => {
          const turn = (label: string): Promise<void> => scheduler.schedule(Promise.resolve(), label)
          const medium = createMedium()
          if (isStoreAsync) {
            medium.faults.read = (work) => turn('read').then(work)
            medium.faults.write = (work) => turn('write').then(work)
          }
          let sessions = 0
          let generation = 0
          /** The one access token that each session's API takes. */
          const good = new Map<string, string>()
          const dead = new Set<string>()
          const misuse: string[] = []
          const usersOf = new Map<string, Set<string>>()
          let asked = 0

          const options: AuthFetchOptions = {
            baseUrl,
            store: medium.store({ hasWatch: true, hasLock: isStoreAsync }),
            refreshRetries: 0,
            async fetch(input, init) {
              const { url, headers } = new Request(input, init)
              const token = headers.get('authorization')?.replace('Bearer ', '') ?? null
              if (token !== null) {
                const users = usersOf.get(url) ?? new Set()
                usersOf.set(url, users.add(sessionOf(token)))
              }
              await turn('arrives')
              const isGood = token !== null && good.get(sessionOf(token)) === token
              await turn('answers')
              return isGood ? Response.json({}) : unauthorized()
            },
            async refresh({ tokens }) {
              const spent = tokens?.refreshToken
              if (spent === undefined) return null
              const outcome = fates[asked++ % fates.length]
              await turn('refresh arrives')
              if (dead.has(spent)) misuse.push(`${spent} came again`)
              if (outcome !== 'fails') dead.add(spent)
              const next = `${sessionOf(spent)}.${++generation}`
              if (outcome === 'works') good.set(sessionOf(spent), next)
              await turn('refresh answers')
              if (outcome === 'fails') throw new TypeError('fetch failed')
              return outcome === 'over' ? null : { accessToken: next, refreshToken: `${next}.r` }
            },
          }
          // Two modules that know the same store are one session.
          const clients = [createAuthFetch(options), createAuthFetch(options)] as const
          const [api] = clients
          const oneOfThem = (): AuthFetch => clients[work.length % 2] ?? api

          const work: Promise<unknown>[] = []
          let lastWord: string | null = null
          const perform: Record<Action, () => void> = {
            request() {
              const url = `${baseUrl}/${work.length}`
              const session = api.snapshot().subject ?? null
              work.push(
                oneOfThem()(url).finally(() => {
                  for (const user of usersOf.get(url) ?? []) {
                    if (session !== null && user !== session) misuse.push(`${session}'s request went out as ${user}`)
                  }
                  if ((usersOf.get(url)?.size ?? 0) > 1) misuse.push(`${url} changed hands`)
                }),
              )
            },
            refresh: () => void work.push(oneOfThem().refresh()),
            tokens: () => void work.push(oneOfThem().tokens()),
            expire: () => good.clear(),
            'sign-out'() {
              lastWord = null
              work.push(oneOfThem().signOut())
            },
            'sign-in'() {
              lastWord = `s${++sessions}`
              const accessToken = `${lastWord}.${++generation}`
              good.set(lastWord, accessToken)
              work.push(oneOfThem().signIn({ accessToken, refreshToken: `${accessToken}.r`, subject: lastWord }))
            },
          }
          perform['sign-in']()
          scheduler.scheduleSequence(actions.map((name) => async () => perform[name]()))
          await scheduler.waitIdle()
          const outcomes = await Promise.allSettled(work)

          expect(misuse).toEqual([])
          for (const outcome of outcomes) {
            if (outcome.status === 'rejected') expect(outcome.reason).toHaveProperty('code')
          }
          const inMemory = api.snapshot().status === 'signed-out' ? null : await api.tokens()
          const inStore = medium.stored?.tokens ?? null
          if (lastWord === null) expect([inMemory, inStore]).toEqual([null, null])
          // A session that has ended by a refusal is gone; where there is one, it is the last that was asked for.
          if (inMemory !== null) expect(sessionOf(inMemory.accessToken)).toBe(lastWord)
          expect(inStore).toEqual(inMemory)
          for (const client of clients) client.dispose()
        },
      ),
      { numRuns: 400 },
    )
  })

  const sessionOf = (token: string): string => token.split('.')[0] ?? ''
})
