/** The authorization request: its URL, and what is to be remembered of it. It goes nowhere and stores nothing by itself. */
import { wallNow } from '../clock.ts'
import { pageUrl } from '../http/origins.ts'
import { currentPage, withoutLoginAnswer } from '../login/current-page.ts'
import { safeReturnTo } from '../login/return-to.ts'
import { expected, ownOptions } from '../option-check.ts'
import { parametersOf, type Settings } from './options.ts'
import { challengeOf, newNonce, newState, newVerifier, type Protocol } from './protocol.ts'
import type { Transaction } from './transactions.ts'

/** What one sign-in asks for beyond the client's options. */
export interface SignInOptions {
  /** Where to bring the user back to: a path of this site. Default: the page as it is. */
  returnTo?: string | undefined
  /** Scopes on top of the client's `scope`. */
  scopes?: readonly string[] | undefined
  /** Authentication contexts that would do, the best first (`acr_values`, RFC 9470 §4). */
  acrValues?: readonly string[] | undefined
  /** How long ago the user may have proved who he is, in seconds (`max_age`); checked by the ID token's `auth_time`. */
  maxAgeSeconds?: number | undefined
  /** `login`, `consent`, `select_account` or `none` (OpenID Connect Core §3.1.2.1). */
  prompt?: string | undefined
  /** More parameters, on top of the client's `parameters`. */
  parameters?: Record<string, string> | undefined
  /** In place of the client's `interaction`. */
  interaction?: 'redirect' | 'popup' | undefined
}

const OPTIONS = [
  ...(['returnTo', 'scopes', 'acrValues', 'maxAgeSeconds', 'prompt', 'parameters', 'interaction'] as const),
]
/** What only this client sets, so that nobody's `parameters` can: not even where it sends none. */
const OURS = [
  ...[
    'response_type',
    // Elsewhere than in the query of the redirect URI nobody looks for an answer.
    'response_mode',
    'request',
    'request_uri',
    'client_id',
    'redirect_uri',
    'scope',
    'state',
    'nonce',
    'code_challenge',
    'code_challenge_method',
  ],
  ...['resource', 'dpop_jkt'],
]

/** Scopes as a server reads them: each once, in their order. */
export const joinScopes = (...scopes: Array<string | readonly string[] | undefined>): string[] => [
  ...new Set(scopes.flatMap((each) => (typeof each === 'string' ? each.split(' ') : (each ?? []))).filter(Boolean)),
]

/** @throws TypeError `ERR_INVALID_OPTION` or `ERR_UNKNOWN_OPTION` */
export function readSignIn(options: SignInOptions): SignInOptions {
  const given = ownOptions(options, OPTIONS)
  const areTexts = (list: unknown): boolean => Array.isArray(list) && list.every((each) => typeof each === 'string')
  for (const name of ['scopes', 'acrValues'] as const) {
    if (given[name] !== undefined && !areTexts(given[name])) throw expected(name, 'an array of texts')
  }
  const { maxAgeSeconds, interaction, prompt } = given
  if (maxAgeSeconds !== undefined && !(Number.isInteger(maxAgeSeconds) && maxAgeSeconds >= 0)) {
    throw expected('maxAgeSeconds', 'a whole number that is not negative')
  }
  if (prompt !== undefined && typeof prompt !== 'string') throw expected('prompt', 'a text')
  if (interaction !== undefined && interaction !== 'redirect' && interaction !== 'popup') {
    throw expected('interaction', "'redirect' or 'popup'")
  }
  parametersOf(given.parameters)
  return given
}

/** The redirect URI as it is registered. @throws TypeError `ERR_INVALID_OPTION` where none was given */
export function redirectUriOf({ redirectUri }: Settings): string {
  const base = pageUrl()
  if (redirectUri === undefined || !URL.canParse(redirectUri, base)) {
    throw expected('redirectUri', 'given: an absolute URL where there is no page, for a sign-in in a browser')
  }
  return new URL(redirectUri, base).href
}

/**
 * Makes the URL of an authorization request with PKCE (S256), a state and, with `openid`, a nonce.
 *
 * @param statePrefix marks the state of a popup
 * @see RFC 6749 §4.1.1, RFC 7636, RFC 8707, RFC 9449 §10
 */
export async function authorizationRequest(
  settings: Settings,
  protocol: Protocol,
  { options, statePrefix = '' }: { options: SignInOptions; statePrefix?: string },
): Promise<{ url: URL; transaction: Transaction }> {
  const { clientId, scope, resources, parameters, dpop } = settings
  const { scopes, acrValues = [], maxAgeSeconds, prompt } = options
  const redirectUri = redirectUriOf(settings)
  const { issuer } = await protocol.metadata()
  const url = await protocol.endpoint('authorization_endpoint')
  const wanted = joinScopes(scope, scopes)
  const isOpenId = wanted.includes('openid')
  const transaction: Transaction = {
    ...{ issuer, clientId, redirectUri, startedAt: wallNow() },
    state: statePrefix + newState(),
    verifier: newVerifier(),
    ...(isOpenId && { nonce: newNonce() }),
    // Without an ID token nothing tells when the login was.
    ...(isOpenId && maxAgeSeconds !== undefined && { maxAgeSeconds }),
    ...(wanted.length > 0 && { scope: wanted.join(' ') }),
    returnTo: withoutLoginAnswer(safeReturnTo(options.returnTo ?? currentPage())),
  }

  const query = url.searchParams
  const theirs = { ...parameters, ...parametersOf(options.parameters) }
  for (const [name, value] of Object.entries(theirs)) query.set(name, value)
  for (const name of OURS) query.delete(name)
  const ours = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: transaction.scope,
    state: transaction.state,
    nonce: transaction.nonce,
    code_challenge: await challengeOf(transaction.verifier),
    code_challenge_method: 'S256',
    dpop_jkt: await dpop?.thumbprint(),
    acr_values: acrValues.join(' '),
    max_age: maxAgeSeconds?.toString(),
    prompt,
  }
  for (const [name, value] of Object.entries(ours)) if (value) query.set(name, value)
  for (const resource of resources) query.append('resource', resource)
  return { url, transaction }
}
