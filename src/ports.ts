/**
 * The interfaces that others may implement (store, scheme, refresher) and what their callbacks are given. Types only: the
 * leaves in schemes/, stores/ and refreshers/ know this file and never each other.
 */
import type { Challenge } from './http/challenge.ts'
import type { StoredSession, TokenResponse, TokenSet } from './tokens.ts'

export type { Challenge, StoredSession, TokenResponse, TokenSet }

/** Where a session rests. Three things are asked of it; correctness rests on `write`, and on nothing else. */
export interface TokenStore {
  read(): StoredSession | null | Promise<StoredSession | null>
  /**
   * Compare and set: writes `next` (null = remove) only where the stored version is `expectedVersion` (null = nothing
   * stored). Says whether it wrote.
   */
  write(next: StoredSession | null, expectedVersion: number | null): boolean | Promise<boolean>
  /** Tells of changes made elsewhere (another tab, another process). Returns what ends the watch. */
  watch?(listener: () => void): () => void
  /**
   * Runs `task` while no one else who shares this store runs one. May give up waiting after `waitMs` and run it all the
   * same: it saves calls, `write` keeps sessions right. A lock that can be lost while the task runs (a lease that ends, a
   * process that was stopped) may give the task an `isHeld`: then a refresh token is not sent once it says false.
   */
  lock?<T>(task: (isHeld?: () => boolean) => Promise<T>, options: LockOptions): Promise<T>
}

export interface LockOptions {
  /** How long to wait for another holder, in milliseconds. */
  waitMs: number
  /** How long a task may hold the lock, in milliseconds; after that others may take it. */
  holdMs: number
  signal?: AbortSignal
}

/** A request as schemes see it: enough to sign it, nothing to change it with. */
export interface SchemeRequest {
  method: string
  url: URL
  /** Fires when the caller has left: nothing needs to be waited for any more. */
  signal?: AbortSignal | null | undefined
}

/** How tokens become headers. */
export interface AuthScheme {
  name: string
  /** Header names this scheme sets, lower case; whatever is not `authorization` is kept off cross-origin redirects by us. */
  headers: readonly string[]
  attach(headers: Headers, tokens: TokenSet, request: SchemeRequest): void | Promise<void>
  /** Sees every answer, good ones too (DPoP nonces). */
  observe?(response: Response, request: SchemeRequest): void
  /**
   * What would cure this 401. Default: 'refresh'. 'again' = the same tokens with what `observe` learned; 'nothing' = it is
   * handed back, where whoever holds the credential has tried already.
   */
  cure?(challenges: readonly Challenge[]): Cure
  /**
   * true: the credential is not ours to hold (an HttpOnly cookie). `attach` is then called for every request to our origins,
   * with null where no tokens are held; and a caller who sets `headers` himself brings no credentials by that.
   */
  isAmbient?: boolean
  /** fetch's `credentials` for requests to other origins than the page's own that leave them at their default. */
  credentials?: NonNullable<RequestInit['credentials']>
  /**
   * Looks at an answer of status 400 or above, other than 401: why it is a denial, where the scheme knows. May clone it, and
   * must not read it.
   */
  denialReason?(response: Response): Denial['reason'] | undefined | Promise<Denial['reason'] | undefined>
  /**
   * What the scheme adds to the requests of a refresher (a DPoP proof, a CSRF header): the same transport, with that. It is given
   * absolute URLs, and told to follow no redirect.
   */
  refresherFetch?(transport: typeof fetch, refresh: SchemeRefresh): typeof fetch
}

/** A refresh as schemes see it. */
export interface SchemeRefresh {
  tokens: TokenSet | null
  /** Whether a URL is on one of the origins that may get credentials. */
  isOurs: (url: URL) => boolean
}

export type Cure = 'refresh' | 'again' | 'step-up' | 'login' | 'nothing'

/** Why a refresh runs: a 401, an expiry that is near, or a call of `refresh()`. */
export type RefreshReason = 'rejected' | 'expiring' | 'requested'

export interface RefreshContext {
  /** null when nobody is signed in: client credentials can start here. */
  tokens: TokenSet | null
  reason: RefreshReason
  /** Fires when `refreshTimeoutMs` have passed. */
  signal: AbortSignal
  /** The bare transport: never recovers, never follows redirects, never caches. With what the scheme adds to token requests. */
  fetch: typeof fetch
}

/**
 * Gets new tokens. null = the session is over. Throwing = it failed; the README's table of verdicts says what each
 * failure means. true = refreshed, and there is nothing for us to hold (cookies).
 */
export type Refresher = (
  context: RefreshContext,
) => Promise<TokenSet | TokenResponse | { access_token: string } | true | null>

/** A request as callbacks and events see it: the URL without query, fragment and userinfo. */
export interface RequestSummary {
  method: string
  url: string
}

/** The body of a problem answer, RFC 9457. */
export interface ProblemDetails {
  type?: string
  title?: string
  status?: number
  detail?: string
  instance?: string
  [member: string]: unknown
}

/** A 403: the server knows who asks, and says no. */
export interface Denial {
  /** `csrf`: the request's CSRF token was refused, not the user. For schemes that know such a refusal: `cookie()`. */
  reason: 'insufficient-scope' | 'csrf' | 'forbidden'
  request: RequestSummary
  /** A clone: reading it leaves the caller's response untouched. */
  response: Response
  challenges: readonly Challenge[]
  /** RFC 6750 §3, from the challenge. */
  requiredScopes: readonly string[]
  /** The RFC 9457 problem, where the body is one; else null. Never rejects. */
  problem(): Promise<ProblemDetails | null>
}

/** A 401 that no refresh can cure: somebody has to sign in. */
export interface LoginNeed {
  reason: 'no-session' | 'session-over' | 'refresh-refused'
  request: RequestSummary
  challenges: readonly Challenge[]
  /** Where the resource describes itself, RFC 9728 §5.1: named by the challenge, https or loopback, never fetched by us. */
  resourceMetadata?: string
  /** Where to bring the user back to: path, query and hash on the page's own origin; '/' outside a browser. */
  returnTo: string
  /** Fires when the login is no longer needed: somebody signed in elsewhere, it took too long, or the instance is gone. */
  signal: AbortSignal
}

/** A 401 that asks for a stronger or a more recent login, RFC 9470. */
export interface StepUpNeed {
  /** In the server's order of preference. */
  acrValues: readonly string[]
  maxAgeSeconds?: number
  scopes: readonly string[]
  /** What the session was granted, as its tokens say it: a stronger login asks for it again. */
  grantedScope?: string
  request: RequestSummary
  challenges: readonly Challenge[]
  /** As in `LoginNeed`. */
  resourceMetadata?: string
  signal: AbortSignal
}

/** What a login callback hands back; nothing means that nobody signed in. */
export type LoginResult = TokenSet | TokenResponse | { access_token: string } | null | void

/** What the status or body of an answer means for recovery. */
export type Verdict = 'pass' | 'recover' | 'deny'

export interface SessionSnapshot {
  status: 'signed-out' | 'signed-in' | 'refreshing' | 'login-required'
  /** Unix time, milliseconds. */
  expiresAt?: number
  scope?: string
  subject?: string
}
