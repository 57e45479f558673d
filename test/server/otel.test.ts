// relatch/otel over real HTTP, with OpenTelemetry's SDK: which spans and metrics there are, below whom, and what is not in them.
import { context, metrics, propagation, type Span, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { UndiciInstrumentation } from '@opentelemetry/instrumentation-undici'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { instrumentAuthFetch } from '../../src/adapters/otel.ts'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  type Refresher,
  refreshEndpoint,
} from '../../src/index.ts'
import { type AuthServer, createAuthServer } from '../../src/testing/index.ts'
import { exposures, marksIn, NEW, OLD } from '../helpers/canary.ts'
import { deferred } from '../helpers/deferred.ts'
import { eventsOf, nextEvent } from '../helpers/next-event.ts'
import { type RecordingServer, recordingServer } from '../helpers/recording-server.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { statusesOf } from '../helpers/server-client.ts'
import { durationOf, idOf, linksOf, parentOf, shown, startOf, type Telemetry, telemetry } from '../helpers/telemetry.ts'

let server: AuthServer
let url: string
let seen: Telemetry

beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
})
afterAll(() => context.disable())

beforeEach(async () => {
  server = createAuthServer()
  url = (await server.listen()).url
  seen = telemetry()
})
afterEach(async () => {
  await server.close()
  await seen[Symbol.asyncDispose]()
})

/** A client that is signed in and instrumented. */
async function client(options: AuthFetchOptions = {}): Promise<AuthFetch> {
  const refresh = refreshEndpoint({ url: '/token', clientId: 'web' })
  const api = createAuthFetch({ baseUrl: url, refresh, refreshRetries: 0, ...options })
  if (options.store === undefined) await api.signIn(server.signIn('viewer'))
  instrumentAuthFetch(api, seen)
  return api
}

/** A refresher that waits for the test. */
function heldRefresh(): { refresh: Refresher; release: () => void } {
  const held = deferred<void>()
  const refresh = refreshEndpoint({ url: '/token', clientId: 'web' })
  return {
    refresh: async (context) => {
      await held.promise
      return refresh(context)
    },
    release: () => held.resolve(),
  }
}

/** Runs as the work of a span, as a handler of a server does. */
const within = <T>(name: string, work: (span: Span) => Promise<T>): Promise<T> =>
  seen.tracerProvider.getTracer('app').startActiveSpan(name, (span) => work(span).finally(() => span.end()))

/** Resolves once so many calls wait, whatever for. */
function waiting(api: AuthFetch, count: number): Promise<void> {
  return new Promise((resolve) => {
    let waits = 0
    const end = api.on('request', ({ stage }) => {
      if (stage !== 'waiting' || ++waits < count) return
      end()
      resolve()
    })
  })
}

const place = (path: string) => ({
  'http.request.method': 'GET',
  'server.address': '127.0.0.1',
  'server.port': Number(new URL(url).port),
  'url.scheme': 'http',
  'url.path': path,
})

