// relatch/ky as its users meet it: ky's own behaviour on a session that is refreshed, refused and logged in to, over HTTP.
import { inspect } from 'node:util'
import ky, { type HTTPError, isHTTPError, isTimeoutError, type Options, replaceOption } from 'ky'
import { afterEach, describe, expect, it } from 'vitest'
import { createKy, type KyInstance } from '../../src/adapters/ky.ts'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  isAuthError,
  refreshEndpoint,
  type TokenResponse,
} from '../../src/index.ts'
import { type AuthServer, type AuthServerOptions, createAuthServer } from '../../src/testing/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { rejectionOf } from '../helpers/rejection.ts'

/** A timeout, and what is clearly beyond it: waits that must not count, answers that come too late. */
const TIMEOUT_MS = 200
const LONG_MS = 600

const servers: AuthServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

interface World {
  server: AuthServer
  url: string
  authFetch: AuthFetch
  api: KyInstance
}

/** Somebody is signed in at a server that listens; `api` is what the tests are about. */
async function signedIn(
  options: Options = {},
  serverOptions: AuthServerOptions = {},
  authOptions: AuthFetchOptions = {},
): Promise<World> {
  const server = createAuthServer(serverOptions)
  servers.push(server)
  const { url } = await server.listen()
  const authFetch = createAuthFetch({ baseUrl: url, refresh: refreshEndpoint({ url: '/token' }), ...authOptions })
  await authFetch.signIn(server.signIn('viewer') as unknown as TokenResponse)
  return { server, url, authFetch, api: createKy(authFetch, { prefix: url, ...options }) }
}

/** The next request will meet a 401, and its refresh will take that long. */
function expire(server: AuthServer, refreshMs = 0): void {
  server.expireAccessTokens()
  server.failRefresh({ slowMs: refreshMs })
}

async function httpErrorOf(work: Promise<unknown>): Promise<HTTPError> {
  const error = await rejectionOf(work)
  if (!isHTTPError(error)) throw error
  return error
}

async function elapsedMs(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  await work()
  return performance.now() - startedAt
}

const hits = (server: AuthServer, path: string): number =>
  server.requests.filter((request) => request.path === path).length

describe('recovery', () => {
  it('R1 a 401 becomes one refresh and one more request, of which ky sees the answer only', async () => {
    const seenByHooks: number[] = []
    const hooks = { afterResponse: [({ response }: { response: Response }) => void seenByHooks.push(response.status)] }
    const { server, api } = await signedIn({ hooks })
    expire(server)

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
    expect(server.stats).toMatchObject({ refreshes: 1, apiRequests: 2 })
    expect(seenByHooks).toEqual([200])
  })

  it('R2 a hundred requests that meet an expired token share one refresh', async () => {
    const { server, api } = await signedIn()
    expire(server, 50)

    const answers = await Promise.all(Array.from({ length: 100 }, () => api.get('me')))

    expect(answers.every(({ ok }) => ok)).toBe(true)
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('R1 recovery needs no retry of ky: with `retry: 0` it is the same', async () => {
    const { server, api } = await signedIn({ retry: 0 })
    expire(server)

    expect((await api.get('me')).status).toBe(200)
  })

  it('R1 a 503 before the 401 does not use up the recovery', async () => {
    let answers = 0
    const flaky = () => (++answers === 1 ? new Response(null, { status: 503 }) : Response.json({ answers }))
    const { server, api } = await signedIn(
      { retry: { limit: 1, delay: () => 1 } },
      { routes: { 'GET /flaky': { isPublic: true, handle: flaky }, 'GET /strict': () => Response.json({}) } },
    )
    expire(server)
    expect(await api.get('flaky').json()).toEqual({ answers: 2 })
    expect((await api.get('strict')).status).toBe(200)
  })
})

describe('bodies', () => {
  it('B1 POSTed JSON arrives once more as it was', async () => {
    const { server, api } = await signedIn()
    expire(server)

    const echo = await api.post('echo', { json: { name: 'Zoë', nested: [1, { a: null }] } }).json()

    expect(echo).toMatchObject({
      method: 'POST',
      contentType: 'application/json',
      text: '{"name":"Zoë","nested":[1,{"a":null}]}',
    })
    expect(hits(server, '/echo')).toBe(2)
  })

  it('B1 a form with a file arrives once more with the same boundary and bytes', async () => {
    const { server, api } = await signedIn()
    const form = () => {
      const data = new FormData()
      data.set('title', 'Report')
      data.set('file', new Blob(['a'.repeat(5000)]), 'a.txt')
      return data
    }
    const before = await api.post('echo', { body: form() }).json<{ length: number }>()
    expire(server)
    const after = await api.post('echo', { body: form() }).json<{ length: number; contentType: string }>()

    expect(after.length).toBe(before.length)
    expect(after.contentType).toMatch(/^multipart\/form-data; boundary=/)
  })

  it('B2 a stream that the server has read to its end arrives once more as it was', async () => {
    const { server, api } = await signedIn()
    expire(server)
    const chunks = ['one ', 'two ', 'three']
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        const chunk = chunks.shift()
        if (chunk === undefined) controller.close()
        else controller.enqueue(new TextEncoder().encode(chunk))
      },
    })

    expect(await api.post('echo/late', { body }).json()).toMatchObject({ text: 'one two three', length: 13 })
    expect(hits(server, '/echo/late')).toBe(2)
  })

  it('B1 a body with onUploadProgress arrives once more as it was, and is reported', async () => {
    const { server, api } = await signedIn()
    expire(server)
    const percents: number[] = []

    const echo = await api
      .post('echo', { body: 'x'.repeat(1000), onUploadProgress: ({ percent }) => void percents.push(percent) })
      .json()

    expect(echo).toMatchObject({ length: 1000 })
    expect(percents.at(-1)).toBe(1)
  })
})

