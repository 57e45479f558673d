/** A client of the testing server, in memory. */
import { type AuthFetch, type AuthFetchOptions, createAuthFetch, refreshEndpoint } from '../../src/index.ts'
import type { AuthServer } from '../../src/testing/index.ts'

export function clientOf(server: AuthServer, options: AuthFetchOptions = {}): AuthFetch {
  return createAuthFetch({
    baseUrl: server.url,
    fetch: server.fetch,
    refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
    ...options,
  })
}

/** The status of the answer, or what the call rejected with. */
export const statusOf = (call: Promise<Response>): Promise<unknown> =>
  call.then(
    ({ status }) => status,
    (error: unknown) => error,
  )

/** The statuses of so many calls, all made at once. */
export const statusesOf = (count: number, make: (index: number) => Promise<Response>): Promise<unknown[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => statusOf(make(index))))