describe('a request', () => {
  it('E1 is a span below that of its caller, without query, fragment or userinfo', async () => {
    const api = await client()
    const caller = await within('handler', async (span) => {
      await api(`/items?token=${OLD.accessToken}#fragment`)
      return span.spanContext()
    })
    const span = seen.span('relatch GET')
    expect(shown(span)).toEqual({
      name: 'relatch GET',
      attributes: { ...place('/items'), 'http.response.status_code': 200 },
      isError: false,
    })
    expect(parentOf(span)).toBe(caller.spanId)
    expect(span.spanContext().traceId).toBe(caller.traceId)
    expect(span.kind).toBe(0)
    expect(span.instrumentationScope).toMatchObject({ name: 'relatch' })
    expect(seen.spans()).toHaveLength(2)
  })

  it('is an error where the caller gets an error, and says which', async () => {
    const api = await client()
    await api('/items/404')
    await api('/status/500')
    await api('/status/304')
    const errors = seen.spans('relatch GET').map((span) => [shown(span).isError, span.attributes['error.type']])
    expect(errors).toEqual([
      [true, '404'],
      [true, '500'],
      [false, undefined],
    ])
  })

  it('of a method that somebody made up has a name that nobody made up', async () => {
    const api = await client({ fetch: async () => new Response() })
    await api('/items', { method: 'BREW' })
    expect(shown(seen.span('relatch HTTP')).attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'BREW',
    })
  })

  it('A1 that its caller gives up is no error; one that runs out of time is', async () => {
    const api = await client()
    const left = new AbortController()
    const arrived = server.seen(1, { path: '/slow' })
    const call = rejectionOf(api('/slow?ms=60000', { signal: left.signal }))
    await arrived
    left.abort(new Error('The user went elsewhere'))
    await call
    expect(shown(seen.span('relatch GET'))).toMatchObject({ attributes: place('/slow'), isError: false })
    expect(seen.span('relatch GET').attributes).not.toHaveProperty('error.type')

    await rejectionOf(api('/slow?ms=60000', { signal: AbortSignal.timeout(50), method: 'HEAD' }))
    const late = shown(seen.span('relatch HEAD'))
    expect([late.isError, late.attributes['error.type']]).toEqual([true, 'timeout'])
  })

  it('that did not get through is an error without a name of its own', async () => {
    const api = await client()
    await server.close()
    await rejectionOf(api('/items'))
    expect(shown(seen.span('relatch GET'))).toMatchObject({ isError: true, attributes: { 'error.type': '_OTHER' } })
  })
})