describe('timeout', () => {
  it('does not count the refresh after a 401', async () => {
    const { server, api } = await signedIn({ timeout: TIMEOUT_MS })
    expire(server, LONG_MS)

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
  })

  it('does not count the refresh before the first send', async () => {
    const { server, authFetch, api } = await signedIn({ timeout: TIMEOUT_MS })
    const { access_token, refresh_token } = server.signIn('viewer')
    await authFetch.signIn({ accessToken: access_token, refreshToken: refresh_token as string, expiresAt: Date.now() })
    server.failRefresh({ slowMs: LONG_MS })

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
    expect(server.stats.rejected).toBe(0)
  })

  it('does not count the wait for a login', async () => {
    const { server, api } = await signedIn(
      { timeout: TIMEOUT_MS },
      {},
      {
        onLoginRequired: async () => {
          await new Promise((resolve) => setTimeout(resolve, 1000))
          return server.signIn('viewer') as unknown as TokenResponse
        },
      },
    )
    server.revokeSession()

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
  })

  it('does not count the wait for a stronger login', async () => {
    const { server, api } = await signedIn(
      { timeout: TIMEOUT_MS },
      {},
      {
        onStepUp: async () => {
          await new Promise((resolve) => setTimeout(resolve, LONG_MS))
          return server.signIn('viewer', { acr: 'mfa' }) as unknown as TokenResponse
        },
      },
    )

    expect(await api.post('payments').json()).toEqual({ isPaid: true })
  })

  it('still ends a slow answer, with an error of ky’s that names the request', async () => {
    const { server, url, api } = await signedIn({ timeout: TIMEOUT_MS })

    const error = await rejectionOf(api.get('slow', { searchParams: { ms: 10_000 } }))

    expect(isTimeoutError(error)).toBe(true)
    expect(error).toMatchObject({ request: { method: 'GET', url: `${url}/slow?ms=10000` } })
    // The connection went with it.
    await server.seen(1, { path: '/slow', status: 0 })
  })

  it('ends a slow answer that comes after a slow refresh, and keeps what the refresh brought', async () => {
    const { server, api } = await signedIn({ timeout: TIMEOUT_MS })
    expire(server, LONG_MS)

    const error = await rejectionOf(api.get('slow', { searchParams: { ms: 10_000 } }))
    expect(isTimeoutError(error)).toBe(true)

    await api.get('me')
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('adds up what is spent before and after the wait', async () => {
    // Answers 401 and 200 alike after two thirds of the timeout, so that only both together are too much.
    const handle = async () => {
      await new Promise((resolve) => setTimeout(resolve, (TIMEOUT_MS * 2) / 3))
      return Response.json({})
    }
    const { server, api } = await signedIn(
      { timeout: TIMEOUT_MS },
      { routes: { '/late': { isJudgedLate: true, handle } } },
    )
    expect((await api.get('late')).status).toBe(200)
    expire(server, LONG_MS)

    expect(isTimeoutError(await rejectionOf(api.get('late')))).toBe(true)
    expect(server.stats.refreshes).toBe(1)
  })

  it('stops the clock of the waiting request only: another one times out while somebody logs in', async () => {
    let finishLogin = (_tokens: null): void => {}
    const { server, api } = await signedIn(
      { timeout: TIMEOUT_MS },
      { routes: { '/hang': { isPublic: true, handle: () => new Promise(() => {}) } } },
      { onLoginRequired: () => new Promise((resolve) => (finishLogin = resolve)) },
    )
    const isUnderWay = new Promise<void>(
      (resolve) => void server.onRequest(({ kind }) => kind === 'refresh' && resolve()),
    )
    server.revokeSession()
    const parked = rejectionOf(api.get('me'))
    await isUnderWay

    const result = await Promise.race([rejectionOf(api.get('hang')), new Promise((resolve) => setTimeout(resolve, 2000))])

    expect(isTimeoutError(result)).toBe(true)
    finishLogin(null)
    expect(await parked).toMatchObject({ name: 'HTTPError' })
  })

  for (const [where, given] of Object.entries<(api: KyInstance) => Promise<unknown>>({
    'a request': (api) => () => api.get('me', { timeout: TIMEOUT_MS }),
    'extend()': (api) => () => api.extend({ timeout: TIMEOUT_MS }).get('me'),
    'extend() with a function': (api) => () => api.extend(() => ({ timeout: TIMEOUT_MS })).get('me'),
    'extend() with the parent’s own options': (api) => () =>
      api.extend((parent) => ({ ...parent, timeout: TIMEOUT_MS })).get('me'),
    'an init hook': (api) => () =>
      api.get('me', { hooks: { init: [(options) => void Object.assign(options, { timeout: TIMEOUT_MS })] } }),
  })) {
    it(`given to ${where} does not count the refresh either`, async () => {
      const { server, api } = await signedIn()
      expire(server, LONG_MS)

      await given(api)()

      expect(server.stats.refreshes).toBe(1)
    })

    it(`given to ${where} still ends a slow answer`, async () => {
      const { server, url, api } = await signedIn({}, { routes: { '/me': () => new Promise(() => {}) } })

      const error = await rejectionOf(given(api)())

      expect(isTimeoutError(error)).toBe(true)
      expect(error).toMatchObject({ request: { url: `${url}/me` } })
      await server.seen(1, { path: '/me', status: 0 })
    })
  }

  it('`false` waits for as long as it takes', async () => {
    const { server, api } = await signedIn({ timeout: false })
    expire(server, LONG_MS)

    expect(await api.get('slow', { searchParams: { ms: LONG_MS } }).json()).toEqual({ waitedMs: LONG_MS })
  })

  it('is for each attempt, and `retryOnTimeout` makes another', async () => {
    let arrivals = 0
    const slowAtFirst = () => (++arrivals === 1 ? new Promise<Response>(() => {}) : Response.json({ arrivals }))
    const { api } = await signedIn(
      { timeout: TIMEOUT_MS, retry: { retryOnTimeout: true, delay: () => 1 } },
      { routes: { '/slow-at-first': slowAtFirst } },
    )

    expect(await api.get('slow-at-first').json()).toEqual({ arrivals: 2 })
  })

  it('is passed on to the error hooks', async () => {
    const told: Error[] = []
    const hooks: Options['hooks'] = { beforeError: [({ error }) => (told.push(error), error)] }
    const { api } = await signedIn({ timeout: TIMEOUT_MS, hooks })

    const error = await rejectionOf(api.get('slow', { searchParams: { ms: 10_000 } }))

    expect(told).toEqual([error])
  })

  it('ends a body that stalls, as ky does for its shortcuts', async () => {
    const stalling = () =>
      new Response(new ReadableStream({ start: (it) => it.enqueue(new TextEncoder().encode('{')) }))
    const { api } = await signedIn({ timeout: TIMEOUT_MS }, { routes: { '/stalling': stalling } })

    expect(isTimeoutError(await rejectionOf(api.get('stalling').json()))).toBe(true)
  })

  it('leaves a body alone that the caller reads without a shortcut', async () => {
    const late = () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(new TextEncoder().encode('sl'))
            await new Promise((resolve) => setTimeout(resolve, LONG_MS))
            controller.enqueue(new TextEncoder().encode('ow'))
            controller.close()
          },
        }),
      )
    const { api } = await signedIn({ timeout: TIMEOUT_MS }, { routes: { '/late': late } })

    expect(await (await api.get('late')).text()).toBe('slow')
  })
})

