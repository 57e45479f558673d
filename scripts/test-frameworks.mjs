// `npm run test:frameworks`: every app of examples/frameworks, type-checked, built and driven in a browser.
import { runChecks } from './checks.mjs'

const report = 'build/frameworks-report.json'
runChecks(report, {
  typecheck: 'tsc -p test/frameworks',
  tests: `vitest run --root test/frameworks --reporter=default --reporter=json --outputFile.json=../../${report}`,
})
