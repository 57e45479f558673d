/** The answers of the server, each in the shape its RFC gives it. No message repeats what the caller sent. */

/** A response, or a connection that ends without one. */
export type Outcome = Response | 'dropped'

const REALM = 'relatch'

export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return Response.json(body, { status, headers: { 'cache-control': 'no-store', ...headers } })
}

/** RFC 9457. */
export function problem(status: number, title: string, members: Record<string, unknown> = {}): Response {
  return Response.json(
    { title, status, ...members },
    { status, headers: { 'content-type': 'application/problem+json' } },
  )
}

/** RFC 6749 §5.2. */
export function oauthError(
  error: string,
  description?: string,
  status = 400,
  headers?: Record<string, string>,
): Response {
  return json({ error, ...(description === undefined ? {} : { error_description: description }) }, status, headers)
}

/** RFC 6749 §5.2: a client that tried the Authorization header is told so in a challenge. */
export function invalidClient(hasTriedHeader: boolean): Response {
  const challenge = { 'www-authenticate': `Basic realm="${REALM}"` }
  return oauthError('invalid_client', 'Unknown client, or wrong secret', 401, hasTriedHeader ? challenge : {})
}

/** RFC 6750 §3.1: without credentials the challenge holds no error. */
export function noCredentials(): Response {
  return json({ message: 'Sign in first' }, 401, { 'www-authenticate': challenge({}) })
}

export function invalidToken(description: string): Response {
  return bearerError(401, { error: 'invalid_token', error_description: description })
}

/** RFC 6750 §3.1. */
export function insufficientScope(scope: string): Response {
  return bearerError(403, { error: 'insufficient_scope', error_description: 'The token lacks a scope', scope })
}

/** RFC 9470 §3. */
export function insufficientAuthentication(acrValues: readonly string[], maxAgeSeconds: number): Response {
  return bearerError(401, {
    error: 'insufficient_user_authentication',
    error_description: 'A stronger or more recent login is required',
    acr_values: acrValues.join(' '),
    max_age: String(maxAgeSeconds),
  })
}

function bearerError(status: number, params: Record<string, string>): Response {
  const { error, error_description } = params
  return json({ error, error_description }, status, { 'www-authenticate': challenge(params) })
}

function challenge(params: Record<string, string>): string {
  const quote = (value: string): string => `"${value.replace(/["\\]/g, '\\$&')}"`
  const pairs = Object.entries({ realm: REALM, ...params }).map(([name, value]) => `${name}=${quote(value)}`)
  return `Bearer ${pairs.join(', ')}`
}
