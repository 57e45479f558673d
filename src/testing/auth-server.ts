/**
 * An authorization server and an API in one, real but small: for the tests of whoever uses relatch, and for ours. It runs in
 * memory behind a `fetch`, over HTTP on loopback, or both at once; nothing is mocked, every token is issued and judged.
 */
import { createAccounts } from './accounts.ts'
import { type ApiParts, createApi } from './api.ts'
import { apiRoutes } from './api-routes.ts'
import type { AuthServerOptions, Settings } from './auth-server-options.ts'
import type { Handle } from './caller.ts'
import { withCors } from './cors.ts'
import { createFaults, type Outage, type RefreshFault } from './faults.ts'
import { ACCESS_COOKIE, homemadeEndpoints } from './homemade-endpoints.ts'
import { type CookieJar, inMemoryFetch } from './in-memory.ts'
import { type ListeningServer, listenOn } from './listen.ts'
import { misuse } from './misuse.ts'
import { readOptions } from './option-checks.ts'
import { words } from './parameters.ts'
import { type AuthServerStats, createRequestLog, noCounts, type SeenFilter, type SeenRequest } from './request-log.ts'
import { createRouter } from './route.ts'
import { createSessions, type IssuedTokens } from './sessions.ts'
import { type Endpoints, revocationEndpoint, tokenEndpoint } from './token-endpoint.ts'
import { createWaiting } from './waiting.ts'

export interface SignInOptions {
  /**
   * Space separated; not checked against the user's roles.
   *
   * @default every scope of the user's roles
   */
  scope?: string
  /** The authentication context class of this login, RFC 9470. */
  acr?: string
  /**
   * How long ago the login happened, in milliseconds.
   *
   * @default 0
   */
  authAgeMs?: number
  /**
   * How long the first access token lives, in milliseconds. Refreshed ones live as the server's options say.
   *
   * @default accessTokenTtlMs
   */
  ttlMs?: number
}

/** The server, its switches and its log. All functions are bound. */
export interface AuthServer {
  /** The origin of the server in memory, `https://auth.test` unless told otherwise. Over HTTP: see what `listen` resolves to. */
  readonly url: string
  /**
   * A `fetch` with this server at its other end, whatever the origin of the URL. A relative URL is one of the server's. Redirects
   * are followed, except with a body that would have to be sent twice.
   */
  readonly fetch: typeof globalThis.fetch
  /** The same with a cookie jar of its own, as another browser would have. */
  browser(): typeof globalThis.fetch
  /**
   * Listens on 127.0.0.1. Node only.
   *
   * @param port 0 to 65 535; default: 0, a free one
   * @throws TypeError `ERR_PORT`, `ERR_SERVER_CLOSED`
   */
  listen(port?: number): Promise<ListeningServer>
  /** Ends every listener, connection and wait. From then on `fetch` rejects, as with a host that is gone. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>

  /**
   * Starts a session without a request: what a login would have answered.
   *
   * @throws TypeError `ERR_UNKNOWN_USER`
   */
  signIn(user: string, options?: SignInOptions): IssuedTokens
  /** Expires the access tokens that are out, of one user or of all. */
  expireAccessTokens(user?: string): void
  /** Ends the sessions of one user, or of all: their access and refresh tokens are revoked. */
  revokeSession(user?: string): void
  /** Takes effect at once, for tokens that are out too. Scopes stay what they were granted. */
  setRoles(user: string, roles: readonly string[]): void
  /** Whether the API answers 401 to every token, good ones too. */
  rejectAll: boolean
  /** As the option of that name, from now on. */
  rotation: boolean
  /** As the option of that name, from now on. */
  reuseDetection: boolean

  /** Whether `/token`, `/refresh`, `/login` and `/revoke` are out of order. The API goes on. */
  down: Outage
  /**
   * Makes the next refreshes fail; queued faults go first, then the standing one (`times: Infinity`), which a later one
   * replaces. Refreshes are `POST /refresh` and `POST /token` with the grant refresh_token.
   *
   * @param times a whole number from 1, or Infinity until `heal()`; default: 1
   * @throws TypeError `ERR_REFRESH_FAULT`
   */
  failRefresh(fault: RefreshFault, times?: number): void
  /** Lets the refreshes that hang go on. */
  release(): void
  /** Everything works again: no faults, not down, nothing rejected or hanging. */
  heal(): void

  /** What the server saw, in order of arrival. An entry's `status` is null until it is answered. */
  readonly requests: readonly SeenRequest[]
  readonly stats: AuthServerStats
  /**
   * Resolves with the first `n` requests that match, as soon as there are so many: since the start, or `reset()`.
   *
   * @param n a whole number from 1
   * @example
   * await server.seen(2, { kind: 'refresh', status: 200 })
   */
  seen(n: number, filter?: SeenFilter): Promise<readonly SeenRequest[]>
  /** Tells of each request once it is answered or dropped. What a listener throws is swallowed. Returns what ends it. */
  onRequest(listener: (request: SeenRequest) => void): () => void
  /** Forgets the log and the counts; sessions, roles and faults stay. */
  reset(): void
}

