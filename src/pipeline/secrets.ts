/**
 * Keeps tokens out of what we attach to our errors (E1). A refresher's error may hold the request that failed, token and all;
 * such an error is replaced by one that keeps its name and its message, with the secrets struck out.
 */
import type { TokenSet } from '../tokens.ts'

/** Values looked at before an error counts as too large to vouch for. */
const MAX_VALUES = 500

/** Every string of a session that must never be seen. */
export const secretsOf = (tokens: TokenSet | null | undefined): string[] =>
  [tokens?.accessToken, tokens?.refreshToken, tokens?.idToken].filter((secret) => secret !== undefined)

/** The value itself where nothing in it holds a secret, else an Error with its name and message, secrets struck out. */
export function withoutSecrets(value: unknown, secrets: readonly string[]): unknown {
  // The engine quotes what it could not parse, and that is the answer that held the new tokens.
  if (value instanceof SyntaxError) return new SyntaxError('The answer was not valid JSON')
  if (!holdsSecret(value, secrets)) return value
  const { name = 'Error', message = '' } = value instanceof Error ? value : {}
  const strike = (text: string): string => secrets.reduce((left, secret) => left.replaceAll(secret, '[secret]'), text)
  return Object.assign(new Error(strike(message)), { name: strike(name), stack: undefined })
}

function holdsSecret(value: unknown, secrets: readonly string[]): boolean {
  const seen = new Set<unknown>()
  const queue: unknown[] = [value]
  for (const next of queue) {
    if (typeof next === 'string' ? secrets.some((secret) => next.includes(secret)) : queue.length > MAX_VALUES)
      return true
    if (typeof next !== 'object' || next === null || seen.has(next)) continue
    seen.add(next)
    try {
      // Own members that are not enumerable count too: message, stack and cause are such, and inspect shows them.
      for (const key of Reflect.ownKeys(next)) queue.push(key, (next as Record<PropertyKey, unknown>)[key])
      // Headers, URLSearchParams, FormData and Map show their entries, not their members.
      if (Symbol.iterator in next) queue.push(...(next as Iterable<unknown>))
      // A Request or Response hides its headers behind a getter of its prototype.
      if ('headers' in next) queue.push(next.headers)
      if ('url' in next) queue.push(next.url)
    } catch {
      return true
    }
  }
  return false
}
