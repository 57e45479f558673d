// docs/migrating.md: every block is compiled under `strict` and run over real HTTP, beside the clients' packages. Only the origins
// are replaced. What the page says of the old code is measured as what it says of ours.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { configureStore, type Middleware, type Reducer, type ThunkAction, type UnknownAction } from '@reduxjs/toolkit'
import { isAxiosError } from 'axios'
import ky from 'ky'
import { type AuthFetch, createAuthFetch, isAuthError } from 'relatch'
import { type AuthServer, createAuthServer } from 'relatch/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { deferred } from '../helpers/deferred.ts'
import { blocksIn, compilerSays, deadLinks, filesIn, unknownImports } from '../package/page.ts'
import { rejectionOf } from './suite/describe-client.ts'
import { type Arrival, recordingFront } from './suite/recording-front.ts'
import { forbidden } from './suite/world.ts'

const root = path.join(import.meta.dirname, '../..')
const folder = path.join(import.meta.dirname, 'generated/migrating')
const page = readFileSync(path.join(root, 'docs/migrating.md'), 'utf8')
/** What the RTK Query blocks take from the program around them. */
const SLICE = `
import { createAction } from '@reduxjs/toolkit'
export const loggedOut = createAction('loggedOut')
`
const files = new Map([...filesIn(page), ['account-slice.ts', SLICE]])