describe('totalTimeout', () => {
  for (const timeout of [10_000, false] as const) {
    it(`counts the refresh, with \`timeout: ${timeout}\``, async () => {
      const { server, api } = await signedIn({ timeout, totalTimeout: TIMEOUT_MS })
      expire(server, LONG_MS)

      const ms = await elapsedMs(async () => expect(isTimeoutError(await rejectionOf(api.get('me')))).toBe(true))

      expect(ms).toBeLessThan(LONG_MS)
      // A2: the refresh went on, and serves the next request.
      await server.seen(1, { kind: 'refresh', status: 200 })
      await api.get('me', { totalTimeout: false })
      expect(server.stats.refreshAttempts).toBe(1)
    })
  }

  it('counts the attempts together', async () => {
    const { server, api } = await signedIn(
      { timeout: 10_000, totalTimeout: LONG_MS, retry: { delay: () => LONG_MS / 2 } },
      { routes: { '/down': () => new Response(null, { status: 503 }), '/hang': () => new Promise(() => {}) } },
    )
    const ms = await elapsedMs(async () => expect(isTimeoutError(await rejectionOf(api.get('down')))).toBe(true))

    expect(ms).toBeGreaterThan(LONG_MS * 0.9)
    expect(hits(server, '/down')).toBeLessThan(4)
  })

  it('leaves `timeout` its own say', async () => {
    const { api } = await signedIn({ timeout: TIMEOUT_MS, totalTimeout: 10_000 })

    const ms = await elapsedMs(() => rejectionOf(api.get('slow', { searchParams: { ms: 10_000 } })))

    expect(ms).toBeLessThan(5000)
  })
})

