// `npm test`: every check there is, but for what has a command of its own (clients, frameworks, runtimes). `-- --full` leaves out
// nothing of the tests (test/helpers/extent.ts).
import { runChecks } from './checks.mjs'

const isFull = process.argv.includes('--full') || process.env.FULL === '1'
process.env.FULL = isFull ? '1' : ''
if (!isFull)
  console.log('Left out: Firefox, WebKit, and most rounds of each race. `npm test -- --full` runs them, as CI does.')

const report = 'build/test-report.json'
runChecks(report, {
  lint: 'npm run lint',
  build: 'npm run build', // before whatever looks at dist/
  playground: 'npm run build:playground',
  typecheck: 'npm run typecheck',
  tests: `vitest run --reporter=default --reporter=json --outputFile.json=${report}`,
  package: 'npm run check:package',
  size: 'npm run size',
  unused: 'npm run unused',
})
