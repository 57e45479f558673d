/** What the URL of the page says: which store, and which way to log in. */
import { memoryStore, type TokenStore } from 'relatch'
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { sharedTabsStore } from 'relatch/stores/shared-tabs'
import { webStorageStore } from 'relatch/stores/web-storage'

export interface StoreChoice {
  make(): TokenStore
  /** Whether other tabs have the same session. */
  isShared: boolean
  hint: string
}

export type StoreName = 'indexeddb' | 'web-storage' | 'shared-tabs' | 'memory'

export const STORES: Record<StoreName, StoreChoice> = {
  indexeddb: {
    make: () => indexedDbStore(),
    isShared: true,
    hint: 'IndexedDB, encrypted: all tabs, across reloads.',
  },
  'web-storage': {
    make: () => webStorageStore(),
    isShared: true,
    hint: 'localStorage: all tabs, across reloads.',
  },
  'shared-tabs': {
    make: () => sharedTabsStore(),
    isShared: true,
    hint: 'Memory of the open tabs: gone with the last.',
  },
  memory: { make: () => memoryStore(), isShared: false, hint: 'Memory of this tab: a reload signs you out.' },
}

export type LoginWay = 'dialog' | 'redirect'

export const STORE_NAMES: readonly StoreName[] = Object.keys(STORES) as StoreName[]
export const LOGIN_WAYS: readonly LoginWay[] = ['dialog', 'redirect']

export interface Choices {
  store: StoreName
  login: LoginWay
}

export function readChoices(search: string): Choices {
  const params = new URLSearchParams(search)
  return {
    store: STORE_NAMES.find((name) => name === params.get('store')) ?? 'indexeddb',
    login: LOGIN_WAYS.find((name) => name === params.get('login')) ?? 'dialog',
  }
}

/** The same page with another choice; the defaults stay out of the URL. */
export function hrefOf({ store, login }: Choices, path = '/'): string {
  const params = new URLSearchParams({
    ...(store !== 'indexeddb' && { store }),
    ...(login !== 'dialog' && { login }),
  }).toString()
  return params === '' ? path : `${path}?${params}`
}
