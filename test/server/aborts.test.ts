// A over real HTTP: whoever leaves is told at once, with the caller's own reason, and disturbs nobody else.
import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  refreshEndpoint,
  type TokenStore,
} from '../../src/index.ts'
import { type AuthServer, createAuthServer, type ListeningServer } from '../../src/testing/index.ts'
import { type Deferred, deferred } from '../helpers/deferred.ts'
import { howOften } from '../helpers/extent.ts'
import { recordingServer } from '../helpers/recording-server.ts'
import { rejectionOf } from '../helpers/rejection.ts'

let server: AuthServer
let http: ListeningServer
/** Opened by whatever a test makes a call wait for, once the call waits. */
let waiting: Deferred<void>

beforeEach(async () => {
  waiting = deferred()
  server = createAuthServer({ stepUp: { acrValues: ['mfa'] } })
  http = await server.listen()
})
afterEach(() => server.close())

const endless = <T>(): Promise<T> => {
  waiting.resolve()
  return new Promise(() => {})
}
const signedIn = (): TokenStore =>
  memoryStore({ accessToken: server.signIn('viewer').access_token, refreshToken: 'rt' })

function client(options: AuthFetchOptions = {}) {
  return createAuthFetch({
    baseUrl: http.url,
    store: signedIn(),
    refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
    ...options,
  })
}

/** What a call rejects with before anything else has happened in the process. */
function withinATick(call: Promise<unknown>): Promise<unknown> {
  const tick = new Promise((resolve) => void setImmediate(() => resolve('still waiting')))
  return Promise.race([rejectionOf(call), tick])
}

/** Everything that a call may have to wait for; each resolves `waiting` once it does. */
const waits: Record<string, () => Promise<(signal: AbortSignal) => Promise<Response>>> = {
  'the refresh after a 401': async () => {
    const api = client({ refresh: endless })
    server.expireAccessTokens()
    return (signal) => api('/me', { signal })
  },
  'a refresh over HTTP that hangs': async () => {
    const store = memoryStore()
    const api = client({ store })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    server.failRefresh('hang')
    void server.seen(1, { kind: 'refresh' }).then(() => waiting.resolve())
    return (signal) => api('/me', { signal })
  },
  'the refresh before the first send': async () => {
    const api = client({ store: memoryStore({ accessToken: 'old', expiresAt: 1 }), refresh: endless })
    return (signal) => api('/me', { signal })
  },
  'the refresh of somebody else': async () => {
    const api = client({ store: memoryStore({ accessToken: 'old', expiresAt: 1 }), refresh: endless })
    void api('/me').catch(() => {})
    return (signal) => api('/me', { signal })
  },
  'a session to start with': async () => {
    const api = client({ store: memoryStore(), refresh: endless })
    return (signal) => api('/me', { signal })
  },
  'the pause between two attempts to refresh': async () => {
    const api = client({
      store: memoryStore({ accessToken: 'old', expiresAt: 1 }),
      refresh: async () => {
        waiting.resolve()
        throw new Error('try again')
      },
    })
    return (signal) => api('/me', { signal })
  },
  'a lock': async () => {
    const api = client({ store: Object.assign(signedIn(), { lock: endless }) })
    server.expireAccessTokens()
    return (signal) => api('/me', { signal })
  },
  'the first reading of a store': async () => {
    const api = client({ store: { read: endless, write: async () => true } })
    return (signal) => api('/me', { signal })
  },
  'the reading of a store inside a refresh': async () => {
    const store = signedIn()
    const api = client({ store })
    server.expireAccessTokens()
    store.read = endless
    return (signal) => api('/me', { signal })
  },
  'the writing of a store inside a refresh': async () => {
    const store = memoryStore()
    const api = client({ store })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    store.write = endless
    return (signal) => api('/me', { signal })
  },
  'a login': async () => {
    const api = client({ store: memoryStore(), refresh: undefined, onLoginRequired: endless })
    return (signal) => api('/me', { signal })
  },
  'the login of somebody else': async () => {
    const api = client({ store: memoryStore(), refresh: undefined, onLoginRequired: endless })
    void api('/me').catch(() => {})
    await waiting.promise
    waiting = deferred()
    // Parked once its 401 is there.
    void server.seen(2, { path: '/me', status: 401 }).then(() => setTimeout(waiting.resolve, 50))
    return (signal) => api('/me', { signal })
  },
  'the store that a login is written to': async () => {
    const store: TokenStore = { read: () => null, write: endless }
    const api = client({ store, refresh: undefined, onLoginRequired: async () => server.signIn('viewer') })
    return (signal) => api('/me', { signal })
  },
  'a step-up': async () => {
    const api = client({ onStepUp: endless })
    return (signal) => api('/payments', { method: 'POST', signal })
  },
  'the store that a step-up is written to': async () => {
    const store = signedIn()
    const api = client({ store, onStepUp: async () => server.signIn('viewer', { acr: 'mfa' }) })
    store.write = endless
    return (signal) => api('/payments', { method: 'POST', signal })
  },
  onPermissionDenied: async () => {
    const api = client({ onPermissionDenied: endless })
    return (signal) => api('/admin', { signal })
  },
  'a problem that onPermissionDenied reads': async () => {
    const silent = await recordingServer((_, response) => {
      response.writeHead(403, { 'content-type': 'application/problem+json' }).write('{"title":')
      waiting.resolve()
    })
    closing.push(silent)
    const api = client({ baseUrl: silent.url, onPermissionDenied: (denial) => denial.problem() })
    return (signal) => api('/admin', { signal })
  },
  'the rest of the 401 that is replaced': async () => {
    const silent = await recordingServer((_, response) => void response.writeHead(401).write('and then nothing'))
    closing.push(silent)
    const api = client({
      baseUrl: silent.url,
      refresh: async () => {
        setTimeout(waiting.resolve, 30)
        return { accessToken: 'fresh' }
      },
    })
    return (signal) => api('/me', { signal })
  },
  'the rest of a 401 whose body knows no signal': async () => {
    const api = client({
      fetch: async () => new Response(new ReadableStream(), { status: 401 }),
      refresh: async () => {
        setTimeout(waiting.resolve, 30)
        return { accessToken: 'fresh' }
      },
    })
    return (signal) => api('/me', { signal })
  },
  'the rest of a body that is to be sent again': async () => {
    const early = await recordingServer((_, response) => void response.writeHead(401).end())
    closing.push(early)
    const api = client({
      baseUrl: early.url,
      refresh: async () => {
        setTimeout(waiting.resolve, 30)
        return { accessToken: 'fresh' }
      },
    })
    const body = new ReadableStream({ start: (controller) => controller.enqueue(Uint8Array.of(1)) })
    return (signal) => api('/me', { method: 'POST', body, duplex: 'half', signal } as RequestInit)
  },
  classify: async () => {
    const api = client({ classify: endless })
    return (signal) => api('/me', { signal })
  },
  'a scheme that signs': async () => {
    const scheme = { name: 'slow', headers: ['authorization'], attach: () => endless<void>() }
    const api = client({ scheme })
    return (signal) => api('/me', { signal })
  },
  'the answer of the server': async () => {
    const api = client()
    void server.seen(1, { path: '/slow' }).then(() => waiting.resolve())
    return (signal) => api('/slow?ms=60000', { signal })
  },
  'the answer to the replay': async () => {
    const silent = await recordingServer((arrival, response) => {
      if (arrival.headers.authorization === 'Bearer fresh') waiting.resolve()
      else response.writeHead(401).end()
    })
    closing.push(silent)
    const api = client({ baseUrl: silent.url, refresh: async () => ({ accessToken: 'fresh' }) })
    return (signal) => api('/me', { signal })
  },
}
const closing: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one[Symbol.asyncDispose]()
})

