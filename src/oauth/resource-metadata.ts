/**
 * What a protected resource says about itself (RFC 9728), fetched when the app asks and never before. A 401 can name any
 * address, so the address, the answer and the document are checked before use. Nothing of them gets into an error.
 */
import { AuthError, misuse } from '../errors.ts'
import { jsonObject } from '../http/json.ts'
import { isSecure } from '../http/origins.ts'
import { isRedirect } from '../http/redirects.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { RequestSummary } from '../ports.ts'
import { own } from '../tokens.ts'
import { boundedFetch } from './transport.ts'

/** What a protected resource says about itself, checked: RFC 9728 §2. Members that are not listed here are left out. */
export interface ResourceMetadata {
  /** The resource identifier, as the document spells it: what to send as `resource` (RFC 8707). */
  readonly resource: string
  /** Issuer identifiers, at least one, in the order of the document. Which of them to trust is the app's choice. */
  readonly authorizationServers: readonly string[]
  readonly scopesSupported?: readonly string[]
  /** JWS algorithms for DPoP proofs (RFC 9449). */
  readonly dpopAlgs?: readonly string[]
  /** Whether the resource takes DPoP-bound tokens only. */
  readonly isDpopRequired?: boolean
}

/** The part of a `LoginNeed` or a `StepUpNeed` that is read; a `Denial` will do as well. */
export interface MetadataNeed {
  request: Pick<RequestSummary, 'url'>
  /** From the challenge (RFC 9728 §5.1). Left out: the well-known URI of the resource (§3.1). */
  resourceMetadata?: string | undefined
}

export interface ResourceMetadataOptions {
  /**
   * The identifier that the document has to bear, for an API whose identifier is not the URL of each request but its root.
   * Default: the URL of the request, without its query (RFC 9728 §3.3).
   */
  resource?: string | URL | undefined
  /**
   * Origins besides the request's own that the document may live on. An address inside a private network, the request's own
   * and those of authorization servers included, is refused unless its origin stands here.
   */
  origins?: Array<string | URL> | undefined
  /** A plain fetch, not one that waits for the login this is for. Default: `globalThis.fetch`. */
  fetch?: typeof globalThis.fetch | undefined
  /**
   * How long the document may take, in milliseconds, the last byte included.
   * @default 10 000
   */
  timeoutMs?: number | undefined
  /** Ends the request: the `signal` of the need, for example. */
  signal?: AbortSignal | undefined
}

const OPTIONS = ['resource', 'origins', 'fetch', 'timeoutMs', 'signal'] as const
const MAX_SERVERS = 32
const MAX_WORDS = 1000

/**
 * Fetches and checks the metadata of the resource that answered 401.
 *
 * The address is the one in the challenge, else the well-known URI of the resource. It has to be https (http where the request
 * itself went to loopback) on the request's own origin or one of `origins`; no redirect is followed, no cookie sent. Names are
 * not resolved: a program that calls APIs its users choose needs a resolver or a proxy that refuses private addresses too.
 * `signed_metadata` is not read (RFC 9728 §2.2 leaves that to us).
 *
 * @throws AuthError `metadata-refused` for what breaks a rule; `retryable` where there was no answer, or a 429 or 5xx (`status`).
 *   TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`, `ERR_LOGIN_NEED`; the reason of `signal` where that fires.
 * @see RFC 9728 §3.1 (well-known URI), §3.3 (validation), §5.1 (challenge), §7.7 (server-side request forgery)
 * @example
 * createAuthFetch({
 *   baseUrl: 'https://api.example',
 *   async onLoginRequired(need) {
 *     const { authorizationServers } = await resourceMetadata(need, { resource: 'https://api.example' })
 *     return signInAt(authorizationServers.find((issuer) => TRUSTED.includes(issuer)))
 *   },
 * })
 */
