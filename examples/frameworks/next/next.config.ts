import path from 'node:path'
import type { NextConfig } from 'next'

const config: NextConfig = {
  // For forbidden() and unauthorized().
  experimental: { authInterrupts: true },
  // This app's packages are those of the workspace around it.
  turbopack: { root: path.join(import.meta.dirname, '..') },
}

export default config
