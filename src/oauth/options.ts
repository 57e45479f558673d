/** The options of `oauthClient`: what they mean, their defaults, and what is refused when the client is made. */
import { pageUrl, secureUrl } from '../http/origins.ts'
import { loginRedirect } from '../login/redirect.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { DpopScheme } from '../schemes/dpop.ts'
import type { AuthorizationServer, ClientAuth, ProtocolSettings } from './protocol.ts'

/** An option given as `undefined` counts as not given; an unknown one is a `TypeError`. */
export interface OAuthClientOptions {
  /** The authorization server, by its issuer identifier: https, or http on loopback, without query or fragment. */
  issuer: string | URL
  clientId: string
  /** Sent with HTTP Basic (RFC 6749 §2.3.1). For programs only: a page cannot keep a secret. */
  clientSecret?: string | undefined
  /** Another client authentication, as oauth4webapi makes them (`PrivateKeyJwt`). Default: by `clientSecret`, else none. */
  clientAuth?: ClientAuth | undefined
  /** The server's metadata (RFC 8414), in place of discovery; its `issuer` is the one above. */
  server?: AuthorizationServer | undefined
  /**
   * The page that calls `handleCallback`, as it is registered with the server. Relative to the page; https, or http on
   * loopback. Needed by every sign-in that goes through a browser.
   */
  redirectUri?: string | URL | undefined
  /** Where the server sends the user after a sign-out. Relative to the page. Default: left to the server. */
  postLogoutRedirectUri?: string | URL | undefined
  /**
   * What to ask for, space separated. With `openid` an ID token is required and checked. For `offline_access` many servers want
   * `parameters: { prompt: 'consent' }` (OpenID Connect Core §11).
   * @example 'openid offline_access orders'
   */
  scope?: string | undefined
  /** The APIs that the tokens are for (RFC 8707): absolute URIs without a fragment. */
  resource?: string | URL | Array<string | URL> | undefined
  /** More parameters of the authorization request: `prompt`, `login_hint`, `ui_locales`. What this client sends itself wins. */
  parameters?: Record<string, string> | undefined
  /**
   * How a sign-in shows the server's pages: in place of this one, or beside it. A popup ends where the user closes it; at a
   * server that isolates its pages (COOP) it looks closed all the time, and ends where the user comes back to this page.
   * @default 'redirect'
   */
  interaction?: 'redirect' | 'popup' | undefined
  /** Binds the tokens to a key (RFC 9449). The same object as the `scheme` of `createAuthFetch`. */
  dpop?: DpopScheme | undefined
  /**
   * The transport to the authorization server. Default: `globalThis.fetch`; the token request of a refresh goes by the one of its
   * `createAuthFetch`. The metadata never does: a scheme adds headers there that a public document may not allow (CORS).
   */
  fetch?: typeof globalThis.fetch | undefined
  /**
   * Where a sign-in by redirect is remembered until the user is back. Default: `sessionStorage` with a copy in `localStorage`, else
   * memory.
   */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined
  /** How to go to the server's page. Default: `location.assign`. */
  navigate?: ((url: string) => void) | undefined
  /**
   * How many redirects by `onLoginRequired` and `onStepUp` within `windowMs` are no loop yet.
   * @default 2
   */
  maxRedirects?: number | undefined
  /**
   * For how long a redirect counts, in milliseconds.
   * @default 60 000
   */
  windowMs?: number | undefined
  /**
   * How long each request to the authorization server may take, in milliseconds.
   * @default 10 000
   */
  timeoutMs?: number | undefined
}

type Unchanged = 'redirectUri' | 'postLogoutRedirectUri' | 'storage' | 'navigate' | 'maxRedirects' | 'windowMs'

const OPTIONS = [
  ...['issuer', 'clientId', 'clientSecret', 'clientAuth', 'server', 'scope', 'resource', 'parameters', 'interaction'],
  ...['redirectUri', 'postLogoutRedirectUri', 'storage', 'navigate', 'maxRedirects', 'windowMs', 'dpop', 'fetch'],
  'timeoutMs',
]

