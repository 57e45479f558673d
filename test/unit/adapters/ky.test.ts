// relatch/ky over servers in memory and transports made up for the occasion. What takes a connection: test/server/ky.test.ts
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import ky, {
  type BeforeErrorHook,
  type HTTPError,
  isHTTPError,
  isTimeoutError,
  type KyInstance as KyInstanceOfKy,
  type Options,
  replaceOption,
  type TimeoutError,
} from 'ky'
import { describe, expect, expectTypeOf, it, onTestFinished, vi } from 'vitest'
import { createKy, type KyInstance, type KyOptions } from '../../../src/adapters/ky.ts'
import * as relatch from '../../../src/index.ts'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  type Denial,
  type LoginNeed,
  memoryStore,
  type StepUpNeed,
} from '../../../src/index.ts'
import { type AuthServer, createAuthServer } from '../../../src/testing/index.ts'
import { json, ok, unauthorized } from '../../helpers/answer.ts'
import { deferred } from '../../helpers/deferred.ts'
import { durationOf, fakeTime, flush, pass, settled } from '../../helpers/fake-time.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { scriptedFetch } from '../../helpers/scripted-fetch.ts'
import { clientOf } from '../../helpers/server-client.ts'

const baseUrl = 'https://api.example'

interface World {
  server: AuthServer
  authFetch: AuthFetch
  api: KyInstance
}

/** Somebody is signed in at a server in memory; `api` is what the tests are about. */
async function signedIn(options: KyOptions = {}, authOptions: AuthFetchOptions = {}): Promise<World> {
  const server = createAuthServer()
  onTestFinished(() => server.close())
  const authFetch = clientOf(server, authOptions)
  await authFetch.signIn({ ...server.signIn('viewer') })
  return { server, authFetch, api: createKy(authFetch, { prefix: server.url, ...options }) }
}

/** A ky over a transport that answers like that, for a user who is signed in. */
function apiOver(
  fetch: typeof globalThis.fetch,
  options: KyOptions = {},
  authOptions: AuthFetchOptions = {},
): KyInstance {
  const store = memoryStore({ accessToken: 'at-1' })
  return createKy(createAuthFetch({ baseUrl, store, fetch, ...authOptions }), { prefix: baseUrl, ...options })
}

async function httpErrorOf(work: Promise<unknown>): Promise<HTTPError> {
  const error = await rejectionOf(work)
  if (!isHTTPError(error)) throw error
  return error
}

const hits = (server: AuthServer, path: string): number =>
  server.requests.filter((request) => request.path === path).length

describe('types', () => {
  it('the result is ky’s own type, and so are the options', () => {
    expectTypeOf(createKy).toEqualTypeOf<(authFetch: AuthFetch, options?: Options) => KyInstanceOfKy>()
    expectTypeOf<KyOptions>().toEqualTypeOf<Options>()
  })

  it('`auth` is there wherever ky’s HTTPError is, beside what ky says of it', () => {
    type Auth = Denial | LoginNeed | StepUpNeed | null | undefined
    expectTypeOf<HTTPError['auth']>().toEqualTypeOf<Auth>()
    expectTypeOf<HTTPError<{ code: string }>['auth']>().toEqualTypeOf<Auth>()
    expectTypeOf<HTTPError<{ code: string }>['data']>().toEqualTypeOf<{ code: string } | string | undefined>()
    expectTypeOf<HTTPError['response']['status']>().toEqualTypeOf<number>()
    expectTypeOf<TimeoutError>().not.toHaveProperty('auth')
    const narrow = (error: unknown) => {
      if (isHTTPError(error) && error.auth && 'requiredScopes' in error.auth) return error.auth.requiredScopes
      return undefined
    }
    expectTypeOf(narrow).returns.toEqualTypeOf<readonly string[] | undefined>()
    // @ts-expect-error it is read only
    const write = (error: HTTPError) => (error.auth = null)
    expect(write).toBeTypeOf('function')
  })
})

