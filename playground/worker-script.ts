/**
 * The worker's script, with a key for the browser that installs it. A page that asks for the script gets it without the key: no
 * script can pretend to be the installation of a service worker (Fetch Metadata).
 */
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { RouteOptions } from 'relatch/testing'

const COOKIE = 'relatch-playground-device'

/** @param code what esbuild has made of worker.ts; `headers` are those of every file of the page */
export function workerRoute(code: string, headers: Record<string, string>): RouteOptions {
  // Sessions of this server end with it, and so may what seals them.
  const secret = randomBytes(32)
  const handle = (request: Request): Response => {
    const known = new RegExp(`(?:^|; )${COOKIE}=([\\w-]{36})(?:;|$)`).exec(request.headers.get('cookie') ?? '')?.[1]
    const device = known ?? randomUUID()
    const key = createHmac('sha256', secret).update(device).digest('base64url')
    const { headers: given } = request
    // The second is what tells our own installation from another worker's import.
    const isWorker = given.get('sec-fetch-dest') === 'serviceworker' && given.get('service-worker') === 'script'
    return new Response(isWorker ? `self.sessionKey = '${key}';\n${code}` : code, {
      headers: {
        ...headers,
        // Else a page could read it in the cache.
        'cache-control': 'no-store',
        vary: 'Sec-Fetch-Dest, Cookie',
        'set-cookie': `${COOKIE}=${device}; Path=/worker.js; HttpOnly; SameSite=Strict; Max-Age=2592000`,
      },
    })
  }
  return { isPublic: true, handle }
}