describe('retries', () => {
  const quick = { delay: () => 1 }

  it('of a 503 work, and are counted', async () => {
    let answers = 0
    const flaky = () => new Response(null, { status: ++answers < 3 ? 503 : 200 })
    const retryCounts: number[] = []
    const hooks: Options['hooks'] = { beforeRetry: [({ retryCount }) => void retryCounts.push(retryCount)] }
    const { api } = await signedIn({ retry: quick, hooks }, { routes: { '/flaky': flaky } })

    expect((await api.get('flaky')).status).toBe(200)
    expect(retryCounts).toEqual([1, 2])
  })

  it('of a 503 end at the limit, given as a number too', async () => {
    const { server, api } = await signedIn({ retry: 1 })

    const error = await httpErrorOf(api.get('status/503'))

    expect(error.response.status).toBe(503)
    expect(error.auth).toBeNull()
    expect(hits(server, '/status/503')).toBe(2)
  })

  it('ask the user’s shouldRetry for what is not ours', async () => {
    const asked: number[] = []
    const shouldRetry = async ({ retryCount }: { retryCount: number }) => {
      asked.push(retryCount)
      return retryCount < 3
    }
    const { server, api } = await signedIn({ retry: { ...quick, limit: 5, shouldRetry } })

    await httpErrorOf(api.get('status/418'))

    expect(asked).toEqual([1, 2, 3])
    expect(hits(server, '/status/418')).toBe(3)
  })

  it('of ky refuse what ky refuses', async () => {
    const { api } = await signedIn()

    expect(await rejectionOf(api.get('me', { retry: -1 }))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(api.get('me', { retry: null as never }))).toBeInstanceOf(TypeError)
  })

  for (const status of [401, 403]) {
    const path = `/status/${status}`
    /** A 401 is sent once more by us, with what the refresh brought: that is recovery (R1), and no retry. */
    const sends = status === 401 ? 2 : 1

    for (const [how, retry, hooks] of [
      ['lists it', { ...quick, statusCodes: [401, 403] }, {}],
      ['says shouldRetry', { ...quick, shouldRetry: () => true }, {}],
      ['lists it in a hook', {}, { init: [(it: Options) => void (it.retry = { ...quick, statusCodes: [401, 403] })] }],
    ] as const) {
      it(`D1 R1 of a ${status} do not happen, even where the user ${how}`, async () => {
        const { server, api } = await signedIn({ retry: retry as never, hooks: hooks as never })

        const error = await httpErrorOf(api.get(path.slice(1)))

        expect(error.response.status).toBe(status)
        expect(error.auth).not.toBeNull()
        expect(hits(server, path)).toBe(sends)
      })
    }

    it(`of a ${status} happen where a hook of the user’s returns ky.retry()`, async () => {
      const hooks: Options['hooks'] = {
        afterResponse: [({ retryCount }) => (retryCount === 0 ? ky.retry({ delay: 1 }) : undefined)],
      }
      const { server, api } = await signedIn({ hooks })

      await httpErrorOf(api.get(path.slice(1)))

      expect(hits(server, path)).toBeGreaterThan(sends)
    })
  }

  it('of an answer that `classify` calls a 401 do not happen either', async () => {
    const { server, api } = await signedIn(
      { retry: { ...quick, statusCodes: [419] } },
      {},
      { classify: ({ status }) => (status === 419 ? 'recover' : undefined) },
    )

    expect((await httpErrorOf(api.get('status/419'))).auth).toMatchObject({ reason: 'session-over' })
    expect(hits(server, '/status/419')).toBe(2)
  })

  it('of an AuthError do not happen: it passes through as it is, after one attempt', async () => {
    const told: Error[] = []
    const { server, api } = await signedIn(
      {
        retry: { ...quick, shouldRetry: () => true },
        hooks: { beforeError: [({ error }) => (told.push(error), error)] },
      },
      {},
      { refreshRetries: 0 },
    )
    server.expireAccessTokens()
    server.down = true

    const error = await rejectionOf(api.get('me'))

    expect(isAuthError(error)).toBe(true)
    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(told).toEqual([error])
    expect(hits(server, '/me')).toBe(1)
  })

  it('what a callback of the AuthFetch throws passes through as it is', async () => {
    const redirect = { digest: 'NEXT_REDIRECT' }
    const { server, api } = await signedIn(
      {},
      {},
      {
        onPermissionDenied: () => {
          throw redirect
        },
      },
    )

    expect(await rejectionOf(api.get('admin'))).toBe(redirect)
    expect(hits(server, '/admin')).toBe(1)
  })
})

