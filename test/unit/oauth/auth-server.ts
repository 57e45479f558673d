/** An authorization server behind a `fetch`, with each answer in the hands of the test, and a session that takes tokens. */
import { type AuthFetch, type AuthFetchOptions, createAuthFetch } from '../../../src/index.ts'
import { type OAuthClient, oauthClient } from '../../../src/oauth/client.ts'
import type { OAuthClientOptions } from '../../../src/oauth/options.ts'
import type { AuthorizationServer } from '../../../src/oauth/protocol.ts'

export const ISSUER = 'https://id.example'
export const REDIRECT_URI = 'https://app.example/callback'

export const METADATA: AuthorizationServer = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  revocation_endpoint: `${ISSUER}/revoke`,
  device_authorization_endpoint: `${ISSUER}/device`,
  end_session_endpoint: `${ISSUER}/end`,
  code_challenge_methods_supported: ['S256'],
  authorization_response_iss_parameter_supported: true,
}

/** One request as it came. */
export interface Asked {
  path: string
  form: URLSearchParams
  headers: Headers
}

export type Answer = (asked: Asked) => Response | Promise<Response>

export interface AuthServer {
  readonly fetch: typeof fetch
  readonly asked: Asked[]
  /** By path. What is not there is a 404. */
  readonly answers: Record<string, Answer>
  /** The requests to a path. */
  to(path: string): Asked[]
}

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })

export function authServer(metadata: object = METADATA): AuthServer {
  const asked: Asked[] = []
  const answers: Record<string, Answer> = { '/.well-known/openid-configuration': () => json(metadata) }
  const answer: typeof fetch = async (input, init) => {
    const { pathname } = new URL(String(input))
    const request = {
      path: pathname,
      form: new URLSearchParams(String(init?.body ?? '')),
      headers: new Headers(init?.headers),
    }
    asked.push(request)
    init?.signal?.throwIfAborted()
    return answers[pathname]?.(request) ?? new Response('Not Found', { status: 404 })
  }
  return { fetch: answer, asked, answers, to: (path) => asked.filter((each) => each.path === path) }
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** Signed by nobody: over TLS from the token endpoint no signature is asked for (OpenID Connect Core §3.1.3.7). */
export const idToken = (claims: object): string => `${encode({ alg: 'RS256' })}.${encode(claims)}.c2lnbmF0dXJl`

export const claims = (more: object = {}): object => {
  const iat = Math.floor(Date.now() / 1000)
  return { iss: ISSUER, aud: 'web', sub: 'ann', iat, exp: iat + 300, ...more }
}

export function clientOf(server: AuthServer, options: Partial<OAuthClientOptions> = {}): OAuthClient {
  const given = { issuer: ISSUER, clientId: 'web', redirectUri: REDIRECT_URI, fetch: server.fetch, ...options }
  return oauthClient(given)
}

export const sessionOf = (options: AuthFetchOptions = {}): AuthFetch =>
  createAuthFetch({ baseUrl: 'https://api.example', ...options })

/** The answer to an authorization request, as the user brings it to the redirect URI. */
export function answerTo(url: URL, changes: Record<string, string | null> = {}): URL {
  const answer = new URL(url.searchParams.get('redirect_uri') ?? REDIRECT_URI)
  const parameters = { code: 'the-code', state: url.searchParams.get('state'), iss: ISSUER, ...changes }
  for (const [name, value] of Object.entries(parameters)) if (value !== null) answer.searchParams.set(name, value)
  return answer
}

/** Answers code exchanges well, with the nonce of the request that was made last. */
export function grantTokens(server: AuthServer, url: () => URL | null, more: object = {}): void {
  server.answers['/token'] = () => {
    const nonce = url()?.searchParams.get('nonce')
    const tokens = { access_token: 'at-1', token_type: 'Bearer', expires_in: 300, refresh_token: 'rt-1' }
    return json({ ...tokens, ...(nonce && { id_token: idToken(claims({ nonce })) }), ...more })
  }
}