describe('a refresh', () => {
  it('R2 is one span for twenty requests, linked to all of them and they to it', async () => {
    const { refresh: refresher, release } = heldRefresh()
    const api = await client({ refresh: refresher })
    server.expireAccessTokens()
    const all = waiting(api, 20)
    const refreshed = nextEvent(api, 'refreshed')
    const callers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        within(`handler ${index}`, async (span) => {
          const call = api('/items')
          if (index === 19) {
            await all
            release()
          }
          expect((await call).status).toBe(200)
          return span.spanContext().spanId
        }),
      ),
    )

    const requests = seen.spans('relatch GET')
    expect(requests.map(parentOf).toSorted()).toEqual(callers.toSorted())
    for (const request of requests) {
      const expected = { ...place('/items'), 'http.response.status_code': 200, 'http.request.resend_count': 1 }
      expect(shown(request)).toEqual({ name: 'relatch GET', attributes: expected, isError: false })
    }

    const refresh = seen.span('relatch refresh')
    const attributes = { 'relatch.refresh.reason': 'rejected', 'relatch.refresh.attempts': 1 }
    expect(shown(refresh)).toEqual({ name: 'relatch refresh', attributes, isError: false })
    expect(linksOf(refresh).toSorted()).toEqual(requests.map(idOf).toSorted())
    const starter = requests.find((request) => idOf(request) === parentOf(refresh))
    expect(starter).toBeDefined()
    expect(durationOf(refresh)).toBe((await refreshed).durationMs)
    expect(startOf(refresh)).toBeGreaterThan(startOf(starter as never) - 2)

    const waits = seen.spans('relatch wait refresh')
    expect(waits.map(parentOf).toSorted()).toEqual(requests.map(idOf).toSorted())
    for (const wait of waits) expect(linksOf(wait)).toEqual([idOf(refresh)])

    expect(await seen.metrics()).toEqual({
      'relatch.refresh.duration': {
        unit: 's',
        points: [{ attributes: { 'relatch.refresh.reason': 'rejected' }, value: 1 }],
      },
      'relatch.wait.duration': { unit: 's', points: [{ attributes: { 'relatch.waits_for': 'refresh' }, value: 20 }] },
      'relatch.recoveries': {
        unit: '{request}',
        points: [{ attributes: { 'http.response.status_code': 200 }, value: 20 }],
      },
    })
  })

  it('R4 before the first send: the request begins with its wait, below its caller', async () => {
    const api = await client()
    const { access_token: accessToken, refresh_token: refreshToken } = server.signIn('viewer')
    await api.signIn({ accessToken, refreshToken: refreshToken as string, expiresAt: Date.now() - 1 })
    await within('handler', () => api('/items'))
    const [handler, request, refresh] = ['handler', 'relatch GET', 'relatch refresh'].map(seen.span)
    expect(parentOf(request as never)).toBe(idOf(handler as never))
    expect(parentOf(refresh as never)).toBe(idOf(request as never))
    expect(refresh?.attributes['relatch.refresh.reason']).toBe('expiring')
    expect(request?.attributes).not.toHaveProperty('http.request.resend_count')
    expect(parentOf(seen.span('relatch wait refresh'))).toBe(idOf(request as never))
  })

  it('that no request has started is below whoever asked for it', async () => {
    const api = await client()
    await within('job', () => api.refresh())
    const refresh = seen.span('relatch refresh')
    expect([parentOf(refresh), linksOf(refresh)]).toEqual([idOf(seen.span('job')), []])
    expect(refresh.attributes['relatch.refresh.reason']).toBe('requested')
  })

  it('R7 that fails is an error with the verdict, and so are the requests that it fails', async () => {
    const api = await client()
    server.expireAccessTokens()
    server.failRefresh({ status: 503, retryAfter: 7 })
    await rejectionOf(api('/items'))
    expect(shown(seen.span('relatch refresh'))).toEqual({
      name: 'relatch refresh',
      attributes: {
        'relatch.refresh.reason': 'rejected',
        'relatch.refresh.attempts': 1,
        'relatch.refresh.verdict': 'transient',
        'relatch.refresh.retry_after': 7,
        'error.type': 'transient',
      },
      isError: true,
    })
    const attributes = { ...place('/items'), 'error.type': 'refresh-unavailable' }
    expect(shown(seen.span('relatch GET'))).toEqual({ name: 'relatch GET', attributes, isError: true })
    expect((await seen.metrics())['relatch.refresh.duration']?.points).toEqual([
      {
        attributes: {
          'relatch.refresh.reason': 'rejected',
          'relatch.refresh.verdict': 'transient',
          'error.type': 'transient',
        },
        value: 1,
      },
    ])
  })

  it('R7 names an OAuth error that is known, and no other', async () => {
    for (const [error, errorType] of [
      ['invalid_client', 'invalid_client'],
      ['invented_by_the_server', 'over'],
    ]) {
      const api = await client()
      server.expireAccessTokens()
      server.failRefresh({ error: error as string })
      await api('/items').catch(() => {})
      expect(seen.spans('relatch refresh').at(-1)?.attributes['error.type']).toBe(errorType)
    }
  })

  it('C5 of instances on one store is one span and one measurement, and each request knows it', async () => {
    const store = memoryStore()
    const { refresh: refresher, release } = heldRefresh()
    const options = { store, refresh: refresher }
    const [one, other] = await Promise.all([client(options), client(options)])
    await one.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    const all = Promise.all([waiting(one, 1), waiting(other, 1)])
    const calls = Promise.all([one('/items'), other('/me')])
    await all
    release()
    await calls
    const refresh = seen.span('relatch refresh')
    expect(seen.spans('relatch wait refresh').map(linksOf)).toEqual([[idOf(refresh)], [idOf(refresh)]])
    expect((await seen.metrics())['relatch.refresh.duration']?.points.map(({ value }) => value)).toEqual([1])
  })
})

