/** A program: plays one scene, and says how long it took to end by itself after that: no timer of ours may keep a process alive. */
import { createAuthFetch, memoryStore, refreshEndpoint, type TokenStore } from '../../../src/index.ts'

const LIFETIMES = ['2592000', '0', '-1', '5', undefined, '"3600"', '"abc"', '1e20', 'null', '1e400']

const baseUrl = 'https://api.example'
/** Refuses the token `old`, and issues tokens at /token. */
const transport =
  (expiresIn: string | undefined): typeof fetch =>
  async (input, init) => {
    const member = expiresIn === undefined ? '' : `,"expires_in":${expiresIn}`
    if (String(input).endsWith('/token')) return new Response(`{"access_token":"at","refresh_token":"rt"${member}}`)
    return new Response('x', { status: new Headers(init?.headers).get('authorization') === 'Bearer at' ? 200 : 401 })
  }
const old = { accessToken: 'old', refreshToken: 'rt' }
const refresh = refreshEndpoint({ url: 'https://auth.example/token' })

const must = (condition: boolean): void => {
  if (!condition) throw new Error('The scene went otherwise')
}

const scenes: Record<string, () => Promise<void>> = {
  async lifetimes() {
    for (const expiresIn of LIFETIMES) {
      const api = createAuthFetch({ baseUrl, refresh, store: memoryStore(old), fetch: transport(expiresIn) })
      must((await api('/x')).status === 200)
    }
  },
  async outage() {
    const failing = async (): Promise<never> => {
      throw new TypeError('fetch failed')
    }
    const api = createAuthFetch({
      baseUrl,
      refresh: failing,
      store: memoryStore(old),
      fetch: transport('1'),
      refreshRetries: 0,
    })
    for (let count = 0; count < 4; count++)
      must((await api('/x').catch((error) => error.code)) === 'refresh-unavailable')
  },
  async login() {
    const api = createAuthFetch({ baseUrl, onLoginRequired: () => new Promise(() => {}), fetch: transport('1') })
    void api('/x')
    await new Promise((resolve) => api.on('login-required', resolve))
  },
  async 'broken-store'() {
    const fail = async (): Promise<never> => {
      throw new Error('quota')
    }
    await withStore({ read: fail, write: fail })
  },
  async 'hanging-store'() {
    const hang = (): Promise<never> => new Promise(() => {})
    await withStore({ read: hang, write: hang })
  },
  async 'watched-store'() {
    const store = memoryStore()
    await withStore({ read: store.read, write: store.write, watch: () => () => {} })
  },
}

async function withStore(store: TokenStore): Promise<void> {
  const api = createAuthFetch({ baseUrl, refresh, store, fetch: transport('3600') })
  await api.signIn(old)
  must((await api('/x')).status === 200)
}

await scenes[process.argv[2] ?? '']?.()
const doneAt = performance.now()
process.once('exit', () => console.log(`ended after ${Math.round(performance.now() - doneAt)} ms`))
