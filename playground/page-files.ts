/** The built page as routes. Read once, by the names that there are: no path that somebody asks for reaches the disk. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RouteOptions } from 'relatch/testing'

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
      .map((file) => [`GET ${pathOf(file)}`, routeTo(file)]),
  )
  return { routes, owns: (path) => `GET ${path}` in routes || path === '/favicon.ico' }
}

/** `index.html` is `/`, `sign-in.html` is `/sign-in`. */
const pathOf = (file: string): string => (file === 'index.html' ? '/' : `/${file.replace(/\.html$/, '')}`)

function routeTo(file: string): RouteOptions {
  const body = readFileSync(path.join(FOLDER, file))
  const headers = {
    'content-type': TYPES[path.extname(file)] as string,
    'content-security-policy': POLICY,
    // Names of assets change with what is in them.
    'cache-control': file.startsWith('assets/') ? 'max-age=31536000, immutable' : 'no-cache',
    'x-content-type-options': 'nosniff',
  }
  return { isPublic: true, handle: () => new Response(body, { headers }) }
}
