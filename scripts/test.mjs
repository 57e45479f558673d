// `npm test`: every check there is, but for the clients of test/clients, which have a command of their own.
import { runChecks } from './checks.mjs'

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