beforeAll(() => {
  // page.ts reads the repository from where it is run.
  process.chdir(root)
  rmSync(folder, { recursive: true, force: true })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function write(to: string, replace: (code: string) => string = (code) => code): void {
  mkdirSync(to, { recursive: true })
  for (const [file, code] of files) writeFileSync(path.join(to, file), replace(code))
}

describe('docs/migrating.md', () => {
  it('holds no code that is not tested: every block says which file it is', () => {
    expect(files.size - 1).toBe(blocksIn(page))
    expect([...files.keys()].filter((file) => /\.(before|after)\.ts$/.test(file)).toSorted()).toEqual(
      Object.keys(MIGRATIONS)
        .flatMap((name) => [`${name}.after.ts`, `${name}.before.ts`])
        .toSorted(),
    )
  })

  it('compiles under strict', () => {
    const all = path.join(folder, 'all')
    write(all)
    const compilerOptions = {
      ...{ module: 'ESNext', moduleResolution: 'bundler', target: 'ES2023', allowImportingTsExtensions: true },
      ...{ lib: ['ES2023', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'], types: [] },
      ...{ strict: true, noEmit: true, skipLibCheck: true },
    }
    writeFileSync(path.join(all, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    expect(compilerSays(all)).toBe('')
  })

  it('names what exists', () => {
    expect(deadLinks(page)).toEqual([])
    expect(unknownImports(page)).toEqual([])
  })
})

interface World extends AsyncDisposable {
  readonly server: AuthServer
  readonly url: string
  /** What reached the API, in order. */
  readonly arrivals: readonly Arrival[]
  /** Where the page was sent. */
  readonly visited: readonly unknown[]
  /** A block, and what it imports. A module of this world is loaded once. */
  load<Module>(file: string): Promise<Module>
  /** Before anything is loaded. */
  change(file: string, from: string, to: string): void
  /** Resolves when the 401 of `/items/late` is on its way, where it stays until `letGo()`. */
  readonly isHeld: Promise<void>
  letGo(): void
}

let worlds = 0

/** A server on loopback, a browser's `localStorage` with tokens of it, and a `location`. */
async function openWorld(): Promise<World> {
  const server = createAuthServer({ routes: { 'GET /items/:id': () => Response.json({}), 'GET /reports': forbidden } })
  const held = deferred<void>()
  const gate = deferred<void>()
  const front = await recordingFront(async (input) => {
    const answer = await server.fetch(input)
    const isLate = input instanceof Request && new URL(input.url).pathname === '/items/late'
    if (isLate && answer.status === 401) {
      held.resolve()
      await gate.promise
    }
    return answer
  })

  const { access_token, refresh_token = '' } = server.signIn('viewer')
  const kept = new Map(Object.entries({ access_token, refresh_token }))
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  })
  const visited: unknown[] = []
  vi.stubGlobal(
    'location',
    Object.assign(new URL('https://app.example/cart'), { assign: (to: unknown) => visited.push(to) }),
  )

  const place = path.join(folder, String(worlds++))
  const toFront = (code: string): string => code.replaceAll(/https:\/\/(api|auth)\.example/g, front.url)
  write(place, toFront)
  return {
    server,
    visited,
    url: front.url,
    get arrivals() {
      return front.arrivals.filter(({ path }) => path !== '/token')
    },
    load: (file) => import(path.join(place, file)),
    change(file, from, to) {
      const code = readFileSync(path.join(place, file), 'utf8')
      expect(code).toContain(from)
      writeFileSync(path.join(place, file), code.replaceAll(from, to))
    },
    isHeld: held.promise,
    letGo: gate.resolve,
    async [Symbol.asyncDispose]() {
      await server.close()
      await front[Symbol.asyncDispose]()
    },
  }
}

afterEach(() => vi.unstubAllGlobals())

/** A program of the page, as its user calls it. Each call rejects as the program rejects, or with a Response that is no 2xx. */
interface Program {
  item(id: string): Promise<unknown>
  reports(): Promise<unknown>
  /** What was dispatched, by type, but for RTK Query's own. */
  readonly dispatched?: readonly string[]
}

const withAxios = ({ client }: { client: { get(path: string): Promise<unknown> } }): Program => ({
  item: (id) => client.get(`/items/${id}`),
  reports: () => client.get('/reports'),
})
const withKy = ({ client }: { client: { get(path: string): { json(): Promise<unknown> } } }): Program => ({
  item: (id) => client.get(`items/${id}`).json(),
  reports: () => client.get('reports').json(),
})
const withFetch = ({ apiFetch }: { apiFetch: (path: string) => Promise<Response> }): Program => {
  const called = async (path: string): Promise<unknown> => {
    const response = await apiFetch(path)
    if (!response.ok) throw response
    return response.json()
  }
  return { item: (id) => called(`/items/${id}`), reports: () => called('/reports') }
}

interface Endpoint {
  initiate(
    argument?: string,
    options?: object,
  ): ThunkAction<{ unwrap(): Promise<unknown> }, unknown, unknown, UnknownAction>
}
interface Shop {
  shop: {
    reducerPath: 'api'
    reducer: Reducer
    middleware: Middleware
    endpoints: { item: Endpoint; reports: Endpoint }
  }
  /** In the After block alone. */
  tellOfLogout?(dispatch: (action: UnknownAction) => unknown): () => void
}

const withRtk = ({ shop, tellOfLogout }: Shop): Program => {
  const dispatched: string[] = []
  const listen: Middleware = () => (next) => (action) => {
    const { type } = action as { type?: string }
    if (type?.startsWith(shop.reducerPath) === false) dispatched.push(type)
    return next(action)
  }
  const { dispatch } = configureStore({
    reducer: { [shop.reducerPath]: shop.reducer },
    middleware: (defaults) => defaults().concat(shop.middleware, listen),
  })
  tellOfLogout?.(dispatch)
  const options = { subscribe: false, forceRefetch: true }
  return {
    dispatched,
    item: (id) => dispatch(shop.endpoints.item.initiate(id, options)).unwrap(),
    reports: () => dispatch(shop.endpoints.reports.initiate(undefined, options)).unwrap(),
  }
}

/** How a program is called, and what the page says of the old one. */
interface Migration {
  open(module: never): Program
  /** How five calls at once end that meet an expired token. @default each is answered, by one refresh */
  five?: (ends: readonly string[], world: World) => void
  /** How they end when the auth server answers 503. */
  outage: readonly string[]
  /** Whether the old program puts the token on a request to another origin. */
  leaks?: boolean
}

const ALL_OK = Array<string>(5).fill('ok')
const ALL_401 = Array<string>(5).fill('401')
const ALL_FAILED = Array<string>(5).fill('The refresh failed: 503')

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  'axios-auth-refresh': {
    open: withAxios,
    five(ends, { server }) {
      expect(ends.toSorted()).toEqual(['401', '401', '401', '401', 'ok'])
      expect(server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
    },
    outage: ['The refresh failed: 503', '401', '401', '401', '401'],
    leaks: true,
  },
  'fetch-extras': { open: withFetch, outage: ALL_401, leaks: true },
  'axios-interceptor': { open: withAxios, outage: ALL_FAILED, leaks: true },
  'ky-hook': {
    open: withKy,
    five(_, { server }) {
      expect(server.stats.refreshAttempts).toBe(5)
      expect(server.stats.reuses).toBeGreaterThan(0)
    },
    outage: ALL_FAILED,
  },
  'rtk-query': { open: withRtk, outage: ALL_401 },
  'fetch-wrapper': { open: withFetch, outage: ALL_FAILED },
}

/** `ok`, the status of the answer, or the message of what was thrown. */
async function endOf(call: Promise<unknown>): Promise<string> {
  const [outcome] = await Promise.allSettled([call])
  if (outcome.status === 'fulfilled') return 'ok'
  const { status, response, message, error } = outcome.reason
  return String((typeof status === 'number' ? status : response?.status) ?? message ?? error)
}

const five = ({ item }: Program): Promise<string[]> =>
  Promise.all([1, 2, 3, 4, 5].map((each) => endOf(item(String(each)))))

/** One call recovers while the 401 of another is still on its way. */
async function meetLate({ item }: Program, { server, isHeld, letGo }: World): Promise<void> {
  server.expireAccessTokens()
  const late = item('late')
  await isHeld
  await item('1')
  letGo()
  await late
}

/** The After blocks, signed in with what the old code has left behind. */
async function signedIn(world: World): Promise<AuthFetch> {
  const { takeOver } = await world.load<{ takeOver: () => Promise<void> }>('take-over.ts')
  await takeOver()
  return (await world.load<{ api: AuthFetch }>('api.ts')).api
}

const statusesOf = ({ arrivals }: World, path: string): unknown[] =>
  arrivals.filter((arrival) => arrival.path === path).map(({ status }) => status)

describe.each(Object.entries(MIGRATIONS))('%s', (name, { open, outage, ...old }) => {
  const load = async (world: World, when: 'before' | 'after'): Promise<Program> =>
    open(await world.load<never>(`${name}.${when}.ts`))

  describe('before', () => {
    it('five calls at once that meet an expired token', async () => {
      await using world = await openWorld()
      const program = await load(world, 'before')
      expect(await five(program)).toEqual(ALL_OK)
      world.server.expireAccessTokens()
      const ends = await five(program)
      if (old.five) return old.five(ends, world)
      expect(ends).toEqual(ALL_OK)
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
    })

    it('a 401 that comes late costs one more refresh', async () => {
      await using world = await openWorld()
      await meetLate(await load(world, 'before'), world)
      expect(world.server.stats).toMatchObject({ refreshes: 2, refreshAttempts: 2 })
    })

    it('an auth server that answers 503', async () => {
      await using world = await openWorld()
      const program = await load(world, 'before')
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      expect(await five(program)).toEqual(outage)
      expect(world.visited).toEqual(name === 'axios-interceptor' ? ['/login'] : [])
      expect(program.dispatched).toEqual(name === 'rtk-query' ? ['loggedOut'] : undefined)
    })

    if (old.leaks)
      it('another origin gets the token', async () => {
        await using world = await openWorld()
        await using other = await recordingFront(async () => Response.json({}))
        await elsewhere(await world.load(`${name}.before.ts`), other.url)
        expect(other.arrivals[0]?.headers.authorization).toMatch(/^Bearer /)
      })
  })

  describe('after', () => {
    it('R2 five calls at once that meet an expired token: one refresh, and all go on', async () => {
      await using world = await openWorld()
      await signedIn(world)
      const program = await load(world, 'after')
      expect(await five(program)).toEqual(ALL_OK)
      world.server.expireAccessTokens()
      expect(await five(program)).toEqual(ALL_OK)
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1, reuses: 0 })
    })

    it('R3 a 401 that comes late costs none', async () => {
      await using world = await openWorld()
      await signedIn(world)
      await meetLate(await load(world, 'after'), world)
      expect(statusesOf(world, '/items/late')).toEqual([401, 200])
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
    })

    it('D1 a 403 is handed back, once', async () => {
      await using world = await openWorld()
      const api = await signedIn(world)
      let denials = 0
      api.on('denied', () => denials++)
      const program = await load(world, 'after')
      expect(await endOf(program.reports())).toBe('403')
      expect(statusesOf(world, '/reports')).toEqual([403])
      expect([denials, world.server.stats.refreshAttempts]).toEqual([1, 0])
    })

    it('R7 an auth server that answers 503: the calls fail, the session stays', async () => {
      await using world = await openWorld()
      // As it stands in one of them: the others need not wait for the retries.
      if (name !== 'fetch-wrapper') world.change('api.ts', 'baseUrl:', 'refreshRetries: 0, baseUrl:')
      const api = await signedIn(world)
      const program = await load(world, 'after')
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      for (const end of await five(program)) expect(end).toContain('the session is kept')
      expect(world.server.stats.refreshAttempts).toBe(name === 'fetch-wrapper' ? 3 : 1)
      expect([api.snapshot().status, world.visited]).toEqual(['signed-in', []])
      expect(program.dispatched ?? []).toEqual([])
      world.server.heal()
      expect(await five(program)).toEqual(ALL_OK)
    })

    if (old.leaks)
      it('O1 another origin gets nothing', async () => {
        await using world = await openWorld()
        await using other = await recordingFront(async () => Response.json({}))
        await signedIn(world)
        await elsewhere(await world.load(`${name}.after.ts`), other.url)
        expect(other.arrivals.map(({ headers }) => headers.authorization)).toEqual([undefined])
      })
  })
})

type Anywhere = { client: { get(url: string): Promise<unknown> } } | { apiFetch(url: string): Promise<unknown> }
const elsewhere = (module: Anywhere, url: string): Promise<unknown> =>
  'client' in module ? module.client.get(url) : module.apiFetch(url)

describe('what the page says beside that', () => {
  it('the old tokens are taken over once, and by nobody who is signed in already', async () => {
    await using world = await openWorld()
    const api = await signedIn(world)
    const tokens = await api.tokens()
    expect(tokens?.accessToken).toMatch(/^at_/)
    expect(['access_token', 'refresh_token'].map((key) => localStorage.getItem(key))).toEqual([null, null])
    localStorage.setItem('access_token', 'at_older')
    localStorage.setItem('refresh_token', 'rt_older')
    await signedIn(world)
    expect(await api.tokens()).toEqual(tokens)
    expect(localStorage.getItem('access_token')).toBe(null)
  })

  it('axios-auth-refresh has a flag that mends it', async () => {
    await using world = await openWorld()
    world.change('axios-auth-refresh.before.ts', ', refreshTokens)', ', refreshTokens, { deduplicateRefresh: false })')
    const program = withAxios(await world.load('axios-auth-refresh.before.ts'))
    world.server.expireAccessTokens()
    expect(await five(program)).toEqual(ALL_OK)
    expect(world.server.stats.refreshAttempts).toBe(1)
  })

  it('fetch-extras joins what relatch resolves', async () => {
    const { pipeline, withBaseUrl } = await import('fetch-extras')
    const seen: string[] = []
    const transport: typeof fetch = async (input) => {
      seen.push(input instanceof Request ? input.url : String(input))
      return new Response()
    }
    const baseUrl = 'https://api.example/v1/'
    await pipeline(transport, withBaseUrl(baseUrl))('/items')
    const api = createAuthFetch({ baseUrl, fetch: transport })
    await api('/items')
    await api('items')
    expect(seen.map((url) => new URL(url, baseUrl).pathname)).toEqual(['/v1/items', '/items', '/v1/items'])
  })

  it('fetch-extras hands the token to whoever answers 401', async () => {
    await using world = await openWorld()
    await using other = await recordingFront(async () => new Response(null, { status: 401 }))
    world.change(
      'fetch-extras.before.ts',
      `  withHeaders(() => ({ Authorization: \`Bearer \${accessToken()}\` })),\n`,
      '',
    )
    await endOf(elsewhere(await world.load('fetch-extras.before.ts'), other.url))
    expect(other.arrivals.map(({ headers }) => headers.authorization?.split(' ')[0])).toEqual([undefined, 'Bearer'])
  })

  it('B1 a Request with a body: fetch-extras leaves it at its 401', async () => {
    await using world = await openWorld()
    const ends: string[] = []
    for (const when of ['before', 'after']) {
      if (when === 'after') await signedIn(world)
      world.server.expireAccessTokens()
      const { apiFetch } = await world.load<{ apiFetch: typeof fetch }>(`fetch-extras.${when}.ts`)
      ends.push(await endOf(apiFetch(new Request(`${world.url}/echo`, { method: 'POST', body: 'grüße' }))))
    }
    expect(ends).toEqual(['401', 'ok'])
    expect(world.server.stats.refreshAttempts).toBe(1)
  })

  it('a queue in front of its own refresh is never let go', async () => {
    await using world = await openWorld()
    world.change(
      'axios-interceptor.before.ts',
      'await refreshTokens()',
      `await client.post('${world.url}/token', BODY)`,
    )
    world.change('axios-interceptor.before.ts', 'BODY', "'grant_type=refresh_token&refresh_token=rt_old'")
    const program = withAxios(await world.load('axios-interceptor.before.ts'))
    world.server.expireAccessTokens()
    world.server.failRefresh(401)
    const settled = vi.fn()
    const calls = five(program).then(settled)
    await world.server.seen(1, { kind: 'refresh', status: 401 })
    // Whatever was to happen would have, in so many round trips.
    for (let trip = 0; trip < 5; trip++) await fetch(`${world.url}/items`)
    expect(settled).not.toHaveBeenCalled()
    void calls
  })

  it('a ky hook that retries waits for the delay of retries', async () => {
    await using world = await openWorld()
    const program = withKy(await world.load('ky-hook.before.ts'))
    world.server.expireAccessTokens()
    const start = performance.now()
    await program.item('1')
    expect(performance.now() - start).toBeGreaterThan(295)
  })

  it('beforeRetry recovers no POST', async () => {
    await using world = await openWorld()
    const refresh = vi.fn()
    const client = ky.create({ prefix: world.url, retry: { statusCodes: [401] }, hooks: { beforeRetry: [refresh] } })
    expect(await endOf(client.post('echo', { json: {} }).json())).toBe('401')
    expect(refresh).not.toHaveBeenCalled()
  })

  it('an AuthError is the cause of the error of axios, and a text in that of RTK Query', async () => {
    await using world = await openWorld()
    world.change('api.ts', 'baseUrl:', 'refreshRetries: 0, baseUrl:')
    await signedIn(world)
    world.server.expireAccessTokens()
    world.server.failRefresh(503, 20)
    const byAxios = await rejectionOf(withAxios(await world.load('axios-interceptor.after.ts')).item('1'))
    expect(isAxiosError(byAxios) && isAuthError(byAxios.cause)).toBe(true)
    const byRtk = await rejectionOf(withRtk(await world.load('rtk-query.after.ts')).item('1'))
    expect(byRtk).toEqual({ status: 'FETCH_ERROR', error: expect.stringMatching(/^AuthError: /) })
  })

  it('the store hears of a session that is over, and the user goes to the login page', async () => {
    await using world = await openWorld()
    const api = await signedIn(world)
    const program = withRtk(await world.load('rtk-query.after.ts'))
    world.server.revokeSession()
    const isAsked = new Promise((resolve) => api.on('login-required', resolve))
    const call = program.item('1')
    await isAsked
    expect(program.dispatched).toEqual(['loggedOut'])
    await api.signIn(world.server.signIn('viewer'))
    await call
    expect(world.visited).toEqual(['https://app.example/login?returnTo=%2Fcart'])
  })

  it('B1 B2 the wrapper loses what stands in a Headers, and cannot send a stream twice', async () => {
    await using world = await openWorld()
    const ends: string[] = []
    for (const when of ['before', 'after']) {
      if (when === 'after') await signedIn(world)
      const { apiFetch } = await world.load<{ apiFetch: typeof fetch }>(`fetch-wrapper.${when}.ts`)
      await apiFetch('/items', { headers: new Headers({ 'x-mark': 'here' }) })
      world.server.expireAccessTokens()
      const streamed = { method: 'POST', body: new Blob(['grüße']).stream(), duplex: 'half' } as RequestInit
      ends.push(await endOf(apiFetch('/echo', streamed)))
    }
    expect(world.arrivals.filter(({ path }) => path === '/items').map(({ headers }) => headers['x-mark'])).toEqual([
      undefined,
      'here',
    ])
    expect(ends).toEqual([expect.stringMatching(/body|disturbed|locked/i), 'ok'])
  })
})
