/** The service worker that has the session, for the choice of that name: built as a classic script, since Firefox takes no other. */
import { refreshEndpoint } from 'relatch'
import { serveSession } from 'relatch/service-worker'
import { REDEEM } from './contract.ts'
import { ENDPOINTS } from './page/endpoints.ts'

declare global {
  /** What the session is sealed with; the server puts it in front of this script (worker-script.ts). */
  var sessionKey: string | undefined
}

const paths = new Set(ENDPOINTS.map(({ path }) => path))

serveSession({
  key: globalThis.sessionKey,
  refresh: refreshEndpoint({ url: '/token', clientId: 'playground' }),
  // The API shares its origin with the page: files and switches are left alone.
  origins: ({ origin, pathname }) => origin === location.origin && paths.has(pathname),
  tokenEndpoints: ['/token', '/login', REDEEM],
})