describe.each(Object.entries(waits))('a call that waits for %s', (_, makeCall) => {
  it('A1 rejects within a tick of its abort, with the reason of the caller', async () => {
    const start = await makeCall()
    const leaving = new AbortController()
    const reason = { why: 'the user went elsewhere' }
    const call = start(leaving.signal)
    call.catch(() => {})
    await waiting.promise
    leaving.abort(reason)

    expect(await withinATick(call)).toBe(reason)
  })

  it('A3 leaves no listener of ours on its signal', async () => {
    const start = await makeCall()
    const leaving = new AbortController()
    const call = start(leaving.signal)
    call.catch(() => {})
    await waiting.promise
    leaving.abort()
    await rejectionOf(call)

    expect(getEventListeners(leaving.signal, 'abort')).toEqual([])
  })
})

describe('which signal counts', () => {
  const parked = () => client({ store: memoryStore({ accessToken: 'old', expiresAt: 1 }), refresh: endless })
  const url = () => `${http.url}/me`

  it('A1 the signal of a Request', async () => {
    const leaving = new AbortController()
    const call = parked()(new Request(url(), { signal: leaving.signal }))
    await waiting.promise
    leaving.abort('left')

    expect(await withinATick(call)).toBe('left')
  })

  it('A1 the signal of a Request that is given as init', async () => {
    const leaving = new AbortController()
    const call = parked()(url(), new Request(url(), { signal: leaving.signal }))
    await waiting.promise
    leaving.abort('left')

    expect(await withinATick(call)).toBe('left')
  })

  it('A1 init.signal in place of that of a Request', async () => {
    const [ofRequest, ofInit] = [new AbortController(), new AbortController()]
    const call = parked()(new Request(url(), { signal: ofRequest.signal }), { signal: ofInit.signal })
    call.catch(() => {})
    await waiting.promise
    ofRequest.abort('not this one')
    expect(await withinATick(call)).toBe('still waiting')
    ofInit.abort('left')

    expect(await withinATick(call)).toBe('left')
  })

  it('A1 init.signal undefined leaves that of a Request', async () => {
    const leaving = new AbortController()
    const call = parked()(new Request(url(), { signal: leaving.signal }), {
      signal: undefined,
    } as unknown as RequestInit)
    await waiting.promise
    leaving.abort('left')

    expect(await withinATick(call)).toBe('left')
  })

  it('A1 init.signal null takes that of a Request away, for the replay too', async () => {
    const api = client({ store: memoryStore() })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    server.failRefresh('hang')
    const leaving = new AbortController()
    const call = api(new Request(url(), { signal: leaving.signal }), { signal: null })
    await server.seen(1, { kind: 'refresh' })
    leaving.abort('not heard')
    server.release()

    expect((await call).status).toBe(200)
  })

  it('A1 AbortSignal.timeout rejects with its TimeoutError', async () => {
    const signal = AbortSignal.timeout(50)
    const reason = await rejectionOf(parked()('/me', { signal }))

    expect(reason).toBe(signal.reason)
    expect((reason as Error).name).toBe('TimeoutError')
  })

  it('A1 AbortSignal.any rejects with the reason of the first', async () => {
    const leaving = new AbortController()
    const call = parked()('/me', { signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(60_000)]) })
    await waiting.promise
    leaving.abort('left')

    expect(await withinATick(call)).toBe('left')
  })

  it('A1 an abort without a reason is an AbortError', async () => {
    const leaving = new AbortController()
    const call = parked()('/me', { signal: leaving.signal })
    await waiting.promise
    leaving.abort()

    expect(await withinATick(call)).toMatchObject({ name: 'AbortError' })
  })

  it.each([[null], [0], [''], [false]])('A1 the reason %j is handed on as it is', async (reason) => {
    const leaving = new AbortController()
    const call = parked()('/me', { signal: leaving.signal })
    await waiting.promise
    leaving.abort(reason)

    expect(await withinATick(call)).toBe(reason)
  })
})

