/** A case's own server, seen from inside of the runtime. */
import { type AuthFetch, type AuthFetchOptions, createAuthFetch, refreshEndpoint, type TokenResponse } from 'relatch'
import type { AuthServerStats, SignInOptions } from 'relatch/testing'
import type { Arrival, ArrivalFilter, Fault, WorldOptions } from './wire.ts'

/** Where the server of the suite is: three origins. */
export interface Places {
  readonly home: string
  readonly elsewhere: string
  readonly control: string
}

export interface World {
  readonly key: string
  readonly places: Places
  /** The API, with a slash at the end. */
  readonly url: string
  /** The same on another origin. */
  readonly elsewhere: string
  /** Signed in as `viewer`, on `url`; a failed refresh is not tried again. Disposed after the case. */
  api(options?: AuthFetchOptions): Promise<AuthFetch>
  /** The same, and nobody is signed in. */
  anonymous(options?: AuthFetchOptions): AuthFetch
  signIn(user?: string, options?: SignInOptions): Promise<TokenResponse & { refresh_token: string }>
  /** Ends the life of every access token. */
  expire(): Promise<void>
  revoke(): Promise<void>
  set(switches: { rejectAll?: boolean; down?: boolean | 'refused' }): Promise<void>
  failRefresh(fault: Fault, times?: number | 'always'): Promise<void>
  heal(): Promise<void>
  /** Lets refreshes that hang go on. */
  release(): Promise<void>
  let(gate: string): Promise<void>
  stats(): Promise<AuthServerStats>
  arrivals(filter?: ArrivalFilter): Promise<readonly Arrival[]>
  seen(n: number, filter?: ArrivalFilter): Promise<readonly Arrival[]>
  sockets(): Promise<{ open: number; total: number }>
  /** The server's clock, in milliseconds: a runtime's own may stand still. */
  now(): Promise<number>
  sleep(ms: number): Promise<void>
  close(): Promise<void>
}

/** As it was when this module was loaded: a case may patch it. */
const nativeFetch = globalThis.fetch

export async function openWorld(places: Places, key: string, options: WorldOptions = {}): Promise<World> {
  const call = async <T>(name: string, ...args: unknown[]): Promise<T> => {
    // As text: JSON would ask a browser for a preflight.
    const init = { method: 'POST', body: JSON.stringify({ key, call: name, args }) }
    const response = await nativeFetch(`${places.control}/`, init)
    const { value, error } = (await response.json()) as { value: T; error?: string }
    if (error !== undefined) throw new Error(error)
    return value
  }
  await call('open', options)
  const made: AuthFetch[] = []
  const url = `${places.home}/${key}/`
  const anonymous = (more: AuthFetchOptions = {}): AuthFetch => {
    const api = createAuthFetch({
      baseUrl: url,
      refresh: refreshEndpoint({ url: `${url}token`, clientId: 'web' }),
      refreshRetries: 0,
      ...more,
    })
    made.push(api)
    return api
  }
  const world: World = {
    ...{ key, places, url, anonymous },
    elsewhere: `${places.elsewhere}/${key}/`,
    async api(more) {
      const api = anonymous(more)
      await api.signIn(await world.signIn())
      return api
    },
    signIn: (user = 'viewer', more = {}) => call('signIn', user, more),
    expire: () => call('expire'),
    revoke: () => call('revoke'),
    set: (switches) => call('set', switches),
    failRefresh: (fault, times = 1) => call('failRefresh', fault, times),
    heal: () => call('heal'),
    release: () => call('release'),
    let: (gate) => call('let', gate),
    stats: () => call('stats'),
    arrivals: (filter = {}) => call('arrivals', filter),
    seen: (n, filter = {}) => call('seen', n, filter),
    sockets: () => call('sockets'),
    now: () => call('now'),
    sleep: (ms) => call('sleep', ms),
    async close() {
      for (const api of made) api.dispose()
      await call('close')
    },
  }
  return world
}

/** The token that a request came with. */
export const bearerOf = ({ headers }: Arrival): string | undefined => headers.authorization?.replace(/^Bearer /, '')
