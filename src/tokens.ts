/**
 * The records of a session: what a token set is, how one is read from outside, and how a refreshed one takes over from the
 * one before. Whatever cannot be sent safely is refused here, once, before it is stored or reaches a header.
 */
import { wallNow } from './clock.ts'
import { AuthError, misuse } from './errors.ts'
import { jwtClaims } from './http/jwt.ts'

/** The tokens of one session. */
export interface TokenSet {
  /** b64token characters only (RFC 6750 §2.1). */
  accessToken: string
  refreshToken?: string
  /** When the access token expires: Unix time in milliseconds. Left out: unknown, so only a 401 tells. */
  expiresAt?: number
  /** @default 'Bearer' */
  tokenType?: string
  /** Space separated, RFC 6749 §3.3. */
  scope?: string
  idToken?: string
  /** Who these tokens speak for, where known. */
  subject?: string
}

/** What a token endpoint answers (RFC 6749 §5.1): `expires_in` counts seconds from receipt. */
export interface TokenResponse {
  access_token: string
  [member: string]: unknown
}

/** A session as a store keeps it. */
export interface StoredSession {
  /** New at each sign-in, kept by refreshes. */
  sessionId: string
  /** Grows with every write; what compare-and-set compares. */
  version: number
  /** null: a cookie session, whose credential lives elsewhere. */
  tokens: TokenSet | null
}

/** The largest instant that a Date can hold, in milliseconds. */
const LAST_INSTANT = 8.64e15
/** RFC 6750 §2.1 b64token: the only characters that can stand in a header without quoting, folding or splitting it. */
const B64TOKEN = /^[\w.~+/-]+=*$/
const TEXT_MEMBERS = ['refreshToken', 'tokenType', 'scope', 'idToken', 'subject'] as const

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''

/** Own members only: a polluted `Object.prototype` must not be able to supply a token. */
export const own = (value: object, member: string): unknown =>
  Object.hasOwn(value, member) ? (value as Record<string, unknown>)[member] : undefined

/** Whether a value may follow `Bearer ` in a header, RFC 6750 §2.1; the texts of a missing value may not (R10). */
export const isTokenValue = (value: unknown): value is string =>
  typeof value === 'string' && B64TOKEN.test(value) && value !== 'undefined' && value !== 'null'

/** The same token set without members that are empty, null or of the wrong type; null where no access token is usable. */
export function readTokenSet(value: unknown): TokenSet | null {
  if (typeof value !== 'object' || value === null) return null
  const accessToken = own(value, 'accessToken')
  if (!isTokenValue(accessToken)) return null
  const tokens: TokenSet = { accessToken }
  for (const member of TEXT_MEMBERS) {
    const text = own(value, member)
    if (isText(text)) tokens[member] = text
  }
  const expiresAt = own(value, 'expiresAt')
  if (typeof expiresAt === 'number' && Math.abs(expiresAt) <= LAST_INSTANT) tokens.expiresAt = expiresAt
  return tokens
}

/** The same for a stored session, or null: garbage in a medium counts as nothing stored (S1). */
export function readStoredSession(value: unknown): StoredSession | null {
  if (typeof value !== 'object' || value === null) return null
  const sessionId = own(value, 'sessionId')
  const version = own(value, 'version')
  const tokens = own(value, 'tokens')
  if (!isText(sessionId) || !Number.isSafeInteger(version)) return null
  const usable = tokens === null ? null : readTokenSet(tokens)
  return tokens === null || usable !== null ? { sessionId, version: version as number, tokens: usable } : null
}

/**
 * Turns a token endpoint's answer into a `TokenSet`.
 *
 * Empty strings and null count as missing. `expires_in` may be a number or a string of digits, in seconds; anything else
 * leaves the expiry unknown. `subject` is the `sub` of the ID token, read without trusting it.
 *
 * @param json the parsed answer, RFC 6749 §5.1
 * @param receivedAt when it arrived, Unix milliseconds; default: now
 * @throws AuthError `unusable-token-response` where there is no access token, `invalid-token` where it is no b64token
 * @see RFC 6749 §5.1, RFC 6750 §2.1
 *
 * @example
 * tokensFromResponse({ access_token: 'a', token_type: 'Bearer', expires_in: 3600 }).accessToken // 'a'
 */
export function tokensFromResponse(json: unknown, receivedAt: number = wallNow()): TokenSet {
  const answer = typeof json === 'object' && json !== null ? json : {}
  const accessToken = own(answer, 'access_token')
  if (!isText(accessToken)) {
    throw new AuthError('unusable-token-response', 'Expected a token response with a non-empty string `access_token`')
  }
  const idToken = own(answer, 'id_token')
  const tokens = readTokenSet({
    accessToken,
    refreshToken: own(answer, 'refresh_token'),
    expiresAt: receivedAt + lifetimeMs(own(answer, 'expires_in')),
    tokenType: own(answer, 'token_type'),
    scope: own(answer, 'scope'),
    idToken,
    subject: isText(idToken) ? own(jwtClaims(idToken) ?? {}, 'sub') : undefined,
  })
  if (tokens === null) throw invalidToken()
  return tokens
}

/** NaN where the lifetime is unknown, which no instant survives. */
function lifetimeMs(expiresIn: unknown): number {
  if (typeof expiresIn === 'string' && /^\d+$/.test(expiresIn)) return Number(expiresIn) * 1000
  return typeof expiresIn === 'number' ? Math.max(0, expiresIn) * 1000 : Number.NaN
}

const invalidToken = (): AuthError =>
  new AuthError('invalid-token', 'Expected an access token of b64token characters (RFC 6750 section 2.1)')

/** Stands in a token endpoint's answer for the tokens that a service worker has kept: `signIn` takes it in their place. */
export const KEPT = { held_by: 'service-worker' } as const

export const isKept = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && own(value, 'held_by') === KEPT.held_by

/** Tokens as they came from a caller or a refresher, and whether their lifetime counts from now or is only an instant. */
export interface ReceivedTokens {
  tokens: TokenSet | null
  /** Whether they were issued just now, so that the time left is their whole lifetime. */
  isFresh: boolean
}

/**
 * Reads what `signIn`, a refresher or a login callback hands over: a `TokenSet`, a `TokenResponse`, or `true`.
 *
 * @throws AuthError `unusable-token-response` or `invalid-token`; TypeError `ERR_TOKENS` for what is no object at all
 */
export function receiveTokens(value: unknown): ReceivedTokens {
  if (value === true) return { tokens: null, isFresh: true }
  if (typeof value !== 'object' || value === null) {
    throw misuse('ERR_TOKENS', 'Expected a TokenSet, a token response, or true for a session kept elsewhere')
  }
  if (!Object.hasOwn(value, 'accessToken')) return { tokens: tokensFromResponse(value), isFresh: true }
  const tokens = readTokenSet(value)
  if (tokens === null) throw invalidToken()
  return { tokens, isFresh: false }
}

/**
 * What a refresh leaves us with: the new tokens, and from the old ones whatever the answer left out. A missing, empty or
 * null `refresh_token` keeps the old one (RFC 6749 §6), as does an omitted scope.
 */
export function carryOver(before: TokenSet | null, next: TokenSet): TokenSet {
  const { accessToken: _, expiresAt: __, ...kept } = before ?? ({} as TokenSet)
  return { ...kept, ...next }
}
