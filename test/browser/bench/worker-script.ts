/** Service workers of the tests: a script of pages/ with all that it imports of the built package, in one file. */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const dist = (name: string): string => fileURLToPath(new URL(`../../../dist/${name}.js`, import.meta.url))
const bundles = new Map<string, Promise<string>>()

async function bundled(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`../pages/${entry}`, import.meta.url))],
    bundle: true,
    write: false,
    format: 'iife',
    alias: {
      'relatch/oauth': dist('oauth'),
      'relatch/schemes/dpop': dist('schemes/dpop'),
      'relatch/service-worker': dist('service-worker'),
      relatch: dist('index'),
    },
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/** @param globals what the script finds on its global object */
export async function workerScript(entry: string, globals: object): Promise<Response> {
  const bundle = bundles.get(entry) ?? bundled(entry)
  bundles.set(entry, bundle)
  const headers = { 'content-type': 'text/javascript', 'cache-control': 'no-store' }
  return new Response(`Object.assign(globalThis, ${JSON.stringify(globals)})\n${await bundle}`, { headers })
}
