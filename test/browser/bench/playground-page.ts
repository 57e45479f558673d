/**
 * The playground in a process of its own, as `npm start` runs it, and its page as somebody works it who reads and presses
 * buttons.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Page } from 'puppeteer-core'
import { expect, onTestFinished } from 'vitest'
import type { Bench } from './browsers.ts'

/** What `npm start` runs. */
export const program: string = new URL('../../../playground/server.ts', import.meta.url).href

export interface Playground {
  origin: string
  output(): string
  stop(): Promise<void>
}

/** A playground of its own for each test: another port is another origin, with nothing stored yet. */
export async function start(env: Record<string, string> = {}): Promise<Playground> {
  const child = spawn(process.execPath, [fileURLToPath(program), '--no-open'], {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
  })
  const ended = once(child, 'close')
  let output = ''
  const origin = new Promise<string>((resolve, reject) => {
    const read = (text: string): void => {
      output += text
      const [url] = /http:\/\/127\.0\.0\.1:\d+/.exec(output) ?? []
      if (url) resolve(url)
    }
    child.stdout.setEncoding('utf8').on('data', read)
    child.stderr.setEncoding('utf8').on('data', read)
    child.once('close', () => reject(new Error(`Expected a URL: ${output}`)))
  })
  const stop = async (): Promise<void> => {
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
  }
  onTestFinished(stop)
  return { origin: await origin, output: () => output, stop }
}

export async function visit(bench: Bench, path = '/'): Promise<Playground & { page: Page }> {
  const playground = await start()
  const page = await bench.tab({ origin: playground.origin }, path)
  if (bench.name === 'firefox') inFirefox.add(page)
  await page.setViewport({ width: 1280, height: 800 })
  return { ...playground, page }
}

export interface Card {
  title: string
  /** What the calls came to, and what the server saw, chip by chip. */
  page: string[]
  server: string[]
}

export const card = (title: string, page: string[], server: string[]): Card => ({ title, page, server })

type Role = 'button' | 'switch' | 'link'

/** By the name that it has for everybody. Firefox takes half a second for that: there, by what is written on it. */
const named = (page: Page, name: string, role: Role): string =>
  inFirefox.has(page)
    ? `::-p-xpath(//${role === 'link' ? 'a' : 'button'}[normalize-space()="${name}"])`
    : `::-p-aria(${name}[role="${role}"])`

const inFirefox = new WeakSet<Page>()

export const press = (page: Page, name: string, role: Role = 'button', within = ''): Promise<void> =>
  page.locator(`${within} ${named(page, name, role)}`.trim()).click()

/** Turns a switch, and waits until the server has it. */
export async function turn(page: Page, name: string): Promise<void> {
  const selector = named(page, name, 'switch')
  const isOn = (): Promise<string | null> => page.$eval(selector, (one) => one.getAttribute('aria-checked'))
  const before = await isOn()
  await press(page, name, 'switch')
  await expect.poll(isOn).not.toBe(before)
}

export async function heal(page: Page): Promise<void> {
  await press(page, 'Heal everything')
  await page.waitForFunction(() => document.querySelectorAll('[aria-checked=true]').length === 2, { polling: 50 })
}

export async function signIn(page: Page, user: 'viewer' | 'admin'): Promise<void> {
  await press(page, user === 'viewer' ? 'Sign in as viewer' : 'Sign in as admin')
  await text(page, '.who', user)
}

/** Presses a button that makes a card, and waits for the end of what it set off. */
export async function run(page: Page, name: string): Promise<Card> {
  const before = await page.$eval('.runs', (runs) => runs.firstElementChild?.id ?? '')
  await press(page, name)
  await page.waitForFunction(
    (last) => document.querySelector('.runs')?.firstElementChild?.id !== last,
    { polling: 50 },
    before,
  )
  return lastCard(page)
}

/** The newest card, once it is over. Polled: a tab in the background draws no frames. */
export async function lastCard(page: Page): Promise<Card> {
  await page.waitForFunction(() => !/under way/.test(document.querySelector('.took')?.textContent ?? 'under way'), {
    polling: 50,
  })
  return page.$eval('.runs li', (item) => {
    const chips = (side: number): string[] =>
      [...(item.querySelectorAll('.side p')[side]?.childNodes ?? [])].map((chip) => chip.textContent ?? '')
    return { title: item.querySelector('h3')?.textContent ?? '', page: chips(0), server: chips(1) }
  })
}

export const counters = (page: Page): Promise<Record<string, number>> =>
  page.$$eval('.counters div', (all) =>
    Object.fromEntries(
      all.map((one) => [one.querySelector('dt')?.textContent, Number(one.querySelector('dd')?.textContent)]),
    ),
  )

export const state = (page: Page): Promise<string> => page.$eval('header output', (output) => output.textContent ?? '')

export async function question(page: Page): Promise<string> {
  await page.waitForSelector('dialog[open]')
  return page.$eval('dialog p', (paragraph) => paragraph.textContent ?? '')
}

/** Waits until one of the elements says so. */
export async function text(page: Page, selector: string, wanted: string): Promise<void> {
  const said = (): Promise<string[]> =>
    page.$$eval(selector, (all) => all.map((one) => (one.querySelector('p') ?? one).textContent?.trim() ?? ''))
  await expect.poll(said, { timeout: 5_000 }).toContain(wanted)
}

export const gone = (page: Page, selector: string): Promise<unknown> =>
  page.waitForFunction((one) => document.querySelector(one) === null, { polling: 50 }, selector)

/** The tab that a press opens. */
export async function opened(page: Page, action: () => Promise<void>): Promise<Page> {
  const target = new Promise<Page | null>((resolve) =>
    page.browser().once('targetcreated', (one) => resolve(one.page())),
  )
  await action()
  const tab = await target
  if (tab === null) throw new Error('Expected a tab')
  onTestFinished(() => tab.close().catch(() => {}))
  return tab
}

/**
 * A page at this path whose session a service worker has: no worker was there before, and all that it reads of answers from
 * now on is `read`.
 */
export async function visitWorker(
  bench: Bench,
  path: string,
): Promise<Playground & { page: Page; read(): Promise<string> }> {
  const playground = await visit(bench, '/sign-in')
  const { page, origin } = playground
  await page.evaluateOnNewDocument(() => {
    const { text } = Response.prototype
    Response.prototype.text = async function () {
      const body = await text.call(this)
      sessionStorage.setItem('read', (sessionStorage.getItem('read') ?? '') + body)
      return body
    }
    Response.prototype.json = async function () {
      return JSON.parse(await this.text())
    }
  })
  await page.goto(origin + path)
  return { ...playground, read: () => page.evaluate(() => sessionStorage.getItem('read') ?? '') }
}
