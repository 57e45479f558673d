/**
 * The browsers, and tabs in them. Once a test file, with a profile that is thrown away; what a page reports (an error, a
 * rejection that nobody handles, a line on the console) fails the test it happens in (E3).
 */
import puppeteer, { type Browser, type ConsoleMessage, type LaunchOptions, type Page } from 'puppeteer-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect } from 'vitest'
import { findProgram } from '../../../scripts/browsers.mjs'
import type { AuthServerOptions } from '../../../src/testing/index.ts'
import { launchWebKit, type WebKitTab } from '../webkit-driver.ts'
import { openWorld, type World } from './page-server.ts'

export const BROWSERS = ['chrome', 'firefox'] as const
export type BrowserName = (typeof BROWSERS)[number]

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
}

/** Runs the same tests in Chromium, Firefox and WebKit. */
export function describeEveryBrowser(title: string, define: (bench: AnyBench) => void): void {
  describe.each(BROWSERS)(`${title} (%s)`, (name) => define(useBrowser(name)))
  describe(`${title} (webkit)`, () => define(useDriver('webkit', webKitDriver)))
}

/** Runs the same tests in Chromium and Firefox with all that puppeteer can do, or in the one that is named. */
export function describeBrowsers(
  title: string,
  define: (bench: Bench) => void,
  names: readonly BrowserName[] = BROWSERS,
): void {
  describe.each(names)(`${title} (%s)`, (name) => define(useBrowser(name)))
}

const CHROMIUM_ARGS = [
  '--disable-gpu',
  '--disable-quic',
  '--disable-component-update',
  // Half of what a request costs, and of no use here.
  '--disk-cache-dir=/dev/null',
]
// Chromium will not sandbox for root.
if (process.getuid?.() === 0) CHROMIUM_ARGS.push('--no-sandbox')

const FIREFOX_PREFERENCES = {
  // Tabs that nobody looks at would get their timers once a second: the tests have eight, and look at one.
  'dom.min_background_timeout_value': 4,
  'dom.min_background_timeout_value_without_budget_throttling': 4,
  'dom.timeout.enable_budget_timer_throttling': false,
  // A process for each tab: one that is stopped must not stop another with it.
  'dom.ipc.processCount': 32,
  'dom.ipc.processCount.webIsolated': 32,
}

export function launch(name: BrowserName, more: LaunchOptions = {}): Promise<Browser> {
  const executablePath = findProgram(name)
  if (executablePath === null) throw new Error(`Expected ${name}: run node scripts/browsers.mjs`)
  return puppeteer.launch({
    browser: name,
    executablePath,
    headless: true,
    // Nobody looks at the requests here, and to be told of them all costs more than to make them.
    networkEnabled: false,
    issuesEnabled: false,
    ...(name === 'chrome' ? { args: CHROMIUM_ARGS } : { extraPrefsFirefox: FIREFOX_PREFERENCES }),
    ...more,
  })
}

/** What was opened, by whom: a test, or all of them. */
class Scope {
  readonly #open: Array<() => Promise<unknown>> = []

  add(close: () => Promise<unknown>): void {
    this.#open.push(close)
  }

  /** The last first: a page before the server that it talks to. */
  async close(): Promise<void> {
    for (const close of this.#open.splice(0).reverse()) await close()
  }
}

/** A browser that has been started. */
interface Driver<T extends Tab> {
  /** An empty tab; what its page reports goes to the listener. */
  newTab(onReport: (report: string) => void): Promise<T>
  close(): Promise<void>
}

async function puppeteerDriver(name: BrowserName): Promise<Driver<Page> & { browser: Browser }> {
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

function useBrowser(name: BrowserName): Bench {
  let browser: Browser | undefined
  const bench = useDriver(name, async () => {
    const driver = await puppeteerDriver(name)
    browser = driver.browser
    return driver
  })
  return {
    ...bench,
    name,
    browser() {
      if (browser === undefined) throw new Error('Expected to be called in a test')
      return browser
    },
  }
}

function useDriver<T extends Tab>(name: AnyBench['name'], start: () => Promise<Driver<T>>): AnyBench<T> {
  let driver: Driver<T> | undefined
  const reports: string[] = []
  const all = new Scope()
  let scope = all

  const bench: AnyBench<T> = {
    name,
    reports,
    async world(options) {
      const world = await openWorld(options)
      scope.add(() => world.server.close())
      return world
    },
    async tab({ origin }, path = '/page') {
      if (driver === undefined) throw new Error('Expected to be called in a test')
      const page = await driver.newTab((report) => reports.push(report))
      // One that was killed cannot be closed.
      scope.add(() => page.close().catch(() => {}))
      await page.goto(`${origin}${path}`)
      return page
    },
    async tabs(count, world, path) {
      const rest = Array.from({ length: count - 2 }, () => bench.tab(world, path))
      return Promise.all([bench.tab(world, path), bench.tab(world, path), ...rest])
    },
  }

  beforeAll(async () => {
    driver = await start()
  })
  beforeEach(() => {
    scope = new Scope()
  })
  afterEach(async () => {
    await scope.close()
    scope = all
    expect(reports.splice(0)).toEqual([])
  })
  afterAll(async () => {
    await all.close()
    await driver?.close()
  })
  return bench
}

/** Chromium writes each answer of 400 and more on the console by itself. */
const isNetworkLine = (message: ConsoleMessage): boolean => message.text().startsWith('Failed to load resource')
