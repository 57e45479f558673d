/** The end of a session, in its order: here first, then the tokens at the server, then the server's own session (RFC 9700 §4.14). */
import type { AuthSession } from '../auth-session.ts'
import { after } from '../clock.ts'
import { abortable } from '../coordination/abortable.ts'
import { pageUrl } from '../http/origins.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { TokenSet } from '../tokens.ts'
import type { Settings } from './options.ts'
import type { Protocol } from './protocol.ts'
import { exitOf } from './redirects.ts'
import type { Via } from './transport.ts'

/** What is asked of a session: that of `createAuthFetch` fits. */
export interface SessionOfApp extends Pick<AuthSession, 'signIn' | 'signOut' | 'tokens' | 'snapshot'> {
  /** Where it is not yet known who holds the session: awaited before a code is traded for tokens. */
  readonly ready?: Promise<unknown> | undefined
}

export interface SignOutOptions {
  /**
   * Whether to go to the server's sign-out page, where it has one and there is a page to leave. With false `logoutUrl` says where
   * it is.
   * @default true
   */
  navigate?: boolean | undefined
  /** Comes back with the user as `state`. */
  state?: string | undefined
}

export interface SignedOut {
  /**
   * Whether the server confirmed that the token which renews the session is revoked: the one that was here. What a refresh under
   * way brings after that is dropped unseen; most servers have revoked it with this one.
   */
  isRevoked: boolean
  /** The server's sign-out page (RP-initiated logout); null where it has none, or could not be asked in time. */
  logoutUrl: string | null
}

/** @throws TypeError `ERR_INVALID_OPTION` or `ERR_UNKNOWN_OPTION`; whatever `session.signOut` throws; nothing for an outage */
export async function signOut(
  settings: Settings,
  protocol: Protocol,
  { session, options }: { session: SessionOfApp; options: SignOutOptions },
): Promise<SignedOut> {
  const { navigate = true, state } = ownOptions(options, ['navigate', 'state'])
  if (typeof navigate !== 'boolean') throw expected('navigate', 'true or false')
  if (state !== undefined && typeof state !== 'string') throw expected('state', 'a text')
  // As they are: a refresh now would only make more of what is to be revoked.
  const tokens = await session.tokens({ minValidityMs: Number.NEGATIVE_INFINITY }).catch(() => null)
  await session.signOut()
  const [, isRevoked, logoutUrl] = await Promise.all([
    // Before the network: a sign-in that comes meanwhile has a key of its own, and keeps it.
    Promise.resolve(settings.dpop?.forget()).catch(() => {}),
    tokens !== null && revoke(settings, protocol, tokens),
    inTime(settings, () => logoutUrlOf(settings, protocol, { idToken: tokens?.idToken, state }), null),
  ])
  if (logoutUrl !== null && navigate) await exitOf(settings)?.(logoutUrl)
  return { isRevoked, logoutUrl }
}

/**
 * The refresh token first: with it goes, at most servers, all that came of it (RFC 7009 §2.1).
 *
 * @returns whether the server confirmed it for the token that renews the session, in time
 */
export function revoke(settings: Settings, protocol: Protocol, tokens: TokenSet): Promise<boolean> {
  const { accessToken, refreshToken } = { __proto__: null, ...tokens } as TokenSet
  const revokeBoth = async (via: Via): Promise<boolean> => {
    const isRenewalRevoked = refreshToken !== undefined && (await protocol.revoke(refreshToken, 'refresh_token', via))
    const isAccessRevoked = await protocol.revoke(accessToken, 'access_token', via)
    return refreshToken === undefined ? isAccessRevoked : isRenewalRevoked
  }
  return inTime(settings, revokeBoth, false)
}

/** What `work` comes to, or `otherwise` where it fails or takes longer than a request may. */
function inTime<T, U>(
  { timeoutMs }: Pick<Settings, 'timeoutMs'>,
  work: (via: Via) => Promise<T>,
  otherwise: U,
): Promise<T | U> {
  const late = new AbortController()
  const cancel = after(timeoutMs, () => late.abort(), true)
  return abortable(work({ signal: late.signal }), late.signal)
    .catch(() => otherwise)
    .finally(cancel)
}

/** @see OpenID Connect RP-Initiated Logout §2 */
async function logoutUrlOf(
  { clientId, postLogoutRedirectUri }: Settings,
  protocol: Protocol,
  { idToken, state }: { idToken: string | undefined; state: string | undefined },
): Promise<string> {
  const url = await protocol.endpoint('end_session_endpoint')
  const back = postLogoutRedirectUri && new URL(postLogoutRedirectUri, pageUrl()).href
  const parameters = { id_token_hint: idToken, client_id: clientId, post_logout_redirect_uri: back, state }
  for (const [name, value] of Object.entries(parameters)) if (value) url.searchParams.set(name, value)
  return url.href
}
