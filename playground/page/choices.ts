/** What the URL of the page says: which store, and which way to log in. */
import { type AuthFetch, type AuthFetchOptions, createAuthFetch, memoryStore, type TokenStore } from 'relatch'
import { createWorkerAuthFetch } from 'relatch/service-worker'
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { sharedTabsStore } from 'relatch/stores/shared-tabs'
import { webStorageStore } from 'relatch/stores/web-storage'
import { WORKER_SCOPE } from '../contract.ts'

export interface StoreChoice {
  /** A session that is kept there. */
  open(options: AuthFetchOptions): AuthFetch | Promise<AuthFetch>
  /** Whether other tabs have the same session. */
  isShared: boolean
  hint: string
}

export type StoreName = 'indexeddb' | 'web-storage' | 'shared-tabs' | 'memory' | 'service-worker'

const onStore =
  (make: () => TokenStore): StoreChoice['open'] =>
  (options) =>
    createAuthFetch({ ...options, store: make() })

export const STORES: Record<StoreName, StoreChoice> = {
  indexeddb: {
    open: onStore(() => indexedDbStore()),
    isShared: true,
    hint: 'IndexedDB, encrypted: all tabs, across reloads.',
  },
  'web-storage': {
    open: onStore(() => webStorageStore()),
    isShared: true,
    hint: 'localStorage: all tabs, across reloads.',
  },
  'shared-tabs': {
    open: onStore(() => sharedTabsStore()),
    isShared: true,
    hint: 'Memory of the open tabs: gone with the last.',
  },
  memory: { open: onStore(() => memoryStore()), isShared: false, hint: 'Memory of this tab: a reload signs you out.' },
  'service-worker': {
    open: async (options) => {
      const api = createWorkerAuthFetch({ ...options, worker: { url: '/worker.js', scope: WORKER_SCOPE } })
      // Before it is in control, a login would bring its tokens to the page.
      await api.ready
      return api
    },
    isShared: true,
    hint: 'A service worker: all tabs, no token in any.',
  },
}

export type LoginWay = 'dialog' | 'redirect'

export const STORE_NAMES: readonly StoreName[] = Object.keys(STORES) as StoreName[]
export const LOGIN_WAYS: readonly LoginWay[] = ['dialog', 'redirect']

export interface Choices {
  store: StoreName
  login: LoginWay
}

export function readChoices({ pathname, search }: Pick<Location, 'pathname' | 'search'>): Choices {
  const params = new URLSearchParams(search)
  const store = pathname.startsWith(WORKER_SCOPE) ? 'service-worker' : params.get('store')
  return {
    store: STORE_NAMES.find((name) => name === store) ?? 'indexeddb',
    login: LOGIN_WAYS.find((name) => name === params.get('login')) ?? 'dialog',
  }
}

/** A page with these choices; the defaults stay out of the URL. */
export function hrefOf({ store, login }: Choices, page: '' | 'tab' | 'sign-in' = ''): string {
  // The login page is the auth server's, and has no session that a worker could hold.
  const isInScope = store === 'service-worker' && page !== 'sign-in'
  const path = (isInScope ? WORKER_SCOPE : '/') + page
  const params = new URLSearchParams({
    ...(store !== 'indexeddb' && !isInScope && { store }),
    ...(login !== 'dialog' && { login }),
  }).toString()
  return params === '' ? path : `${path}?${params}`
}