describe('HTTPError.auth', () => {
  it('D2 says of a 403 which scopes it takes, beside ky’s own data', async () => {
    const { api } = await signedIn()

    const { auth, data, response } = await httpErrorOf(api.get('reports'))

    expect(response.status).toBe(403)
    expect(auth).toMatchObject({ reason: 'insufficient-scope', requiredScopes: ['reports:read'] })
    expect(data).toMatchObject({ status: 403 })
  })

  it('D2 still has the problem, although ky has read the body', async () => {
    const { api } = await signedIn()

    const { auth, data } = await httpErrorOf(api.get('admin'))

    expect(auth && 'problem' in auth && (await auth.problem())).toEqual(data)
    expect(data).toMatchObject({ type: 'urn:relatch:problem:role' })
  })

  it('says of a 401 why it stayed', async () => {
    const { server, api } = await signedIn()
    server.revokeSession()

    const { auth, response } = await httpErrorOf(api.get('me'))

    expect(response.status).toBe(401)
    expect(auth).toMatchObject({ reason: 'refresh-refused', request: { method: 'GET' } })
  })

  for (const [how, hook] of Object.entries<(response: Response) => Response>({
    cloned: (response) => response.clone(),
    replaced: ({ status }) => Response.json({ mine: true }, { status }),
  })) {
    it(`is there when a hook has ${how} the response`, async () => {
      const { api } = await signedIn({ hooks: { afterResponse: [({ response }) => hook(response)] } })

      expect((await httpErrorOf(api.get('reports'))).auth).toMatchObject({ requiredScopes: ['reports:read'] })
    })
  }

  it('is there for the user’s own error hooks', async () => {
    const seen: unknown[] = []
    const hooks: Options['hooks'] = {
      beforeError: [({ error }) => (isHTTPError(error) && seen.push(error.auth?.request.method), error)],
    }
    const { api } = await signedIn({ hooks })

    await httpErrorOf(api.get('reports'))

    expect(seen).toEqual(['GET'])
  })

  it('is null for what is not ours: a 404, a stranger’s 403, an answer that a hook made up', async () => {
    const { api } = await signedIn()
    const stranger = await signedIn()
    const mock: Options['hooks'] = { beforeRequest: [() => new Response(null, { status: 403 })] }

    expect((await httpErrorOf(api.get('items/none'))).auth).toBeNull()
    expect((await httpErrorOf(api.get(new URL(`${stranger.url}/csrf`)))).auth).toBeNull()
    expect((await httpErrorOf(api.get('reports', { hooks: mock }))).auth).toBeNull()
  })

  it('E1 is not enumerable, and no token is in what a log shows of the error', async () => {
    const { authFetch, api } = await signedIn()
    const token = (await authFetch.tokens())?.accessToken as string

    const error = await httpErrorOf(api.get('reports'))

    expect(Object.keys(error)).toEqual(Object.keys(await httpErrorOf(ky.get((await signedIn()).url))))
    expect(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)).not.toContain(token)
  })
})

