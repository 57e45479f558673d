import type { ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = {
  test: {
    name: 'clients',
    include: ['*.test.ts'],
    maxWorkers: '100%',
    // As in ../../vitest.config.ts: what was run again is named at the end.
    retry: process.env.CI ? 1 : 0,
    setupFiles: '../helpers/retries.ts',
    testTimeout: 30_000,
  },
}

export default config