describe('a person who is asked', () => {
  it('L2 a request that is parked on a login has a span for it; the refresh that was refused says so', async () => {
    const asked = deferred<void>()
    const parked = await client({ onLoginRequired: () => asked.promise })
    server.revokeSession()
    const needed = nextEvent(parked, 'login-required')
    const calls = Promise.all([parked('/items'), parked('/items')])
    await needed
    expect(seen.spans('relatch wait login')).toEqual([])
    await parked.signIn(server.signIn('viewer'))
    expect((await calls).map(({ status }) => status)).toEqual([200, 200])
    asked.resolve()

    const requests = seen.spans('relatch GET')
    expect(seen.spans('relatch wait login').map(parentOf).toSorted()).toEqual(requests.map(idOf).toSorted())
    expect(requests.map(shown).map(({ isError }) => isError)).toEqual([false, false])
    expect(requests.map(({ attributes }) => attributes['relatch.login.reason']).toSorted()).toEqual([
      'refresh-refused',
      undefined,
    ])
    expect(seen.span('relatch refresh').attributes).toMatchObject({
      'relatch.refresh.verdict': 'over',
      'error.type': 'invalid_grant',
    })
    expect((await seen.metrics())['relatch.login.prompts']).toEqual({
      unit: '{prompt}',
      points: [{ attributes: { 'relatch.login.reason': 'refresh-refused' }, value: 1 }],
    })
  })

  it('D1 a 403 is an error with its reason, and the callback a wait', async () => {
    const api = await client({ onPermissionDenied: () => {} })
    await api('/reports')
    expect(shown(seen.span('relatch GET'))).toEqual({
      name: 'relatch GET',
      attributes: {
        ...place('/reports'),
        'http.response.status_code': 403,
        'error.type': '403',
        'relatch.denial.reason': 'insufficient-scope',
      },
      isError: true,
    })
    expect(parentOf(seen.span('relatch wait permission'))).toBe(idOf(seen.span('relatch GET')))
    expect((await seen.metrics())['relatch.denials']).toEqual({
      unit: '{request}',
      points: [{ attributes: { 'relatch.denial.reason': 'insufficient-scope' }, value: 1 }],
    })
  })

  it('L5 a stronger login is a login as well', async () => {
    const api = await client({ onStepUp: () => null })
    await api('/payments', { method: 'POST' })
    expect(seen.span('relatch POST').attributes).toMatchObject({ 'relatch.login.reason': 'step-up' })
    expect(parentOf(seen.span('relatch wait step-up'))).toBe(idOf(seen.span('relatch POST')))
  })

  it('A2 a request that is given up while it waits has both spans ended, and no error', async () => {
    const { refresh, release } = heldRefresh()
    const api = await client({ refresh })
    server.expireAccessTokens()
    const left = new AbortController()
    const parked = waiting(api, 1)
    const call = rejectionOf(api('/items', { signal: left.signal }))
    await parked
    left.abort()
    await call
    expect(
      seen
        .spans()
        .map(shown)
        .map(({ name, isError }) => [name, isError]),
    ).toEqual([
      ['relatch wait refresh', false],
      ['relatch GET', false],
    ])
    release()
    await nextEvent(api, 'refreshed')
    expect(linksOf(seen.span('relatch refresh'))).toEqual([])
  })
})

describe('what else is measured', () => {
  it('S2 a store that fails', async () => {
    const api = await client({
      store: { ...memoryStore(), write: () => Promise.reject(new Error('The disk is full')) },
    })
    const failed = nextEvent(api, 'store-failed')
    await api.signIn(server.signIn('viewer'))
    await failed
    expect((await seen.metrics())['relatch.store.failures']).toEqual({
      unit: '{failure}',
      points: [{ attributes: { 'relatch.store.operation': 'write', 'error.type': 'threw' }, value: 1 }],
    })
  })

  it('B2 a body that could not be sent again', async () => {
    const api = await client({ replayLimitBytes: 1 })
    server.expireAccessTokens()
    const body = new Blob(['more than one byte']).stream()
    await api('/echo/late', { method: 'POST', body, duplex: 'half' } as RequestInit)
    expect(seen.span('relatch POST').attributes).toMatchObject({ 'relatch.not_replayed': true, 'error.type': '401' })
  })

  it('C1 tokens that someone else got', async () => {
    const store = memoryStore()
    const api = await client({ store })
    await api.signIn(server.signIn('viewer'))
    const before = (await store.read()) ?? expect.fail()
    const adopted = nextEvent(api, 'adopted')
    const { access_token: accessToken } = server.signIn('viewer')
    await store.write({ ...before, version: before.version + 1, tokens: { accessToken } }, before.version)
    await adopted
    expect((await seen.metrics())['relatch.adoptions']).toEqual({
      unit: '{adoption}',
      points: [{ attributes: {}, value: 1 }],
    })
    expect(seen.spans('relatch refresh')).toEqual([])
  })
})

