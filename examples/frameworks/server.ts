/**
 * One origin with a built app and what it talks to: the auth server of relatch/testing, with a small shop for its API. Tests drive
 * the apps on it; `node server.ts vue`, after `npm run build -w vue-app`, lets you do it. Nothing here is needed by an app.
 */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { type AuthServer, type AuthServerOptions, createAuthServer } from 'relatch/testing'

type Routes = NonNullable<AuthServerOptions['routes']>

/** The paths that the router of each app knows. */
const PAGES = ['/', '/orders', '/reports', '/login']

const TYPES: Record<string, string> = {
  '.css': 'text/css',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}

/** What each of the apps shows. Reports take a scope that the user `viewer` has not got. */
export function shop(): Routes {
  const orders = ['Tea', 'Coffee']
  return {
    'GET /api/me': (_request, { user }) => Response.json({ name: user }),
    'GET /api/orders': () => Response.json(orders),
    'POST /api/orders': async (request) => {
      const { item } = (await request.json()) as { item: string }
      orders.push(item)
      return Response.json({ item }, { status: 201 })
    },
    'GET /api/reports': { scope: 'reports:read', handle: () => Response.json(['Q1', 'Q2']) },
  }
}

/** The files of a folder, and its index.html for each page: what any server of a single-page app does. */
function pages(folder: string): Routes {
  const file = (name: string): Routes[string] => {
    const content = readFileSync(path.join(folder, name))
    const headers = { 'content-type': TYPES[path.extname(name)] ?? 'application/octet-stream' }
    return { isPublic: true, handle: () => new Response(content, { headers }) }
  }
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => path.relative(folder, path.join(parentPath, name)))
  return {
    ...Object.fromEntries(names.map((name) => [`GET /${name.replaceAll(path.sep, '/')}`, file(name)])),
    ...Object.fromEntries(PAGES.map((page) => [`GET ${page}`, file('index.html')])),
  }
}

/** @param name the folder of an app that was built, beside this file */
export const serverFor = (name: string): AuthServer =>
  createAuthServer({ routes: { ...pages(path.join(import.meta.dirname, name, 'dist')), ...shop() } })

if (import.meta.main) {
  const { url } = await serverFor(process.argv[2] ?? '').listen(Number(process.env.PORT ?? 4020))
  console.log(`${url}  Sign in as viewer or admin; the password is the name.`)
}
