/**
 * A world whose client, and whose relatch, are in a page of Chromium, for what takes a window. The page is on the origin of the
 * API; its session is the one that the world has signed in.
 */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Browser, Page } from 'puppeteer-core'
import type { AuthFetch } from 'relatch'
import { afterAll } from 'vitest'
import { launch } from '../../browser/bench/launch.ts'
import type { Outcome, PageError, Told } from './pages/kit.ts'
import type { openWorld, Routes, Signals, World } from './world.ts'

/** The client, as a test sees it. */
export interface PageClient {
  /** @param signal calls `leave()` of the page */
  call(name: string, argument: string, signal?: AbortSignal): Promise<unknown>
}

/** What a call of the page has rejected with. */
export class RejectedInPage extends Error {
  readonly inPage: PageError

  constructor(inPage: PageError) {
    super(inPage.message)
    this.inPage = inPage
    // Where `retryUnlessAuth` looks for it.
    if (inPage.status !== undefined) Object.assign(this, { status: inPage.status })
  }
}

const clients = new WeakMap<AuthFetch, PageClient>()

/** @param api that of a world which `openPageWorld` has made */
export function clientOf(api: AuthFetch): PageClient {
  const client = clients.get(api)
  if (!client) throw new Error('Expected the api of a page')
  return client
}

let browser: Promise<Browser> | undefined
afterAll(async () => (await browser)?.close())

const bundles = new Map<string, Promise<string>>()

/** @param script one of pages/ */
export async function openPageWorld(
  open: typeof openWorld,
  script: string,
  routesOf: (signals: Signals) => Routes = () => ({}),
): Promise<World> {
  const bundle = bundles.get(script) ?? bundled(script)
  bundles.set(script, bundle)
  const world = await open((signals) => ({ ...routesOf(signals), ...pageRoutes(bundle) }))
  browser ??= launch('chrome')
  const page = await (await browser).newPage()
  const reports: string[] = []
  page.on('pageerror', (error) => reports.push(`${error}`))

  const denials = [...world.denials]
  const snapshot = { ...world.api.snapshot() }
  const api = new Proxy(world.api, {
    get: (target, name) => (name === 'snapshot' ? () => snapshot : Reflect.get(target, name)),
  })
  await page.exposeFunction('tell', (kind: keyof Told, what: never) => {
    if (kind === 'denied') denials.push(what)
    else snapshot.status = what
  })
  await page.evaluateOnNewDocument((tokens) => Object.assign(globalThis, { tokens }), await world.api.tokens())
  await page.goto(`${world.url}/page`)
  await page.waitForFunction(() => 'call' in globalThis)
  clients.set(api, { call: (name, argument, signal) => callIn(page, name, argument, signal) })

  return {
    url: world.url,
    server: world.server,
    api,
    denials,
    sawPart: world.sawPart,
    get arrivals() {
      return world.arrivals.filter(({ path }) => !path.startsWith('/page'))
    },
    async [Symbol.asyncDispose]() {
      await page.close()
      await world[Symbol.asyncDispose]()
      if (reports.length > 0) throw new Error(reports.join('\n'))
    },
  }
}

async function callIn(page: Page, name: string, argument: string, signal?: AbortSignal): Promise<unknown> {
  const leave = (): void => void page.evaluate(() => globalThis.leave())
  signal?.addEventListener('abort', leave)
  const outcome: Outcome = await page.evaluate((...given) => globalThis.call(...given), name, argument)
  signal?.removeEventListener('abort', leave)
  if ('error' in outcome) throw new RejectedInPage(outcome.error)
  return outcome.value
}

async function bundled(script: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`pages/${script}`, import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

function pageRoutes(bundle: Promise<string>): Routes {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>relatch</title><link rel="icon" href="data:,">
<body><script type="module" src="/page.js"></script>`
  const open = (type: string, content: string | Promise<string>): Routes[string] => ({
    isPublic: true,
    handle: async () => new Response(await content, { headers: { 'content-type': `${type}; charset=utf-8` } }),
  })
  return { 'GET /page': open('text/html', html), 'GET /page.js': open('text/javascript', bundle) }
}
