// Compiled by `npm run typecheck`, never run: what must be accepted, and what must be refused.
import {
  type AuthError,
  type AuthEvents,
  type AuthFetch,
  type AuthFetchOptions,
  type AuthScheme,
  type AuthSession,
  type authFailureOf,
  bearer,
  type Challenge,
  createAuthFetch,
  type Denial,
  isAuthError,
  type LoginNeed,
  memoryStore,
  type parseChallenges,
  type Refresher,
  refreshEndpoint,
  type SessionSnapshot,
  type StepUpNeed,
  type StoredSession,
  type TokenResponse,
  type TokenSet,
  type TokenStore,
  type tokensFromResponse,
} from '../../src/index.ts'

/** Fails to compile unless both are the same type; `any` is nothing but `any`. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(..._proof: Same<A, B> extends true ? [] : [never]): void => {}

// The result is a fetch, and is accepted wherever one is.
const authFetch = createAuthFetch({ baseUrl: 'https://api.example' })
export const plain: typeof fetch = authFetch
export const carried: AuthSession = authFetch
same<ReturnType<typeof createAuthFetch>, AuthFetch>()
same<Parameters<AuthFetch>, Parameters<typeof fetch>>()
same<ReturnType<AuthFetch>, Promise<Response>>()

// Every option may be left out, and `undefined` counts as left out.
createAuthFetch()
createAuthFetch({
  origins: undefined,
  refresh: undefined,
  store: undefined,
  onLoginRequired: undefined,
  refreshTimeoutMs: undefined,
})
createAuthFetch({
  origins: (url) => url.hostname.endsWith('.example'),
  refresh: refreshEndpoint({ url: '/refresh', format: 'json', credentials: 'include' }),
  store: memoryStore({ accessToken: 'a' }),
  scheme: bearer(),
  onPermissionDenied: async ({ requiredScopes, problem }) => [requiredScopes, await problem()],
  onLoginRequired: ({ reason }) => {
    same<typeof reason, 'no-session' | 'session-over' | 'refresh-refused'>()
  },
  onStepUp: async () => ({ access_token: 'b' }),
  classify: (response) => (response.status === 419 ? 'recover' : 'pass'),
  fetch,
})
// @ts-expect-error an option that does not exist
createAuthFetch({ refreshMargin: 30 })
// @ts-expect-error a verdict that does not exist
createAuthFetch({ classify: () => 'retry' })

// A refresher: tokens, an endpoint's answer, true (cookies) or null (over); never nothing.
export const refreshers: Refresher[] = [
  async ({ tokens, reason, signal, fetch }) => {
    same<typeof tokens, TokenSet | null>()
    same<typeof reason, 'rejected' | 'expiring' | 'requested'>()
    const response = await fetch('https://api.example/refresh', { signal })
    return (await response.json()) as TokenResponse
  },
  async () => true,
  async () => null,
]
// @ts-expect-error a forgotten return
createAuthFetch({ refresh: async () => {} })

// Ports that somebody else implements, in their shortest form.
let stored: StoredSession | null = null
export const store: TokenStore = {
  read: () => stored,
  write: (next) => {
    stored = next
    return true
  },
}
export const scheme: AuthScheme = {
  name: 'api-key',
  headers: ['x-api-key'],
  attach: (headers, { accessToken }) => headers.set('x-api-key', accessToken),
}

// What a session tells.
same<ReturnType<AuthSession['snapshot']>, SessionSnapshot>()
same<SessionSnapshot['status'], 'signed-out' | 'signed-in' | 'refreshing' | 'login-required'>()
same<Awaited<ReturnType<AuthSession['tokens']>>, TokenSet | null>()
same<ReturnType<AuthSession['subscribe']>, () => void>()
same<ReturnType<typeof authFailureOf>, Denial | LoginNeed | StepUpNeed | null>()
same<ReturnType<typeof parseChallenges>, Challenge[] | null>()
same<ReturnType<typeof tokensFromResponse>, TokenSet>()
export const stop: () => void = authFetch.on('refreshed', (payload) => same<typeof payload, AuthEvents['refreshed']>())
// @ts-expect-error an event that does not exist
authFetch.on('refresh', () => {})
export async function untilDone(options: AuthFetchOptions): Promise<void> {
  using session = createAuthFetch(options)
  await session.signIn(true)
  await session.signOut()
}

// `code` narrows, and knows every code.
export function isWorthAnotherTry(error: unknown): boolean {
  if (!isAuthError(error)) return false
  same<typeof error, AuthError>()
  // @ts-expect-error a code that does not exist
  if (error.code === 'expired') return false
  return error.code === 'refresh-timeout' || error.retryable
}
