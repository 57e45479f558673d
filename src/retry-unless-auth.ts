/**
 * Which failed calls a layer above may try again: TanStack Query, SWR, or a loop of your own. What a refresh or a login could
 * not cure, another try does not cure either. Reads errors of every client by shape, and never throws at one.
 */
import type { AuthErrorCode } from './errors.ts'

type Members = Readonly<Record<string, unknown>>

/** What TanStack Query tries in a browser without being told otherwise. */
const MOST_RETRIES = 3
/** An error holds others, a hostile one holds itself, and a list may have no end. */
const MOST_PARTS = 50
/** What holds the error that came first: for most `cause`, for Stripe `detail`, for Supabase `context`. */
const CAUSES = ['cause', 'detail', 'context', 'networkError', 'originalError']
/** What holds the answer, or what it said: for the AWS SDK `$metadata`, for tRPC `meta` and `data`, for GraphQL the lists. */
const ANSWERS = ['response', '$metadata', 'meta', 'data', 'extensions', 'errors', 'graphQLErrors']
/** Where clients put the status: ky, axios, Apollo; Azure; gaxios, MCP, Feathers; RTK Query; tRPC; the AWS SDK. */
const STATUSES = ['status', 'statusCode', 'code', 'originalStatus', 'httpStatus', 'httpStatusCode']
/** Of an error that knows no status: what GraphQL servers call it, and the 403 and the 401s of PostgREST (Supabase). */
const DENIALS = ['FORBIDDEN', 'UNAUTHENTICATED', 'UNAUTHORIZED', '42501', 'PGRST301', 'PGRST302', 'PGRST303']
/**
 * Whether time may cure it, where the AuthError says `retryable`. Somebody who did not come to sign in within minutes will not
 * do so for the next three tries.
 */
const CURED_BY_TIME: Readonly<Record<AuthErrorCode, boolean>> = {
  'refresh-unavailable': true,
  'refresh-timeout': true,
  'store-failed': true,
  'metadata-refused': true,
  'login-timeout': false,
  'login-loop': false,
  'authorization-failed': false,
  'callback-refused': false,
  'unusable-token-response': false,
  'invalid-token': false,
  'signed-out': false,
  'session-changed': false,
  'reentrant-refresh': false,
}
/** CANCELLED, PERMISSION_DENIED and UNAUTHENTICATED of gRPC, as Connect numbers them. */
const CONNECT_CODES = [1, 7, 16]
/** Who has left does not wait for another try. The last three are names that axios, Anthropic and TanStack Query give it. */
const ABORTS = ['AbortError', 'CanceledError', 'APIUserAbortError', 'CancelledError']

/**
 * Whether to try a failed call again. `false` for a 401, a 403, an `AuthError` that trying again does not cure, an abort, and a
 * redirect that a callback has thrown; `true` for everything else, an auth server that is out of reach for now included.
 *
 * - TanStack Query: `retry: retryUnlessAuth` retries up to three times, as Query does by itself in a browser. Any other number:
 *   `retry: (count, error) => count < 5 && retryUnlessAuth(error)`.
 * - SWR, which sets no limit of its own: `{ shouldRetryOnError: retryUnlessAuth, errorRetryCount: 3 }`.
 *
 * @param failureCount how often it has been tried again so far, from 0
 * @param error what the fetcher threw: the error of a client, a Response, an `AuthError`. What a client has made into a mere text
 * is not known for what it was
 *
 * @example
 * new QueryClient({ defaultOptions: { queries: { retry: retryUnlessAuth } } })
 */
export function retryUnlessAuth(failureCount: number, error: unknown): boolean
export function retryUnlessAuth(error: unknown): boolean
export function retryUnlessAuth(...given: unknown[]): boolean {
  const [first, second] = given
  // Layers that have no count give the error first, and then things of their own (RTK Query, urql).
  if (typeof first !== 'number' || given.length === 1) return !isFinal(first)
  return first < MOST_RETRIES && !isFinal(second)
}

function isFinal(error: unknown): boolean {
  try {
    const causes = unfold([error], CAUSES)
    // Before any status: that of ours is the auth server's, out of order for now, and some clients make up another one.
    const ours = causes.find(isOurs)
    if (ours) return !(ours.retryable === true && CURED_BY_TIME[ours.code as AuthErrorCode])
    if (causes.some(hasGone)) return true
    const parts = unfold(causes, [...CAUSES, ...ANSWERS])
    const status = parts.flatMap((part) => STATUSES.map((name) => part[name])).find(isStatus)
    return status === undefined ? parts.some(isDenied) : status === 401 || status === 403
  } catch {
    // A getter or a proxy of somebody else's.
    return false
  }
}

/** These and what they hold under such names, breadth first, each once. */
function unfold(values: readonly unknown[], names: readonly string[]): Members[] {
  const parts = new Set<Members>()
  const waiting = [...values]
  for (const value of waiting) {
    if (parts.size === MOST_PARTS) break
    if (typeof value !== 'object' || value === null || parts.has(value as Members)) continue
    const part = value as Members
    parts.add(part)
    for (const name of names) {
      const held = part[name]
      // Of a list its first few: one that a server has sent may be long.
      if (Array.isArray(held)) waiting.push(...held.slice(0, MOST_PARTS))
      else if (held !== undefined) waiting.push(held)
    }
  }
  return [...parts]
}

/** By shape and not by its brand: Feathers makes another error of it, with the same members. */
const isOurs = ({ code, retryable }: Members): boolean =>
  typeof retryable === 'boolean' && typeof code === 'string' && Object.hasOwn(CURED_BY_TIME, code)

const isStatus = (value: unknown): boolean => Number.isInteger(value) && Number(value) >= 400 && Number(value) < 600

/** Whether the caller has left, or goes elsewhere. */
const hasGone = (part: Members): boolean =>
  ABORTS.includes(String(part.name)) ||
  // TanStack Query's, which may have no name.
  ('revert' in part && 'silent' in part) ||
  // What `redirect()`, `forbidden()` and `unauthorized()` of Next.js throw.
  (typeof part.digest === 'string' && part.digest.startsWith('NEXT_')) ||
  // What routers have a callback throw: a Response that leads elsewhere.
  (part instanceof Response && part.status >= 300 && part.status < 400)

/** Whether an error that knows no status says that it was refused. */
const isDenied = ({ name, code }: Members): boolean =>
  DENIALS.includes(String(code)) || (name === 'ConnectError' && CONNECT_CODES.includes(Number(code)))
