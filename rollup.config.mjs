// From build/ (what tsc emitted) to dist/ (what is published). No plugin touches the JavaScript of the package itself.
import { rmSync } from 'node:fs'
import path from 'node:path'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import { dts } from 'rollup-plugin-dts'

// One entry for each subpath of package.json's exports. They are built together, so that a module which several of
// them need, with the brands and WeakMaps in it, exists once: `relatch/ky` imports the very file that `relatch` is.
const entries = {
  index: 'index',
  devtools: 'devtools/index',
  ky: 'adapters/ky',
  oauth: 'oauth/index',
  otel: 'adapters/otel',
  react: 'adapters/react',
  'schemes/api-key': 'schemes/api-key',
  'schemes/basic': 'schemes/basic',
  'schemes/cookie': 'schemes/cookie',
  'schemes/dpop': 'schemes/dpop',
  'service-worker': 'service-worker/index',
  'stores/cookies': 'stores/cookies',
  'stores/file': 'stores/file',
  'stores/indexeddb': 'stores/indexeddb',
  'stores/redis': 'stores/redis',
  'stores/shared-tabs': 'stores/shared-tabs',
  'stores/unstorage': 'stores/unstorage',
  'stores/web-storage': 'stores/web-storage',
  testing: 'testing/index',
}

const input = (extension) =>
  Object.fromEntries(Object.entries(entries).map(([name, file]) => [name, `build/${file}${extension}`]))

// Without this rollup would cut what the entries share into many chunks with hashed names. What nothing in the core imports
// is the entries' own, or in the chunk of those that share it.
const chunks = {
  'stores/records': /\/build\/coordination\/indexeddb-judge/,
  'stores/tabs': /\/build\/(?:stores\/tabs|coordination\/tab-)/,
  'stores/judged': /\/build\/(?:stores\/judged|coordination\/(?:judge|lease))/,
}
const isShared = (id) => Object.values(chunks).some((files) => files.test(id))
const entriesOwn =
  /\/build\/(?:adapters\/|devtools\/|oauth\/|service-worker\/|testing\/|schemes\/(?!bearer)|stores\/(?!memory)|coordination\/(?:cookie|file|redis|unstorage)-)/

const manualChunks = (id) => {
  const shared = Object.keys(chunks).find((name) => chunks[name].test(id))
  if (shared) return shared
  return entriesOwn.test(id) ? null : 'core'
}

const external = (id) => !/^[./]/.test(id)

// For require(): one line that loads the ES module. A second copy of the code would be a second instance (a failure
// noted by one could not be read through the other), and it would run nowhere that this line does not: p-retry and ky
// are ES modules only, so require() of an ES module (Node 22.12) is needed either way.
const requireDoors = {
  name: 'require-doors',
  generateBundle() {
    for (const name of Object.keys(entries)) {
      this.emitFile({
        type: 'asset',
        fileName: `${name}.cjs`,
        source: `module.exports = require('./${path.basename(name)}.js')\n`,
      })
    }
  },
}

const declarations = (extension) => ({
  dir: 'dist',
  format: 'es',
  entryFileNames: `[name].d.${extension}`,
  chunkFileNames: `[name].d.${extension}`,
  // Of what only the stores share nothing is public.
  manualChunks: (id) => (isShared(id) ? null : manualChunks(id)),
  // A session has [Symbol.dispose], which a consumer on lib ES2022 and DOM does not know.
  banner: '/// <reference lib="esnext.disposable" />',
})

// What an earlier build left behind must not be published.
rmSync('dist', { recursive: true, force: true })

export default [
  {
    input: input('.js'),
    external,
    // Packages have no side effects that we import them for; without this ky.js begins with a bare import of p-retry.
    treeshake: { moduleSideEffects: 'no-external' },
    plugins: [requireDoors],
    output: {
      dir: 'dist',
      format: 'es',
      sourcemap: true,
      chunkFileNames: '[name].js',
      manualChunks,
      hoistTransitiveImports: false,
    },
  },
  {
    input: input('.d.ts'),
    external,
    plugins: [dts()],
    output: [declarations('ts'), declarations('cts')],
  },
  {
    // For script tags: the core alone, its dependency inside, as the global `relatch`.
    input: 'build/index.js',
    plugins: [nodeResolve({ browser: true }), terser()],
    output: { file: 'dist/relatch.min.js', format: 'iife', name: 'relatch', sourcemap: true },
  },
]
