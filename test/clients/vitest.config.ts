import type { ViteUserConfig } from 'vitest/config'

const config: ViteUserConfig = {
  test: { name: 'clients', include: ['*.test.ts'], maxWorkers: '100%', testTimeout: 30_000 },
}

export default config
