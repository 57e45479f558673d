import type { ViteUserConfig } from 'vitest/config'

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
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: 'test/package/fresh-build.ts',
          // Two browsers at once would each get half a machine, and a store that is slower than a second counts as failing (S2).
          fileParallelism: false,
          // For the browsers' sake: they hang now and then at what has nothing to do with us.
          retry: 1,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
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
