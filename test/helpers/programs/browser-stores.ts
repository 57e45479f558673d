// A server that renders pages: the stores of browsers are made and used there, and nothing of it may keep the process alive.
import { createAuthFetch, type TokenStore } from '../../../src/index.ts'
import { indexedDbStore } from '../../../src/stores/indexeddb.ts'
import { sharedTabsStore } from '../../../src/stores/shared-tabs.ts'
import { webStorageStore } from '../../../src/stores/web-storage.ts'

const makers: Record<string, () => TokenStore> = { indexedDbStore, sharedTabsStore, webStorageStore }
const store = makers[process.argv[2] ?? '']?.()
if (store === undefined) throw new Error('Expected the name of a store')

const api = createAuthFetch({
  baseUrl: 'https://api.example',
  store,
  fetch: async (_, init) => new Response(new Headers(init?.headers).get('authorization')),
})
let failures = 0
api.on('store-failed', () => failures++)
await api.signIn({ accessToken: 'access-1' })
const answer = await (await api('/me')).text()
// Not disposed, as it goes: whoever renders a page forgets the session.
console.log(JSON.stringify({ answer, failures }))
