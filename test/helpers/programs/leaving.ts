/** A program: leaves a client in the state that its argument names, says so, and has nothing more to do. */
import { createAuthFetch, type LoginResult, type TokenStore } from '../../../src/index.ts'

const HOUR_MS = 3_600_000
const tokens = () => ({ accessToken: 'a', refreshToken: 'r', expiresAt: Date.now() + HOUR_MS })
const serving =
  (status: number): typeof fetch =>
  async () =>
    new Response(null, { status })

const broken: TokenStore = {
  read: () => Promise.reject(new Error('broken')),
  write: () => Promise.reject(new Error('broken')),
  watch: () => {
    throw new Error('broken')
  },
}

const states: Record<string, () => Promise<void>> = {
  async 'signed-in'() {
    const api = createAuthFetch({ baseUrl: 'https://api.test', fetch: serving(200), refresh: async () => tokens() })
    await api.signIn(tokens())
    await api('/me')
    await api.refresh()
  },
  async 'failing-store'() {
    const api = createAuthFetch({ baseUrl: 'https://api.test', fetch: serving(200), store: broken })
    await api.signIn(tokens())
    await api('/me')
  },
  async 'waiting-for-a-login'() {
    const onLoginRequired = () => new Promise<LoginResult>(() => {})
    const api = createAuthFetch({ baseUrl: 'https://api.test', fetch: serving(401), onLoginRequired })
    void api('/me')
    await new Promise((resolve) => setTimeout(resolve, 10))
  },
  async 'failing-refresh'() {
    const refresh = () => Promise.reject(new Error('down'))
    const api = createAuthFetch({ baseUrl: 'https://api.test', fetch: serving(401), refresh, refreshRetries: 0 })
    await api.signIn(tokens())
    for (let call = 0; call < 3; call++) await api('/me').catch(() => {})
  },
  async disposed() {
    const api = createAuthFetch({ baseUrl: 'https://api.test', fetch: serving(401), store: broken })
    await api.signIn(tokens())
    api.dispose()
    await api('/me')
  },
}

await states[process.argv[2] ?? '']?.()
process.stdout.write('done')
