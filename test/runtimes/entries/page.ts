/** The suite in a page: `runSuiteCase(index, runtime, places)`. */
import { count, runCase, type Surroundings } from '../suite/run-case.ts'

Object.assign(globalThis, {
  suiteCount: count,
  runSuiteCase: (index: number, surroundings: Surroundings) => runCase(index, surroundings),
})
