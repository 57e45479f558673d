/**
 * What happens where a client that retries sits on top of relatch, which has retried already: how often the API is asked, and
 * the auth server. The relatch here asks once for each refresh (`refreshRetries: 0`); by default each attempt could be three.
 */
import { configureStore } from '@reduxjs/toolkit'
import { createApi, fetchBaseQuery, type RetryOptions, retry } from '@reduxjs/toolkit/query'
import { QueryClient, type QueryClientConfig } from '@tanstack/query-core'
import axios, { type AxiosError, isAxiosError } from 'axios'
import { Gaxios, type RetryConfig } from 'gaxios'
import ky from 'ky'
import ky1, { type RetryOptions as Ky1Retry } from 'ky1'
import { type AuthFetch, isAuthError, retryUnlessAuth } from 'relatch'
import { createKy } from 'relatch/ky'
import { beforeEach, describe, expect, it, type TestContext } from 'vitest'
import { clientOf, openPageWorld } from './suite/page-world.ts'
import { openWorld, type World } from './suite/world.ts'

/** A client over `api` that gets a path of `url`. */
type Layer = (api: AuthFetch, url: string) => (path: string) => Promise<unknown>

interface Asked {
  /** Requests to the API: two for each call that was recovered and rejected again. */
  sends: number
  /** Requests to the auth server. */
  refreshes: number
  /** Calls of `onPermissionDenied`. */
  denials: number
}

interface Findings {
  /** Every token is rejected, those that a refresh brings too. */
  '401 that stays': Asked
  403: Asked
  /** The token has expired, and refreshes are answered 503. */
  'auth server down': Asked
}

declare module 'vitest' {
  interface TaskMeta {
    /** What docs/clients.md has of this test, under its title. */
    findings?: Findings
  }
}

let task: TestContext['task']
beforeEach((context) => {
  task = context.task
})

const counts = (sends: number, refreshes: number, denials = 0): Asked => ({ sends, refreshes, denials })

/** What relatch does for one call. */
const ONE_LAYER: Findings = { '401 that stays': counts(2, 1), 403: counts(1, 0, 1), 'auth server down': counts(1, 1) }

async function findingsOf(layer: Layer, open: () => Promise<World> = openWorld): Promise<Findings> {
  async function asked(path: string, prepare: (world: World) => void): Promise<Asked> {
    await using world = await open()
    prepare(world)
    // The outcome is not of interest; with some layers it is a rejection, with others a value that holds the error.
    await Promise.allSettled([layer(world.api, world.url)(path)])
    return counts(world.arrivals.length, world.server.stats.refreshAttempts, world.denials.length)
  }
  const findings: Findings = {
    '401 that stays': await asked('/items/1', ({ server }) => {
      server.rejectAll = true
    }),
    403: await asked('/reports', () => {}),
    'auth server down': await asked('/items/1', ({ server }) => {
      server.expireAccessTokens()
      server.failRefresh(503, Number.POSITIVE_INFINITY)
    }),
  }
  task.meta.findings = findings
  return findings
}

/**
 * Pauses of a client are left out here, and so its tries come within relatch's own pauses (R13, fail-fast). A client
 * that waits longer than those has more refreshes, and after a 401 more sends.
 */
const AT_ONCE = { delay: () => 1 }

describe('ky 2', () => {
  const layer = (statusCodes?: number[]): Layer => {
    const rules = { ...AT_ONCE, ...(statusCodes && { statusCodes }) }
    return (api, baseUrl) => ky.create({ fetch: api, baseUrl, retry: rules }).get
  }

  it('retries none of it by itself', async () => {
    expect(await findingsOf(layer())).toEqual(ONE_LAYER)
  })

  it('with 401 and 403 in `statusCodes`, makes three recoveries of one, and asks three times for what is forbidden', async () => {
    expect(await findingsOf(layer([401, 403]))).toEqual({
      ...ONE_LAYER,
      '401 that stays': counts(6, 3),
      403: counts(3, 0, 3),
    })
  })

  it('made by createKy, leaves both to relatch whatever `statusCodes` says', async () => {
    const rules = { ...AT_ONCE, statusCodes: [401, 403] }
    expect(await findingsOf((api, baseUrl) => createKy(api, { baseUrl, retry: rules }).get)).toEqual(ONE_LAYER)
  })
})

