// The service worker of pages/oauth.js where that is to have one: it has the session, and renews it as a client of the same server.
import { oauthClient } from 'relatch/oauth'
import { dpop } from 'relatch/schemes/dpop'
import { serveSession } from 'relatch/service-worker'

const { issuer, apiUrl, clientId, isDpop } = globalThis.settings
const scheme = isDpop ? dpop() : undefined
const { refresher, revoke } = oauthClient({ issuer, clientId, resource: apiUrl, dpop: scheme })

serveSession({
  baseUrl: apiUrl,
  refresh: refresher,
  scheme,
  tokenEndpoints: [`${issuer}/token`],
  revoke,
})
