/**
 * The browsers, and tabs in them. Each is started once for all test files, with a profile that is thrown away; what a page
 * reports (an error, a rejection that nobody handles, a line on the console) fails the test it happens in (E3).
 */
import type { Browser, ConsoleMessage, Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AuthServerOptions } from '../../../src/testing/index.ts'
import { isFull } from '../../helpers/extent.ts'
import { launchWebKit, type WebKitTab } from '../webkit-driver.ts'
import { BROWSERS, type BrowserName, launch } from './launch.ts'
import { openWorld, type World } from './page-server.ts'

/** What a tab can do in every browser. */
export type Tab = WebKitTab

/** @typeParam T all that puppeteer can do, or what WebKit can do as well */
export interface AnyBench<T extends Tab = Tab> {
  readonly name: BrowserName | 'webkit'
  /** A server with an origin of its own, until the test is over; made in beforeAll: until all tests are. */
  world(options?: AuthServerOptions): Promise<World>
  /** A tab on a page of that world. All tabs are in one window and share storage; they are closed when the world is. */
  tab(world: Pick<World, 'origin'>, path?: string): Promise<T>
  tabs(count: number, world: Pick<World, 'origin'>, path?: string): Promise<[T, T, ...T[]]>
  /** What pages have reported in this test. One that expects a report takes it out of here. */
  readonly reports: string[]
}

export interface Bench extends AnyBench<Page> {
  readonly name: BrowserName
  browser(): Browser
  /** Nobody else is to get this browser: something was done to it. */
  discard(): void
}

/** `describe` for what needs that browser. */
export const describeIn = (name: AnyBench['name']): typeof describe.skip =>
  isFull || name === 'chrome' ? describe : describe.skip

/** Runs the same tests in Chromium, Firefox and WebKit. */
export function describeEveryBrowser(title: string, define: (bench: AnyBench) => void): void {
  describeBrowsers(title, define)
  describeIn('webkit')(`${title} (webkit)`, () => define(useDriver('webkit', (pools) => pools.webkit).bench))
}

/** Runs the same tests in Chromium and Firefox with all that puppeteer can do, or in the one that is named. */
export function describeBrowsers(
  title: string,
  define: (bench: Bench) => void,
  names: readonly BrowserName[] = BROWSERS,
): void {
  for (const name of names) describeIn(name)(`${title} (${name})`, () => define(useBrowser(name)))
}

/** What was opened, by whom: a test, or all of them. */
class Scope {
  readonly tabs: Close[] = []
  readonly worlds: Close[] = []

  /** A page before the server that it talks to. */
  async close(): Promise<void> {
    for (const open of [this.tabs, this.worlds]) await Promise.all(open.splice(0).map((close) => close()))
  }
}
type Close = () => Promise<unknown>

/** A browser that has been started. */
interface Driver<T extends Tab> {
  /** An empty tab; what its page reports goes to the listener. */
  newTab(onReport: (report: string) => void): Promise<T>
  close(): Promise<void>
}

interface PuppeteerDriver extends Driver<Page> {
  readonly browser: Browser
}

async function puppeteerDriver(name: BrowserName): Promise<PuppeteerDriver> {
  const browser = await launch(name)
  return {
    browser,
    async newTab(onReport) {
      const page = await browser.newPage()
      page.on('console', (message) => {
        if (!isNetworkLine(message)) onReport(`console.${message.type()}: ${message.text()}`)
      })
      page.on('pageerror', (error) => onReport(`error: ${error}`))
      return page
    },
    close: () => browser.close(),
  }
}

async function webKitDriver(): Promise<Driver<Tab>> {
  const { newPage, close } = await launchWebKit()
  return { newTab: newPage, close }
}

/** Keeps a browser for whoever is next, instead of three seconds for each that starts. */
class Pool<D extends Driver<Tab>> {
  readonly #start: () => Promise<D>
  #idle: D | undefined

  constructor(start: () => Promise<D>) {
    this.#start = start
  }

  take(): Promise<D> {
    const idle = this.#idle
    this.#idle = undefined
    return idle ? Promise.resolve(idle) : this.#start()
  }

  giveBack(driver: D): void {
    this.#idle = driver
  }

  async close(): Promise<void> {
    await this.#idle?.close()
  }
}

/**
 * One process runs all test files, and this is there until it ends (`isolate` in vitest.config.ts). Worlds have origins of their
 * own, so a profile that was used is as good as new.
 */
// biome-ignore lint/correctness/noEmptyPattern: vitest reads here that it depends on nothing.
const worker = it.extend('pools', { scope: 'worker' }, ({}, { onCleanup }) => {
  const pools = {
    chrome: new Pool(() => puppeteerDriver('chrome')),
    firefox: new Pool(() => puppeteerDriver('firefox')),
    webkit: new Pool(webKitDriver),
  }
  onCleanup(async () => {
    await Promise.all(Object.values(pools).map((pool) => pool.close()))
  })
  return pools
})
type Pools = Parameters<Parameters<typeof worker.beforeAll>[0]>[0]['pools']

function useBrowser(name: BrowserName): Bench {
  const { bench, driver, discard } = useDriver<Page, PuppeteerDriver>(name, (pools) => pools[name])
  return { ...bench, name, browser: () => driver().browser, discard }
}

interface Use<T extends Tab, D> {
  bench: AnyBench<T>
  driver(): D
  discard(): void
}

function useDriver<T extends Tab, D extends Driver<T>>(
  name: AnyBench['name'],
  choose: (pools: Pools) => Pool<D>,
): Use<T, D> {
  let pool: Pool<D> | undefined
  let taken: D | undefined
  let isGood = true
  const reports: string[] = []
  const all = new Scope()
  let scope = all

  const driver = (): D => {
    if (taken === undefined) throw new Error('Expected to be called in a test')
    return taken
  }
  const bench: AnyBench<T> = {
    name,
    reports,
    async world(options) {
      const world = await openWorld(options)
      scope.worlds.push(() => world.server.close())
      return world
    },
    async tab({ origin }, path = '/page') {
      const page = await driver().newTab((report) => reports.push(report))
      // One that was killed cannot be closed.
      scope.tabs.push(() => page.close().catch(() => {}))
      await page.goto(`${origin}${path}`)
      return page
    },
    async tabs(count, world, path) {
      const rest = Array.from({ length: count - 2 }, () => bench.tab(world, path))
      return Promise.all([bench.tab(world, path), bench.tab(world, path), ...rest])
    },
  }
  const discard = (): void => {
    isGood = false
  }

  worker.beforeAll(async ({ pools }) => {
    pool = choose(pools)
    taken = await pool.take()
  })
  beforeEach(() => {
    scope = new Scope()
  })
  afterEach(async ({ task }) => {
    // It may be the browser that failed.
    isGood = task.result?.errors === undefined && isGood
    await scope.close()
    scope = all
    expect(reports.splice(0)).toEqual([])
  })
  afterAll(async () => {
    await all.close()
    if (isGood && taken) pool?.giveBack(taken)
    else await taken?.close()
  })
  return { bench, driver, discard }
}

/** Chromium writes each answer of 400 and more on the console by itself. */
const isNetworkLine = (message: ConsoleMessage): boolean => message.text().startsWith('Failed to load resource')