describe('createKy', () => {
  for (const wrong of [undefined, null, { prefix: baseUrl }]) {
    it(`refuses ${inspect(wrong)} in place of an AuthFetch, at once`, () => {
      expect(() => createKy(wrong as never)).toThrow(
        expect.objectContaining({ name: 'TypeError', code: 'ERR_AUTH_FETCH' }),
      )
    })
  }

  it('refuses what ky refuses', async () => {
    const { authFetch, api } = await signedIn()

    expect(() => createKy(authFetch, 'https://api.example' as never)).toThrow(TypeError)
    expect(() => api.get('me', { retry: -1 })).toThrow(TypeError)
    expect(() => api.get('me', { retry: null as never })).toThrow(TypeError)
    expect(() => api.get('me', { prefixUrl: '/' } as never)).toThrow(/renamed/)
    expect(await rejectionOf(api.get('me', { timeout: 2 ** 31 }))).toBeInstanceOf(RangeError)
  })

  it('does what its example says', async () => {
    const server = createAuthServer({ url: baseUrl })
    onTestFinished(() => server.close())
    vi.stubGlobal('fetch', server.fetch)
    onTestFinished(() => void vi.unstubAllGlobals())
    const logged: unknown[][] = []
    const source = readFileSync(new URL('../../../src/adapters/ky.ts', import.meta.url), 'utf8')
    const example = /@example\n((?: \*.*\n)+?) \*\//.exec(source)?.[1]?.replaceAll(/^ \* ?/gm, '') ?? ''
    const lines = example.replaceAll(/^import (.+) from '(.+)'$/gm, "const $1 = modules['$2']")
    const run = new Function('modules', 'console', `return (async () => {${lines}})()`)

    const signIn = async (authFetch: AuthFetch) => authFetch.signIn({ ...server.signIn('viewer') })
    const createSignedIn = (authFetch: AuthFetch, options: KyOptions) =>
      createKy(authFetch, { ...options, hooks: { beforeRequest: [() => signIn(authFetch)] } })
    const modules = { ky: { isHTTPError }, relatch, 'relatch/ky': { createKy: createSignedIn } }
    await run(modules, { log: (...values: unknown[]) => logged.push(values) })

    expect(logged).toEqual([['This takes', ['reports:read']]])
  })
})

