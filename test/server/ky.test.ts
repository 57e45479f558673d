// relatch/ky on a real server: what takes time, has a body or a connection. Its other behaviour: test/unit/adapters/ky.test.ts
import ky, { type BeforeErrorHook, isHTTPError, isTimeoutError, type Options } from 'ky'
import { afterEach, describe, expect, it } from 'vitest'
import { createKy, type KyInstance } from '../../src/adapters/ky.ts'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  isAuthError,
  refreshEndpoint,
} from '../../src/index.ts'
import { type AuthServer, type AuthServerOptions, createAuthServer } from '../../src/testing/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { nextEvent } from '../helpers/next-event.ts'
import { rejectionOf } from '../helpers/rejection.ts'

/** A timeout, and what is clearly beyond it: waits that must not count, answers that come too late. */
const TIMEOUT_MS = 200
const LONG_MS = 600
/** Much longer than any test waits. */
const ENDLESS = { searchParams: { ms: 60_000 } }

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
  await authFetch.signIn({ ...server.signIn('viewer') })
  return { server, url, authFetch, api: createKy(authFetch, { prefix: url, ...options }) }
}

/** The next request will meet a 401, and its refresh will take that long. */
function expire(server: AuthServer, refreshMs = 0): void {
  server.expireAccessTokens()
  server.failRefresh({ slowMs: refreshMs })
}

/** An error hook that changes nothing. */
const tellTo =
  (told: Error[]): BeforeErrorHook =>
  ({ error }) => {
    told.push(error)
    return error
  }

const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const endless = (): Response =>
  new Response(new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(8)) }))

const hits = (server: AuthServer, path: string): number =>
  server.requests.filter((request) => request.path === path).length