describe('a signal that is aborted already', () => {
  const reason = new Error('too late')
  const aborted = AbortSignal.abort(reason)

  it.each<[string, () => [RequestInfo | URL, RequestInit?]]>([
    ['in init', () => [`${http.url}/me`, { signal: aborted }]],
    ['in a Request', () => [new Request(`${http.url}/me`, { signal: aborted })]],
    ['in init beside a Request', () => [new Request(`${http.url}/me`), { signal: aborted }]],
    ['with a body', () => [`${http.url}/echo`, { method: 'POST', body: 'x', signal: aborted }]],
    [
      'with a stream',
      () => [
        `${http.url}/echo`,
        { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half', signal: aborted } as RequestInit,
      ],
    ],
  ])('A1 %s rejects with its reason; nothing is sent or refreshed', async (_, input) => {
    const refresh = vi.fn()
    const transport = vi.fn(fetch)
    const expired = memoryStore({ accessToken: 'old', expiresAt: 1 })

    for (const store of [expired, signedIn()]) {
      expect(await withinATick(client({ refresh, store, fetch: transport })(...input()))).toBe(reason)
    }
    expect(transport).not.toHaveBeenCalled()
    // What the call has left under way would show itself now.
    await new Promise((next) => setTimeout(next, 20))
    expect(refresh).not.toHaveBeenCalled()
    expect(http.sockets.total).toBe(0)
  })
})

describe('after the answer', () => {
  it('A1 an abort ends the reading of the body, as with a bare fetch', async () => {
    const slow = await recordingServer((_, response) => void response.writeHead(200).write('the first half'))
    closing.push(slow)
    const leaving = new AbortController()
    const reason = new Error('enough')
    const response = await client({ baseUrl: slow.url })('/me', { signal: leaving.signal })
    const text = response.text()
    leaving.abort(reason)

    expect(await rejectionOf(text)).toBe(reason)
  })

  it('A1 an abort ends the reading of the body of a replay too', async () => {
    const slow = await recordingServer((arrival, response) => {
      const isFresh = arrival.headers.authorization === 'Bearer fresh'
      response.writeHead(isFresh ? 200 : 401)
      if (isFresh) response.write('the first half')
      else response.end()
    })
    closing.push(slow)
    const leaving = new AbortController()
    const reason = new Error('enough')
    const api = client({ baseUrl: slow.url, refresh: async () => ({ accessToken: 'fresh' }) })
    const response = await api('/me', { signal: leaving.signal })
    const text = response.text()
    leaving.abort(reason)

    expect(response.status).toBe(200)
    expect(await rejectionOf(text)).toBe(reason)
  })
})

describe('those who stay', () => {
  const WAITERS = 50
  /** So many calls that all wait for one refresh, which hangs. */
  async function waiters() {
    const store = memoryStore()
    const api = client({ store })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    server.failRefresh('hang')
    const controllers = Array.from({ length: WAITERS }, () => new AbortController())
    const calls = controllers.map(({ signal }) => api('/me', { signal }))
    for (const call of calls) call.catch(() => {})
    await server.seen(WAITERS, { path: '/me', status: 401 })
    await server.seen(1, { kind: 'refresh' })
    return { api, store, controllers, calls }
  }

  it('A2 49 of 50 leave: the refresh goes on, and the last one has its answer', async () => {
    const { controllers, calls } = await waiters()
    controllers.slice(1).forEach((controller, index) => void controller.abort(index))
    expect(await Promise.all(calls.slice(1).map(rejectionOf))).toEqual([...controllers.slice(1).keys()])
    server.release()

    expect((await calls[0])?.status).toBe(200)
    expect(server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 1 })
    expect(server.requests.filter(({ status }) => status === 200).map(({ path }) => path)).toEqual(['/token', '/me'])
  })

  it('A2 the one who started it leaves: the others have their answers from the same refresh', async () => {
    const { controllers, calls } = await waiters()
    controllers[0]?.abort('left')
    expect(await rejectionOf(calls[0] as Promise<Response>)).toBe('left')
    server.release()

    const statuses = (await Promise.all(calls.slice(1))).map(({ status }) => status)
    expect(statuses).toEqual(Array(WAITERS - 1).fill(200))
    expect(server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 1 })
  })

  it('A2 all leave: the rotation is stored all the same, and the next call needs no other', async () => {
    const { api, store, controllers, calls } = await waiters()
    const before = await store.read()
    for (const controller of controllers) controller.abort('left')
    expect(await Promise.all(calls.map(rejectionOf))).toEqual(Array(WAITERS).fill('left'))
    server.release()
    await vi.waitFor(async () => expect((await store.read())?.version).not.toBe(before?.version))

    expect((await store.read())?.tokens?.refreshToken).not.toBe(before?.tokens?.refreshToken)
    expect((await api('/me')).status).toBe(200)
    expect(server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 1, reuses: 0 })
  })

  it('A2 the signal of a refresher is not that of a caller', async () => {
    let ofRefresher: AbortSignal | undefined
    const api = client({
      store: memoryStore({ accessToken: 'old', expiresAt: 1 }),
      refresh: ({ signal }) => {
        ofRefresher = signal
        return endless()
      },
    })
    const leaving = new AbortController()
    const call = rejectionOf(api('/me', { signal: leaving.signal }))
    await waiting.promise
    leaving.abort()
    await call

    expect(ofRefresher?.aborted).toBe(false)
  })

  it('A2 all leave a login: what it brings is a session all the same', async () => {
    const login = deferred<void>()
    const api = client({
      store: memoryStore(),
      refresh: undefined,
      onLoginRequired: async () => {
        waiting.resolve()
        await login.promise
        return server.signIn('viewer')
      },
    })
    const leaving = new AbortController()
    const call = rejectionOf(api('/me', { signal: leaving.signal }))
    await waiting.promise
    leaving.abort('left')
    expect(await call).toBe('left')
    login.resolve()
    await vi.waitFor(() => expect(api.snapshot().status).toBe('signed-in'))

    expect((await api('/me')).status).toBe(200)
  })
})

describe('one signal for everything', () => {
  const CALLS = howOften(100_000, 20_000)

  it(`A3 ${CALLS} requests on one signal, some of them recovered, leave no listener behind`, async () => {
    const { signal } = new AbortController()
    let accepted = 'at-0'
    let refreshes = 0
    let most = 0
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      store: memoryStore({ accessToken: 'at-0' }),
      fetch: async (_, init) => {
        const isGood = new Headers(init?.headers).get('authorization') === `Bearer ${accepted}`
        return isGood ? new Response() : new Response('who?', { status: 401 })
      },
      refresh: async () => {
        most = Math.max(most, getEventListeners(signal, 'abort').length)
        accepted = `at-${++refreshes}`
        return { accessToken: accepted }
      },
    })
    const BATCH = 1000
    for (let done = 0; done < CALLS; done += BATCH) {
      // Each batch meets a token that has just ceased to be good.
      accepted = 'none yet'
      await Promise.all(Array.from({ length: BATCH }, () => api('/item', { signal })))
    }

    expect(refreshes).toBe(CALLS / BATCH)
    expect(most).toBeGreaterThan(0)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  }, 60_000)
})
