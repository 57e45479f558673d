/** A signed-in client whose access token the server refuses until it has been refreshed: the shortest way to a replay. */
import { type AuthFetch, type AuthFetchOptions, createAuthFetch, memoryStore } from '../../src/index.ts'
import type { Arrival } from './recording-server.ts'

export interface RejectedSession {
  api: AuthFetch
  /** How often the refresher was asked. */
  refreshes: () => number
}

/** The header of a request that was sent with the first token, or with the refreshed one. */
export const OLD = 'Bearer old'
export const FRESH = 'Bearer fresh'

export const isFresh = ({ headers }: Arrival): boolean => headers.authorization === FRESH

export function rejectedSession(baseUrl: string, options: AuthFetchOptions = {}): RejectedSession {
  let refreshes = 0
  const api = createAuthFetch({
    baseUrl,
    store: memoryStore({ accessToken: 'old' }),
    refresh: async () => {
      refreshes++
      return { accessToken: 'fresh' }
    },
    ...options,
  })
  return { api, refreshes: () => refreshes }
}
