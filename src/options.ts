/** The options of `createAuthFetch`: what they mean, their defaults (the only place), and what is refused at creation. */
import { type Origins, originTest, pageUrl } from './http/origins.ts'
import { expected, ownOptions } from './option-check.ts'
import type {
  AuthScheme,
  Denial,
  LoginNeed,
  LoginResult,
  Refresher,
  RequestSummary,
  StepUpNeed,
  TokenStore,
  Verdict,
} from './ports.ts'
import { bearer } from './schemes/bearer.ts'
import { memoryStore } from './stores/memory.ts'
import { own } from './tokens.ts'

/** An option given as `undefined` counts as not given; an unknown one is a `TypeError`. */
export interface AuthFetchOptions {
  /** What relative inputs resolve against. Default: the document's base in a browser, none elsewhere. */
  baseUrl?: string | URL | undefined
  /**
   * The only places that get credentials and recovery: exact origins, or a test. Paths are ignored, wildcards do not exist.
   * Plain `http:` is refused unless it is loopback. Default: the origin of `baseUrl`, else the page's own.
   */
  origins?: Origins | undefined
  /**
   * Lets `origins` hold plain `http:` beyond loopback.
   * @default false
   */
  allowInsecure?: boolean | undefined
  /** Gets new tokens. Default: none, so a 401 goes straight to `onLoginRequired`. */
  refresh?: Refresher | undefined
  /** Where the session rests. Default: `memoryStore()`. Instances given the same object share one session. */
  store?: TokenStore | undefined
  /** How tokens become headers. Default: `bearer()`. */
  scheme?: AuthScheme | undefined
  /** Called once for each 403 and awaited; what it throws rejects the call, unchanged. */
  onPermissionDenied?: ((denial: Denial) => unknown) | undefined
  /** Called once when the session is over, for everyone who waits; tokens that come back resume them all. */
  onLoginRequired?: ((need: LoginNeed) => LoginResult | Promise<LoginResult>) | undefined
  /** Called once per request that asks for a stronger or a more recent login, RFC 9470. */
  onStepUp?: ((need: StepUpNeed) => LoginResult | Promise<LoginResult>) | undefined
  /**
   * For servers that say it otherwise (419, 440, 403 for expiry, GraphQL errors under 200). `undefined` leaves the default:
   * 401 recover, 403 deny, else pass. Clone the response before reading its body; `request.url` is the whole URL.
   */
  classify?:
    | ((response: Response, request: RequestSummary) => Verdict | undefined | Promise<Verdict | undefined>)
    | undefined
  /** The transport. Default: `globalThis.fetch`, read at each call and called detached. */
  fetch?: typeof globalThis.fetch | undefined
  /**
   * Refresh this long before expiry, in milliseconds; never longer than a tenth of the token's lifetime where that is known.
   * @default 30 000
   */
  refreshMarginMs?: number | undefined
  /**
   * How long one refresh may take, its retries included, in milliseconds.
   * @default 10 000
   */
  refreshTimeoutMs?: number | undefined
  /**
   * How often a refresh is tried again after a transient failure; jittered, and `Retry-After` is honoured.
   * @default 2
   */
  refreshRetries?: number | undefined
  /**
   * How much of a one-shot body is kept for the replay, in bytes.
   * @default 1 048 576
   */
  replayLimitBytes?: number | undefined
  /**
   * How long requests wait for an interactive login, in milliseconds.
   * @default 300 000
   */
  loginTimeoutMs?: number | undefined
  /**
   * How many requests wait for an interactive login; any more get their 401 at once.
   * @default 1 000
   */
  parkedLimit?: number | undefined
}

/** The defaults that are plain values. */
export const DEFAULTS = {
  allowInsecure: false,
  refreshMarginMs: 30_000,
  refreshTimeoutMs: 10_000,
  refreshRetries: 2,
  replayLimitBytes: 1_048_576,
  loginTimeoutMs: 300_000,
  parkedLimit: 1_000,
} as const

type Callbacks = 'refresh' | 'onPermissionDenied' | 'onLoginRequired' | 'onStepUp' | 'classify'
type Limits = Exclude<keyof typeof DEFAULTS, 'allowInsecure'>

/** The options as the pipeline uses them: read once, by own property, so that a polluted prototype changes nothing (O4). */
export type Settings = Readonly<Record<Limits, number>> & {
  readonly [C in Callbacks]: NonNullable<AuthFetchOptions[C]> | undefined
} & {
  /** Every value that had a part in these settings. */
  readonly madeOf: readonly unknown[]
  /** What relative inputs resolve against at this moment. */
  readonly base: () => string | undefined
  readonly isOurs: (url: URL) => boolean
  readonly scheme: AuthScheme
  /** Headers that, when the caller sets them, make the request the caller's own (O3). */
  readonly callerHeaders: readonly string[]
  /** What the scheme sets, and `authorization`: gone from each further send before the scheme sets it anew. */
  readonly ourHeaders: readonly string[]
  /** Those that a platform forwards across origins, so that where they are set we must follow redirects (O2). */
  readonly forwardedHeaders: readonly string[]
  readonly isAmbient: boolean
  readonly credentials: NonNullable<RequestInit['credentials']> | undefined
  readonly denialReason: AuthScheme['denialReason']
  readonly refresherFetch: AuthScheme['refresherFetch']
  /** Whether an answer's status may not be all that is to be looked at. */
  readonly looksCloser: boolean
  /** To be called detached: a native fetch called as a method throws. */
  readonly transport: typeof fetch
}

