/**
 * `node playground/screenshot.ts`: plays a telling scene in Chromium and writes docs/playground.png and docs/playground-dark.png.
 * It wants a page that is built (`npm run build:playground`).
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import puppeteer, { type Browser, type Page } from 'puppeteer-core'
import { findProgram } from '../scripts/programs.mjs'
import { readPageFiles } from './page-files.ts'
import { createWorld } from './world.ts'

const SIZE = { width: 1280, height: 800 }
const DOCS = fileURLToPath(new URL('../docs', import.meta.url))

const executablePath = findProgram('chrome')
if (executablePath === null) throw new Error('Expected Chromium: run node scripts/programs.mjs')
const args = ['--disable-gpu', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])]
const browser = await puppeteer.launch({ executablePath, args, defaultViewport: SIZE })
try {
  await shoot(browser, 'light', 'playground.png')
  await shoot(browser, 'dark', 'playground-dark.png')
} finally {
  await browser.close()
}

/** A world for each, so that both show the same. */
async function shoot(browser: Browser, scheme: 'light' | 'dark', file: string): Promise<void> {
  await using server = createWorld(readPageFiles()).server
  const { url } = await server.listen()
  const page = await browser.newPage()
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(url)
  await play(page)
  await page.mouse.move(0, SIZE.height - 1)
  await page.screenshot({ path: path.join(DOCS, file) as `${string}.png`, optimizeForSpeed: false })
  await page.close()
}

async function play(page: Page): Promise<void> {
  const press = (name: string, role = 'button'): Promise<void> =>
    page.locator(`::-p-aria(${name}[role="${role}"])`).click()
  const runs = (count: number): Promise<unknown> =>
    page.waitForFunction(
      (wanted) => {
        const cards = [...document.querySelectorAll('.runs li:not(.empty)')]
        return cards.length === wanted && cards.every((card) => !card.textContent?.includes('under way'))
      },
      {},
      count,
    )
  // A second between two presses, as a person takes: the devtools draw each on a time axis of its own.
  const rest = (ms = 1_200): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms))

  await press('Sign in as viewer')
  await page.waitForSelector('.state.signed-in')
  await press('Call × 50')
  await runs(1)
  await rest()
  await page.select('select', 'GET /reports')
  await press('Call × 1')
  await runs(2)
  await rest()
  await page.select('select', 'GET /items')
  await press('Expire, then call × 50')
  await runs(3)
  await rest()
  await press('Down', 'switch')
  await press('Expire, then call × 50')
  await runs(4)
  // What moves has come to rest.
  await rest(400)
}
