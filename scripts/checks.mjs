// Runs checks one after the other and closes with one summary. A failed check does not stop the others, so that one run tells
// everything there is to tell.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import path from 'node:path'

// A test that spins cannot be interrupted from within; the whole run ends all the same.
const LIMIT_MS = 40 * 60_000

/**
 * Sets the exit code; the last line reads `N passed, N failed`.
 *
 * @param {string} report where the check named `tests` has vitest write its JSON report
 * @param {Record<string, string>} checks name → command
 */
export function runChecks(report, checks) {
  rmSync(report, { force: true }) // a run that dies must not be judged by the report of the one before
  const results = Object.entries(checks).map(([name, command]) => run(name, command))
  const tests = readReport(report)

  console.log(`\nNode ${process.version}\n`)
  for (const { name, isGreen, seconds } of results) {
    console.log(`${isGreen ? '  ok  ' : ' FAIL '} ${name.padEnd(10)} ${seconds.toFixed(1).padStart(6)} s`)
  }
  for (const line of retriesOf(tests)) console.log(line)
  // Last, because a long log is often cut to its end: which tests failed, and what they said first.
  for (const line of failuresOf(tests)) console.log(line)

  // A check that is not the tests counts as one, so that "0 failed" and exit code 0 always mean the same.
  const counts = results.map(({ name, isGreen }) =>
    name === 'tests' && tests ? countOf(tests, isGreen) : { passed: isGreen ? 1 : 0, failed: isGreen ? 0 : 1 },
  )
  const passed = counts.reduce((sum, each) => sum + each.passed, 0)
  const failed = counts.reduce((sum, each) => sum + each.failed, 0)
  console.log(`\n${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

function run(name, command) {
  console.log(`\n=== ${name}: ${command}`)
  const start = performance.now()
  const [file, ...args] = command.split(' ')
  // Without a shell in between: what is stopped at the limit is the command itself.
  const options = { stdio: 'inherit', timeout: LIMIT_MS, shell: process.platform === 'win32' }
  const { status, error } = spawnSync(file, args, options)
  if (error) console.log(`${name}: ${error.message}`)
  return { name, isGreen: status === 0, seconds: (performance.now() - start) / 1000 }
}

/** A file that cannot be loaded, or an unhandled rejection, fails the run without failing a test. */
function countOf({ numPassedTests, numFailedTests }, isGreen) {
  return { passed: numPassedTests, failed: isGreen ? 0 : Math.max(1, numFailedTests) }
}

/** What the report says of each test that failed, and of each file that could not be run. */
function failuresOf(tests) {
  return (tests?.testResults ?? []).flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults
      .filter(({ status }) => status === 'failed')
      .map(({ fullName, failureMessages: [first = ''] }) => ({ what: fullName, first }))
    if (message && failed.length === 0) failed.push({ what: 'the file', first: message })
    const file = path.relative(process.cwd(), name)
    return failed.map(({ what, first }) => {
      const lines = first.split('\n').slice(0, 3)
      return `\n FAIL  ${file}: ${what}\n       ${lines.join('\n       ')}`
    })
  })
}

/** What has failed once and then passed: not a failure, and not to be overlooked. */
function retriesOf(tests) {
  return (tests?.testResults ?? []).flatMap(({ name, assertionResults }) =>
    assertionResults
      .filter(({ status, meta }) => status === 'passed' && meta?.retries > 0)
      .map(
        ({ fullName, meta }) =>
          `\n again ${path.relative(process.cwd(), name)}: ${fullName} (${meta.retries + 1} runs)`,
      ),
  )
}

/** What vitest wrote down; null where it did not come to that. */
function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    return null
  }
}
