/** Chromium, Firefox and WebKit: a page of the suite's own server, and a call into it for each case. */
import type { Page } from 'puppeteer-core'
import { type BrowserName, launch } from '../../browser/bench/launch.ts'
import { launchWebKit } from '../../browser/webkit-driver.ts'
import type { PageFile } from '../server/world-server.ts'
import type { Result } from '../suite/case.ts'
import { bundle } from './bundle.ts'
import type { Launch, Run } from './launch.ts'

/** A module, so that `runSuiteCase` is there once the page has been loaded. */
const HTML = `<!doctype html><html lang="en"><meta charset="utf-8"><title>relatch</title><link rel="icon" href="data:,">
<body><script type="module" src="/suite.js"></script>`

export async function suitePages(): Promise<Record<string, PageFile>> {
  return {
    '/suite': { type: 'text/html', content: HTML },
    '/suite.js': { type: 'text/javascript', content: await bundle('page.ts') },
  }
}

export const launchPuppeteer =
  (name: BrowserName): Launch =>
  async (run) => {
    const browser = await launch(name, { signal: run.signal })
    const stop = (): void => void browser.process()?.kill('SIGKILL')
    run.signal.addEventListener('abort', stop)
    try {
      await runAll(await browser.newPage(), run)
      return (await browser.version()).match(/\d+(\.\d+)*/)?.[0] ?? ''
    } finally {
      run.signal.removeEventListener('abort', stop)
      await browser.close()
    }
  }

export const launchWebKitGtk: Launch = async (run) => {
  const webkit = await launchWebKit(run.signal)
  try {
    await runAll(await webkit.newPage(), run)
    return webkit.version
  } finally {
    await webkit.close()
  }
}

declare global {
  // What entries/page.ts puts there.
  var suiteCount: () => number
  var runSuiteCase: (index: number, surroundings: Pick<Run, 'runtime' | 'places'>) => Promise<Result>
}

async function runAll(
  page: Pick<Page, 'goto' | 'evaluate'>,
  { runtime, places, onResult, signal }: Run,
): Promise<void> {
  await page.goto(`${places.home}/suite`)
  const count = await page.evaluate(() => globalThis.suiteCount())
  for (let index = 0; index < count; index++) {
    signal.throwIfAborted()
    onResult(await page.evaluate((...args) => globalThis.runSuiteCase(...args), index, { runtime, places }))
  }
}
