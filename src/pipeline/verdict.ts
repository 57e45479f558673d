/**
 * What a failed refresh means (R7): the difference between "the auth server hiccuped" and "log everybody out". Reads errors of
 * any HTTP library by shape, never by class; when in doubt a failure is transient, because that loses nothing.
 */
import { wallNow } from '../clock.ts'
import { boundedText } from '../http/body-text.ts'
import { retryAfterMs } from '../http/retry-after.ts'

export interface Failure {
  verdict: 'over' | 'misconfigured' | 'transient'
  /** The OAuth error code, where a known one was found (RFC 6749 §5.2). */
  oauthError?: string
  retryAfterMs?: number
}

/** OAuth errors that no retry and no login cures: a deployment is wrong, and its users keep their sessions. */
const MISCONFIGURED = [
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_request',
  'invalid_scope',
]
/** OAuth errors that come with a 400 or 401 and still say nothing about the session. */
const TRANSIENT = [
  'server_error',
  'temporarily_unavailable',
  'slow_down',
  'authorization_pending',
  'use_dpop_nonce',
  'invalid_dpop_proof',
  'invalid_target',
]
const KNOWN = ['invalid_grant', ...MISCONFIGURED, ...TRANSIENT]

const ERROR_BODY_BYTES = 65_536
const ERROR_BODY_MS = 1000

type Shape = Record<string, unknown>

/** Anything as an object to look into; a text that is JSON is looked into as what it says (got, axios with responseType text). */
function shape(value: unknown): Shape {
  if (typeof value === 'object' && value !== null) return value as Shape
  if (typeof value !== 'string' || value[0] !== '{' || value.length > ERROR_BODY_BYTES) return {}
  try {
    return JSON.parse(value)
  } catch {
    return {}
  }
}

/** A member, unless it is one that every object has: a polluted prototype must not judge anybody's session (O4). */
const member = (object: Shape, name: string): unknown =>
  object[name] === (Object.prototype as unknown as Shape)[name] ? undefined : object[name]

/** Judges what a refresher threw, or handed back without a usable token. Never rejects. */
export async function judgeFailure(thrown: unknown): Promise<Failure> {
  try {
    return await judge(shape(thrown))
  } catch {
    // Its members throw when they are read: whatever it is, it does not say that the session is over.
    return { verdict: 'transient' }
  }
}

async function judge(error: Shape): Promise<Failure> {
  // A Response is thrown as it is, or rides on the errors of ky, axios, got, gaxios and ofetch as `response`.
  const response = shape(member(error, 'response'))
  const data = shape(member(error, 'data'))
  const read = (await unreadBody(error)) ?? (await unreadBody(response))
  const within = (holder: Shape, ...names: string[]): unknown[] => names.map((name) => member(holder, name))
  const bodies = [
    data,
    ...within(data, 'payload'),
    ...within(error, 'body', 'cause'),
    ...within(response, 'data', 'body'),
    read,
  ].map(shape)
  const codes = [error, response, ...bodies].flatMap((place) => [member(place, 'error'), member(place, 'oauthError')])
  const [oauthError] = [...codes, error.code, leadingWord(error.message)].filter((code) =>
    KNOWN.includes(code as string),
  )

  const given = member(error, 'retryAfterMs')
  const retryAfter = typeof given === 'number' ? given : retryAfterOf(error, response)
  const [status] = [error.status, error.statusCode, response.status, response.statusCode].filter(Number.isInteger)
  const failure = { __proto__: null, verdict: 'transient' } as unknown as Failure
  if (retryAfter !== null) failure.retryAfterMs = retryAfter
  if (oauthError !== undefined) failure.oauthError = oauthError as string
  if (oauthError === 'invalid_grant') failure.verdict = 'over'
  else if (MISCONFIGURED.includes(oauthError as string)) failure.verdict = 'misconfigured'
  else if (oauthError === undefined && (status === 400 || status === 401)) failure.verdict = 'over'
  return failure
}

/** `invalid_grant: the token has expired` is how some clients put it. */
const leadingWord = (message: unknown): string | undefined =>
  typeof message === 'string' ? /^\w+/.exec(message)?.[0] : undefined

/** The text of something Response-shaped that nobody has read yet, known by its shape: node-fetch's is no global Response. */
async function unreadBody(response: Shape): Promise<string | null> {
  try {
    if (response.bodyUsed !== false || typeof response.clone !== 'function') return null
    const copy = response.clone() as Response
    return copy.body instanceof ReadableStream
      ? await boundedText(copy, ERROR_BODY_BYTES, ERROR_BODY_MS)
      : await copy.text()
  } catch {
    return null
  }
}

function retryAfterOf(error: Shape, response: Shape): number | null {
  const headers = shape(error.headers ?? response.headers)
  const value = typeof headers.get === 'function' ? headers.get('retry-after') : headers['retry-after']
  return typeof value === 'string' ? retryAfterMs(value, wallNow()) : null
}
