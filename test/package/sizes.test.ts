// What each entry costs an application that has the core already: minified, brotli, with what it imports (react left out).
import { brotliCompressSync } from 'node:zlib'
import { build } from 'esbuild'
import { expect, it } from 'vitest'

/** Bytes over `import { createAuthFetch } from 'relatch'`. */
const limits: Record<string, number> = {
  'stores/indexeddb': 1500,
  'stores/shared-tabs': 1500,
  'stores/web-storage': 1500,
  react: 300,
}

const core = await sizeOf(`export { createAuthFetch } from './dist/index.js'`)

for (const [entry, limit] of Object.entries(limits)) {
  it(`relatch/${entry} adds at most ${limit} bytes`, async () => {
    const both = await sizeOf(`export { createAuthFetch } from './dist/index.js'; export * from './dist/${entry}.js'`)
    expect(both - core).toBeLessThanOrEqual(limit)
  })
}

it('an entry is not measured as nothing', async () => {
  expect(await sizeOf(`export * from './dist/react.js'`)).toBeGreaterThan(100)
  expect(await sizeOf(`export * from './dist/stores/web-storage.js'`)).toBeGreaterThan(1000)
})

async function sizeOf(contents: string): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: '.' },
    bundle: true,
    minify: true,
    format: 'esm',
    external: ['react'],
    write: false,
  })
  return brotliCompressSync(outputFiles[0]?.contents ?? new Uint8Array()).length
}
