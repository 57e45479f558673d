/**
 * What comes back to the redirect URI: an answer that somebody here asked for, traded for tokens, or a refusal. Nothing of the URL
 * is shown, stored or requested before its state was found among the sign-ins under way.
 */
import { AuthError } from '../errors.ts'
import { pageUrl } from '../http/origins.ts'
import { withoutLoginAnswer } from '../login/current-page.ts'
import { safeReturnTo } from '../login/return-to.ts'
import type { TokenResponse } from '../tokens.ts'
import { redirectUriOf } from './authorization.ts'
import type { Settings } from './options.ts'
import type { Protocol } from './protocol.ts'
import type { Transaction, Transactions } from './transactions.ts'

/**
 * The URL as it was given, or the page's where that is the return page; null where it holds no answer. Other pages have a `code` or
 * a `state` of their own, and whoever knocks at the port of a program sends what is no URL at all.
 */
export function returned(settings: Settings, given: string | URL | undefined): URL | null {
  const { location } = globalThis as { location?: Location }
  const text = given ?? location?.href
  if (text === undefined) return null
  // A program's server knows the path that was asked for, and no more.
  const base = pageUrl() ?? redirectUriOf(settings)
  // The error of a parser would quote it.
  if (!URL.canParse(text, base)) return null
  const url = new URL(text, base)
  if (!['code', 'error', 'state'].some((name) => url.searchParams.has(name))) return null
  return given !== undefined || placeOf(url) === placeOf(new URL(redirectUriOf(settings))) ? url : null
}

/** Servers add and drop a slash at the end. */
const placeOf = ({ origin, pathname }: URL): string => origin + pathname.replace(/\/$/, '')

/** The one state of an answer. @throws AuthError `callback-refused` */
export function stateOf({ searchParams }: URL): string {
  const [state, ...more] = searchParams.getAll('state')
  if (!state || more.length > 0) throw refused()
  return state
}

/** The sign-in that an answer belongs to. @throws AuthError `callback-refused` */
export function taken(settings: Settings, transactions: Transactions, state: string): Transaction {
  const { issuer, clientId } = settings
  const redirectUri = redirectUriOf(settings)
  const isOwn = (transaction: Transaction): boolean =>
    URL.canParse(transaction.issuer) &&
    new URL(transaction.issuer).href === issuer.href &&
    transaction.clientId === clientId &&
    transaction.redirectUri === redirectUri
  const transaction = transactions.take(state, isOwn)
  if (transaction === null) throw refused()
  return transaction
}

/**
 * The tokens of an answer.
 *
 * @throws AuthError `callback-refused`, `authorization-failed`, `unusable-token-response` or `metadata-refused`
 */
export async function exchanged(
  protocol: Protocol,
  query: URLSearchParams,
  transaction: Transaction,
): Promise<TokenResponse> {
  const answer = await protocol.answerOf(query, transaction.state)
  return protocol.exchange(answer, transaction.redirectUri, transaction)
}

/** Where the user goes on: never the return page itself, which has nothing to show. */
export function goingOn({ returnTo, redirectUri }: Transaction): string {
  const path = safeReturnTo(returnTo)
  const callback = new URL(redirectUri)
  // An app whose front page takes the answers goes on there.
  const isCallback = callback.pathname !== '/' && placeOf(new URL(path, callback)) === placeOf(callback)
  return isCallback ? '/' : path
}

/** Takes the answer out of the page's address, where histories and referrers would keep it. */
export function cleanAddress(url: URL): void {
  const { history, location } = globalThis as { history?: History; location?: Location }
  // The answer came from elsewhere, or a router has moved on by itself.
  if (!history || location?.href !== url.href) return
  const rest = new URL(url)
  // What `withoutLoginAnswer` leaves to apps that have such parameters of their own (RFC 9207, OpenID Connect Session Management).
  for (const name of ['iss', 'session_state']) if (rest.searchParams.has(name)) rest.searchParams.delete(name)
  history.replaceState(history.state, '', withoutLoginAnswer(rest.pathname + rest.search + rest.hash))
}

/** One text for every reason: whoever forges an answer learns nothing from it. */
export const refused = (): AuthError =>
  new AuthError(
    'callback-refused',
    'The answer on the return page belongs to no sign-in that this client has under way: it is foreign, used or too old',
  )
