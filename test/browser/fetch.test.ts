// The fetch of real browsers: called as they allow it, with every kind of body, across redirects, and aborted.
import { createHash } from 'node:crypto'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import type { AuthServer } from '../../src/testing/index.ts'
import { describeEveryBrowser, type Tab } from './bench/browsers.ts'
import type { World } from './bench/page-server.ts'
import { signIn } from './bench/sessions.ts'

/** As pages/bodies.js makes them. */
const BODIES = ['string', 'blob', 'file', 'params', 'buffer', 'view', 'form', 'request', 'requestOfForm'] as const

/** The parts of a form, with what is in their files as a hash. */
async function partsOf(request: Request): Promise<unknown> {
  const hash = async (file: File): Promise<string> =>
    createHash('sha256')
      .update(Buffer.from(await file.arrayBuffer()))
      .digest('hex')
  return Promise.all(
    [...(await request.formData())].map(async ([name, value]) =>
      typeof value === 'string' ? [name, value] : [name, value.name, value.type, await hash(value)],
    ),
  )
}

describeEveryBrowser('fetch', (bench) => {
  let world: World
  let server: AuthServer
  let tab: Tab
  beforeAll(async () => {
    world = await bench.world({
      routes: {
        'POST /form': async (request) => Response.json(await partsOf(request)),
        'POST /release': { isPublic: true, handle: () => new Response() },
        'GET /redirect': {
          isPublic: true,
          handle: ({ url }) =>
            new Response(null, { status: 307, headers: { location: new URL(url).searchParams.get('to') ?? '' } }),
        },
      },
    })
    server = world.server
    tab = await bench.tab(world)
    await tab.evaluate("import('/pages/bodies.js').then(() => {})")
  })
  beforeEach(async () => {
    await signIn([tab], 'indexedDb', server)
    server.reset()
  })

  // WebKit cannot read the form of a Request that has files in it, neither can we: it is sent, and not sent again.
  const kinds = BODIES.filter((kind) => bench.name !== 'webkit' || kind !== 'requestOfForm')
  it.each(kinds)('B1 a body arrives byte for byte after a 401: %s', async (kind) => {
    server.expireAccessTokens()
    const echo = await tab.evaluate((name) => post(name), kind)
    expect(echo.status).toBe(200)
    expect(
      server.requests
        .filter(({ method }) => method === 'POST')
        .filter(({ kind }) => kind === 'api')
        .map(({ status }) => status),
    ).toEqual([401, 200])
    expect(echo.received).toEqual(echo.sent)
  })

  it('B1 a large body arrives byte for byte after a 401', async () => {
    server.expireAccessTokens()
    const bytes = Buffer.alloc(3_000_000, 'relatch')
    const echo = await tab.evaluate(async (length) => {
      const body = new Blob(['relatch'.repeat(Math.ceil(length / 7)).slice(0, length)])
      const response = await api('/echo', { method: 'POST', body })
      return (await response.json()) as { sha256: string; length: number }
    }, bytes.length)
    expect(echo).toMatchObject({ length: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') })
  })

  it('a native fetch is called detached, and so is ours', async () => {
    const statuses = await tab.evaluate(async () => {
      const mine = relatch.createAuthFetch({ store: relatch.indexedDbStore(), fetch: window.fetch })
      const holder = { call: mine }
      const detached = mine
      const all = await Promise.all([
        holder.call('/me'),
        detached('/me'),
        mine(new Request('/me')),
        mine(new URL('/me', location.href)),
      ])
      mine.dispose()
      return all.map(({ status }) => status)
    })
    expect(statuses).toEqual([200, 200, 200, 200])
  })

  it('E2 a network error is the one of the browser', async () => {
    const names = await tab.evaluate(async () => {
      const errors = await Promise.all(
        [fetch, api].map((call) => call('http://127.0.0.1:1/').catch((error: unknown) => error)),
      )
      return errors.map((error) => [error instanceof TypeError, String(error)])
    })
    expect(names[1]).toEqual(names[0])
  })

  it('A1 A2 a caller that leaves during a refresh gets its own reason at once; the refresh goes on for the others', async () => {
    server.expireAccessTokens()
    server.failRefresh('hang')
    const outcome = tab.evaluate(async () => {
      const controller = new AbortController()
      const leaving = api('/me', { signal: controller.signal }).catch((reason: unknown) => reason)
      const staying = api('/items')
      const own = { left: true }
      setTimeout(() => controller.abort(own), 200)
      const isOwn = (await leaving) === own
      // Only now may the refresh be answered.
      await fetch('/release', { method: 'POST' })
      return [isOwn, (await staying).status]
    })
    // The refresh too: on a busy machine the caller may have left before it is there.
    await Promise.all([server.seen(1, { path: '/release' }), server.seen(1, { kind: 'refresh' })])
    server.release()
    expect(await outcome).toEqual([true, 200])
    expect(server.stats.refreshes).toBe(1)
  })

  it("O2 a cross-origin redirect gets none of a scheme's own headers: a browser cannot follow it without them", async () => {
    const other = await bench.world({ cors: true })
    const outcome = await tab.evaluate(async (target) => {
      const scheme = {
        name: 'api-key',
        headers: ['x-api-key'],
        attach: (headers: Headers) => headers.set('x-api-key', 'secret'),
      }
      const store = relatch.memoryStore({ accessToken: 'any' })
      const keyed = relatch.createAuthFetch({ store, scheme })
      const call = (path: string): Promise<string> =>
        keyed(path).then(
          ({ status }) => String(status),
          (error: Error) => error.name,
        )
      const outcomes = [await call(`/redirect?to=${encodeURIComponent(`${target}/public`)}`), await call('/public')]
      keyed.dispose()
      return outcomes
    }, other.origin)
    expect(outcome).toEqual(['TypeError', '200'])
    expect(other.server.requests.filter(({ path }) => path === '/public')).toEqual([])
  })
})
