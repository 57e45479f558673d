/** Chromium and Firefox as all tests start them: headless, with a profile that is thrown away. Knows nothing of a test runner. */
import puppeteer, { type Browser, type LaunchOptions } from 'puppeteer-core'
import { findProgram } from '../../../scripts/programs.mjs'

export const BROWSERS = ['chrome', 'firefox'] as const
export type BrowserName = (typeof BROWSERS)[number]

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
  // The same as for Chromium: a quarter of what a request costs.
  'browser.cache.disk.enable': false,
  'browser.cache.memory.enable': false,
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
  if (executablePath === null) throw new Error(`Expected ${name}: run node scripts/programs.mjs`)
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
