import type { ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = {
  test: {
    name: 'frameworks',
    include: ['*.test.ts'],
    // Two builds and a browser are all that a small machine has.
    maxWorkers: 2,
    // As in ../../vitest.config.ts: what was run again is named at the end.
    retry: process.env.CI ? 1 : 0,
    setupFiles: '../helpers/retries.ts',
    testTimeout: 60_000,
    // A compiler and a bundler run here.
    hookTimeout: 610_000,
  },
}

export default config
