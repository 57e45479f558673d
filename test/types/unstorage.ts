// Compiled by `npm run typecheck`, never run: a storage of unstorage is taken as it is, without a cast.
import { createStorage, prefixStorage, type Storage } from 'unstorage'
import fsDriver from 'unstorage/drivers/fs'
import { type AuthFetch, createAuthFetch } from '../../src/index.ts'
import type { TokenStore } from '../../src/ports.ts'
import { type UnstorageLike, unstorageStore } from '../../src/stores/unstorage.ts'

const storage = createStorage()
export const like: UnstorageLike = storage
export const stores: TokenStore[] = [
  unstorageStore({ storage }),
  unstorageStore({ storage, key: 'user:1' }),
  unstorageStore({ storage, key: undefined }),
  unstorageStore({ storage: createStorage({ driver: fsDriver({ base: 'data' }) }) }),
  unstorageStore({ storage: createStorage<string>() }),
  unstorageStore({ storage: prefixStorage(storage, 'sessions') }),
  unstorageStore({ storage: storage as Storage }),
]
export const api: AuthFetch = createAuthFetch({ baseUrl: 'https://api.example', store: unstorageStore({ storage }) })

/** Written by hand, with what is needed and nothing else. */
const handmade = {
  getItem: async (_key: string): Promise<unknown> => null,
  setItem: async (_key: string, _value: string): Promise<void> => {},
  removeItem: async (_key: string): Promise<void> => {},
}
unstorageStore({ storage: handmade })

// @ts-expect-error A storage is needed.
unstorageStore({})
// @ts-expect-error So is more than reading.
unstorageStore({ storage: { getItem: handmade.getItem } })
// @ts-expect-error A key is text.
unstorageStore({ storage, key: 1 })
// @ts-expect-error localStorage is none: it answers at once.
unstorageStore({ storage: localStorage })
