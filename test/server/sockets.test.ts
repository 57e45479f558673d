// B4: what becomes of answers that nobody will read, told by the sockets that they hold; and answers that are handed back unread.
import type { ServerResponse } from 'node:http'
import { describe, expect, it, vi } from 'vitest'
import { type AuthFetch, type AuthFetchOptions, createAuthFetch, memoryStore } from '../../src/index.ts'
import { howOften } from '../helpers/extent.ts'
import { type RecordingServer, recordingServer } from '../helpers/recording-server.ts'
import { rejectionOf } from '../helpers/rejection.ts'

const EXTRA_SOCKETS = 2
const MEBIBYTE = Buffer.alloc(1_048_576)
const CHUNK = Buffer.alloc(16_384)

/** Sends the rest of an answer that refuses. */
type Refusal = (response: ServerResponse) => void

const small: Refusal = (response) => void response.end('{"error":"invalid_token"}')
const large: Refusal = (response) => void response.end(MEBIBYTE)
const flooding: Refusal = (response) => {
  const goOn = (): void => {
    if (response.write(CHUNK)) setImmediate(goOn)
    else response.once('drain', goOn)
  }
  goOn()
}
const silent: Refusal = (response) => void response.write('and then nothing more, ever')

/** An API that takes one access token, and a client whose refresher gets the next one. */
interface World extends AsyncDisposable {
  readonly server: RecordingServer
  readonly url: string
  /** From now on only the token of the next refresh is good. */
  expire(): void
  /** Refusals whose end has not been reached: somebody still holds a connection for them. */
  unfinished(): number
  client(options?: AuthFetchOptions): AuthFetch
  /** The same recovery written by hand over a bare fetch. */
  byHand(): Promise<Response>
}

