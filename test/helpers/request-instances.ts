/**
 * What a server does for a request of one of its users, with a transport that answers at once: an AuthFetch of its own, on a store
 * of its own, signed in, one call; then it is dropped, with or without `dispose()`.
 */
import { type AuthFetch, createAuthFetch, memoryStore, refreshEndpoint, type TokenStore } from '../../src/index.ts'

/** What all of them have in common is made once, as an app does at module level. */
const common = {
  baseUrl: 'https://api.example',
  refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }),
  fetch: async (_: unknown, init?: RequestInit): Promise<Response> =>
    new Response(null, { status: new Headers(init?.headers).has('authorization') ? 200 : 401 }),
}

export const instance = (store: TokenStore = memoryStore()): AuthFetch => createAuthFetch({ ...common, store })

/** The same with callbacks that know the request: nothing of its options can be taken from the one before. */
export const instanceOfItsOwn = (): AuthFetch =>
  createAuthFetch({
    ...common,
    store: memoryStore(),
    fetch: (...args) => common.fetch(...args),
    onLoginRequired: () => null,
  })

/** @throws Error where the call was not answered as one that is signed in */
export async function serve(isDisposed: boolean, onMade: (api: AuthFetch) => void = () => {}): Promise<void> {
  const api = instance()
  onMade(api)
  await api.signIn({ accessToken: 'at', refreshToken: 'rt', expiresAt: Date.now() + 3_600_000, subject: 'ada' })
  const { status } = await api('/me')
  if (status !== 200) throw new Error(`Expected 200, not ${status}`)
  if (isDisposed) api.dispose()
}

const COUNT = 1000

/**
 * Processor time of one, in µs: the quickest of several rounds, since others on the machine can only make it slower.
 *
 * @param enough ends the rounds as soon as one was as quick as that
 */
export function costOf(make: () => unknown, rounds: number, enough: number = 0): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds && best > enough; round++) {
    const start = process.cpuUsage()
    for (let made = 0; made < COUNT; made++) make()
    const { user, system } = process.cpuUsage(start)
    best = Math.min(best, (user + system) / COUNT)
  }
  return best
}

/** What cannot be spared a request: its URL parsed, and headers for it. By its cost machines can be compared. */
export const floor = (): unknown => [new URL('https://api.example/orders/1'), new Headers({ accept: 'text/plain' })]
