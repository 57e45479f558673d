// What each entry costs an application that has the core already: minified, brotli, with what it imports (react and the OpenTelemetry API left out).
import { brotliCompressSync } from 'node:zlib'
import { build, type Format } from 'esbuild'
import { expect, it } from 'vitest'

/** Bytes over `import { createAuthFetch } from 'relatch'`. */
const limits: Record<string, number> = {
  'stores/indexeddb': 1500,
  'stores/shared-tabs': 1560,
  'stores/web-storage': 1560,
  otel: 2000,
  'stores/cookies': 3000,
  react: 300,
  oauth: 15_500,
  /** Both halves, of which a page and a worker have one each. */
  'service-worker': 7200,
  'schemes/dpop': 4100,
  'schemes/cookie': 1700,
  'schemes/basic': 400,
  'schemes/api-key': 400,
}

const CORE = `export { createAuthFetch } from './dist/index.js'`
const everything = (entry: string): string => `export * from './dist/${entry}.js'`
const cores = new Map<Format, number>()
for (const format of ['esm', 'iife'] as const) cores.set(format, await sizeOf(CORE, format))

for (const [entry, limit] of Object.entries(limits)) {
  it(`relatch/${entry} adds at most ${limit} bytes`, async () => {
    expect(await addedBy(entry)).toBeLessThanOrEqual(limit)
  })
}

it('an entry is not measured as nothing', async () => {
  expect(await sizeOf(everything('react'), 'esm')).toBeGreaterThan(100)
  expect(await sizeOf(everything('stores/web-storage'), 'esm')).toBeGreaterThan(1000)
})

/** The median of several bundles: one word in another place moves the difference of two compressed sizes by a hundred bytes. */
async function addedBy(entry: string): Promise<number> {
  const bundles = [...cores].flatMap(([format, core]) =>
    [`${CORE};${everything(entry)}`, `${everything(entry)};${CORE}`].map(
      async (both) => (await sizeOf(both, format)) - core,
    ),
  )
  const [, lower = 0, upper = 0] = (await Promise.all(bundles)).sort((a, b) => a - b)
  return (lower + upper) / 2
}

async function sizeOf(contents: string, format: Format): Promise<number> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: '.' },
    bundle: true,
    minify: true,
    format,
    external: ['react', '@opentelemetry/api'],
    write: false,
  })
  return brotliCompressSync(outputFiles[0]?.contents ?? new Uint8Array()).length
}
