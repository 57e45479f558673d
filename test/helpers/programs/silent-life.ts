/** A program: meets every failure there is, and has nothing to say about it but `lived` at its end. */
import { createAuthFetch, memoryStore, refreshEndpoint, type TokenStore } from '../../../src/index.ts'
import { NEW, OLD } from '../canary.ts'
import { EVENTS } from '../watch.ts'

const fail = (): never => {
  throw new Error(`failed with ${OLD.refreshToken}`)
}
const failAsync = async (): Promise<never> => fail()

const brokenStore: TokenStore = { read: failAsync, write: failAsync, watch: fail, lock: failAsync }
const statuses = [401, 403, 200, 500]
let count = 0
const transport = async (): Promise<Response> => {
  const status = statuses[count++ % statuses.length] as number
  if (status === 500) throw new TypeError('fetch failed')
  return new Response(`{"access_token": "${NEW.access_token}"`, { status })
}

const base = { baseUrl: 'https://api.example', fetch: transport as typeof fetch, refreshRetries: 0 }
const clients = [
  createAuthFetch({ ...base, refresh: failAsync, onPermissionDenied: fail, store: memoryStore(OLD) }),
  createAuthFetch({ ...base, refresh: async () => NEW, store: brokenStore }),
  createAuthFetch({ ...base, refresh: async () => null, onLoginRequired: failAsync, store: memoryStore(OLD) }),
  createAuthFetch({
    ...base,
    refresh: refreshEndpoint({ url: '/token' }),
    store: memoryStore(OLD),
    classify: failAsync,
  }),
  createAuthFetch({ ...base, refresh: () => new Promise(() => {}), refreshTimeoutMs: 20, store: memoryStore(OLD) }),
]
for (const api of clients) {
  for (const event of EVENTS) {
    api.on(event, fail)
    api.on(event, failAsync)
  }
  api.subscribe(fail)
  api.subscribe(failAsync)
}
await Promise.allSettled(
  clients.flatMap((api) => [
    ...Array.from({ length: 20 }, (_, index) => api(`/${index}`, { method: 'POST', body: 'b' })),
    api.refresh(),
    api.tokens(),
    api.signIn({ accessToken: 'not a token' }),
  ]),
)
await Promise.allSettled(clients.map((api) => api.signOut()))
for (const api of clients) api.dispose()
console.log('lived')