describe('the sends themselves', () => {
  it("are spans of the transport's instrumentation, below the caller's too, each with a traceparent of its own", async () => {
    const instrumentation = new UndiciInstrumentation()
    instrumentation.setTracerProvider(seen.tracerProvider)
    instrumentation.setMeterProvider(seen.meterProvider)
    propagation.setGlobalPropagator(new W3CTraceContextPropagator())
    const arrived: string[][] = []
    const front = await recordingServer(async ({ headers }, response) => {
      arrived.push([String(headers.authorization), String(headers.traceparent)])
      response.writeHead(headers.authorization === 'Bearer new' ? 200 : 401).end()
    })
    try {
      const refresh = refreshEndpoint({ url: new URL('/token', url), clientId: 'web' })
      const api = createAuthFetch({
        baseUrl: front.url,
        refresh: async (context) => (await refresh(context)) && { accessToken: 'new' },
      })
      await api.signIn({ accessToken: 'old', refreshToken: server.signIn('viewer').refresh_token as string })
      instrumentAuthFetch(api, seen)
      await within('handler', () => api('/items'))

      const handler = seen.span('handler')
      const sends = [...seen.spans('GET'), ...seen.spans('POST')]
      expect(sends.map(({ kind, attributes }) => [kind, attributes['http.response.status_code']])).toEqual([
        [2, 401],
        [2, 200],
        [2, 200],
      ])
      for (const span of [...sends, seen.span('relatch GET')]) expect(parentOf(span)).toBe(idOf(handler))
      const { traceId } = handler.spanContext()
      expect(arrived).toEqual([
        ['Bearer old', `00-${traceId}-${idOf(sends[0] as never)}-01`],
        ['Bearer new', `00-${traceId}-${idOf(sends[1] as never)}-01`],
      ])
    } finally {
      instrumentation.disable()
      propagation.disable()
      await front[Symbol.asyncDispose]()
    }
  })
})

describe('the providers', () => {
  afterEach(() => {
    trace.disable()
    metrics.disable()
  })

  it('are the global ones, also where the SDK comes later; until then nothing is recorded', async () => {
    const api = createAuthFetch({ baseUrl: url })
    await api.signIn(server.signIn('viewer'))
    const end = instrumentAuthFetch(api)
    expect((await api('/reports')).status).toBe(403)

    trace.setGlobalTracerProvider(seen.tracerProvider)
    metrics.setGlobalMeterProvider(seen.meterProvider)
    expect((await api('/reports')).status).toBe(403)
    expect(seen.spans().map(({ name }) => name)).toEqual(['relatch GET'])
    expect((await seen.metrics())['relatch.denials']?.points.map(({ value }) => value)).toEqual([1])
    end()
  })

  it('are asked for nothing where there is no AuthFetch', () => {
    for (const other of [undefined, null, {}, fetch]) {
      expect(() => instrumentAuthFetch(other as never)).toThrow(expect.objectContaining({ code: 'ERR_AUTH_FETCH' }))
    }
  })

  it('O4 come from no prototype', async () => {
    const other = telemetry()
    Object.assign(Object.prototype, { tracerProvider: other.tracerProvider, meterProvider: other.meterProvider })
    try {
      const api = createAuthFetch({ baseUrl: url })
      await api.signIn(server.signIn('viewer'))
      instrumentAuthFetch(api)
      await api('/reports')
    } finally {
      for (const name of ['tracerProvider', 'meterProvider']) Reflect.deleteProperty(Object.prototype, name)
    }
    expect([other.spans(), await other.metrics()]).toEqual([[], {}])
    await other[Symbol.asyncDispose]()
  })
})

