/** The built page as routes. Read once, by the names that there are: no path that somebody asks for reaches the disk. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RouteOptions } from 'relatch/testing'
import { WORKER_SCOPE } from './contract.ts'
import { workerRoute } from './worker-script.ts'

const FOLDER = fileURLToPath(new URL('../build/playground', import.meta.url))
const TYPES: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}
// Nothing from elsewhere, and nobody else's frame around it. Styles: what components set on their elements.
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'"

export interface PageFiles {
  routes: Record<string, RouteOptions>
  /** Whether a path is one of these. */
  owns(path: string): boolean
}

/** @throws Error where nothing is built */
export function readPageFiles(): PageFiles {
  if (!existsSync(path.join(FOLDER, 'index.html'))) {
    throw new Error('The page is not built yet. `npm start` builds it; so does `npm run build:playground`.')
  }
  const routes = Object.fromEntries(
    readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
      .map((file) => file.replaceAll(path.sep, '/'))
      .filter((file) => path.extname(file) in TYPES)
      .flatMap((file) => {
        const route = routeTo(file)
        return pathsOf(file).map((path) => [`GET ${path}`, route])
      }),
  )
  return { routes, owns: (path) => `GET ${path}` in routes || path === '/favicon.ico' }
}

/** `index.html` is `/`, `sign-in.html` is `/sign-in`; each is in the scope of the service worker too. */
function pathsOf(file: string): string[] {
  const name = file.replace(/^index\.html$|\.html$/, '')
  return file.endsWith('.html') ? [`/${name}`, WORKER_SCOPE + name] : [`/${name}`]
}

function routeTo(file: string): RouteOptions {
  const body = readFileSync(path.join(FOLDER, file))
  const headers: Record<string, string> = {
    'content-type': TYPES[path.extname(file)] as string,
    'content-security-policy': POLICY,
    // Names of assets change with what is in them.
    'cache-control': file.startsWith('assets/') ? 'max-age=31536000, immutable' : 'no-cache',
    'x-content-type-options': 'nosniff',
  }
  if (file === 'worker.js') return workerRoute(body.toString(), headers)
  return { isPublic: true, handle: () => new Response(body, { headers }) }
}
