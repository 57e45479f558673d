/**
 * WebKit for the tests: Debian's WebKitGTK behind WebKitWebDriver, under a display of its own, as a W3C WebDriver client of the
 * few commands we need. Its tabs have the members of puppeteer's pages that the bench uses. Never asks for a display of yours.
 *
 * What it cannot: stop, kill or freeze the process of one tab, go offline, tell of requests, type keys, or keep its profile on a
 * disk; those tests run in Chromium and Firefox.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from 'puppeteer-core'
import { findProgram } from '../../scripts/programs.mjs'

export type WebKitTab = Pick<Page, 'evaluate' | 'goto' | 'reload' | 'close'>

export interface WebKit {
  /** A tab of the one window, where all share storage, locks and channels. Told of what its page reports (console, errors). */
  newPage(onReport?: (report: string) => void): Promise<WebKitTab>
  /** Of WebKitGTK. */
  readonly version: string
  close(): Promise<void>
}

/** Collects what puppeteer would tell of, from when a page has been loaded, or is first called where it went by itself. */
const LISTEN = `
if (globalThis.webkitCalls === undefined) {
  globalThis.webkitCalls = new Map()
  globalThis.webkitReports = []
  for (const type of ['log', 'info', 'warn', 'error', 'debug'])
    console[type] = (...args) => webkitReports.push('console.' + type + ': ' + args.join(' '))
  addEventListener('error', (event) => webkitReports.push('error: ' + event.message))
  addEventListener('unhandledrejection', (event) => webkitReports.push('rejection: ' + event.reason))
}`

/** Begins a call; it goes on while other tabs are looked at. */
const BEGIN = `${LISTEN}
const [id, text, args] = arguments
const call = {}
webkitCalls.set(id, call)
const run = async () => {
  const value = (0, eval)('(' + text + '\\n)')
  return typeof value === 'function' ? value(...args) : value
}
run().then(
  (value) => Object.assign(call, { isDone: true, isVoid: value === undefined, value }),
  (error) => Object.assign(call, { error: error + ' on ' + location.href + ' (' + document.readyState + ')' }),
)`

/** Says how a call stands. A page that was loaded since knows of none. */
const COLLECT = `
const call = globalThis.webkitCalls?.get(arguments[0]) ?? { error: 'The page was left before the call had ended' }
return { ...call, reports: globalThis.webkitReports?.splice(0) ?? [] }`

/** Resolves when the page has been loaded, its modules included. */
const LOADED = `document.readyState === 'complete' || new Promise((done) => addEventListener('load', () => done(true)))`

interface Call {
  isDone?: true
  isVoid?: boolean
  value?: unknown
  error?: string
  reports: string[]
}

/** Of a command, a page that is loaded included: nothing that we ask for takes longer, however busy the machine. */
const COMMAND_MS = 60_000
/** Of the browser's own end; then it is killed. */
const CLOSE_MS = 5000

/** @param signal fires when the time is up: then all of it is killed, and whatever is waited for rejects */
export async function launchWebKit(signal?: AbortSignal): Promise<WebKit> {
  signal?.throwIfAborted()
  const children: ChildProcess[] = []
  // Without its display no process of the browser stays.
  const kill = (): void => {
    signal?.removeEventListener('abort', kill)
    for (const child of children) child.kill('SIGKILL')
  }
  signal?.addEventListener('abort', kill)
  try {
    return await launchUnder(children, kill)
  } catch (error) {
    kill()
    throw error
  }
}