export async function resourceMetadata(
  need: MetadataNeed,
  options: ResourceMetadataOptions = {},
): Promise<ResourceMetadata> {
  const given = ownOptions(options, OPTIONS)
  const { resource, fetch: transport = globalThis.fetch, timeoutMs = 10_000, signal } = given
  if (typeof transport !== 'function') throw expected('fetch', 'a function')
  if (!Number.isFinite(timeoutMs) || timeoutMs <= 0) throw expected('timeoutMs', 'a number of milliseconds')
  const origins = originsOf(given.origins)
  const requested = urlOf(Object(Object(need).request).url)
  if (requested === null) throw misuse('ERR_LOGIN_NEED', 'Expected what `onLoginRequired` or `onStepUp` is given')
  const identifier = resource === undefined ? requested.href : String(resource)
  const identified = urlOf(identifier)
  if (identified === null || identifier.includes('#')) throw expected('resource', 'an http(s) URL without a fragment')

  const isAllowed = (url: URL): boolean =>
    isSecure(url) &&
    url.username === '' &&
    url.password === '' &&
    (isLoopback(url) ? isLoopback(requested) : origins.has(url.origin) || !isPrivate(url))
  const place = own(need, 'resourceMetadata') ?? wellKnownOf(identified).href
  const url = urlOf(place)
  if (url === null || !isAllowed(url)) {
    throw refused('is at no address to be fetched: https, without userinfo, outside private networks')
  }
  if (url.origin !== requested.origin && !origins.has(url.origin)) {
    throw refused('is on another origin than the request; `origins` can allow it')
  }
  url.hash = ''
  return readDocument(await download(url, transport, timeoutMs, signal), identifier, isAllowed)
}

const refused = (what: string, retryable = false): AuthError =>
  new AuthError('metadata-refused', `The metadata of the resource ${what}`, { retryable })

/** Loopback is the only place that plain http is secure at. */
const isLoopback = ({ hostname }: URL): boolean => isSecure({ protocol: 'http:', hostname } as URL)

/** The parsed URL, where the value is one with an authority. */
function urlOf(value: unknown): URL | null {
  const url = (typeof value === 'string' || value instanceof URL) && URL.canParse(value) ? new URL(value) : null
  return url !== null && /^https?:$/.test(url.protocol) ? url : null
}

function originsOf(origins: unknown = []): ReadonlySet<string> {
  const urls = Array.isArray(origins) ? origins.map(urlOf) : [null]
  if (urls.some((url) => url === null || !isSecure(url))) {
    throw expected('origins', 'a list of https URLs, or http on loopback')
  }
  return new Set(urls.map((url) => (url as URL).origin))
}

/** RFC 9728 §3.1: between host and path, a slash that ends the identifier after the host left out. */
function wellKnownOf(resource: URL): URL {
  const url = new URL(resource)
  url.pathname = `/.well-known/oauth-protected-resource${resource.pathname === '/' ? '' : resource.pathname}`
  return url
}

/** Not public, by IANA's registry of special-purpose addresses (RFC 6890); cloud metadata services lie in these blocks. */
const RESERVED_V4 = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24'],
  ...['192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24'],
  // Multicast, reserved, broadcast; and the one metadata service with a public address (Azure).
  ...['224.0.0.0/3', '168.63.129.16/32'],
]
/** Global unicast (2000::/3) without Teredo and its like, documentation and 6to4: all others are local, or hold an IPv4 address. */
const GLOBAL_V6 = /^\[(?!2001:(?::|1?[\da-f]{1,2}:|db8:)|2002:|3fff:)[23][\da-f]{3}:/
/** Names that mean something inside one network only, those of one label included. */
const LOCAL_NAME =
  /^[^.]*$|\.(?:internal|intranet|local|localhost|localdomain|lan|corp|home|home\.arpa|private|svc|consul|onion)$/

/** Whether a URL's host is a private address or name. The URL parser has brought all spellings of an address into one. */
function isPrivate({ hostname }: URL): boolean {
  if (hostname.startsWith('[')) return !GLOBAL_V6.test(hostname)
  const host = hostname.replace(/\.$/, '')
  if (!/^\d+(?:\.\d+){3}$/.test(host)) return LOCAL_NAME.test(host)
  return RESERVED_V4.some((block) => {
    const [network = '', bits] = block.split('/')
    const size = 2 ** (32 - Number(bits))
    return Math.floor(numberOf(host) / size) === Math.floor(numberOf(network) / size)
  })
}

const numberOf = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)

