/**
 * The testing server with pages on its origin: the built package as it is, unbundled, behind an import map. Whatever drives the
 * browser, puppeteer or a WebDriver, opens `/page` and works with what pages/kit.js puts there.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { type AuthServer, type AuthServerOptions, createAuthServer } from '../../../src/testing/index.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

type Route = NonNullable<AuthServerOptions['routes']>[string]
type RouteHandler = Extract<Route, (...args: never[]) => unknown>

/** Where the bare imports of dist/ are: in a browser an import map has to say it. */
const MODULES: Record<string, string> = {
  'p-retry': 'node_modules/p-retry/index.js',
  'is-network-error': 'node_modules/is-network-error/index.js',
  dpop: 'node_modules/dpop/build/index.js',
  oauth4webapi: 'node_modules/oauth4webapi/build/index.js',
}

const IMPORTS = {
  relatch: '/relatch/index.js',
  'relatch/devtools': '/relatch/devtools.js',
  'relatch/ky': '/relatch/ky.js',
  'relatch/oauth': '/relatch/oauth.js',
  'relatch/schemes/cookie': '/relatch/schemes/cookie.js',
  'relatch/schemes/dpop': '/relatch/schemes/dpop.js',
  'relatch/service-worker': '/relatch/service-worker.js',
  'relatch/stores/indexeddb': '/relatch/stores/indexeddb.js',
  'relatch/stores/shared-tabs': '/relatch/stores/shared-tabs.js',
  'relatch/stores/web-storage': '/relatch/stores/web-storage.js',
  'relatch/testing': '/relatch/testing.js',
  ...Object.fromEntries(Object.keys(MODULES).map((name) => [name, `/modules/${name}`])),
}

const TYPES: Record<string, string> = { '.js': 'text/javascript; charset=utf-8', '.map': 'application/json' }

/** Read once: pages are opened by the hundred. */
const files = new Map<string, Promise<Buffer<ArrayBuffer>>>()

async function file(name: string): Promise<Response> {
  const place = path.join(root, name)
  if (!existsSync(place)) return new Response(null, { status: 404 })
  const content = files.get(place) ?? readFile(place)
  files.set(place, content)
  return new Response(await content, { headers: { 'content-type': TYPES[path.extname(name)] ?? 'text/plain' } })
}

/** A script of the pages: as it is, or, where there is a .tsx of that name, with all that it imports in one file. */
async function script(name: string): Promise<Response> {
  const source = path.join(root, 'test/browser/pages', name.replace(/\.js$/, '.tsx'))
  if (name.endsWith('.tsx') || !existsSync(source)) return file(`test/browser/pages/${name}`)
  const bundle = bundles.get(source) ?? bundled(source)
  bundles.set(source, bundle)
  return new Response(await bundle, { headers: { 'content-type': TYPES['.js'] as string } })
}

const bundles = new Map<string, Promise<string>>()

async function bundled(source: string): Promise<string> {
  const { build } = await import('esbuild')
  const { outputFiles } = await build({
    entryPoints: [source],
    bundle: true,
    write: false,
    format: 'esm',
    // The page's import map has the package: one instance a page. Only `relatch/react` wants the React that is in here.
    plugins: [
      {
        name: 'relatch',
        setup: ({ onResolve }) =>
          onResolve({ filter: /^relatch/ }, ({ path: id }) =>
            id === 'relatch/react' ? null : { path: id, external: true },
          ),
      },
    ],
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

/** One segment of a path, which cannot climb out of its folder. */
const safe = (segment: string | undefined): string => path.basename(segment ?? '')

/** @param globals what the script finds on its global object */
export const page = (source: string, globals: object = {}): Response =>
  new Response(
    `<!doctype html><html lang="en"><meta charset="utf-8"><title>relatch</title><link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script>Object.assign(globalThis, ${JSON.stringify(globals)})</script>
<body><div id="root"></div><script type="module" src="/pages/${source}"></script>`,
    { headers: { 'content-type': 'text/html; charset=utf-8' } },
  )

const open = (handle: RouteHandler): Route => ({ isPublic: true, handle })

/** The routes of the pages; merge them with those of a test. */
function pageRoutes(): Record<string, Route> {
  return {
    /** The kit and nothing else. */
    'GET /page': open(() => page('kit.js')),
    /** Another script of test/browser/pages: `/page/<name>.js`. */
    'GET /page/:script': open((_request, { params }) => page(safe(params.script))),
    'GET /pages/:script': open((_request, { params }) => script(safe(params.script))),
    'GET /relatch/:file': open((_request, { params }) => file(`dist/${safe(params.file)}`)),
    'GET /relatch/:folder/:file': open((_request, { params: { folder, file: name } }) =>
      file(`dist/${safe(folder)}/${safe(name)}`),
    ),
    'GET /modules/:name': open((_request, { params }) => file(MODULES[params.name ?? ''] ?? '')),
  }
}

/** A server that listens, and where: an origin of its own, so that no test finds what another has stored. */
export interface World extends AsyncDisposable {
  readonly server: AuthServer
  readonly origin: string
}

export async function openWorld(options: AuthServerOptions = {}): Promise<World> {
  const server = createAuthServer({ ...options, routes: { ...pageRoutes(), ...options.routes } })
  const { url } = await server.listen()
  return { server, origin: url, [Symbol.asyncDispose]: () => server.close() }
}
