/**
 * `npm start`: a session's life, told by both sides. A real authorization server listens on loopback; a client with relatch goes
 * through sign-in, expiry, a 403, an outage and a dead session; what the server really saw is printed beside what the app got.
 */
import { type AuthEvents, createAuthFetch, isAuthError, refreshEndpoint } from 'relatch'
import { createAuthServer } from 'relatch/testing'
import { createPrinter } from './trace-printer.ts'

const CROWD = 50

const server = createAuthServer({
  routes: { 'GET /orders/:id': (_request, { params, user }) => Response.json({ id: params.id, owner: user }) },
})
await using http = await server.listen()
const print = createPrinter(server)

/** What a login form would do: the password grant, which createAuthServer knows for this purpose. */
async function logIn(user: string): Promise<{ access_token: string }> {
  const body = new URLSearchParams({ grant_type: 'password', username: user, password: user })
  const response = await fetch(`${http.url}/token`, { method: 'POST', body })
  return response.json()
}

const api = createAuthFetch({
  baseUrl: http.url,
  refresh: refreshEndpoint({ url: '/token', clientId: 'trace' }),
  onPermissionDenied: async (denial) => {
    const problem = await denial.problem()
    const why = denial.requiredScopes.length > 0 ? `needs ${denial.requiredScopes.join(' ')}` : problem?.detail
    print.app(`onPermissionDenied: ${denial.reason}, ${why}`)
  },
  onLoginRequired: async ({ reason, request }) => {
    print.app(`onLoginRequired: ${reason}, first met by ${request.method} ${new URL(request.url).pathname}`)
    print.app('the user types a password; the requests wait')
    return logIn('viewer')
  },
})

const EVENTS: Array<keyof AuthEvents> = [
  'signed-in',
  'refreshed',
  'refresh-failed',
  'recovered',
  'signed-out',
  'denied',
]
for (const event of EVENTS) api.on(event, (payload) => print.event(event, payload))

const statuses = async (calls: Array<Promise<Response>>): Promise<string> => {
  const counts = new Map<number, number>()
  for (const { status } of await Promise.all(calls)) counts.set(status, (counts.get(status) ?? 0) + 1)
  return [...counts].map(([status, count]) => `${count} × ${status}`).join(', ')
}
const crowd = (path: string): Array<Promise<Response>> =>
  Array.from({ length: CROWD }, (_, index) => api(`${path}/${index + 1}`))

print.title(
  `A session's life, against ${http.url}`,
  'access tokens live 5 minutes · refresh tokens rotate · reuse revokes the session',
)

await print.scene('Sign in', async () => {
  await api.signIn(await logIn('viewer'))
  const me = await (await api('/me')).json()
  return `GET /me answers ${me.user}`
})

await print.scene(`${CROWD} requests meet an expired access token`, async () => {
  server.expireAccessTokens()
  const answers = await statuses(crowd('/orders'))
  return `${answers} · ${server.stats.refreshes} refresh · ${server.stats.reuses} reused refresh tokens`
})

await print.scene('A 403: the server knows the user, and says no', async () => {
  const answers = await statuses([api('/admin'), api('/reports')])
  return `${answers} · ${server.stats.refreshAttempts} refreshes · each sent once`
})

await print.scene('The authorization server is down', async () => {
  server.expireAccessTokens()
  server.down = true
  try {
    await api('/me')
  } catch (error) {
    if (!isAuthError(error)) throw error
    print.app(
      `rejected: ${error.code}, ${error.retryable ? 'retryable' : 'not retryable'}, still ${api.snapshot().status}`,
    )
  }
  server.down = false
  const response = await api('/me')
  return `the outage ends, the next request answers ${response.status} · nobody was logged out`
})

await print.scene(`The session is revoked under ${CROWD} requests`, async () => {
  server.revokeSession()
  const answers = await statuses(crowd('/orders'))
  return `${answers} · 1 login · every request went on where it was`
})

await print.scene('Sign out', async () => {
  await api.signOut()
  const response = await api('/public')
  return `${api.snapshot().status} · GET /public answers ${response.status}, sent without a token`
})

api.dispose()