/** The options as the client uses them: read once, by own property (O4). */
export interface Settings extends ProtocolSettings, Pick<OAuthClientOptions, Unchanged> {
  readonly parameters: Readonly<Record<string, string>>
  readonly interaction: 'redirect' | 'popup'
}

const RELATIVE = 'https://relative.example'

/** @throws TypeError `ERR_INVALID_OPTION` or `ERR_UNKNOWN_OPTION` */
export function readOptions(options: OAuthClientOptions): Settings {
  const given = ownOptions(options, OPTIONS)
  const { clientId, interaction = 'redirect', timeoutMs = 10_000, dpop } = given
  const { navigate, maxRedirects, windowMs, storage } = given
  const issuer = issuerOf(given.issuer)
  if (!isText(clientId)) throw expected('clientId', 'a text')
  for (const name of ['clientSecret', 'scope'] as const) {
    if (given[name] !== undefined && !isText(given[name])) throw expected(name, 'a text')
  }
  for (const name of ['clientAuth', 'fetch'] as const) {
    if (given[name] !== undefined && typeof given[name] !== 'function') throw expected(name, 'a function')
  }
  if (interaction !== 'redirect' && interaction !== 'popup') throw expected('interaction', "'redirect' or 'popup'")
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) throw expected('timeoutMs', 'a number of milliseconds')
  if (dpop !== undefined && typeof dpop?.refresherFetch !== 'function') throw expected('dpop', 'what dpop() makes')
  if (storage !== undefined && typeof storage?.removeItem !== 'function') throw expected('storage', 'a Storage')
  // It judges what it will be given.
  loginRedirect({ to: issuer, navigate, maxRedirects, windowMs, storage })
  const server = given.server && serverOf(given.server, issuer)
  for (const name of ['redirectUri', 'postLogoutRedirectUri'] as const) {
    // Where there is no page yet, a relative one can only be judged when there is.
    if (given[name] !== undefined && !isAddress(given[name], pageUrl() ?? RELATIVE)) {
      throw expected(name, 'an https URL, or http on loopback, without userinfo or fragment')
    }
  }
  const resources = resourcesOf(given.resource)
  const parameters = parametersOf(given.parameters)
  return { ...given, server, issuer, resources, parameters, interaction, timeoutMs }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

const isAddress = (value: unknown, base?: string): value is string | URL => secureUrl(value, base)?.hash === ''

function issuerOf(value: unknown): URL {
  if (!isAddress(value) || new URL(value).search !== '') {
    throw expected('issuer', 'an https URL, or http on loopback, without userinfo, query or fragment')
  }
  return new URL(value)
}

function serverOf(server: unknown, { href }: URL): AuthorizationServer {
  const issuer = (Object(server) as Partial<AuthorizationServer>).issuer
  if (typeof issuer !== 'string' || !URL.canParse(issuer) || new URL(issuer).href !== href) {
    throw expected('server', 'metadata of this `issuer` (RFC 8414)')
  }
  // A copy: what was judged is what is used.
  return { ...(server as AuthorizationServer) }
}

function resourcesOf(resource: unknown): string[] {
  return (resource === undefined ? [] : [resource].flat()).map((each) => {
    const isUri = (isText(each) || each instanceof URL) && URL.canParse(each)
    if (!isUri || new URL(each).hash !== '') {
      throw expected('resource', 'absolute URIs without a fragment (RFC 8707 section 2)')
    }
    // As it was given: a server compares it letter by letter.
    return String(each)
  })
}

/** Parameters as a copy on no prototype. @throws TypeError `ERR_INVALID_OPTION` */
export function parametersOf(parameters: unknown): Record<string, string> {
  const isObject = typeof parameters === 'object' && parameters !== null
  if (
    parameters !== undefined &&
    !(isObject && Object.values(parameters).every((value) => typeof value === 'string'))
  ) {
    throw expected('parameters', 'an object of texts')
  }
  return { __proto__: null, ...(parameters as Record<string, string> | undefined) } as unknown as Record<string, string>
}
