/** What each page does: a session of its own, from the tokens that the test gives it, and calls that the test makes by name. */
import { type AuthFetch, createAuthFetch, isAuthError, refreshEndpoint, retryUnlessAuth, type TokenSet } from 'relatch'

/** What the page tells the test. */
export interface Told {
  denied: { reason: string; requiredScopes: readonly string[] }
  status: string
}

/** What became of a call: no error of a page gets out of it whole. */
export type Outcome = { value: unknown } | { error: PageError }

export interface PageError {
  name: string
  message: string
  status?: number
  code?: string
  body?: string
  isRetried: boolean
}

type Call = (argument: string) => Promise<unknown>

declare global {
  var tokens: TokenSet
  var tell: <Kind extends keyof Told>(kind: Kind, what: Told[Kind]) => Promise<void>
  var call: (name: string, argument: string) => Promise<Outcome>
  var leave: () => void
}

export async function openPage(callsOf: (api: AuthFetch) => Record<string, Call>): Promise<void> {
  const api = createAuthFetch({
    refresh: refreshEndpoint({ url: '/token' }),
    refreshRetries: 0,
    onPermissionDenied: ({ reason, requiredScopes }) => tell('denied', { reason, requiredScopes }),
  })
  api.subscribe(() => void tell('status', api.snapshot().status))
  await api.signIn(tokens)
  const calls = callsOf(api)
  globalThis.call = async (name, argument) => {
    try {
      return { value: await calls[name]?.(argument) }
    } catch (error) {
      return { error: await describeError(error) }
    }
  }
}

async function describeError(error: unknown): Promise<PageError> {
  const isRetried = retryUnlessAuth(error)
  if (!(error instanceof Error)) return { name: typeof error, message: String(error), isRetried }
  const { name, message, cause } = error
  const answer = cause instanceof Response && {
    status: cause.status,
    ...(!cause.bodyUsed && { body: await cause.text() }),
  }
  return { name, message, ...(isAuthError(error) && { code: error.code }), ...answer, isRetried }
}
