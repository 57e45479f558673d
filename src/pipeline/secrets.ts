/**
 * Keeps tokens out of what we attach to our errors (E1). What a refresher threw may hold the request that failed, or an answer
 * with tokens that we have never seen; so it is handed on only where its very shape has no room for them.
 */
import type { TokenSet } from '../tokens.ts'

/** What errors of runtimes and of ours are made of. Anything else (`request`, `config`, `response`, `body`) may hold a token. */
const HARMLESS =
  /^(name|message|stack|cause|errors|code|errno|syscall|hostname|address|port|status|statusCode|retryable|retryAfterMs|oauthError|socket|local\w+|remote\w+|timeout|bytes\w+|length|\d+)$/
/** Texts that quote what was sent or received: a form, a header, or the JSON that could not be parsed. */
const QUOTING = /(access|refresh|id)_?token\W(?!\[secret\])|bearer\s+(?!\[secret\])\S|\beyJ[\w-]{5}|is not valid JSON/i
/** No more of a token than this may be seen. */
const PREFIX_LENGTH = 8
const MAX_DEPTH = 8

/** Every string of a session that must never be seen. */
export const secretsOf = (tokens: TokenSet | null | undefined): string[] =>
  [tokens?.accessToken, tokens?.refreshToken, tokens?.idToken].filter((secret) => typeof secret === 'string')

/** The value itself where it cannot hold a secret, else an Error with its name, code and status, and what is left of its message. */
export function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  try {
    if (value === undefined || isHarmless(value, secrets, 0)) return value
    const { name, message, code, status } = value as Partial<Record<string, unknown>>
    const kept = { name, code, status }
    for (const key of ['name', 'code', 'status'] as const) if (!isHarmlessValue(kept[key], secrets)) delete kept[key]
    return Object.assign(new Error(struck(message, secrets)), kept)
  } catch {
    return new Error(HIDDEN)
  }
}

const HIDDEN = 'What the refresher threw is not shown: it could hold a token'

function struck(message: unknown, secrets: readonly string[]): string {
  const text = secrets.reduce((left, secret) => left.replaceAll(secret, '[secret]'), String(message ?? ''))
  return isHarmlessValue(text, secrets) ? text : HIDDEN
}

function isHarmless(value: unknown, secrets: readonly string[], depth: number): boolean {
  if (typeof value !== 'object' || value === null) return isHarmlessValue(value, secrets)
  const isKnown = value instanceof Error || Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  if (!isKnown || depth > MAX_DEPTH) return false
  return Reflect.ownKeys(value).every(
    (key) =>
      (typeof key === 'symbol' || HARMLESS.test(key)) &&
      isHarmless((value as Record<PropertyKey, unknown>)[key], secrets, depth + 1),
  )
}

function isHarmlessValue(value: unknown, secrets: readonly string[]): boolean {
  if (typeof value !== 'string') return value === null || (typeof value !== 'object' && typeof value !== 'function')
  return !QUOTING.test(value) && !secrets.some((secret) => value.includes(secret.slice(0, PREFIX_LENGTH)))
}
