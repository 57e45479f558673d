/**
 * A token endpoint as pages may see it: which URLs lead there, and what is left of its answers. Where it cannot tell whether a
 * successful answer holds tokens, the page gets nothing of it.
 */
import { base64Url } from '../http/base64.ts'
import { jsonObject } from '../http/json.ts'
import { jwtClaims } from '../http/jwt.ts'

/**
 * Where a URL leads, in one spelling: servers overlook the case of a path, escapes, doubled slashes, parameters, an extension,
 * and what stands at its end.
 */
export function placeOf({ protocol, host, pathname }: URL): string {
  let path = pathname
  for (let before = ''; before !== path; ) {
    before = path
    const plain = path
      .replace(/;[^/]*/g, '')
      .replace(/%[\da-f]{2}/gi, unescaped)
      .replaceAll('\\', '/')
    // The parser resolves what dots have come to light.
    path = new URL(plain.replace(/\/+/g, '/'), 'http://a').pathname
  }
  const end = path.toLowerCase().replace(/(?:%20|[./])+$/, '')
  return `${protocol}//${host.replace(/\.(?=:|$)/, '')}${end.replace(/\.\w+$/, '')}`
}

/** Its character, but for those that mean something else unescaped. */
function unescaped(escaped: string): string {
  const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
  return /[\w\-.~/\\;%!$&'()*+,=:@]/.test(character) ? character : escaped
}

/** Names of members, as they may be written: `access_token`, `accessToken`, `AccessToken`. */
const isToken = (name: string): boolean => /^(?:access|refresh|id)[_-]?token$/i.test(name)

/** What an ID token is checked by (OpenID Connect Core §2, §3.1.3.7). Some servers put tokens of other servers beside it. */
const CHECKED = ['iss', 'sub', 'aud', 'azp', 'exp', 'nbf', 'iat', 'auth_time', 'nonce', 'acr', 'amr']

/** An ID token for whoever is to check it: without its signature no server takes it for one. */
export function unsigned(idToken: unknown): string | undefined {
  if (typeof idToken !== 'string') return undefined
  const [, header] = /^([\w-]+)\.[\w-]+\.[\w-]+$/.exec(idToken) ?? []
  const claims = header && jwtClaims(idToken)
  return claims ? `${header}.${base64Url(new TextEncoder().encode(JSON.stringify(claims, CHECKED)))}.` : undefined
}

/** Headers of an answer that have been seen to hold tokens, or that belong to a body which is no more. */
const DROPPED = ['authorization', 'x-access-token', 'x-refresh-token', 'content-length', 'content-encoding']

/** Gets an answer with tokens in it, before the page has what is left; returns what stands there for them. */
export type Receive = (answer: object) => Promise<object>

export async function withoutTokens(response: Response, receive: Receive): Promise<Response> {
  const { status, statusText, ok } = response
  // Opaque: nobody can read it.
  if (status === 0) return response
  const headers = new Headers(response.headers)
  for (const name of DROPPED) headers.delete(name)
  const text = await response.text()
  const answer = jsonObject(text)
  let hasTokens = false
  const kept = (name: string, value: unknown): unknown => {
    if (!isToken(name)) return value
    hasTokens = true
    return undefined
  }
  let rest = answer && JSON.stringify(answer, kept)
  if (ok && answer !== null && hasTokens) {
    const held = await receive(answer)
    rest = JSON.stringify({ ...jsonObject(rest), ...held })
  }
  // What is no JSON object may be tokens all the same; the words of a refusal are for the page.
  return new Response(rest ?? (ok ? null : text || null), { status, statusText, headers })
}