describe('ky 1', () => {
  const layer = (rules: Ky1Retry = {}): Layer => {
    return (api, url) => (path) =>
      ky1.create({ fetch: api, prefixUrl: url, retry: { ...AT_ONCE, ...rules } }).get(path.slice(1))
  }

  it('retries every rejection, that of relatch too: one outage is three sends, until relatch pauses', async () => {
    expect(await findingsOf(layer())).toEqual({ ...ONE_LAYER, 'auth server down': counts(3, 2) })
  })

  it('with 401 and 403 in `statusCodes`, multiplies all three', async () => {
    expect(await findingsOf(layer({ statusCodes: [401, 403] }))).toEqual({
      '401 that stays': counts(6, 3),
      403: counts(3, 0, 3),
      'auth server down': counts(3, 2),
    })
  })

  it('is one layer with a `shouldRetry` that leaves to relatch what relatch has tried', async () => {
    const rules: Ky1Retry = {
      statusCodes: [401, 403],
      shouldRetry: ({ error }) => (isAuthError(error) || !retryUnlessAuth(error) ? false : undefined),
    }
    expect(await findingsOf(layer(rules))).toEqual(ONE_LAYER)
  })
})

describe('axios', () => {
  /** The interceptor that people write, with three tries. */
  const layer =
    (isRetried?: (error: AxiosError) => boolean): Layer =>
    (api, baseURL) => {
      const client = axios.create({ adapter: 'fetch', env: { fetch: api }, baseURL })
      let left = 2
      client.interceptors.response.use(undefined, (error: unknown) => {
        if (!isAxiosError(error) || !error.config || !isRetried?.(error) || left-- === 0) throw error
        return client(error.config)
      })
      return (path) => client.get(path)
    }
  const statusOf = ({ response }: AxiosError): number => response?.status ?? 0

  it('has no retries', async () => {
    expect(await findingsOf(layer())).toEqual(ONE_LAYER)
  })

  it('with an interceptor that sends again after a 401 or 403, recovers three times', async () => {
    expect(await findingsOf(layer((error) => [401, 403].includes(statusOf(error))))).toEqual({
      ...ONE_LAYER,
      '401 that stays': counts(6, 3),
      403: counts(3, 0, 3),
    })
  })

  it('with one that sends again where there is no response, takes an AuthError for a lost connection', async () => {
    expect(await findingsOf(layer((error) => error.response === undefined))).toEqual({
      ...ONE_LAYER,
      'auth server down': counts(3, 2),
    })
  })

  it('with one that asks `retryUnlessAuth`, tries again only what may have changed', async () => {
    expect(await findingsOf(layer(retryUnlessAuth))).toEqual({ ...ONE_LAYER, 'auth server down': counts(3, 2) })
  })
})

describe('gaxios', () => {
  const layer = (retryConfig: RetryConfig): Layer => {
    const rules = { maxRetryDelay: 1, ...retryConfig }
    return (api, baseURL) => (url) =>
      new Gaxios({ fetchImplementation: api, baseURL, retryConfig: rules }).request({ url })
  }

  it('with `retryConfig`, takes an AuthError for a lost connection: three sends', async () => {
    expect(await findingsOf(layer({}))).toEqual({ ...ONE_LAYER, 'auth server down': counts(3, 2) })
  })

  it('with 401 to 403 in `statusCodesToRetry`, makes four calls of one; relatch refreshes for three of them', async () => {
    expect(await findingsOf(layer({ statusCodesToRetry: [[401, 403]] }))).toEqual({
      '401 that stays': counts(7, 3),
      403: counts(4, 0, 4),
      'auth server down': counts(3, 2),
    })
  })

  it('is one layer with its own status codes and `noResponseRetries: 0`', async () => {
    expect(await findingsOf(layer({ noResponseRetries: 0 }))).toEqual(ONE_LAYER)
  })

  it('has no limit but that of `shouldRetry`, where there is one', async () => {
    const sendsWith = async (shouldRetry: RetryConfig['shouldRetry'] & {}): Promise<number> => {
      await using world = await openWorld()
      await Promise.allSettled([layer({ shouldRetry })(world.api, world.url)('/status/500')])
      return world.arrivals.length
    }
    let calls = 0
    expect(await sendsWith((error) => ++calls < 20 && retryUnlessAuth(error))).toBe(20)
    expect(await sendsWith((error) => retryUnlessAuth(error.config.retryConfig?.currentRetryAttempt ?? 0, error))).toBe(
      4,
    )
  })
})

