import { refreshEndpoint } from 'relatch'
import { serveSession } from 'relatch/service-worker'

serveSession({
  refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
  // The API is on the origin of the app, whose files need no worker.
  origins: ({ origin, pathname }) => origin === location.origin && pathname.startsWith('/api/'),
  tokenEndpoints: ['/login', '/token'],
})