async function worldWith(refuse: Refusal, status = 401): Promise<World> {
  let refreshes = 0
  let accepted = 'at-0'
  let unfinished = 0
  const server = await recordingServer((arrival, response) => {
    if (arrival.headers.authorization === `Bearer ${accepted}`) return response.end('ok')
    response.statusCode = status
    unfinished++
    response.once('close', () => unfinished--)
    return refuse(response)
  })
  const refresh = async () => {
    accepted = `at-${++refreshes}`
    return { accessToken: accepted }
  }
  return {
    server,
    url: `${server.url}/item`,
    expire: () => {
      accepted = 'none yet'
    },
    unfinished: () => unfinished,
    client: (options) =>
      createAuthFetch({ baseUrl: server.url, store: memoryStore({ accessToken: 'at-0' }), refresh, ...options }),
    async byHand() {
      const rejected = await fetch(`${server.url}/item`)
      await (refuse === small ? rejected.text() : rejected.body?.cancel())
      if (accepted === 'none yet') await refresh()
      return fetch(`${server.url}/item`, { headers: { authorization: `Bearer ${accepted}` } })
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

interface Counts {
  /** Sockets at the busiest moment, and once all was quiet. */
  most: number
  open: number
  totalPerCall: number
}

/** Makes so many calls, so many at a time, each with a token that has just ceased to be good; then counts the sockets. */
async function load(world: World, call: () => Promise<Response>, count: number, atATime: number): Promise<Counts> {
  for (let done = 0; done < count; done += atATime) {
    world.expire()
    const responses = await Promise.all(Array.from({ length: atATime }, call))
    for (const response of responses) expect(await response.text()).toBe('ok')
  }
  await quiet(world)
  const { most, open, total } = world.server.sockets
  return { most, open, totalPerCall: total / count }
}

/** Waits until the sockets that were cancelled are gone: that takes a moment after their call has settled. */
async function quiet({ server: { sockets } }: World): Promise<void> {
  for (let open = -1; open !== sockets.open; ) {
    open = sockets.open
    await new Promise((next) => setTimeout(next, 30))
  }
}

const REQUESTS = howOften(1000, 300)

describe('recovered 401s', () => {
  it.each<[number, string, Refusal]>([
    [REQUESTS, 'a small body', small],
    [REQUESTS, 'a body of 1 MiB', large],
    [REQUESTS, 'a body that floods without end', flooding],
    [20, 'a body that falls silent', silent],
  ])(
    'B4 %i in a row, with %s, take no more sockets than the same load by hand',
    async (count, _, refuse) => {
      await using world = await worldWith(refuse)
      const api = world.client()
      const ours = await load(world, () => api(world.url), count, 1)
      await using control = await worldWith(refuse)
      const bare = await load(control, control.byHand, 100, 1)

      expect(world.server.arrivals).toHaveLength(2 * count)
      expect(world.unfinished()).toBe(0)
      expect(ours.open).toBeLessThanOrEqual(bare.open + EXTRA_SOCKETS)
      expect(ours.most).toBeLessThanOrEqual(bare.most + EXTRA_SOCKETS)
      expect(ours.totalPerCall).toBeLessThanOrEqual(bare.totalPerCall + EXTRA_SOCKETS / count)
    },
    60_000,
  )

  it.each<[string, Refusal]>([
    ['a small body', small],
    ['a body of 1 MiB', large],
    ['a body that floods without end', flooding],
    ['a body that falls silent', silent],
  ])(
    `B4 ${REQUESTS}, 50 at a time, with %s, take no more sockets than the same load by hand`,
    async (_, refuse) => {
      await using world = await worldWith(refuse)
      const api = world.client()
      const ours = await load(world, () => api(world.url), REQUESTS, 50)
      await using control = await worldWith(refuse)
      const bare = await load(control, control.byHand, 200, 50)

      expect(world.server.arrivals).toHaveLength(2 * REQUESTS)
      expect(world.unfinished()).toBe(0)
      expect(ours.open).toBeLessThanOrEqual(bare.open + EXTRA_SOCKETS)
      expect(ours.most).toBeLessThanOrEqual(bare.most + EXTRA_SOCKETS)
      expect(ours.totalPerCall).toBeLessThanOrEqual(bare.totalPerCall + EXTRA_SOCKETS / REQUESTS)
    },
    60_000,
  )
})

describe('answers that no caller gets', () => {
  const thrown = new Error('on purpose')
  const throwing = (): never => {
    throw thrown
  }

  it.each<[string, number, AuthFetchOptions]>([
    ['401s of 50 calls whose refresh failed', 401, { refresh: throwing, refreshRetries: 0 }],
    ['401s of 50 calls whose login threw', 401, { refresh: undefined, onLoginRequired: throwing }],
    ['50 403s whose callback threw', 403, { onPermissionDenied: throwing }],
    ['50 answers whose classification threw', 401, { classify: throwing }],
  ])('B4 %s hold no connection', async (_, status, options) => {
    await using world = await worldWith(silent, status)
    world.expire()
    const api = world.client(options)
    await Promise.all(Array.from({ length: 50 }, () => rejectionOf(api(world.url))))
    expect(world.server.arrivals).toHaveLength(50)

    await vi.waitFor(() => expect(world.unfinished()).toBe(0), 2000)
  })
})

describe('answers that are handed back', () => {
  const handedBack: Record<string, { status: number; options: AuthFetchOptions }> = {
    'a 401 without a refresher': { status: 401, options: { refresh: undefined } },
    'a 401 whose refresh was refused': { status: 401, options: { refresh: async () => null } },
    'a 401 that a refresh did not cure': {
      status: 401,
      options: { refresh: async () => ({ accessToken: 'no-better' }) },
    },
    'a 401 that nobody logged in for': { status: 401, options: { refresh: undefined, onLoginRequired: () => null } },
    'a 403': { status: 403, options: {} },
    'a 403 whose problem was read': { status: 403, options: { onPermissionDenied: (denial) => denial.problem() } },
    'a 403 whose clone was read': { status: 403, options: { onPermissionDenied: ({ response }) => response.text() } },
    'a 401 that classify lets pass': { status: 401, options: { classify: () => 'pass' } },
  }

  describe.each(Object.entries(handedBack))('%s', (_, { status, options }) => {
    const answered: Refusal = (response) =>
      void response.setHeader('content-type', 'application/problem+json').end('{"title":"No"}')
    const handBack = async (world: World): Promise<Response> => {
      world.expire()
      const response = await world.client(options)(world.url)
      expect(response.status).toBe(status)
      return response
    }

    it('B4 is unread, and the caller can read it', async () => {
      await using world = await worldWith(answered, status)
      const response = await handBack(world)

      expect(response.bodyUsed).toBe(false)
      expect(response.body?.locked).toBe(false)
      expect(await response.json()).toEqual({ title: 'No' })
    })

    it('B4 can be cloned', async () => {
      await using world = await worldWith(answered, status)
      const response = await handBack(world)
      const clone = response.clone()

      expect(await clone.json()).toEqual({ title: 'No' })
      expect(await response.json()).toEqual({ title: 'No' })
    })

    it('B4 can be cancelled', async () => {
      await using world = await worldWith(answered, status)
      const response = await handBack(world)
      await response.body?.cancel()

      expect(response.bodyUsed).toBe(true)
    })
  })

  it.each([
    ['a 401', 401],
    ['a 403', 403],
  ])('B4 %s that floods without end comes back at once, with the sender held up', async (_, status) => {
    await using world = await worldWith(flooding, status)
    world.expire()
    const response = await world.client({ refresh: undefined })(world.url)
    const reader = response.body?.getReader()

    expect(response.bodyUsed).toBe(false)
    expect((await reader?.read())?.value?.byteLength).toBeGreaterThan(0)
    await reader?.cancel()
  })

  it('B4 a 200 is not touched', async () => {
    await using world = await worldWith(small)
    const response = await world.client()(world.url)

    expect(response.bodyUsed).toBe(false)
    expect(response.body?.locked).toBe(false)
    expect(await response.text()).toBe('ok')
  })
})
