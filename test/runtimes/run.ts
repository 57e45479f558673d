/**
 * The suite on every runtime: `node run.ts [runtime …] [--write]`. Prints what came out and ends with `N passed, N failed`. With
 * --write docs/runtimes.md is written, without it has to say what was shown; of some runtimes alone nothing is said of the page.
 */
import process from 'node:process'
import { launchPuppeteer, launchWebKitGtk, suitePages } from './launch/browser.ts'
import type { Launch } from './launch/launch.ts'
import { LEAVING, launchProcess } from './launch/process.ts'
import { launchWorkerd, OLDEST_DATE } from './launch/workerd.ts'
import { type Column, complaintAbout, matrixOf } from './matrix.ts'
import { isPageOf, writePage } from './page.ts'
import { openWorldServer, type PageFile } from './server/world-server.ts'
import type { Result, Runtime } from './suite/case.ts'
import { CASES } from './suite/cases.ts'

/** Left to right. */
const RUNTIMES: Readonly<Record<Runtime, { label: string; launch: Launch; isProcess?: true }>> = {
  'node-22': { label: 'Node 22', launch: launchProcess('node-22'), isProcess: true },
  'node-24': { label: 'Node 24', launch: launchProcess('node-24'), isProcess: true },
  'node-26': { label: 'Node 26', launch: launchProcess('node-26'), isProcess: true },
  bun: { label: 'Bun', launch: launchProcess('bun'), isProcess: true },
  deno: { label: 'Deno', launch: launchProcess('deno'), isProcess: true },
  workerd: { label: 'workerd', launch: launchWorkerd() },
  'workerd-2025': { label: 'workerd ’25', launch: launchWorkerd(OLDEST_DATE) },
  chromium: { label: 'Chromium', launch: launchPuppeteer('chrome') },
  firefox: { label: 'Firefox', launch: launchPuppeteer('firefox') },
  webkit: { label: 'WebKit', launch: launchWebKitGtk },
}

/** A case has twenty seconds; a runtime in which they all hang is ended. */
const LIMIT_MS = 240_000
/** As many as a small machine has cores. */
const AT_ONCE = 2

const isRuntime = (name: string): name is Runtime => Object.hasOwn(RUNTIMES, name)

async function runOn(runtime: Runtime, pages: Readonly<Record<string, PageFile>>): Promise<Column> {
  const { label, launch, isProcess } = RUNTIMES[runtime]
  const startedAt = performance.now()
  const results: Result[] = []
  let version = ''
  // Its own, so that nobody else's sockets are counted.
  await using server = await openWorldServer(pages)
  const { home, elsewhere, control } = server
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(new Error(`Expected an end within ${LIMIT_MS} ms`)), LIMIT_MS)
  try {
    const onResult = (result: Result): void => void results.push(result)
    version = await launch({ runtime, places: { home, elsewhere, control }, onResult, signal: late.signal })
    // What a runtime says of itself is not enough: one that ends early, or skips some, must not be green.
    const complaint = complaintAbout(results, isProcess ? [...CASES, LEAVING] : CASES)
    if (complaint !== null) throw new Error(complaint)
    if (version === '') throw new Error('Expected it to say its version')
  } catch (error) {
    const failure = String(late.signal.aborted ? late.signal.reason : error)
    results.push({ id: 'E3', title: 'the suite comes to its end', failure, note: null })
  } finally {
    clearTimeout(timer)
  }
  const failed = results.filter(({ failure }) => failure !== null).length
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  console.log(
    `${failed === 0 ? '  ok  ' : ' FAIL '} ${label.padEnd(12)} ${results.length - failed} passed, ${seconds} s`,
  )
  return { runtime, label, version, results }
}

async function runAll(runtimes: readonly Runtime[]): Promise<Column[]> {
  const pages = await suitePages()
  const columns: Column[] = []
  const waiting = runtimes.entries()
  const lane = async (): Promise<void> => {
    for (const [index, runtime] of waiting) columns[index] = await runOn(runtime, pages)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  return columns
}

/** What is wrong with the page; null: nothing, or a run of which it says nothing. */
function judgePage(columns: readonly Column[], isWritten: boolean): string | null {
  try {
    if (isWritten) writePage(columns)
    return isWritten || isPageOf(columns)
      ? null
      : 'it says something else than what was shown: npm run test:runtimes -- --write'
  } catch (error) {
    return String(error)
  }
}

const named = process.argv.slice(2).filter((argument) => argument !== '--write')
const unknown = named.filter((name) => !isRuntime(name))
if (unknown.length > 0)
  throw new TypeError(`Expected one of ${Object.keys(RUNTIMES).join(', ')}, not ${unknown.join(', ')}`)
const isWhole = named.length === 0
const columns = await runAll((isWhole ? Object.keys(RUNTIMES) : named).filter(isRuntime))

console.log(`\n${matrixOf(columns)}`)
let [passed, failed] = [0, 0]
for (const { runtime, results } of columns) {
  for (const { id, title, failure } of results) {
    if (failure === null) passed++
    else failed++
    if (failure !== null) console.log(`\n FAIL  ${runtime}: ${id} ${title}\n       ${failure.slice(0, 2000)}`)
  }
}
// Of a run in which something has failed, nothing is written down.
if (isWhole && failed === 0) {
  const complaint = judgePage(columns, process.argv.includes('--write'))
  if (complaint === null) passed++
  else failed++
  if (complaint !== null) console.log(`\n FAIL  docs/runtimes.md: ${complaint}`)
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
