// `npm run test:clients`: every client of test/clients through relatch, and the page that is made of what they have shown.
// With --write the page, docs/clients.md, is written; without, it has to say what was shown.
import { runChecks } from './checks.mjs'

const report = 'build/clients-report.json'
const page = `node test/clients/page.ts ${report}${process.argv.includes('--write') ? ' --write' : ''}`
runChecks(report, {
  generate: 'node test/clients/generate.ts',
  typecheck: 'tsc -p test/clients',
  tests: `vitest run --root test/clients --reporter=default --reporter=json --outputFile.json=../../${report}`,
  page,
})