const CALLBACKS = ['refresh', 'onPermissionDenied', 'onLoginRequired', 'onStepUp', 'classify', 'fetch'] as const
const CHOICES = [
  'baseUrl',
  'origins',
  'scheme',
  ...CALLBACKS,
  ...(Object.keys(DEFAULTS) as Array<keyof typeof DEFAULTS>),
] as const
/** All their names. */
export const OPTIONS: readonly string[] = ['store', ...CHOICES]

/** @throws TypeError with an `ERR_…` code that says what was expected */
export function readOptions(options: AuthFetchOptions): { store: TokenStore; settings: Settings } {
  const given = ownOptions(options, OPTIONS)
  const { store = memoryStore() } = given
  if (typeof store?.read !== 'function' || typeof store.write !== 'function') {
    throw expected('store', 'a TokenStore with read() and write()')
  }
  return { store, settings: settingsOf(given) }
}

/** A server makes an instance for each of its users, all with the same options but for the store: one of these will do. */
let last: WeakRef<Settings> | undefined

function settingsOf(given: AuthFetchOptions): Settings {
  const { baseUrl, origins, scheme } = given
  // An object may have changed inside: it is compared by what it says now, too.
  const texts = [baseUrl, origins, scheme?.headers].flat().map(String)
  const madeOf = [pageUrl(), ...CHOICES.map((name) => given[name]), ...texts]
  const before = last?.deref()
  if (before?.madeOf.length === madeOf.length && madeOf.every((value, index) => value === before.madeOf[index])) {
    return before
  }
  const settings = { ...readSettings(given), madeOf }
  last = new WeakRef(settings)
  return settings
}

function readSettings(given: AuthFetchOptions): Omit<Settings, 'madeOf'> {
  for (const name of CALLBACKS) {
    if (given[name] !== undefined && typeof given[name] !== 'function') throw expected(name, 'a function')
  }
  const { origins, allowInsecure = DEFAULTS.allowInsecure, scheme = bearer() } = given
  if (typeof allowInsecure !== 'boolean') throw expected('allowInsecure', 'true or false')
  if (origins !== undefined && typeof origins !== 'function' && !Array.isArray(origins)) {
    throw expected('origins', 'an array of origins or a function')
  }
  if (typeof scheme?.attach !== 'function' || !Array.isArray(scheme.headers)) {
    throw expected('scheme', 'an AuthScheme with attach() and the array headers')
  }
  const page = pageUrl()
  if (given.baseUrl !== undefined && !URL.canParse(given.baseUrl, page)) throw expected('baseUrl', 'an absolute URL')
  const baseUrl = given.baseUrl === undefined ? undefined : new URL(given.baseUrl, page).href
  const limits = {} as Record<Limits, number>
  for (const name of Object.keys(DEFAULTS) as Array<keyof typeof DEFAULTS>) {
    if (name === 'allowInsecure') continue
    const value = given[name] === undefined ? DEFAULTS[name] : given[name]
    if (typeof value !== 'number' || !(value >= 0)) throw expected(name, 'a number that is not negative')
    limits[name] = value
  }
  if (!Number.isInteger(limits.refreshRetries)) throw expected('refreshRetries', 'a whole number')

  const ourHeaders = [...new Set(['authorization', ...scheme.headers.map((name) => name.toLowerCase())])]
  // By own member, because a polluted prototype must not send cookies anywhere (O4).
  const isAmbient = own(scheme, 'isAmbient') === true
  const denialReason = methodOf(scheme, 'denialReason')
  return {
    ...limits,
    refresh: given.refresh,
    onPermissionDenied: given.onPermissionDenied,
    onLoginRequired: given.onLoginRequired,
    onStepUp: given.onStepUp,
    classify: given.classify,
    base: baseUrl === undefined ? pageUrl : () => baseUrl,
    isOurs: originTest(origins, baseUrl, allowInsecure),
    scheme,
    // A CSRF header is no credential: clients that set it themselves (axios does) are recovered as well.
    callerHeaders: isAmbient ? ['authorization'] : ourHeaders,
    ourHeaders,
    forwardedHeaders: ourHeaders.slice(isWorkerd() ? 0 : 1),
    isAmbient,
    credentials: own(scheme, 'credentials') as Settings['credentials'],
    denialReason,
    refresherFetch: methodOf(scheme, 'refresherFetch'),
    looksCloser: given.classify !== undefined || denialReason !== undefined,
    // Read at each call, because Sentry and MSW patch the global.
    transport: given.fetch ?? ((...args) => globalThis.fetch(...args)),
  }
}

/** It forwards `Authorization` like any other header, where its compatibility date is before September 2025. */
function isWorkerd(): boolean {
  try {
    return globalThis.navigator?.userAgent === 'Cloudflare-Workers'
  } catch {
    // A page that may not even look is none.
    return false
  }
}

/** A method of a scheme, or of its class; not one that a polluted prototype gives to every object (O4). */
function methodOf<M extends 'denialReason' | 'refresherFetch'>(scheme: AuthScheme, name: M): AuthScheme[M] {
  const method: unknown = scheme[name]
  const isOwn = typeof method === 'function' && method !== (Object.prototype as Partial<AuthScheme>)[name]
  return isOwn ? (method.bind(scheme) as AuthScheme[M]) : undefined
}
