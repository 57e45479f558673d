// `npm test`: every check there is, then one summary. A failed check does not stop the others, so that one run tells
// everything there is to tell.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'

const report = 'build/test-report.json'
// A test that spins cannot be interrupted from within; the whole run ends all the same.
const limitMs = 15 * 60_000
const checks = {
  lint: 'npm run lint',
  build: 'npm run build', // before whatever looks at dist/
  playground: 'npm run build:playground',
  typecheck: 'npm run typecheck',
  tests: `vitest run --reporter=default --reporter=json --outputFile.json=${report}`,
  package: 'npm run check:package',
  size: 'npm run size',
  unused: 'npm run unused',
}

rmSync(report, { force: true }) // a run that dies must not be judged by the report of the one before
const results = Object.entries(checks).map(([name, command]) => run(name, command))

console.log(`\nNode ${process.version}\n`)
for (const { name, isGreen, seconds } of results) {
  console.log(`${isGreen ? '  ok  ' : ' FAIL '} ${name.padEnd(10)} ${seconds.toFixed(1).padStart(6)} s`)
}

// A check that is not the tests counts as one, so that "0 failed" and exit code 0 always mean the same.
const counts = results.map(({ name, isGreen }) => (name === 'tests' ? countTests(isGreen) : count(isGreen)))
const passed = counts.reduce((sum, each) => sum + each.passed, 0)
const failed = counts.reduce((sum, each) => sum + each.failed, 0)
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

function run(name, command) {
  console.log(`\n=== ${name}: ${command}`)
  const start = performance.now()
  const [file, ...args] = command.split(' ')
  // Without a shell in between: what is stopped at the limit is the command itself.
  const options = { stdio: 'inherit', timeout: limitMs, shell: process.platform === 'win32' }
  const { status, error } = spawnSync(file, args, options)
  if (error) console.log(`${name}: ${error.message}`)
  return { name, isGreen: status === 0, seconds: (performance.now() - start) / 1000 }
}

function count(isGreen) {
  return { passed: isGreen ? 1 : 0, failed: isGreen ? 0 : 1 }
}

function countTests(isGreen) {
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'))
    // A file that cannot be loaded, or an unhandled rejection, fails the run without failing a test.
    return { passed: numPassedTests, failed: isGreen ? 0 : Math.max(1, numFailedTests) }
  } catch {
    return count(false)
  }
}
