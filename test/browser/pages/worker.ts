// The service worker of the tests, with all that it imports in one file. What its world tells it stands before it.
import { type AuthFetch, refreshEndpoint } from 'relatch'
import { type ServeSessionOptions, serveSession } from 'relatch/service-worker'

declare global {
  /** Which build this is: another one is an update. */
  var version: number
  /** What of `ServeSessionOptions` can be written down. */
  var workerOptions: Pick<ServeSessionOptions, 'key' | 'tokenEndpoints' | 'refreshRetries'>
  /** For whoever drives the browser: no page can reach it. */
  var workerSession: AuthFetch
}

globalThis.workerSession = serveSession({
  refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
  ...workerOptions,
})
