import type { ViteUserConfig } from 'vitest/config'
import { isFull } from './test/helpers/extent.ts'

type ProjectOptions = NonNullable<ViteUserConfig['test']>

// Groups run one after the other.

/** Eight processes of requests at once, or twenty that are stopped and have to be heard within seconds. */
const PROCESSES_ALONE = ['test/process/{rotation,stopped}.test.ts']

/**
 * On a machine that CI shares with others a second may be gone at any moment, and these tests count time: a lease that ended
 * while nobody looked is no defect. What is broken fails twice; a developer's machine is asked once.
 */
const ONCE_MORE_IN_CI = process.env.CI ? 1 : 0

/** Properties compute for seconds, and a shared machine is slow at times: what hangs is found all the same. */
const PATIENT = 30_000

/** What was run again is named at the end. */
const COUNTING = { setupFiles: 'test/helpers/retries.ts' }

const processes = (name: string, files: ProjectOptions, groupOrder: number): { test: ProjectOptions } => ({
  test: {
    name,
    ...files,
    ...COUNTING,
    sequence: { groupOrder },
    retry: ONCE_MORE_IN_CI,
    testTimeout: 150_000,
    hookTimeout: 60_000,
  },
})

/** Eight tabs of requests at once, or a suite that gives each step a second and a half; beside Firefox the playground, too. */
const BROWSERS_ALONE = [`test/browser/{contract,${isFull ? 'playground,' : ''}playground-tabs,rotation}.test.ts`]

/** Tests in browsers. */
const browsers = (name: string, files: ProjectOptions, groupOrder: number): { test: ProjectOptions } => ({
  test: {
    name,
    ...files,
    ...COUNTING,
    globalSetup: 'test/package/fresh-build.ts',
    sequence: { groupOrder },
    // The files share browsers, which live in a module (bench/browsers.ts).
    isolate: false,
    // For the browsers' sake: they hang now and then at what has nothing to do with us.
    retry: 1,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})

/** Vitest would leave one of them idle: half of a small machine. */
const ALL_CORES = '100%'

const config: ViteUserConfig = {
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,contract,pipeline,vectors}/**/*.test.ts'],
          maxWorkers: ALL_CORES,
          testTimeout: PATIENT,
        },
      },
      {
        test: {
          name: 'server',
          include: ['test/server/**/*.test.ts'],
          maxWorkers: ALL_CORES,
          ...COUNTING,
          testTimeout: PATIENT,
          retry: ONCE_MORE_IN_CI,
          // The memory tests call globalThis.gc and read the memory of a whole process.
          pool: 'forks',
          execArgv: ['--expose-gc'],
        },
      },
      // For the most part they wait: for leases to end, and for each other.
      processes('process', { include: ['test/process/**/*.test.ts'], exclude: PROCESSES_ALONE, maxWorkers: 2 }, 1),
      // On two cores, next to other tests a store would be slower than a second (S2).
      processes('process-alone', { include: PROCESSES_ALONE, maxWorkers: 1 }, 2),
      // Three would be quicker by a minute, and on a slow machine there are tests then that wait in vain.
      browsers('browser', { include: ['test/browser/**/*.test.ts'], exclude: BROWSERS_ALONE, maxWorkers: 2 }, 3),
      // Next to another browser each would have half a machine, and a store that is slower than a second counts as failing (S2).
      browsers('browser-alone', { include: BROWSERS_ALONE, maxWorkers: 1 }, 4),
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          maxWorkers: ALL_CORES,
          globalSetup: 'test/package/fresh-build.ts',
          ...COUNTING,
          retry: ONCE_MORE_IN_CI,
          // npm and two compilers are started here.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
}

export default config