describe('timeout', () => {
  fakeTime()

  /** A 401 after `firstMs`, a refresh of `refreshMs`, and the answer after `secondMs`. */
  function recovering(firstMs: number, refreshMs: number, secondMs: number, options: KyOptions = {}): KyInstance {
    const { fetch } = scriptedFetch(
      () => after(firstMs, unauthorized()),
      () => after(secondMs, ok()),
    )
    const refresh = () => after(refreshMs, { accessToken: 'at-2' })
    return apiOver(fetch, options, { refresh, refreshTimeoutMs: 3_600_000 })
  }
  const after = <T>(ms: number, value: T): Promise<T> => new Promise((resolve) => setTimeout(() => resolve(value), ms))
  const never = (): Promise<never> => new Promise(() => {})

  it('is 10 s where nothing is said, as in ky', async () => {
    const api = apiOver(never)

    const call = rejectionOf(api.get('me'))

    expect(await durationOf(call)).toBe(10_000)
    expect(isTimeoutError(await call)).toBe(true)
  })

  it('does not count a refresh of half an hour', async () => {
    const api = recovering(9000, 1_800_000, 900)

    expect(await settled(api.get('me').text())).toBe('ok')
  })

  it('adds up what is spent before and after the wait', async () => {
    const call = rejectionOf(recovering(6000, 60_000, 6000).get('me'))

    expect(await durationOf(call)).toBe(70_000)
    expect(isTimeoutError(await call)).toBe(true)
  })

  it('counts again from the wait’s end, and for the next attempt from the start', async () => {
    let arrivals = 0
    const fetch = () => (++arrivals < 3 ? after(9000, new Response(null, { status: 503 })) : after(9000, ok()))
    const api = apiOver(fetch, { retry: { delay: () => 1000 } })

    expect(await durationOf(api.get('me'))).toBe(29_000)
  })

  it('does not count a login that takes four minutes', async () => {
    const login = deferred<{ accessToken: string }>()
    const { fetch } = scriptedFetch(unauthorized(), ok())
    const call = apiOver(fetch, {}, { onLoginRequired: () => login.promise }).get('me')

    await pass(240_000)
    login.resolve({ accessToken: 'at-2' })

    expect((await settled(call)).status).toBe(200)
  })

  const givenTo: Record<string, (api: KyInstance) => Promise<unknown>> = {
    createKy: (api) => api.get('me'),
    'a request': (api) => api.extend({ timeout: 9 }).get('me', { timeout: 1000 }),
    'extend()': (api) => api.extend({ timeout: 1000 }).post('me'),
    'extend() with a function': (api) => api.extend(() => ({ timeout: 1000 }))('me'),
    'extend() with the parent’s options': (api) => api.extend((all) => ({ ...all, timeout: 1000 })).get('me'),
    'extend() twice': (api) => api.extend({ timeout: 1000 }).extend({}).get('me'),
    'create()': (api) => api.create({ prefix: baseUrl, timeout: 1000 }).get('me'),
    'an init hook': (api) =>
      api.extend({ timeout: 9, hooks: { init: [(all) => Object.assign(all, { timeout: 1000 })] } }).get('me'),
  }
  for (const [where, get] of Object.entries(givenTo)) {
    const options = where === 'createKy' ? { timeout: 1000 } : {}

    it(`given to ${where}, does not count the refresh`, async () => {
      expect(await durationOf(get(recovering(400, 5000, 500, options)))).toBe(5900)
    })

    it(`given to ${where}, ends what comes after the refresh`, async () => {
      const call = rejectionOf(get(recovering(400, 5000, 5000, options)))

      expect(await durationOf(call)).toBe(6000)
      expect(isTimeoutError(await call)).toBe(true)
    })
  }

  it('works with a transport that knows no signals', async () => {
    const api = apiOver(() => after(3_600_000, ok()), { timeout: 500 })

    expect(await durationOf(rejectionOf(api.get('me')))).toBe(500)
  })

  it('aborts the transport with the error that the caller gets, which names the request', async () => {
    const signals: (AbortSignal | null | undefined)[] = []
    const api = apiOver(
      (_input, init) => {
        signals.push(init?.signal)
        return never()
      },
      { timeout: 500 },
    )

    const error = await settled(rejectionOf(api.get('me', { searchParams: { a: 1 } })))

    expect(error).toMatchObject({ name: 'TimeoutError', request: { url: `${baseUrl}/me?a=1` } })
    expect(signals[0]?.reason).toBe(error)
  })

  it('of 0 is over at once, as in ky', async () => {
    expect(isTimeoutError(await settled(rejectionOf(apiOver(never, { timeout: 0 }).get('me'))))).toBe(true)
  })

  it('`false` is none', async () => {
    expect(await durationOf(apiOver(() => after(3_600_000, ok()), { timeout: false }).get('me'))).toBe(3_600_000)
  })

  for (const timeout of [10_000, false] as const) {
    it(`leaves totalTimeout what it is, the waits counted, beside \`timeout: ${timeout}\``, async () => {
      const options = { timeout, totalTimeout: 2000 }
      const api = apiOver(() => after(400, unauthorized()), options, { refresh: () => never() })

      const call = rejectionOf(api.get('me'))

      expect(await durationOf(call)).toBe(2000)
      expect(isTimeoutError(await call)).toBe(true)
    })
  }

  const untilAborted = (_input: unknown, init?: RequestInit): Promise<never> =>
    new Promise((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
    })
  const endings: Record<string, (options: KyOptions) => Promise<unknown>> = {
    'an answer': (options) => apiOver(async () => ok(), options).get('me'),
    'a wait': (options) => recovering(400, 5000, 500, options).get('me'),
    'a failure': (options) =>
      rejectionOf(apiOver(() => Promise.reject(new TypeError('fetch failed')), options).get('me')),
    'a timeout': (options) => rejectionOf(apiOver(untilAborted, options).get('me')),
    'an abort': async (options) => {
      const controller = new AbortController()
      const call = rejectionOf(apiOver(untilAborted, options).get('me', { signal: controller.signal }))
      await flush()
      controller.abort()
      expect(await call).toMatchObject({ name: 'AbortError' })
    },
  }
  for (const [what, end] of Object.entries(endings)) {
    it(`leaves no timer behind after ${what}`, async () => {
      await settled(end({ timeout: 1000, totalTimeout: 60_000, retry: 0 }))
      await flush()

      expect(vi.getTimerCount()).toBe(0)
    })
  }

  it('leaves no timer behind where a `fetch` of the user’s does not wait as long as we do', async () => {
    const store = memoryStore({ accessToken: 'at-1' })
    const refresh = () => after(5000, { accessToken: 'at-2' })
    const authFetch = createAuthFetch({ baseUrl, store, refresh, fetch: scriptedFetch(unauthorized(), ok()).fetch })
    const impatient = (...call: Parameters<typeof fetch>) =>
      Promise.race([authFetch(...call), after(1000, ok('enough'))])

    expect(await settled(createKy(authFetch, { fetch: impatient }).get(`${baseUrl}/me`).text())).toBe('enough')
    await pass(5000)

    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('retries', () => {
  const quick = { delay: () => 1 }

  it('ask the user’s shouldRetry about what is not ours', async () => {
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

  it('end at a limit that is given as a number', async () => {
    const { server, api } = await signedIn({ retry: 1 })

    await httpErrorOf(api.get('status/503'))

    expect(hits(server, '/status/503')).toBe(2)
  })

  for (const status of [401, 403]) {
    /** A 401 is sent once more by us, with what the refresh has brought: that is recovery (R1), not a retry. */
    const sends = status === 401 ? 2 : 1
    const demanding = { ...quick, statusCodes: [status] }
    const ways: Record<string, KyOptions> = {
      'lists it': { retry: demanding },
      'always says shouldRetry': { retry: { ...quick, shouldRetry: () => true } },
      'lists it in a hook': { hooks: { init: [(all) => Object.assign(all, { retry: demanding })] } },
    }
    for (const [way, options] of Object.entries(ways)) {
      it(`R1 D1 of a ${status} do not happen, even where the user ${way}`, async () => {
        const { server, api } = await signedIn(options)

        const { response, auth } = await httpErrorOf(api.get(`status/${status}`))

        expect(response.status).toBe(status)
        expect(auth).toMatchObject({ request: { method: 'GET' } })
        expect(hits(server, `/status/${status}`)).toBe(sends)
      })
    }

    it(`of a ${status} are not even waited for`, async () => {
      const delay = vi.fn(() => 1)
      const { api } = await signedIn({ retry: { ...demanding, delay } })

      await httpErrorOf(api.get(`status/${status}`))

      expect(delay).not.toHaveBeenCalled()
    })

    it(`of a stranger’s ${status} do not happen either`, async () => {
      const { requests, fetch } = scriptedFetch(status)
      const api = apiOver(fetch, { retry: demanding })

      await httpErrorOf(api.get(new URL('https://stranger.example/')))

      expect(requests).toHaveLength(1)
    })

    it(`of a ${status} happen where a hook of the user’s returns ky.retry(): that is their will`, async () => {
      const { server, api } = await signedIn({
        hooks: {
          afterResponse: [({ retryCount }) => (retryCount === 0 ? ky.retry({ delay: 1 }) : undefined)],
        },
      })

      await httpErrorOf(api.get(`status/${status}`))

      expect(hits(server, `/status/${status}`)).toBeGreaterThan(sends)
    })
  }

  it('D3 of what `classify` calls a 401 do not happen either', async () => {
    const { server, api } = await signedIn(
      { retry: { ...quick, statusCodes: [419] } },
      { classify: ({ status }) => (status === 419 ? 'recover' : undefined) },
    )

    expect((await httpErrorOf(api.get('status/419'))).auth).toMatchObject({ reason: 'session-over' })
    expect(hits(server, '/status/419')).toBe(2)
  })

  it('of an AuthError do not happen, even where the user always says shouldRetry', async () => {
    const { server, api } = await signedIn({ retry: { ...quick, shouldRetry: () => true } }, { refreshRetries: 0 })
    server.expireAccessTokens()
    server.down = true

    expect(await rejectionOf(api.get('me'))).toMatchObject({ name: 'AuthError', code: 'refresh-unavailable' })
    expect(hits(server, '/me')).toBe(1)
  })

  it('D1 of what a callback throws do not happen: it passes through as it is', async () => {
    const redirect = { digest: 'NEXT_REDIRECT' }
    const { server, api } = await signedIn(
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
  const withReason = { reason: 'insufficient-scope', requiredScopes: ['reports:read'] }

  it('D2 still has the problem, although ky has read the body', async () => {
    const { api } = await signedIn()

    const { auth, data } = await httpErrorOf(api.get('admin'))

    expect(data).toMatchObject({ type: 'urn:relatch:problem:role' })
    expect(await (auth as Denial).problem()).toEqual(data)
  })

  it('says of a 401 why it stayed', async () => {
    const { server, api } = await signedIn()
    server.revokeSession()

    const { auth, response } = await httpErrorOf(api.get('me'))

    expect(response.status).toBe(401)
    expect(auth).toMatchObject({ reason: 'refresh-refused' })
  })

  const replacements: Record<string, (response: Response) => Response> = {
    cloned: (response) => response.clone(),
    replaced: ({ status }) => json({ mine: true }, { status }),
  }
  for (const [how, replace] of Object.entries(replacements)) {
    it(`is there when a hook has ${how} the response`, async () => {
      const { api } = await signedIn({ hooks: { afterResponse: [({ response }) => replace(response)] } })

      expect((await httpErrorOf(api.get('reports'))).auth).toMatchObject(withReason)
    })
  }

  it('is there for the user’s own error hooks, and stays when they change the error', async () => {
    const seen: unknown[] = []
    const rename: BeforeErrorHook = ({ error }) => {
      if (isHTTPError(error)) seen.push(error.auth)
      error.message = 'No reports for you'
      return error
    }
    const { api } = await signedIn({ hooks: { beforeError: [rename] } })

    const error = await httpErrorOf(api.get('reports'))

    expect(error.message).toBe('No reports for you')
    expect(error.auth).toMatchObject(withReason)
    expect(seen).toEqual([error.auth])
  })

  it('is there after error hooks have been removed with `undefined`', async () => {
    const { api } = await signedIn()
    const bare = api.extend({ hooks: { beforeError: undefined, beforeRetry: undefined } as never })

    expect((await httpErrorOf(bare.get('reports'))).auth).toMatchObject(withReason)
  })

  it('is null for another status, a stranger’s 403, and an answer that a hook made up', async () => {
    const { api, server } = await signedIn({ retry: 0 })
    const mock: KyOptions = { hooks: { beforeRequest: [() => new Response(null, { status: 403 })] } }

    expect((await httpErrorOf(api.get('items/none'))).auth).toBeNull()
    expect((await httpErrorOf(api.get('status/503'))).auth).toBeNull()
    expect((await httpErrorOf(api.get(new URL('https://stranger.example/status/403')))).auth).toBeNull()
    expect((await httpErrorOf(api.get('reports', mock))).auth).toBeNull()
    expect(hits(server, '/reports')).toBe(0)
  })

  it('is null for the error of another instance that a hook passes on', async () => {
    const other = httpErrorOf(ky.get(`${baseUrl}/`, { fetch: async () => new Response(null, { status: 403 }) }))
    const { api } = await signedIn({
      hooks: {
        afterResponse: [
          async () => {
            throw await other
          },
        ],
      },
    })

    expect((await httpErrorOf(api.get('reports'))).auth).toBeNull()
  })

  it('E1 is not enumerable, and no token is in anything that a log shows of the error', async () => {
    const { authFetch, api } = await signedIn()
    const token = (await authFetch.tokens())?.accessToken as string
    const plain = await httpErrorOf(ky.get(baseUrl, { fetch: async () => new Response(null, { status: 403 }) }))

    const error = await httpErrorOf(api.get('reports'))

    expect(Object.keys(error)).toEqual(Object.keys(plain))
    expect(inspect(error, { depth: 9, showHidden: true }) + JSON.stringify(error)).not.toContain(token)
  })
})

describe('ky', () => {
  it('runs all of the user’s hooks, each once', async () => {
    const order: string[] = []
    const hooks: Options['hooks'] = {
      init: [() => void order.push('init')],
      beforeRequest: [({ request }) => void order.push(`beforeRequest ${request.headers.has('authorization')}`)],
      beforeRetry: [({ retryCount }) => void order.push(`beforeRetry ${retryCount}`)],
      afterResponse: [({ response }) => void order.push(`afterResponse ${response.status}`)],
      beforeError: [
        ({ error }) => {
          order.push(`beforeError ${error.name}`)
          return error
        },
      ],
    }
    const { api } = await signedIn({ retry: { limit: 1, delay: () => 1 } })

    await httpErrorOf(api.extend({ hooks }).get('status/500'))

    expect(order).toEqual([
      'init',
      'beforeRequest false',
      'afterResponse 500',
      'beforeRetry 1',
      'afterResponse 500',
      'beforeError HTTPError',
    ])
  })

  it('extend() keeps the session and what we add, and adds up its options', async () => {
    const { server, api } = await signedIn({ headers: { 'x-one': '1' } })
    const child = api.extend({ headers: { 'x-two': '2' } }).extend(({ prefix }) => ({ prefix: `${prefix}/items` }))
    server.expireAccessTokens()
    const sent: Request[] = []

    const item = await child.get('3', { hooks: { beforeRequest: [({ request }) => void sent.push(request)] } }).json()

    expect(item).toMatchObject({ id: '3' })
    expect([...(sent[0]?.headers ?? [])]).toEqual(
      expect.arrayContaining([
        ['x-one', '1'],
        ['x-two', '2'],
      ]),
    )
    expect((await httpErrorOf(child.get(new URL(`${server.url}/reports`)))).auth).not.toBeNull()
  })

  it('create() forgets all defaults, and keeps the session and what we add', async () => {
    const { server, api } = await signedIn({ headers: { 'x-one': '1' } })
    const fresh = api.extend({ headers: { 'x-two': '2' } }).create()
    server.expireAccessTokens()
    const sent: Request[] = []
    const options: Options = { hooks: { beforeRequest: [({ request }) => void sent.push(request)] } }

    expect(await fresh.get(`${server.url}/me`, options).json()).toMatchObject({ user: 'viewer' })

    expect([...(sent[0]?.headers ?? [])]).toEqual([['accept', 'application/json']])
    expect((await httpErrorOf(fresh.create().get(`${server.url}/reports`))).auth).not.toBeNull()
  })

  it('stop, retry and every method are there', async () => {
    const { api } = await signedIn()
    const methods = ['get', 'post', 'put', 'patch', 'head', 'delete', 'query', 'create', 'extend'] as const

    expect([api.stop, api.retry]).toEqual([ky.stop, ky.retry])
    for (const instance of [api, api.extend({}), api.create()]) {
      expect(methods.filter((method) => typeof instance[method] !== 'function')).toEqual([])
    }
    expect((await api.post('echo', { body: 'x' })).status).toBe(200)
    expect((await api.head('me')).status).toBe(200)
    expect((await api('me', { method: 'get' })).status).toBe(200)
  })

  it('`replaceOption()` for all hooks takes ours too, and leaves the session', async () => {
    const { server, api } = await signedIn()
    server.expireAccessTokens()

    const response = await api.get('me', { hooks: replaceOption({}) })

    expect(response.status).toBe(200)
    expect(server.stats.refreshes).toBe(1)
  })

  for (const throwHttpErrors of [false, (status: number) => status !== 403]) {
    it(`throwHttpErrors: ${throwHttpErrors} hands a 403 back, whose body can be read or cancelled`, async () => {
      const { api } = await signedIn({ throwHttpErrors })

      expect(await (await api.get('admin')).json()).toMatchObject({ status: 403 })
      const { body, status } = await api.get('reports')
      await body?.cancel()
      expect(status).toBe(403)
    })
  }

  it('a `fetch` of the user’s around the AuthFetch gets all of it', async () => {
    const seen: string[] = []
    const { server, authFetch, api } = await signedIn()
    const logged = api.extend({
      fetch: async (input, init) => {
        seen.push((input as Request).url)
        return authFetch(input, init)
      },
    })
    server.expireAccessTokens()

    expect((await httpErrorOf(logged.get('reports'))).auth).toMatchObject({ requiredScopes: ['reports:read'] })
    expect(seen).toEqual([`${server.url}/reports`])
  })

  it('`fetch: undefined` is no `fetch`: the session stays', async () => {
    const { api } = await signedIn()

    expect((await api.get('me', { fetch: undefined } as never)).status).toBe(200)
  })

  it('options that ky does not know reach the transport', async () => {
    const { server } = await signedIn()
    const given: unknown[] = []
    const api = apiOver((input, init) => {
      given.push((init as { next?: unknown }).next)
      return server.fetch(input, init)
    })

    await api.get('public', { next: { revalidate: 60 } } as Options)

    expect(given).toEqual([{ revalidate: 60 }])
  })
})
