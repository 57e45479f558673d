import type { ViteUserConfig } from 'vitest/config'

type ProjectOptions = NonNullable<ViteUserConfig['test']>

/** Eight tabs of requests at once, or a suite that gives each step a second and a half. */
const ALONE = ['test/browser/{contract,playground-tabs,rotation}.test.ts']

/** Tests in browsers; groups run one after the other. */
const browsers = (name: string, files: ProjectOptions, groupOrder: number): { test: ProjectOptions } => ({
  test: {
    name,
    ...files,
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

const config: ViteUserConfig = {
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{unit,contract,pipeline,vectors}/**/*.test.ts'],
        },
      },
      {
        test: {
          name: 'server',
          include: ['test/server/**/*.test.ts'],
          // The memory tests call globalThis.gc and read the memory of a whole process.
          pool: 'forks',
          execArgv: ['--expose-gc'],
        },
      },
      {
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          // Eight processes a test, on two cores: next to other tests a store would be slower than a second (S2).
          sequence: { groupOrder: 1 },
          maxWorkers: 1,
          testTimeout: 150_000,
          hookTimeout: 60_000,
        },
      },
      browsers('browser', { include: ['test/browser/**/*.test.ts'], exclude: ALONE, maxWorkers: 2 }, 2),
      // Next to another browser each would have half a machine, and a store that is slower than a second counts as failing (S2).
      browsers('browser-alone', { include: ALONE, maxWorkers: 1 }, 3),
      {
        test: {
          name: 'package',
          include: ['test/package/**/*.test.ts'],
          globalSetup: 'test/package/fresh-build.ts',
          // npm and two compilers are started here.
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
}

export default config
