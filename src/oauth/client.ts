/** `oauthClient`: one client at one authorization server, made of the parts beside this file. It holds no tokens. */
import { AuthError } from '../errors.ts'
import { currentPage } from '../login/current-page.ts'
import { ownOptions } from '../option-check.ts'
import type { LoginNeed, LoginResult, Refresher, StepUpNeed } from '../ports.ts'
import { own, type TokenResponse, type TokenSet } from '../tokens.ts'
import { joinScopes, readSignIn, type SignInOptions } from './authorization.ts'
import { returned, stateOf } from './callback.ts'
import { type DeviceCode, deviceLogin } from './device.ts'
import { Joint } from './joint.ts'
import { type OAuthClientOptions, readOptions } from './options.ts'
import { handToOpener, hasPopups, isPopupState, openPopup, popupTokens } from './popup.ts'
import { type AuthorizationServer, Protocol } from './protocol.ts'
import { type Cause, Redirects } from './redirects.ts'
import { revoke, type SessionOfApp, type SignedOut, type SignOutOptions, signOut } from './sign-out.ts'

/** All members are bound: `const { refresher, handleCallback } = oauthClient(…)` works. */
export interface OAuthClient {
  /** The refresh token grant (RFC 6749 §6). Without a refresh token the session is over. */
  readonly refresher: Refresher
  /** For programs that speak for themselves (RFC 6749 §4.4): starts from nothing, and again when the token expires. */
  readonly clientCredentials: Refresher
  /** Signs in by redirect or popup. null where there is no page. */
  readonly onLoginRequired: (need: LoginNeed) => Promise<LoginResult>
  /** Asks for a stronger or a more recent login (RFC 9470). null where there is no page, or the popup was blocked. */
  readonly onStepUp: (need: StepUpNeed) => Promise<LoginResult>
  /**
   * Signs in. Call it from a click: a popup opens at once, and one that the user closes ends it quietly. By redirect it leaves
   * the page; `handleCallback` goes on from there.
   *
   * @throws AuthError `authorization-failed`, also where the popup was blocked; `metadata-refused`
   */
  signIn(session: SessionOfApp, options?: SignInOptions): Promise<void>
  /**
   * The same for the scopes that the session has and these: for `onPermissionDenied`, in a click or by redirect. Calls for the same
   * scopes are one; by redirect they stop with `login-loop` when they go in circles, as `onLoginRequired` does.
   *
   * What it brings is a session of its own, of whoever signed in. On a page that stays (a popup, a desktop program) requests of
   * the session before it that still wait get their 401.
   */
  requestScopes(session: SessionOfApp, scopes: readonly string[], options?: SignInOptions): Promise<void>
  /** For programs that open it themselves; its answer goes to `handleCallback` of the same client. */
  authorizationUrl(options?: SignInOptions): Promise<URL>
  /**
   * Ends the sign-in that the URL given is the answer to, or that of the page where that is the `redirectUri`. null: it is no
   * answer, or no URL. In a popup it hands the answer to the page that opened it, and closes the window.
   *
   * @throws AuthError `callback-refused` for an answer that nobody here asked for, `authorization-failed` where the server says
   *   no or (`retryable`: a reload tries again) cannot be reached, `unusable-token-response`, `metadata-refused`
   */
  handleCallback(
    session: SessionOfApp,
    options?: { url?: string | URL | undefined },
  ): Promise<{ returnTo: string } | null>
  /** Makes an `onLoginRequired` for programs (RFC 8628). */
  deviceLogin(
    onCode: (code: DeviceCode) => unknown,
  ): (need?: { signal?: AbortSignal | undefined }) => Promise<LoginResult>
  /** Signs out here, revokes the tokens (RFC 7009), and goes to the server's sign-out page. Never throws for an outage. */
  signOut(session: SessionOfApp, options?: SignOutOptions): Promise<SignedOut>
  /**
   * Revokes the tokens of a session that was signed out without `signOut`, as a service worker's is (RFC 7009).
   *
   * @returns whether the server confirmed it, within `timeoutMs`, for the token that renews the session. Never rejects
   */
  revoke(tokens: TokenSet): Promise<boolean>
  /** @throws AuthError `metadata-refused`, `retryable` where the server could not be reached */
  metadata(): Promise<AuthorizationServer>
}

/**
 * Makes a client of an OAuth 2.0 or OpenID Connect authorization server: authorization code with PKCE, refresh, step-up,
 * sign-out. It plugs into `createAuthFetch` and asks nothing of the server until it is used.
 *
 * @throws TypeError `ERR_INVALID_OPTION` or `ERR_UNKNOWN_OPTION`
 * @see RFC 9700, RFC 8414, RFC 7636, RFC 9207
 *
 * @example
 * const { refresher, onLoginRequired, onStepUp, handleCallback } = oauthClient({
 *   issuer: 'https://id.example',
 *   clientId: 'web',
 *   redirectUri: '/callback',
 *   scope: 'openid offline_access orders',
 * })
 * const api = createAuthFetch({ baseUrl: 'https://api.example', refresh: refresher, onLoginRequired, onStepUp })
 * // On the return page:
 * const back = await handleCallback(api)
 * if (back) router.replace(back.returnTo)
 */
