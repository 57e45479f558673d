import { createAuthFetch, loginRedirect, refreshEndpoint } from 'relatch'
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { go } from './pages.ts'

export const api = createAuthFetch({
  refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
  store: indexedDbStore(),
  onLoginRequired: loginRedirect({ to: '/login', navigate: go }),
})
