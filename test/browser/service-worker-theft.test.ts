// E1: a script on the page that wants the token, in each way that we could think of (pages/thief.js). With the session in the
// worker every way fails; with a session of the page's own, which is how we know that they are good ways, most of those get it
// that can.
import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { type Bench, describeBrowsers } from './bench/browsers.ts'
import { THIEF_MODULE, THIEF_SCRIPT } from './bench/thief-script.ts'
import { type WorkerWorld, workerWorld } from './bench/worker-world.ts'

/** Random, for one browser: 32 bytes in base64url. */
const KEY = '3q2-7wECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxw'

/** Tokens of the testing server, and the two keys that would open what rests. */
const SECRETS = new RegExp(`[ar]t_[\\w-]{20,}|${KEY}|THE KEY|"k":`, 'g')

const WAYS = [
  'asks the worker for it, in every word',
  'reads and opens every database',
  'reads cookies, web storage and caches',
  'listens to every channel while tokens are refreshed',
  'replaces what requests are made of',
  'asks the AuthFetch',
  'reads answers, their headers and what the browser remembers of requests',
  'has a request redirected to a place of its own',
  'signs in, and reads the answer',
  'asks the token endpoint, however it may be spelled',
  'posts a form into a frame, and reads the frame',
  'asks from a frame of its own',
  "fetches the worker's script, in every way",
  'asks from a worker of its own',
  'puts a worker of its own in place of ours, and plants a key in the next',
  "makes the worker's script a part of its own",
  'throws the worker away, and looks what is left',
]
/** What gets the token of a session that rests in the page's own reach. */
const GOOD_WAYS = [
  'reads and opens every database',
  'replaces what requests are made of',
  'asks the AuthFetch',
  'signs in, and reads the answer',
  'asks the token endpoint, however it may be spelled',
  'posts a form into a frame, and reads the frame',
]

async function scene(bench: Bench): Promise<{ world: WorkerWorld; page: Page; seenElsewhere: () => string }> {
  let seenElsewhere = ''
  const cors = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'authorization' }
  const elsewhere = await bench.world({
    routes: {
      'OPTIONS /loot': { isPublic: true, handle: () => new Response(null, { headers: cors }) },
      'GET /loot': {
        isPublic: true,
        handle: (request) => {
          seenElsewhere += JSON.stringify([...request.headers])
          return new Response(null, { headers: cors })
        },
      },
      'GET /seen': { isPublic: true, handle: () => new Response(seenElsewhere, { headers: cors }) },
    },
  })
  const script = { key: KEY, options: { tokenEndpoints: ['/login', '/token'] } }
  const world = await workerWorld(bench, script, {
    routes: {
      'GET /redirect': { isPublic: true, handle: () => Response.redirect(`${elsewhere.origin}/loot`) },
      'POST /lead': {
        isPublic: true,
        handle: () => new Response(null, { status: 307, headers: { location: '/token' } }),
      },
      'GET /uploads/thief.js': { isPublic: true, handle: () => upload(THIEF_SCRIPT) },
      'GET /uploads/module.js': { isPublic: true, handle: () => upload(THIEF_MODULE) },
    },
  })
  const page = await bench.tab(world)
  // As text: of code, vitest makes imports of its own.
  await page.evaluate(`globalThis.elsewhere = '${elsewhere.origin}'; import('/pages/thief.js')`)
  return { world, page, seenElsewhere: () => seenElsewhere }
}

const upload = (code: string): Response =>
  new Response(code, { headers: { 'content-type': 'text/javascript', 'service-worker-allowed': '/' } })

const steal = (page: Page, way: string): Promise<string> => page.evaluate((name) => globalThis.steal(name), way)

describeBrowsers('a thief on the page', (bench) => {
  it('gets no token, no key and no secret of a session in the worker', async () => {
    const { world, page, seenElsewhere } = await scene(bench)
    await page.evaluate(async (tokens) => {
      openWorkerSession()
      await api.signIn(tokens)
    }, world.server.signIn('viewer'))
    expect(await page.evaluate(() => globalThis.ways)).toEqual(WAYS)
    const got: Record<string, string[]> = {}
    for (const way of WAYS) {
      const loot = await steal(page, way)
      // It did something.
      expect(loot.length, way).toBeGreaterThan(0)
      got[way] = loot.match(SECRETS) ?? []
    }
    expect(got).toEqual(Object.fromEntries(WAYS.map((way) => [way, []])))
    expect(seenElsewhere()).toContain('host')
    expect(seenElsewhere()).not.toMatch(SECRETS)
    bench.reports.length = 0
  }, 120_000)

  it('gets the tokens of a sign-in of its own, with the password, from a window that no worker controls', async () => {
    const { world, page } = await scene(bench)
    const { access_token } = world.server.signIn('viewer')
    await page.evaluate(async (token) => {
      openWorkerSession()
      await api.signIn({ accessToken: token })
    }, access_token)
    const loot = await page.evaluate(() => globalThis.signInFromObject())
    expect(loot).toMatch(/access_token/)
    expect(loot).not.toContain(access_token)
    bench.reports.length = 0
  })

  it('gets that of a session in the page', async () => {
    const { world, page } = await scene(bench)
    await page.evaluate(async (tokens) => {
      openSession('indexedDb')
      await api.signIn(tokens)
    }, world.server.signIn('viewer'))
    for (const way of GOOD_WAYS) expect((await steal(page, way)).match(SECRETS) ?? [], way).not.toEqual([])
    bench.reports.length = 0
  })
})