/** The document as text: status 200, application/json (RFC 9728 §3.2), from the very address that was asked. */
async function download(
  { href }: URL,
  transport: typeof fetch,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<string> {
  // What boundedFetch hands back is a copy, which no longer tells where it came from.
  const answers: Response[] = []
  const watched: typeof fetch = async (...request) => {
    const answer = await transport(...request)
    answers.push(answer)
    return answer
  }
  const init: RequestInit = { headers: { accept: 'application/json' }, credentials: 'omit' }
  const whole = await boundedFetch(watched, timeoutMs, signal)(href, init).catch(() => null)
  if (signal?.aborted) throw signal.reason
  const [answer] = answers
  if (answer === undefined) throw refused('could not be reached', true)
  // Some transports follow redirects whatever they are told.
  const hasMoved = isRedirect(answer) || answer.type === 'opaqueredirect' || (answer.url || href) !== href
  if (hasMoved || answer.redirected) throw refused('was answered with a redirect, which is never followed')
  if (whole === null) throw refused('was longer than 256 KiB, took too long or broke off')
  const { status, headers } = whole
  if (status !== 200) {
    throw Object.assign(refused(`was answered with status ${status}`, status === 429 || status >= 500), { status })
  }
  if (!/^application\/json\s*(?:;|$)/i.test(headers.get('content-type') ?? '')) throw refused('is not application/json')
  return whole.text()
}

function readDocument(text: string, identifier: string, isAllowed: (url: URL) => boolean): ResourceMetadata {
  const document = jsonObject(text)
  if (document === null || hasTwins(text)) throw refused('is no JSON object whose members have names of their own')
  const member = (name: string): unknown => own(document, name) ?? undefined
  const resource = member('resource')
  if (typeof resource !== 'string' || !isSame(resource, identifier)) throw refused('describes another resource')

  const servers = wordsOf(member('authorization_servers'), MAX_SERVERS)
  if (!servers?.length || !servers.every((server) => isIssuer(server, isAllowed))) {
    throw refused('names no authorization server, or one at no address to be used')
  }
  const scopesSupported = wordsOf(member('scopes_supported'), MAX_WORDS)
  const dpopAlgs = wordsOf(member('dpop_signing_alg_values_supported'), MAX_WORDS)
  const isDpopRequired = member('dpop_bound_access_tokens_required')
  if (isDpopRequired !== undefined && typeof isDpopRequired !== 'boolean') throw refused('has a member of a wrong type')
  return Object.freeze({
    resource,
    authorizationServers: servers,
    ...(scopesSupported && { scopesSupported }),
    ...(dpopAlgs && { dpopAlgs }),
    ...(isDpopRequired !== undefined && { isDpopRequired }),
  })
}

/** RFC 9728 §3.3: character by character. Only after a bare host may a slash be missing: URL parsers add it, unseen. */
const isSame = (resource: string, identifier: string): boolean => bareOf(resource) === bareOf(identifier)
const bareOf = (url: string): string => url.replace(/^(https?:\/\/[^/?#]+)\/$/, '$1')

/** An issuer identifier (RFC 8414 §2), spelled as a URL parser spells it: what is shown and what is asked are the same. */
function isIssuer(text: string, isAllowed: (url: URL) => boolean): boolean {
  const url = urlOf(text)
  return url !== null && isSame(url.href, text) && !/[?#]/.test(text) && isAllowed(url)
}

/** A list of words without spaces, quotes or backslashes (RFC 6749 §3.3), where there is one. */
function wordsOf(value: unknown, most: number): readonly string[] | undefined {
  if (value === undefined) return undefined
  const isList = Array.isArray(value) && value.length <= most
  if (!isList || !value.every((word) => typeof word === 'string' && /^[!#-[\]-~]+$/.test(word))) {
    throw refused('has a member of a wrong type')
  }
  return Object.freeze(value)
}

/** Whether two members of an object bear one name: parsers differ in which of them counts (RFC 8259 §4). @param text valid JSON */
function hasTwins(text: string): boolean {
  const names: string[] = []
  let depth = 0
  for (const [lexeme] of text.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[[\]{}]/g)) {
    if (lexeme === '{' || lexeme === '[') depth++
    else if (lexeme === '}' || lexeme === ']') depth--
    else if (depth === 1 && lexeme.endsWith(':')) names.push(JSON.parse(lexeme.slice(0, -1)))
  }
  return new Set(names).size < names.length
}