export function oauthClient(options: OAuthClientOptions): OAuthClient {
  const settings = readOptions(options)
  const protocol = new Protocol(settings)
  const redirects = new Redirects(settings, protocol)
  let callback: { href: string; work: Promise<{ returnTo: string }> } | null = null

  const inPopup = (
    popup: Window,
    given: SignInOptions,
    { signal, ready }: { signal?: AbortSignal; ready?: SessionOfApp['ready'] },
  ): Promise<TokenResponse | null> => popupTokens({ settings, protocol, popup, ready }, given, signal)

  const signIn = async (session: SessionOfApp, given: SignInOptions, cause?: Cause): Promise<void> => {
    if ((given.interaction ?? settings.interaction) === 'redirect') return redirects.leave(given, cause)
    const popup = openPopup()
    if (popup === null) throw blocked()
    // Nobody listens until there is an answer.
    session.ready?.catch(() => {})
    const tokens = await inPopup(popup, given, { ready: session.ready })
    if (tokens !== null) await session.signIn(tokens)
  }

  const stepUps = new Joint<LoginResult>()
  const scopeRequests = new Joint<void>()

  const end = async (session: SessionOfApp, back: URL): Promise<{ returnTo: string }> => {
    const state = stateOf(back)
    if (isPopupState(state)) {
      await handToOpener(state, back.search)
      // Only where the window could not be closed.
      return { returnTo: '/' }
    }
    await session.ready
    return redirects.end(back, (tokens) => session.signIn(tokens))
  }

  return {
    refresher: async ({ tokens, signal, fetch }) => {
      const refreshToken = tokens && own(tokens, 'refreshToken')
      if (!tokens || typeof refreshToken !== 'string') return null
      return protocol.refresh(refreshToken, tokens, { signal, fetch })
    },
    clientCredentials: ({ signal, fetch }) => protocol.clientCredentials({ signal, fetch }),
    async onLoginRequired(need) {
      // Whoever is just coming back needs no second login.
      await callback?.work.catch(() => null)
      if (need.signal.aborted) return null
      if (settings.interaction === 'redirect') return redirects.leaveFor(need, {}, 'login')
      const popup = openPopup()
      if (popup !== null) return inPopup(popup, { returnTo: need.returnTo }, { signal: need.signal })
      // Blocked, for there was no click: the requests stay parked for a `signIn` that comes from one.
      return hasPopups() ? new Promise((resolve) => whenAborted(need.signal, () => resolve(null))) : null
    },
    async onStepUp({ acrValues, maxAgeSeconds, scopes, grantedScope, signal }) {
      // What the session has is asked for again: a stronger login must not cost it scopes.
      const given = { acrValues, maxAgeSeconds, scopes: joinScopes(grantedScope, scopes) }
      return stepUps.join(JSON.stringify(given), signal, async (signal) => {
        if (settings.interaction === 'redirect') {
          return redirects.leaveFor({ returnTo: currentPage(), signal }, given, 'step-up')
        }
        const popup = openPopup()
        return popup && inPopup(popup, given, { signal })
      })
    },
    signIn: async (session, given = {}) => signIn(session, readSignIn(given)),
    async requestScopes(session, scopes, given = {}) {
      const asked = readSignIn({ ...given, scopes: joinScopes(scopes, given.scopes) })
      // A popup is opened in the click: then there is no time to ask.
      if ((asked.interaction ?? settings.interaction) === 'redirect') await session.ready
      const wanted = { ...asked, scopes: joinScopes(session.snapshot().scope, asked.scopes) }
      const key = wanted.scopes.join(' ')
      return scopeRequests.join(key, undefined, () => signIn(session, wanted, `scopes ${key}`))
    },
    authorizationUrl: async (given = {}) => (await redirects.begin(readSignIn(given))).url,
    async handleCallback(session, given = {}) {
      const back = returned(settings, ownOptions(given, ['url']).url)
      if (back === null) return null
      const { href } = back
      // StrictMode asks twice.
      if (callback?.href === href) return callback.work
      const work = end(session, back).finally(() => {
        if (callback?.work === work) callback = null
      })
      callback = { href, work }
      return work
    },
    deviceLogin: (onCode) => async (need) => deviceLogin(protocol, onCode, need?.signal),
    signOut: async (session, given = {}) => signOut(settings, protocol, { session, options: given }),
    revoke: async (tokens) => revoke(settings, protocol, tokens),
    metadata: () => protocol.metadata(),
  }
}

const whenAborted = (signal: AbortSignal, task: () => void): void =>
  signal.addEventListener('abort', task, { once: true })

const blocked = (): AuthError =>
  new AuthError('authorization-failed', 'The popup was blocked: call signIn from a click', { retryable: true })
