/** What an app makes while its modules are loaded: in workerd hardly anything may be done then. */
import { type AuthFetch, createAuthFetch, memoryStore, refreshEndpoint } from 'relatch'

/** What came of it, or the message of what it threw. */
type Made<T> = { readonly value: T } | { readonly error: string }

function made<T>(make: () => T): Made<T> {
  try {
    return { value: make() }
  } catch (error) {
    return { error: (error as Error).message }
  }
}

export const empty: Made<AuthFetch> = made(() =>
  createAuthFetch({ baseUrl: 'https://api.example', refresh: refreshEndpoint({ url: '/token' }), fetch: handedOn() }),
)

export const withTokens: Made<AuthFetch> = made(() =>
  createAuthFetch({ baseUrl: 'https://api.example', store: memoryStore({ accessToken: 'at-1' }), fetch: handedOn() }),
)

/** Answers with the Authorization that it is given: who made these does not know yet where the server is. */
function handedOn(): typeof fetch {
  return async (_input, init) => new Response(new Headers(init?.headers).get('authorization'))
}
