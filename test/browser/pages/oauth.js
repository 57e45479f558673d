// An app that signs in with relatch/oauth: its own page, its callback page and the page after a sign-out are all this script. What
// it works with is in `settings`, which the server writes into the page. Its types are in ../bench/page-globals.ts.
import { createAuthFetch } from 'relatch'
import { oauthClient } from 'relatch/oauth'
import { dpop } from 'relatch/schemes/dpop'
import { createWorkerAuthFetch } from 'relatch/service-worker'
import { indexedDbStore } from 'relatch/stores/indexeddb'

const { issuer, apiUrl, clientId, isDpop, interaction, isHeld } = globalThis.settings
const scheme = isDpop ? dpop() : undefined

globalThis.oauth = oauthClient({
  issuer,
  clientId,
  redirectUri: '/callback',
  postLogoutRedirectUri: '/signed-out',
  scope: 'openid offline_access orders',
  parameters: { prompt: 'consent' },
  resource: apiUrl,
  interaction,
  // Tests sign in more often in a minute than people do.
  maxRedirects: 5,
  dpop: scheme,
})
const { refresher, onLoginRequired, onStepUp } = globalThis.oauth
const options = { baseUrl: apiUrl, store: indexedDbStore(), refresh: refresher, onLoginRequired, onStepUp, scheme }
globalThis.api = isHeld ? createWorkerAuthFetch({ worker: '/worker.js', ...options }) : createAuthFetch(options)

/** The status of a call, or the code of its error. */
globalThis.statusOf = (path, init) =>
  globalThis.api(path, init).then(
    ({ status }) => status,
    (error) => error.code ?? error.name,
  )

/** What handleCallback made of this page: where to go on, null, or the code of its error. */
globalThis.returned = globalThis.oauth.handleCallback(globalThis.api).then(
  (back) => back?.returnTo ?? null,
  (error) => error.code ?? String(error),
)

/** What is done in a click: browsers let a popup open then. What became of it is `outcome`. */
globalThis.inClick = (task) => {
  const button = document.createElement('button')
  button.id = 'go'
  button.onclick = () => {
    button.remove()
    globalThis.outcome = task()
    // Nobody may ask before it has failed.
    globalThis.outcome.catch(() => {})
  }
  document.getElementById('root').append(button)
}
