/** The process behind a tab, to stop it or to kill it: what a browser does to background tabs, and what crashes do. */
import { readdirSync, readFileSync } from 'node:fs'
import type { Browser, Page } from 'puppeteer-core'

export interface TabProcess {
  /** Nothing in it runs on: no script, no timer, no message. */
  stop(): void
  resume(): void
  kill(): void
}

/** In ticks of 10 ms: what nobody but the busy one uses meanwhile. */
const LEAD = 10
/** Longer with each attempt: of a machine that has other things to do, a tab gets little. */
const BUSY_MS = 300

/**
 * Finds the process by what it does: the one that is busy while the tab is. Linux only. A process that is stopped when the test
 * fails would outlive the browser: resume it in a `finally`.
 */
export async function processOf(tab: Page, browser: Browser): Promise<TabProcess> {
  for (let attempt = 1; attempt <= 10; attempt++) {
    const before = processorTimes(browser)
    await tab.evaluate((ms) => {
      const endsAt = performance.now() + ms
      while (performance.now() < endsAt);
    }, attempt * BUSY_MS)
    const [first, second] = [...processorTimes(browser)]
      .map(([pid, ticks]) => ({ pid, ticks: ticks - (before.get(pid) ?? 0) }))
      .sort((a, b) => b.ticks - a.ticks)
    if (first === undefined || second === undefined || first.ticks - second.ticks < LEAD) continue
    const send = (signal: NodeJS.Signals): void => void process.kill(first.pid, signal)
    return { stop: () => send('SIGSTOP'), resume: () => send('SIGCONT'), kill: () => send('SIGKILL') }
  }
  throw new Error('Expected a process that is busy when its tab is')
}

/** The processor time of the browser's children and theirs, by process id. */
function processorTimes(browser: Browser): Map<number, number> {
  const root = browser.process()?.pid
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(name))
  const family = new Set([root])
  // Children have higher ids than their parents, but for when ids start over: as often as there are generations.
  for (let generation = 0; generation < 5; generation++) {
    for (const { pid, parent } of all) if (family.has(parent)) family.add(pid)
  }
  family.delete(root)
  return new Map(all.filter(({ pid }) => family.has(pid)).map(({ pid, ticks }) => [pid, ticks]))
}

function readStat(name: string): Array<{ pid: number; parent: number; ticks: number }> {
  try {
    // After the name, which may hold anything: state, parent, …; the 12th and 13th are the time in and for the process.
    const fields = readFileSync(`/proc/${name}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return [{ pid: Number(name), parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) }]
  } catch {
    // Gone in the meantime.
    return []
  }
}