describe('recovery', () => {
  it('R1 a 401 becomes one refresh and one more request, of which ky sees the answer only', async () => {
    const statuses: number[] = []
    const { server, api } = await signedIn({
      hooks: { afterResponse: [({ response }) => void statuses.push(response.status)] },
    })
    expire(server)

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
    expect(server.stats).toMatchObject({ refreshes: 1, apiRequests: 2 })
    expect(statuses).toEqual([200])
  })

  it('R1 takes no retry of ky: it is the same with `retry: 0`', async () => {
    const { server, api } = await signedIn({ retry: 0 })
    expire(server)

    expect((await api.get('me')).status).toBe(200)
  })

  it('R1 works after retries have been used up by a 503', async () => {
    let arrivals = 0
    const flaky = () => (++arrivals === 1 ? new Response(null, { status: 503 }) : Response.json({ arrivals }))
    const { server, api } = await signedIn({ retry: { limit: 1, delay: () => 1 } }, { routes: { '/flaky': flaky } })
    const hooks: Options['hooks'] = { beforeRetry: [() => expire(server)] }

    expect(await api.get('flaky', { hooks }).json()).toEqual({ arrivals: 2 })
    expect(server.stats.refreshes).toBe(1)
  })

  it('R2 a hundred requests that meet an expired token share one refresh', async () => {
    const { server, api } = await signedIn()
    expire(server, 50)

    const answers = await Promise.all(Array.from({ length: 100 }, () => api.get('me')))

    expect(answers.every(({ ok }) => ok)).toBe(true)
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('R7 a refresh that fails rejects with the AuthError as it is, after one attempt', async () => {
    const told: Error[] = []
    const { server, api } = await signedIn({ hooks: { beforeError: [tellTo(told)] } }, {}, { refreshRetries: 0 })
    server.expireAccessTokens()
    server.down = true

    const error = await rejectionOf(api.get('me'))

    expect(isAuthError(error)).toBe(true)
    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(told).toEqual([error])
    expect(server.stats).toMatchObject({ apiRequests: 1, refreshAttempts: 1 })
  })
})

describe('bodies', () => {
  it('B1 POSTed JSON arrives once more as it was', async () => {
    const { server, api } = await signedIn()
    expire(server)

    expect(await api.post('echo', { json: { name: 'Zoë', nested: [1, { a: null }] } }).json()).toMatchObject({
      method: 'POST',
      contentType: 'application/json',
      text: '{"name":"Zoë","nested":[1,{"a":null}]}',
    })
    expect(hits(server, '/echo')).toBe(2)
  })

  it('B1 JSON beyond the replay limit arrives once more too', async () => {
    const { server, api } = await signedIn({}, {}, { replayLimitBytes: 1000 })
    expire(server)

    expect(await api.post('echo', { json: 'x'.repeat(5000) }).json()).toMatchObject({ length: 5002 })
  })

  it('B1 a form with a file arrives once more with the boundary that its header names', async () => {
    const { server, api } = await signedIn()
    const form = new FormData()
    form.set('title', 'Report')
    form.set('file', new Blob(['a'.repeat(500)]), 'a.txt')
    expire(server)

    const { text, contentType } = await api.post('echo', { body: form }).json<{ text: string; contentType: string }>()

    const received = await new Response(text, { headers: { 'content-type': contentType } }).formData()
    expect(received.get('title')).toBe('Report')
    expect(await (received.get('file') as File).text()).toBe('a'.repeat(500))
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

  it('B1 a body with onUploadProgress arrives once more as it was, and its progress is told', async () => {
    const { server, api } = await signedIn()
    expire(server)
    const percents: number[] = []
    const onUploadProgress: Options['onUploadProgress'] = ({ percent }) => void percents.push(percent)

    const echo = await api.post('echo', { body: 'x'.repeat(1000), onUploadProgress }).json()

    expect(echo).toMatchObject({ length: 1000 })
    expect(percents.at(-1)).toBe(1)
  })
})

describe('timeout does not count', () => {
  it('the refresh after a 401', async () => {
    const { server, api } = await signedIn({ timeout: TIMEOUT_MS })
    expire(server, LONG_MS)

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
  })

  it('the refresh before the first send', async () => {
    const { server, authFetch, api } = await signedIn({ timeout: TIMEOUT_MS })
    const { access_token, refresh_token } = server.signIn('viewer')
    await authFetch.signIn({ accessToken: access_token, refreshToken: refresh_token as string, expiresAt: Date.now() })
    server.failRefresh({ slowMs: LONG_MS })

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
    expect(server.stats).toMatchObject({ refreshes: 1, rejected: 0 })
  })

  it('the refresh and the login after it', async () => {
    const { server, api } = await signedIn(
      { timeout: TIMEOUT_MS },
      {},
      {
        onLoginRequired: async () => {
          await after(1000)
          return server.signIn('viewer')
        },
      },
    )
    server.revokeSession()
    server.failRefresh({ slowMs: TIMEOUT_MS * 1.5 })

    expect(await api.get('me').json()).toMatchObject({ user: 'viewer' })
  })

  it('a stronger login', async () => {
    const { server, api } = await signedIn(
      { timeout: TIMEOUT_MS },
      {},
      {
        onStepUp: async () => {
          await after(LONG_MS)
          return server.signIn('viewer', { acr: 'mfa' })
        },
      },
    )

    expect(await api.post('payments').json()).toEqual({ isPaid: true })
  })

  it('what onPermissionDenied waits for', async () => {
    const { api } = await signedIn({ timeout: TIMEOUT_MS }, {}, { onPermissionDenied: () => after(LONG_MS) })

    expect(isHTTPError(await rejectionOf(api.get('reports')))).toBe(true)
  })
})

describe('timeout', () => {
  it('ends a slow answer and its connection, with an error of ky’s that names the request', async () => {
    const { server, url, api } = await signedIn({ timeout: TIMEOUT_MS })

    const error = await rejectionOf(api.get('slow', ENDLESS))

    expect(isTimeoutError(error)).toBe(true)
    expect(error).toMatchObject({ request: { method: 'GET', url: `${url}/slow?ms=60000` } })
    await server.seen(1, { path: '/slow', status: 0 })
  })

  it('ends a slow answer that comes after a slow refresh, whose tokens are kept', async () => {
    const { server, api } = await signedIn({ timeout: TIMEOUT_MS })
    expire(server, LONG_MS)

    expect(isTimeoutError(await rejectionOf(api.get('slow', ENDLESS)))).toBe(true)

    await api.get('me')
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('stops for the waiting request only: another one times out while somebody logs in', async () => {
    const login = deferred<null>()
    const { server, authFetch, api } = await signedIn(
      { timeout: TIMEOUT_MS },
      { routes: { '/hanging': { isPublic: true, handle: () => new Promise(() => {}) } } },
      { onLoginRequired: () => login.promise },
    )
    server.revokeSession()
    const isAsked = nextEvent(authFetch, 'login-required')
    const parked = rejectionOf(api.get('me'))
    await isAsked

    expect(isTimeoutError(await rejectionOf(api.get('hanging')))).toBe(true)

    login.resolve(null)
    expect(isHTTPError(await parked)).toBe(true)
  })

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

  const body = (...parts: (string | number)[]) =>
    new Response(
      new ReadableStream({
        async start(controller) {
          for (const part of parts) {
            if (typeof part === 'number') await after(part)
            else controller.enqueue(new TextEncoder().encode(part))
          }
          controller.close()
        },
      }),
    )

  it('is for a body too that one of ky’s shortcuts reads', async () => {
    const { api } = await signedIn({ timeout: TIMEOUT_MS }, { routes: { '/stalling': () => body('{', 60_000, '}') } })

    expect(isTimeoutError(await rejectionOf(api.get('stalling').json()))).toBe(true)
  })

  it('is not for a body that the caller reads', async () => {
    const { api } = await signedIn({ timeout: TIMEOUT_MS }, { routes: { '/late': () => body('sl', LONG_MS, 'ow') } })

    expect(await (await api.get('late')).text()).toBe('slow')
  })
})

describe('totalTimeout', () => {
  for (const timeout of [10_000, false] as const) {
    it(`A2 counts the refresh, which goes on without us, beside \`timeout: ${timeout}\``, async () => {
      const { server, api } = await signedIn({ timeout, totalTimeout: TIMEOUT_MS })
      expire(server, 1000)
      let isRefreshed = false
      const refreshed = server.seen(1, { kind: 'refresh', status: 200 }).then(() => (isRefreshed = true))

      expect(isTimeoutError(await rejectionOf(api.get('me')))).toBe(true)

      expect(isRefreshed).toBe(false)
      await refreshed
      await api.get('me', { totalTimeout: false })
      expect(server.stats.refreshAttempts).toBe(1)
    })
  }

  it('counts the attempts together', async () => {
    const { server, api } = await signedIn({
      timeout: 10_000,
      totalTimeout: 1000,
      retry: { limit: 9, delay: () => 300 },
    })

    expect(isTimeoutError(await rejectionOf(api.get('status/503')))).toBe(true)

    expect(hits(server, '/status/503')).toBeGreaterThan(1)
    expect(hits(server, '/status/503')).toBeLessThan(6)
  })

  it('ends a slow answer that `timeout` would still wait for', async () => {
    const { server, api } = await signedIn({ timeout: 60_000, totalTimeout: TIMEOUT_MS })

    expect(isTimeoutError(await rejectionOf(api.get('slow', ENDLESS)))).toBe(true)
    await server.seen(1, { path: '/slow', status: 0 })
  })

  it('leaves `timeout` its say', async () => {
    const { server, api } = await signedIn({ timeout: TIMEOUT_MS, totalTimeout: 60_000 })
    expire(server, LONG_MS)

    expect(isTimeoutError(await rejectionOf(api.get('slow', ENDLESS)))).toBe(true)
    expect(server.stats.refreshes).toBe(1)
  })
})

describe('retries', () => {
  it('of a 503 work as ever, and are counted', async () => {
    let arrivals = 0
    const retryCounts: number[] = []
    const { api } = await signedIn(
      { retry: { delay: () => 1 }, hooks: { beforeRetry: [({ retryCount }) => void retryCounts.push(retryCount)] } },
      { routes: { '/flaky': () => new Response(null, { status: ++arrivals < 3 ? 503 : 200 }) } },
    )

    expect((await api.get('flaky')).status).toBe(200)
    expect(retryCounts).toEqual([1, 2])
  })

  it('of a connection that is refused work as ever, and end in ky’s NetworkError', async () => {
    const { server, url, authFetch } = await signedIn()
    const api = createKy(authFetch, { prefix: url, retry: { delay: () => 1 } })
    let retries = 0
    await server.close()

    const error = await rejectionOf(api.get('me', { hooks: { beforeRetry: [() => void retries++] } }))

    expect(error).toMatchObject({ name: 'NetworkError', cause: { name: 'TypeError' } })
    expect(retries).toBe(2)
  })

  it('D1 R1 of a 403 and a 401 do not happen, although the user lists them', async () => {
    const { server, api } = await signedIn({ retry: { statusCodes: [401, 403, 503], delay: () => 1 } })

    await rejectionOf(api.get('status/403'))
    await rejectionOf(api.get('status/401'))

    expect(hits(server, '/status/403')).toBe(1)
    // The second is recovery: with what the refresh has brought.
    expect(hits(server, '/status/401')).toBe(2)
    expect(server.stats.refreshes).toBe(1)
  })
})

describe('HTTPError', () => {
  it('D2 says of a 403 which scopes it takes, beside ky’s own data', async () => {
    const { api } = await signedIn()

    const error = await rejectionOf(api.get('reports'))

    expect(error).toMatchObject({ response: { status: 403 }, data: { error: 'insufficient_scope' } })
    expect(isHTTPError(error) && error.auth).toMatchObject({
      reason: 'insufficient-scope',
      requiredScopes: ['reports:read'],
    })
  })

  it('D2 O1 says nothing of a stranger’s 403', async () => {
    const { api } = await signedIn()
    const stranger = await signedIn()

    const error = await rejectionOf(api.get(new URL(`${stranger.url}/status/403`)))

    expect(isHTTPError(error) && error.auth).toBeNull()
    expect(stranger.server.requests.map(({ credential }) => credential)).toEqual(['none'])
  })
})

describe('abort', () => {
  it('A1 A2 during a refresh rejects with the caller’s reason, and the refresh goes on', async () => {
    const { server, api } = await signedIn()
    expire(server, LONG_MS)
    const controller = new AbortController()
    const reason = new Error('The user has left the page')
    const call = rejectionOf(api.get('me', { signal: controller.signal }))
    await server.seen(1, { kind: 'refresh' })

    controller.abort(reason)

    expect(await call).toBe(reason)
    await server.seen(1, { kind: 'refresh', status: 200 })
    expect((await api.get('me')).status).toBe(200)
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('A1 of a slow answer ends its connection', async () => {
    const { server, api } = await signedIn()
    const controller = new AbortController()
    const call = rejectionOf(api.get('slow', { ...ENDLESS, signal: controller.signal }))
    await server.seen(1, { path: '/slow' })

    controller.abort()

    expect(await call).toMatchObject({ name: 'AbortError' })
    await server.seen(1, { path: '/slow', status: 0 })
  })

  it('A1 of a body that is being read ends the reading', async () => {
    const { api } = await signedIn({}, { routes: { '/endless': endless } })
    const controller = new AbortController()
    const response = await api.get('endless', { signal: controller.signal })

    controller.abort()

    expect(await rejectionOf(response.text())).toMatchObject({ name: 'AbortError' })
  })
})

it('takes the options of ky’s own instances: they resolve, merge and send as ever', async () => {
  const { server, url, api } = await signedIn({ headers: { 'x-one': '1' } })
  expire(server)
  const plain = ky.create({ prefix: url, headers: { 'x-one': '1' } })
  const sent: Request[] = []
  const options: Options = {
    headers: { 'x-two': '2' },
    searchParams: { page: 2, q: 'a b' },
    hooks: { beforeRequest: [({ request }) => void sent.push(request)] },
  }

  const answer = await api
    .extend({ searchParams: { sort: 'up' } })
    .get('/items', options)
    .json()
  await rejectionOf(
    plain
      .extend({ searchParams: { sort: 'up' } })
      .get('/items', options)
      .json(),
  )

  expect(answer).toMatchObject({ query: { sort: 'up', page: '2', q: 'a b' } })
  const [ours, theirs] = sent.map(({ url, method, headers }) => ({ url, method, headers: [...headers] }))
  expect(ours).toEqual(theirs)
})
