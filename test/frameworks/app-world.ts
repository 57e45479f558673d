/**
 * An app of examples/frameworks as it is deployed: type-checked and built by its own scripts, served over HTTP, and open in a real
 * browser. What a person sees is what is asked for; nothing reaches into the app.
 */
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import type { Browser, Page } from 'puppeteer-core'
import type { AuthServer } from 'relatch/testing'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { serverFor } from '../../examples/frameworks/server.ts'
import { launch } from '../browser/bench/launch.ts'

const APPS = path.resolve(import.meta.dirname, '../../examples/frameworks')

/** What a person does who gave up on any step after so long. */
const STEP_MS = 15_000

/** Runs a script of the app's package.json; what it says is told where it fails. */
export async function runScript(app: string, script: 'check' | 'build'): Promise<void> {
  // A test runner's NODE_ENV would make another build.
  const { NODE_ENV: _, ...env } = process.env
  const options = { cwd: path.join(APPS, app), env: { ...env, NG_CLI_ANALYTICS: 'false' }, timeout: 300_000 }
  await promisify(execFile)('npm', ['run', script], options).catch(({ stdout, stderr }) =>
    expect.fail(`npm run ${script}\n${stdout}\n${stderr}`),
  )
}

/** A tab, with words for what a person does and sees. */
export class Visitor {
  readonly page: Page
  readonly server: AuthServer
  readonly #origin: string
  /** What the page has reported: errors that nobody handles, lines on the console. */
  readonly reports: string[] = []

  constructor(page: Page, server: AuthServer, origin: string, expected?: RegExp) {
    this.page = page
    this.server = server
    this.#origin = origin
    page.setDefaultTimeout(STEP_MS)
    page.on('console', (message) => {
      const text = message.text()
      // The browser's own words for an answer of 400 or above.
      if (!text.startsWith('Failed to load resource') && !expected?.test(text)) this.reports.push(text)
    })
    page.on('pageerror', (error) => this.reports.push(String(error)))
  }

  async open(place: string): Promise<void> {
    await this.page.goto(this.#origin + place)
  }

  /** Waits for a text, in an element where that matters. */
  async sees(text: string, selector = 'body'): Promise<void> {
    const isThere = (where: string, what: string) =>
      [...document.querySelectorAll(where)].some(({ textContent }) => textContent?.includes(what))
    await this.page.waitForFunction(isThere, {}, selector, text).catch(async () => {
      const shown = await this.page.evaluate(
        () => `${location.pathname}${location.search}\n${document.body.textContent}`,
      )
      expect.fail(`Expected "${text}" in ${selector}, and there is: ${shown}\n${this.reports.join('\n')}`)
    })
  }

  /** Waits for the address bar to say this. */
  async isAt(place: string): Promise<void> {
    const isThere = (what: string) => location.pathname + location.search === what
    await this.page.waitForFunction(isThere, {}, place).catch(async () => {
      const { pathname, search } = new URL(this.page.url())
      expect.fail(`Expected to be at ${place}, and is at ${pathname}${search}\n${this.reports.join('\n')}`)
    })
  }

  /** Waits for so many redirects to the login page, as loginRedirect counts them. */
  async wasSentToLogin(times: number): Promise<void> {
    const isSo = (count: number) => JSON.parse(sessionStorage.getItem('relatch:redirects') ?? '[]').length === count
    await this.page.waitForFunction(isSo, {}, times)
  }

  /** Follows a link, as the router's own. */
  async follows(link: string): Promise<void> {
    await this.page.locator(`header a ::-p-text(${link})`).click()
  }

  async presses(button: string): Promise<void> {
    await this.page.locator(`button ::-p-text(${button})`).click()
  }

  async types(field: string, text: string): Promise<void> {
    await this.page.locator(`input[name=${field}]`).fill(text)
  }

  async signsIn(name: string, password = name): Promise<void> {
    await this.types('username', name)
    await this.types('password', password)
    await this.page.locator('main button[type=submit]').click()
  }

  /** What the page itself would lose when it is loaded anew. */
  async remembers(): Promise<boolean> {
    return this.page.evaluate(() => {
      const { isKnown = false } = globalThis as { isKnown?: boolean }
      Object.assign(globalThis, { isKnown: true })
      return isKnown
    })
  }

  /** What the server has answered to a route, in order; 0 where the page did not wait for it. */
  answers(route: string): (number | null)[] {
    const asked = this.server.requests.filter(({ method, path }) => `${method} ${path}` === route)
    return asked.map(({ status }) => status)
  }
}

/**
 * Checks and builds an app before the tests of a file; each `visit` is a server, a window and nobody signed in.
 *
 * @param expected lines on the console that are no defect
 */
export function useApp(name: string, expected?: RegExp): { visit(): Promise<Visitor> } {
  let browser: Browser
  beforeAll(async () => {
    await runScript(name, 'check')
    await runScript(name, 'build')
    browser = await launch('chrome')
  })
  afterAll(() => browser?.close())
  return {
    async visit() {
      const server = serverFor(name)
      const { url } = await server.listen()
      const window = await browser.createBrowserContext()
      onTestFinished(async () => {
        await window.close()
        await server.close()
      })
      return new Visitor(await window.newPage(), server, url, expected)
    },
  }
}
