import { loginRedirect, refreshEndpoint } from 'relatch'
import { createWorkerAuthFetch } from 'relatch/service-worker'
import { go } from './pages.ts'

export const api = createWorkerAuthFetch({
  worker: '/worker.js',
  onLoginRequired: loginRedirect({ to: '/login', navigate: go }),
  // For a session of the page's own, where there is no worker.
  refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
})