describe('abort', () => {
  it('A1 A2 during a refresh rejects with the caller’s reason, and the refresh goes on', async () => {
    const { server, api } = await signedIn()
    expire(server, LONG_MS)
    const controller = new AbortController()
    const reason = new Error('The user left the page')
    const call = rejectionOf(api.get('me', { signal: controller.signal }))
    await server.seen(1, { kind: 'refresh' })

    controller.abort(reason)

    expect(await call).toBe(reason)
    await server.seen(1, { kind: 'refresh', status: 200 })
    expect((await api.get('me')).status).toBe(200)
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('A1 of a slow answer ends the request at the server', async () => {
    const { server, api } = await signedIn()
    const controller = new AbortController()
    const call = rejectionOf(api.get('slow', { signal: controller.signal, searchParams: { ms: 10_000 } }))
    await server.seen(1, { path: '/slow' })

    controller.abort()

    expect(await call).toMatchObject({ name: 'AbortError' })
    await server.seen(1, { path: '/slow', status: 0 })
  })
})

describe('ky', () => {
  it('resolves prefix, baseUrl, searchParams and URLs as it does', async () => {
    const { url, api } = await signedIn()
    const { authFetch } = await signedIn()
    const based = api.extend({ prefix: '', baseUrl: `${url}/items/` })

    expect(await api.get('/items', { searchParams: { page: 2, q: 'a b' } }).json()).toMatchObject({
      query: { page: '2', q: 'a b' },
    })
    expect(await based.get('7').json()).toEqual({ id: '7', name: 'Item 7' })
    expect(await api(new URL(`${url}/me`)).json()).toMatchObject({ user: 'viewer' })
    expect(await api(new Request(`${url}/me`)).json()).toMatchObject({ user: 'viewer' })
    expect((await httpErrorOf(createKy(authFetch).get(`${url}/me`))).response.status).toBe(401)
  })

  it('runs all the user’s hooks, in order', async () => {
    const order: string[] = []
    const hooks: Options['hooks'] = {
      init: [() => void order.push('init')],
      beforeRequest: [({ request }) => void order.push(`beforeRequest ${request.headers.has('authorization')}`)],
      beforeRetry: [() => void order.push('beforeRetry')],
      afterResponse: [({ response }) => void order.push(`afterResponse ${response.status}`)],
      beforeError: [({ error }) => (order.push(`beforeError ${error.name}`), error)],
    }
    const { api } = await signedIn({ retry: { limit: 1, delay: () => 1 } })

    await httpErrorOf(api.extend({ hooks }).get('status/500'))

    expect(order).toEqual([
      'init',
      'beforeRequest false',
      'afterResponse 500',
      'beforeRetry',
      'afterResponse 500',
      'beforeError HTTPError',
    ])
  })

  it('extend() keeps the session and what we add; its options add up', async () => {
    const { server, url, api } = await signedIn({ headers: { 'x-one': '1' } })
    const child = api.extend({ headers: { 'x-two': '2' } }).extend((parent) => ({ prefix: `${parent.prefix}/items` }))
    expire(server)

    const request: Request[] = []
    const hooks: Options['hooks'] = { beforeRequest: [(state) => void request.push(state.request)] }
    expect(await child.get('3', { hooks }).json()).toMatchObject({ id: '3' })

    expect(request[0]?.url).toBe(`${url}/items/3`)
    expect(request[0]?.headers.get('x-one')).toBe('1')
    expect(request[0]?.headers.get('x-two')).toBe('2')
    expect((await httpErrorOf(child.get('/../reports'))).auth).toMatchObject({ requiredScopes: ['reports:read'] })
  })

  it('create() starts with new defaults, over the same session', async () => {
    const { server, url, api } = await signedIn({ headers: { 'x-one': '1' } })
    const fresh = api.extend({ headers: { 'x-two': '2' } }).create({ prefix: `${url}/items` })
    expire(server)

    const request: Request[] = []
    const hooks: Options['hooks'] = { beforeRequest: [(state) => void request.push(state.request)] }
    expect(await fresh.get('3', { hooks }).json()).toMatchObject({ id: '3' })

    expect(request[0]?.headers.has('x-one')).toBe(false)
    expect(request[0]?.headers.has('x-two')).toBe(false)
    expect(await api.create().get(`${url}/me`).json()).toMatchObject({ user: 'viewer' })
  })

  it('hooks that replace all others leave the session', async () => {
    const { server, api } = await signedIn()
    expire(server)

    const response = await api.extend({ hooks: replaceOption({ beforeRequest: [] }) as never }).get('me')

    expect(response.status).toBe(200)
  })

  it('hands back a 403 under `throwHttpErrors: false`, its body unread', async () => {
    const { api } = await signedIn()

    const response = await api.get('reports', { throwHttpErrors: false })

    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ status: 403 })
  })

  it('takes a `fetch` that the user wraps around the AuthFetch, with everything else', async () => {
    const seen: string[] = []
    const { server, authFetch, api } = await signedIn({ timeout: TIMEOUT_MS })
    const logged = api.extend({
      fetch: async (input, init) => {
        seen.push((input as Request).url)
        return authFetch(input, init)
      },
    })
    expire(server, LONG_MS)

    expect((await httpErrorOf(logged.get('reports'))).auth).toMatchObject({ requiredScopes: ['reports:read'] })
    expect(seen).toHaveLength(1)
  })

  it('hands unknown options to the AuthFetch’s transport', async () => {
    const given: unknown[] = []
    const { api } = await signedIn(
      {},
      {},
      {
        fetch: (input, init) => {
          given.push((init as { next?: unknown }).next)
          return fetch(input, init)
        },
      },
    )

    await api.get('me', { next: { revalidate: 60 } } as Options)

    expect(given).toEqual([{ revalidate: 60 }])
  })
})
