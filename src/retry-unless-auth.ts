/**
 * Which failed calls a layer above may try again: TanStack Query, SWR, or a loop of your own. What a refresh or a login could
 * not cure, another try does not cure either. Reads errors of every client by shape, and never throws at one.
 */
import { type AuthError, isAuthError } from './errors.ts'

type Members = Readonly<Record<string, unknown>>

/** What TanStack Query tries in a browser without being told otherwise. */
const MOST_RETRIES = 3
/** An error holds others, and a hostile one holds itself. */
const MOST_PARTS = 20
/** Where clients put the status of an answer: ky, axios and Apollo; Azure; gaxios, MCP and Feathers; tRPC; the AWS SDK. */
const STATUS_MEMBERS = ['status', 'statusCode', 'code', 'httpStatus', 'httpStatusCode']
/** What holds it, or the error that does: for most `cause`, for Stripe `detail`, for tRPC `meta`. What the server said is last. */
const INNER_MEMBERS = [
  ...['cause', 'detail', 'networkError', 'originalError', 'response', '$metadata', 'meta', 'data', 'extensions'],
  // Lists: those of GraphQL, which may say it under a 200.
  ...['errors', 'graphQLErrors'],
]
/** Somebody who did not come to sign in within minutes will not do so for the next three tries. */
const LOGIN_CODES = ['login-timeout', 'login-loop']
/** Of errors that do not say the status: what GraphQL servers call it, and the 403 and the 401s of PostgREST (Supabase). */
const DENIAL_CODES = ['FORBIDDEN', 'UNAUTHENTICATED', 'UNAUTHORIZED', '42501', 'PGRST301', 'PGRST302', 'PGRST303']
/** PERMISSION_DENIED and UNAUTHENTICATED of gRPC, as Connect numbers them. */
const CONNECT_CODES = [7, 16]
/** Who left does not wait for another try; axios has a name of its own for it. */
const ABORTS = ['AbortError', 'CanceledError']

/**
 * Whether to try a failed call again. `false` for a 401, a 403, an `AuthError` that trying again does not cure, an abort, and a
 * redirect that a callback has thrown; `true` for everything else, an auth server that is out of reach for now included.
 *
 * - TanStack Query: `retry: retryUnlessAuth` retries up to three times, as Query does by itself in a browser. Any other number:
 *   `retry: (count, error) => count < 5 && retryUnlessAuth(error)`.
 * - SWR, which sets no limit of its own: `{ shouldRetryOnError: retryUnlessAuth, errorRetryCount: 3 }`.
 *
 * @param failureCount how often it has been tried again so far, from 0
 * @param error what the fetcher threw: the error of any client, a Response, an `AuthError`
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
  const parts = partsOf(error)
  const ours = parts.find(isOurs)
  // Before any status: that of ours is the auth server's, out of order for now, and some clients make up another one.
  if (ours) return !ours.retryable || LOGIN_CODES.includes(ours.code)
  if (parts.some(hasGone)) return true
  const status = parts.map(statusOf).find((each) => each !== undefined)
  // A redirect is what a callback has thrown, to go elsewhere.
  return status === undefined ? parts.some(isDenied) : status === 401 || status === 403 || status < 400
}

/** An AuthError, or what a client has made of one: Feathers copies the members. */
const isOurs = (part: Members): part is AuthError & Members =>
  isAuthError(part) || (typeof part.retryable === 'boolean' && typeof part.code === 'string')

/** The status of an answer, where this is one or the error of one. */
const statusOf = (part: Members): number | undefined =>
  STATUS_MEMBERS.map((name) => part[name] as number).find((value) => Number.isInteger(value) && value >= 300)

/** Whether the caller has left, or goes elsewhere: `redirect()`, `forbidden()` and `unauthorized()` of Next.js throw so. */
const hasGone = ({ name, digest }: Members): boolean =>
  ABORTS.includes(name as string) || (typeof digest === 'string' && digest.startsWith('NEXT_'))

/** Whether an error that knows no status says that it was refused. */
const isDenied = ({ name, code }: Members): boolean =>
  DENIAL_CODES.includes(code as string) || (name === 'ConnectError' && CONNECT_CODES.includes(code as number))

/** An error and what it holds, outermost first; without what throws when it is looked at. */
function partsOf(error: unknown): Members[] {
  const parts: Members[] = []
  const waiting = [error]
  while (waiting.length > 0 && parts.length < MOST_PARTS) {
    const next = waiting.shift()
    if (typeof next !== 'object' || next === null) continue
    try {
      const part = next as Members
      waiting.push(...INNER_MEMBERS.flatMap((name) => part[name]))
      // Read now, and once: a getter or a proxy of somebody else's must throw here or nowhere.
      const { name, code, digest, retryable } = part
      const copy = Object.fromEntries(STATUS_MEMBERS.map((each) => [each, part[each]]))
      parts.push(isAuthError(part) ? part : { ...copy, name, code, digest, retryable })
    } catch {}
  }
  return parts
}