describe('its end', () => {
  it('takes every listener off, ends what is open, and may come twice', async () => {
    const { refresh, release } = heldRefresh()
    const api = createAuthFetch({ baseUrl: url, refresh })
    await api.signIn(server.signIn('viewer'))
    let listeners = 0
    const end = instrumentAuthFetch(
      {
        on(event, listener) {
          listeners++
          const off = api.on(event, listener)
          return () => {
            listeners--
            off()
          }
        },
      },
      seen,
    )
    expect(listeners).toBeGreaterThan(8)
    server.expireAccessTokens()
    const parked = waiting(api, 1)
    const call = api('/items')
    await parked
    end()
    expect(listeners).toBe(0)
    expect(seen.spans().map(({ name, ended }) => [name, ended])).toEqual([
      ['relatch wait refresh', true],
      ['relatch GET', true],
    ])
    release()
    expect((await call).status).toBe(200)
    await api('/items')
    expect(seen.spans()).toHaveLength(2)
    expect(await seen.metrics()).toEqual({})
    end()
    expect(seen.spans()).toHaveLength(2)
  })

  it('10 000 requests that pass, fail, wait or are denied leave nothing behind', async () => {
    const gc = globalThis.gc ?? expect.fail('Expected --expose-gc')
    let count = 0
    const answers = [
      () => new Response(),
      () => new Response(null, { status: 403 }),
      () => Promise.reject(new Error('x')),
    ]
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      fetch: async () => answers[count++ % answers.length]?.() ?? expect.fail(),
      onPermissionDenied: () => {},
    })
    await api.signIn({ accessToken: 'token' })
    // Without a processor nothing is exported, so that whatever is held is held by us.
    const { TracerProvider } = await import('@opentelemetry/sdk-trace')
    const end = instrumentAuthFetch(api, { tracerProvider: new TracerProvider(), meterProvider: seen.meterProvider })
    const send = (calls: number) => statusesOf(calls, (index) => api(`/items/${index}`))
    const live = (): number => {
      gc()
      gc()
      return process.memoryUsage().heapUsed
    }
    await send(1000)
    const before = live()
    for (let round = 0; round < 10; round++) await send(1000)
    expect(live() - before).toBeLessThan(1_000_000)
    end()
  }, 60_000)
})

describe('E1 no token', () => {
  let api: RecordingServer
  afterEach(() => api[Symbol.asyncDispose]())

  it('is in any span, metric or baggage, not even where a server sends it back', async () => {
    const echo = (token: string): string => `Bearer error="insufficient_scope", scope="${token}", acr_values="${token}"`
    let refreshes = 0
    api = await recordingServer(async ({ path, headers }, response) => {
      const token = String(headers.authorization).replace('Bearer ', '')
      if (path === '/token') {
        if (refreshes++ === 1) return response.writeHead(400).end(JSON.stringify({ error: OLD.refreshToken }))
        response.setHeader('content-type', 'application/json')
        return response.end(JSON.stringify(NEW))
      }
      response.setHeader('www-authenticate', echo(token))
      if (path === '/denied') return response.writeHead(403).end(token)
      if (path === '/step-up')
        return response
          .writeHead(401, {
            'www-authenticate': echo(token).replace('insufficient_scope', 'insufficient_user_authentication'),
          })
          .end(token)
      return response.writeHead(token === NEW.access_token ? 200 : 401).end(token)
    })
    const client = createAuthFetch({
      baseUrl: api.url,
      store: memoryStore(OLD),
      refresh: refreshEndpoint({ url: '/token' }),
      refreshRetries: 0,
      onPermissionDenied: () => {},
      onLoginRequired: () => {},
      onStepUp: () => null,
    })
    const told = eventsOf(client, 'denied')
    instrumentAuthFetch(client, seen)
    const baggage: unknown[] = []
    client.on('request', () => baggage.push(propagation.getActiveBaggage()))
    await client(`/items?access_token=${OLD.accessToken}`)
    await client('/denied')
    await client('/step-up', { method: 'POST', body: OLD.accessToken })
    expect(await client.refresh()).toBe(null)
    await client('/items')
    // The bait was taken: an event holds what the server put into its scopes.
    expect(marksIn(exposures(told))).not.toEqual([])
    expect(seen.spans().map(({ name }) => name)).toEqual(
      expect.arrayContaining(['relatch refresh', 'relatch wait step-up', 'relatch wait permission']),
    )
    const everything = [seen.spans(), await seen.metrics(), baggage]
    expect(marksIn(everything.map(exposures).join('\n'))).toEqual([])
  })
})
