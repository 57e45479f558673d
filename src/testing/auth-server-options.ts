/** What an authorization server for tests can be told, and the defaults (the only place). */
import type { RouteHandler, RouteOptions } from './route.ts'

export interface AuthServerOptions {
  /**
   * The origin that relative URLs given to `server.fetch` resolve against, and the issuer of ID tokens. In memory the server
   * answers at every origin; over HTTP it has the URL that `listen()` resolves to.
   *
   * @default 'https://auth.test'
   */
  url?: string | URL
  /**
   * Who can sign in, by name. A password left out is the name itself; roles left out are none.
   *
   * @default { viewer: { roles: ['viewer'] }, admin: { roles: ['viewer', 'admin'] } }
   */
  users?: Readonly<Record<string, UserOptions>>
  /**
   * The scopes that each role brings; a user may be granted those of all of their roles, and is when none are asked for.
   *
   * @default { viewer: ['items:read'], admin: ['items:read', 'items:write', 'reports:read'] }
   */
  scopes?: Readonly<Record<string, readonly string[]>>
  /**
   * The OAuth clients, by id. Given: a request to `/token` or `/revoke` has to name one of them, and to prove its secret where
   * it has one. Left out: every id, and none, is a public client; `service` with the secret `service` is a confidential one
   * that may use client_credentials.
   *
   * @default { service: { secret: 'service', scopes: ['items:read', 'reports:read'] } }, and anyone else
   */
  clients?: Readonly<Record<string, ClientOptions>>
  /**
   * How long an access token lives, in milliseconds, from 0.
   *
   * @default 300_000
   */
  accessTokenTtlMs?: number
  /**
   * How long each refresh token lives from its own issue, in milliseconds, from 0.
   *
   * @default 2_592_000_000 (30 days)
   */
  refreshTokenTtlMs?: number
  /**
   * `opaque`: random b64token characters. `jwt`: a JWT with `sub`, `iat`, `exp` and `jti` and a signature that is noise.
   *
   * @default 'opaque'
   */
  accessTokenFormat?: 'opaque' | 'jwt'
  /**
   * What every answer says as `expires_in`, true or not: a number of seconds (any, also 0 and -1), a string, or null to leave it
   * out. Left out, the truth is told, in seconds with decimals.
   *
   * @default the truth
   */
  expiresIn?: number | string | null
  /**
   * Whether a refresh replaces the refresh token. `false`: it stays, and answers leave it out (RFC 6749 §6).
   *
   * @default true
   */
  rotation?: boolean
  /**
   * Whether a spent refresh token that comes again revokes every token of its session (RFC 9700 §4.14.2). `false`: it is only
   * refused.
   *
   * @default true
   */
  reuseDetection?: boolean
  /**
   * For how long after a rotation the spent refresh token is still answered, with the session's current tokens, in
   * milliseconds, from 0.
   *
   * @default 0
   */
  graceMs?: number
  /**
   * Whether answers hold an `id_token`: an unsigned JWT with `iss`, `sub`, `aud`, `iat`, `exp`, `auth_time` and `acr`.
   *
   * @default false
   */
  idToken?: boolean
  /**
   * `true`: `/login` puts the refresh token into an HttpOnly cookie, and `/refresh` reads and rotates it there. `'session'`:
   * the access token rests in a cookie too, and no answer holds a token. In memory, `server.fetch` then keeps a cookie jar.
   *
   * @default false
   */
  cookies?: boolean | 'session'
  /**
   * Whether browsers on other origins may call: preflights are answered, and the origin that asks is let in, with credentials.
   *
   * @default false
   */
  cors?: boolean
  /** What `POST /payments` asks for before it works, RFC 9470. */
  stepUp?: StepUpOptions
  /**
   * Further routes of the API, by method and path: `'GET /orders/:id'`. A pattern without a method takes GET. They go before
   * the built-in ones. A bare handler needs a signed-in user.
   *
   * @default {}
   *
   * @example
   * createAuthServer({ routes: { 'GET /orders/:id': (_request, { params, user }) => Response.json({ id: params.id, user }) } })
   */
  routes?: Readonly<Record<string, RouteHandler | RouteOptions>>
  /**
   * How many requests `server.requests` remembers, from 0; the oldest go first. `stats` and `seen` count on regardless.
   *
   * @default 10_000
   */
  logLimit?: number
}

export interface UserOptions {
  /** @default the user's name */
  password?: string
  /** @default [] */
  roles?: readonly string[]
}

export interface ClientOptions {
  /** Left out: a public client, which may not use client_credentials. */
  secret?: string
  /**
   * What client_credentials may be granted.
   *
   * @default []
   */
  scopes?: readonly string[]
}

export interface StepUpOptions {
  /**
   * The authentication context classes that satisfy, in order of preference. A login says which it has by `acr_values` on
   * `/token` and `/login`, or by `signIn(user, { acr })`.
   *
   * @default ['mfa']
   */
  acrValues?: readonly string[]
  /**
   * How old that login may be, in seconds, from 0.
   *
   * @default 300
   */
  maxAgeSeconds?: number
  /**
   * Whether no login is ever good enough, as with a server that ignores the new acr.
   *
   * @default false
   */
  isNeverMet?: boolean
}

type Defined<T> = { [K in keyof T]-?: NonNullable<T[K]> }

/** The options with every default filled in. `clients` and `expiresIn` mean something when they are not given. */
export interface Settings extends Omit<Defined<AuthServerOptions>, 'stepUp' | 'clients' | 'expiresIn'> {
  stepUp: Defined<StepUpOptions>
  clients: AuthServerOptions['clients']
  expiresIn: AuthServerOptions['expiresIn']
}

export const DEFAULTS: Settings = {
  url: 'https://auth.test',
  users: { viewer: { roles: ['viewer'] }, admin: { roles: ['viewer', 'admin'] } },
  scopes: { viewer: ['items:read'], admin: ['items:read', 'items:write', 'reports:read'] },
  clients: undefined,
  accessTokenTtlMs: 300_000,
  refreshTokenTtlMs: 30 * 24 * 3_600_000,
  accessTokenFormat: 'opaque',
  expiresIn: undefined,
  rotation: true,
  reuseDetection: true,
  graceMs: 0,
  idToken: false,
  cookies: false,
  cors: false,
  stepUp: { acrValues: ['mfa'], maxAgeSeconds: 300, isNeverMet: false },
  routes: {},
  logLimit: 10_000,
}