/**
 * Makes an authorization server with an API.
 *
 * Tokens: `POST /token` (grants password, refresh_token and client_credentials; the first is there for tests only), `/revoke`,
 * and as people write them by hand `/login` and `/refresh`. For whoever is signed in: `GET /me`, `/items`, `/items/:id`,
 * `/slow?ms=`, `/status/:code`, and `POST` or `PUT /echo` (what came, as a hash; `/echo/late` reads it before it judges). With
 * a 403 for some: `GET /admin` (a role), `/reports` (a scope), `/csrf` (everybody). `POST /payments` takes a step-up. `GET
 * /public` is for all.
 *
 * @throws TypeError `ERR_AUTH_SERVER_OPTION`, `ERR_UNKNOWN_OPTION`, `ERR_ROUTE`
 * @see RFC 6749, RFC 6750, RFC 7009, RFC 9457, RFC 9470
 *
 * @example
 * const server = createAuthServer({ accessTokenTtlMs: 1_000 })
 * const tokens = server.signIn('viewer')
 * const response = await server.fetch('/me', { headers: { authorization: `Bearer ${tokens.access_token}` } })
 * await response.json() // { user: 'viewer', roles: ['viewer'], … }
 */
export function createAuthServer(options: AuthServerOptions = {}): AuthServer {
  const settings = readOptions(options)
  const counts = noCounts()
  const log = createRequestLog(settings.logLimit, counts)
  const accounts = createAccounts(settings)
  const sessions = createSessions(settings, counts)
  const waiting = createWaiting()
  const faults = createFaults(waiting)
  const router = createRouter(settings.routes, apiRoutes(settings.stepUp, waiting))
  const accessCookie = settings.cookies === 'session' ? ACCESS_COOKIE : null
  let isRejectingAll = false
  const parts = { accounts, sessions, faults, log, router, accessCookie, isRejectingAll: () => isRejectingAll }
  const handle = settings.cors ? withCors(createHandle(parts, settings), log) : createHandle(parts, settings)

  const listeners = new Set<ListeningServer>()
  let isClosed = false
  const fetchWith = (jar: CookieJar | null): typeof globalThis.fetch =>
    inMemoryFetch(async (...call) => (isClosed ? 'dropped' : handle(...call)), settings.url, jar)
  const close = async (): Promise<void> => {
    isClosed = true
    waiting.close()
    await Promise.all([...listeners].map((listener) => listener.close()))
  }

  return {
    url: new URL(settings.url).origin,
    fetch: fetchWith(settings.cookies ? new Map() : null),
    browser: () => fetchWith(new Map()),
    async listen(port = 0) {
      if (!Number.isInteger(port) || port < 0 || port > 65_535) throw misuse('ERR_PORT', 'a port from 0 to 65535')
      if (isClosed) throw misuse('ERR_SERVER_CLOSED', 'a server that was not closed: make a new one')
      const listener = await listenOn(handle, port)
      listeners.add(listener)
      // Closed while it was opening: nothing may be left to keep the process alive.
      if (isClosed) await listener.close()
      return listener
    },
    close,
    [Symbol.asyncDispose]: close,

    signIn(user, { scope, acr = null, authAgeMs = 0, ttlMs } = {}) {
      accounts.mustHave(user)
      const scopes = scope === undefined ? accounts.scopesOf(user) : words(scope)
      const who = { user, clientId: null, scopes, acr, authenticatedAt: Date.now() - authAgeMs }
      return sessions.start(who, ttlMs === undefined ? {} : { ttlMs })
    },
    expireAccessTokens(user) {
      if (user !== undefined) accounts.mustHave(user)
      sessions.expireAccessTokens(user)
    },
    revokeSession(user) {
      if (user !== undefined) accounts.mustHave(user)
      sessions.revoke(user)
    },
    setRoles: accounts.setRoles,
    get rejectAll() {
      return isRejectingAll
    },
    set rejectAll(value) {
      isRejectingAll = value
    },

    get rotation() {
      return settings.rotation
    },
    set rotation(value) {
      settings.rotation = value
    },
    get reuseDetection() {
      return settings.reuseDetection
    },
    set reuseDetection(value) {
      settings.reuseDetection = value
    },

    get down() {
      return faults.down
    },
    set down(value) {
      faults.down = value
    },
    failRefresh: (fault, times = 1) => faults.fail(fault, times),
    release: waiting.release,
    heal() {
      isRejectingAll = false
      faults.heal()
      waiting.release()
    },

    get requests() {
      return log.entries
    },
    get stats() {
      return Object.freeze({ ...counts })
    },
    seen: async (n, filter = {}) => {
      if (!Number.isSafeInteger(n) || n < 1) throw misuse('ERR_SEEN', '`seen` to be given a whole number from 1')
      return log.seen(n, filter)
    },
    onRequest: log.onRequest,
    reset() {
      log.clear()
      Object.assign(counts, noCounts())
    },
  }
}

/** The server in one function: four endpoints for tokens, and the API for the rest. */
function createHandle(parts: Endpoints & Omit<ApiParts, 'endpointPaths'>, settings: Settings): Handle {
  const { login, refresh } = homemadeEndpoints(parts, settings)
  const endpoints = new Map<string, Handle>([
    ['/token', tokenEndpoint(parts)],
    ['/revoke', revocationEndpoint(parts)],
    ['/refresh', refresh],
    ['/login', login],
  ])
  const api = createApi({ ...parts, endpointPaths: [...endpoints.keys()] })
  return (request, caller) => {
    const endpoint = request.method === 'POST' ? endpoints.get(new URL(request.url).pathname) : undefined
    return (endpoint ?? api)(request, caller)
  }
}
