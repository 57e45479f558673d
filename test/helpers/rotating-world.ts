/**
 * An API and its authorization server in memory. The API answers 200 to the one access token that is good and 401 to every
 * other; the authorization server rotates, and ends the session when a spent refresh token comes again.
 */
import { memoryStore, type Refresher, type TokenSet, type TokenStore } from '../../src/index.ts'
import { unauthorized } from './answer.ts'

export interface Send {
  method: string
  path: string
  /** What stood after `Bearer `; null where there was no Authorization header. */
  token: string | null
}

export interface RotatingWorld {
  readonly baseUrl: string
  /** Good until `expire()`. */
  readonly first: TokenSet
  readonly fetch: typeof fetch
  readonly refresh: Refresher
  /** Every request that reached the API. */
  readonly sends: readonly Send[]
  /** The tokens of those requests. */
  readonly tokens: readonly (string | null)[]
  /** The refresh token of every refresh. */
  readonly refreshes: readonly (string | undefined)[]
  /** No access token issued so far is accepted any more. */
  expire(): void
  /** For a client that is signed in here. */
  options(): { baseUrl: string; fetch: typeof fetch; store: TokenStore; refresh: Refresher }
}

export function rotatingWorld(): RotatingWorld {
  const sends: Send[] = []
  const refreshes: (string | undefined)[] = []
  let issued = 1
  let good: string | null = 'at-1'
  let isOver = false
  const world: RotatingWorld = {
    baseUrl: 'https://api.example',
    first: { accessToken: 'at-1', refreshToken: 'rt-1' },
    sends,
    refreshes,
    get tokens() {
      return sends.map(({ token }) => token)
    },
    expire: () => {
      good = null
    },
    options: () => ({
      baseUrl: world.baseUrl,
      fetch: world.fetch,
      store: memoryStore(world.first),
      refresh: world.refresh,
    }),
    async fetch(input, init) {
      const request = new Request(input, init)
      const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? null
      sends.push({ method: request.method, path: new URL(request.url).pathname, token })
      return token !== null && token === good ? Response.json({ sub: 'alice' }) : unauthorized()
    },
    async refresh({ tokens }) {
      refreshes.push(tokens?.refreshToken)
      if (isOver || tokens?.refreshToken !== `rt-${issued}`) {
        isOver = true
        good = null
        throw Object.assign(new Error('refused'), { status: 400, data: { error: 'invalid_grant' } })
      }
      issued++
      good = `at-${issued}`
      return { accessToken: good, refreshToken: `rt-${issued}` }
    },
  }
  return world
}