describe('TanStack Query', () => {
  const layer =
    (rules: NonNullable<QueryClientConfig['defaultOptions']>['queries'] = {}): Layer =>
    (api, url) => {
      const client = new QueryClient()
      const queryFn = async ({ signal }: { signal: AbortSignal }, path: string): Promise<unknown> => {
        const response = await api(new URL(path, url), { signal })
        if (!response.ok) throw new Error(`HTTP ${response.status}`, { cause: response })
        return response.json()
      }
      return (path) =>
        client.fetchQuery({ ...rules, queryKey: [path], queryFn: (context) => queryFn(context, path), retryDelay: 1 })
    }
  /** Its default in a browser; elsewhere it is 0. */
  const IN_A_BROWSER = 3

  it('makes four calls of one in a browser, for a 401 and a 403 too', async () => {
    expect(await findingsOf(layer({ retry: IN_A_BROWSER }))).toEqual({
      '401 that stays': counts(7, 3),
      403: counts(4, 0, 4),
      'auth server down': counts(4, 2),
    })
  })

  it('with `retryUnlessAuth`, makes four only while the auth server is down', async () => {
    expect(await findingsOf(layer({ retry: retryUnlessAuth }))).toEqual({
      ...ONE_LAYER,
      'auth server down': counts(4, 2),
    })
  })

  it('on a server retries nothing by itself; `retryUnlessAuth` sets three there as well', async () => {
    expect(await findingsOf(layer())).toEqual(ONE_LAYER)
  })

  it('is one layer with a `retry` that leaves out every AuthError', async () => {
    const rules = { retry: (count: number, error: Error) => !isAuthError(error) && retryUnlessAuth(count, error) }
    expect(await findingsOf(layer(rules))).toEqual(ONE_LAYER)
  })
})

describe('SWR', () => {
  const layer =
    (name: string): Layer =>
    (api) =>
    (path) =>
      clientOf(api).call(name, path)
  const openPage = (): Promise<World> => openPageWorld(openWorld, 'swr.ts')

  it('retries everything for good by itself (seen: ten calls); in quick succession relatch refreshes for three of them', async () => {
    expect(await findingsOf(layer('getByDefault'), openPage)).toEqual({
      '401 that stays': counts(13, 3),
      403: counts(10, 0, 10),
      'auth server down': counts(10, 2),
    })
  })

  it('with `retryUnlessAuth` and `errorRetryCount: 3`, makes four only while the auth server is down', async () => {
    expect(await findingsOf(layer('get'), openPage)).toEqual({ ...ONE_LAYER, 'auth server down': counts(4, 2) })
  })
})

describe('RTK Query', () => {
  const layer =
    (rules: RetryOptions): Layer =>
    (api, baseUrl) => {
      const { reducer, middleware, endpoints } = createApi({
        baseQuery: retry(fetchBaseQuery({ baseUrl, fetchFn: api }), { backoff: async () => {}, ...rules }),
        endpoints: (build) => ({ get: build.query<unknown, string>({ query: (path) => path }) }),
      })
      const store = configureStore({
        reducer: { api: reducer },
        middleware: (defaults) => defaults().concat(middleware),
      })
      return async (path) => store.dispatch(endpoints.get.initiate(path, { subscribe: false }))
    }

  it('with `retry()`, makes six calls of one, for a 401 and a 403 too', async () => {
    expect(await findingsOf(layer({}))).toEqual({
      '401 that stays': counts(9, 3),
      403: counts(6, 0, 6),
      'auth server down': counts(6, 2),
    })
  })

  it('with a `retryCondition` that asks `retryUnlessAuth`, makes four only while the auth server is down', async () => {
    const rules: RetryOptions = { retryCondition: (error, _, { attempt }) => retryUnlessAuth(attempt - 1, error) }
    expect(await findingsOf(layer(rules))).toEqual({ ...ONE_LAYER, 'auth server down': counts(4, 2) })
  })
})