async function launchUnder(children: ChildProcess[], kill: () => void): Promise<WebKit> {
  const start = (...program: Parameters<typeof startProgram>): ChildProcess => {
    const child = startProgram(...program)
    children.push(child)
    return child
  }
  const screen = start('xvfb', ['-displayfd', '3', '-nolisten', 'tcp'])
  const display = Number(
    await Promise.race([once(screen.stdio[3] as NodeJS.ReadableStream, 'data'), failureOf(screen)]),
  )
  // Nobody else has that display, so hardly anybody has that port.
  const port = 27_000 + display
  const driver = start('webkitDriver', [`--port=${port}`], {
    DISPLAY: `:${display}`,
    // WebKit cannot sandbox for root; it opens nothing but pages of the tests.
    WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
  })
  const command = async (method: string, path: string, body?: object, limitMs = COMMAND_MS): Promise<unknown> => {
    const bounds = { method, signal: AbortSignal.timeout(limitMs) }
    const init = body === undefined ? bounds : { ...bounds, body: JSON.stringify(body) }
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    const { value } = (await response.json()) as { value: { error?: string; message?: string } | null }
    if (!response.ok) throw new Error(`${method} ${path}: ${value?.error} ${value?.message}`)
    return value
  }
  const listening = async (): Promise<void> => {
    while (!hasEnded(driver) && !(await command('GET', '/status').catch(() => null))) await sleep(20)
  }
  await Promise.race([listening(), failureOf(driver)])
  const alwaysMatch = { 'webkitgtk:browserOptions': { binary: place('webkit'), args: ['--automation'] } }
  const made = (await command('POST', '/session', { capabilities: { alwaysMatch } })) as {
    sessionId: string
    capabilities: { browserVersion: string }
  }
  const session = `/session/${made.sessionId}`

  // A session looks at one tab at a time: each command waits until the one before it has been served.
  let turn: Promise<unknown> = Promise.resolve()
  const first = await command('GET', `${session}/window`)
  const next = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => {})
    return mine
  }
  let calls = 0
  const tabOf = (handle: string, onReport: (report: string) => void): WebKitTab => {
    const inTab = (method: string, path: string, body?: object): Promise<unknown> =>
      next(async () => {
        await command('POST', `${session}/window`, { handle })
        return command(method, session + path, body)
      })
    const run = (script: string, ...args: unknown[]): Promise<unknown> =>
      inTab('POST', '/execute/sync', { script, args })
    const collect = async (id: number): Promise<Call> => {
      const call = (await run(COLLECT, id)) as Call
      for (const report of call.reports) onReport(report)
      return call
    }
    const evaluate = async (task: unknown, ...args: unknown[]): Promise<unknown> => {
      const id = ++calls
      await run(BEGIN, id, String(task), args)
      for (;;) {
        const call = await collect(id)
        if (call.error !== undefined) throw new Error(call.error)
        // JSON knows no undefined: WebDriver sends null for it.
        if (call.isDone) return call.isVoid ? undefined : call.value
        await sleep(10)
      }
    }
    const load = async (path: string, body: object): Promise<null> => {
      await inTab('POST', path, body)
      // On a busy machine it says so before the page's modules are there. One that has left again is not waited for.
      await evaluate(LOADED).catch(() => {})
      return null
    }
    return {
      evaluate: evaluate as WebKitTab['evaluate'],
      goto: (url) => load('/url', { url }),
      reload: () => load('/refresh', {}),
      async close() {
        await collect(0)
        await inTab('DELETE', '/window')
      },
    }
  }
  return {
    version: made.capabilities.browserVersion,
    async newPage(onReport = () => {}) {
      const opened = await next(async () => {
        // The tab that it began with stays, so that there is always one to be in.
        await command('POST', `${session}/window`, { handle: first })
        return command('POST', `${session}/window/new`, { type: 'tab' })
      })
      return tabOf((opened as { handle: string }).handle, onReport)
    },
    async close() {
      if (!hasEnded(driver)) await command('DELETE', session, undefined, CLOSE_MS).catch(() => {})
      kill()
    },
  }
}

function place(name: 'webkit' | 'webkitDriver' | 'xvfb'): string {
  const found = findProgram(name)
  if (found === null) throw new Error(`Expected ${name}: run node scripts/programs.mjs`)
  return found
}

/** A program that does not outlive us. */
function startProgram(name: 'webkitDriver' | 'xvfb', args: string[], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = spawn(place(name), args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  return child
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

/** Never resolves. */
const failureOf = (child: ChildProcess): Promise<never> =>
  Promise.race([once(child, 'exit'), once(child, 'error')]).then(([reason]) => {
    throw new Error(`Expected ${child.spawnfile} to run on, but: ${reason}`)
  })
