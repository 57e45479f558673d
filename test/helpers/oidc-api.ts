/**
 * An API behind the authorization server of oidc-provider.ts: takes its JWT access tokens (RFC 9068), bound ones with a proof only
 * (RFC 9449), and says no in the words of RFC 6750, 9449, 9470 and 9728.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { calculateJwkThumbprint, createRemoteJWKSet, EmbeddedJWK, type JWTPayload, jwtVerify } from 'jose'
import { STRONG } from './oidc-pages.ts'
import type { TestProvider } from './oidc-provider.ts'

export interface ApiOptions {
  /** Whether only tokens that are bound to a key are taken, each time with a proof and a nonce. */
  isDpop?: boolean
  /** After how many answers the nonce changes; the one before it is still taken. Default: never */
  answersPerNonce?: number
}

/** One request, as it was answered. */
export interface ApiRequest {
  method: string
  path: string
  /** Empty where there was none. */
  authorization: string
  /** The thumbprint of the key of the proof; only of proofs that were good. */
  jkt: string | undefined
  status: number
  error: string | undefined
}

export interface TestApi extends AsyncDisposable {
  /** Its resource identifier too. */
  readonly url: string
  readonly requests: readonly ApiRequest[]
  /** Nonces handed out before are no longer taken. */
  rotateNonce(): void
  close(): Promise<void>
}

/** What is wrong with a request; the members become the parameters of the challenge. */
class Refusal extends Error {
  readonly status: 401 | 403
  readonly params: Readonly<Record<string, string>>

  constructor(status: 401 | 403, params: Record<string, string> = {}) {
    super(params.error ?? 'no token')
    this.status = status
    this.params = params
  }
}

const RECENT_SECONDS = 60

/** What each place asks of a token. */
const PLACES: Readonly<Record<string, (claims: JWTPayload) => void>> = {
  '/orders': () => {},
  '/admin': ({ scope }) => {
    if (!String(scope).split(' ').includes('admin'))
      throw new Refusal(403, { error: 'insufficient_scope', scope: 'admin' })
  },
  '/transfer': ({ acr }) => {
    if (acr !== STRONG) throw new Refusal(401, { error: 'insufficient_user_authentication', acr_values: STRONG })
  },
  '/recent': ({ auth_time: at }) => {
    if (typeof at === 'number' && at >= Math.floor(Date.now() / 1000) - RECENT_SECONDS) return
    throw new Refusal(401, { error: 'insufficient_user_authentication', max_age: String(RECENT_SECONDS) })
  },
}

export async function startApi(provider: TestProvider, options: ApiOptions = {}): Promise<TestApi> {
  const requests: ApiRequest[] = []
  const nonces = nonceList(options.answersPerNonce ?? Number.POSITIVE_INFINITY)
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const metadataUrl = `${url}/.well-known/oauth-protected-resource`
  const verify = tokenCheck(provider, url)
  const checkProof = proofCheck(url, nonces)
  const scheme = options.isDpop ? 'DPoP' : 'Bearer'

  const judge = async (request: IncomingMessage, note: (jkt: string) => void): Promise<JWTPayload> => {
    const { authorization = '' } = request.headers
    const [, kind = '', token = ''] = /^(bearer|dpop) (.+)$/i.exec(authorization) ?? []
    if (token === '') throw new Refusal(401)
    const claims = await verify(token)
    const { jkt } = (claims.cnf ?? {}) as { jkt?: string }
    if (options.isDpop || jkt !== undefined) {
      if (kind.toLowerCase() !== 'dpop' || jkt === undefined) throw new Refusal(401, { error: 'invalid_token' })
      note(await checkProof(request, token, jkt))
    }
    PLACES[pathOf(request)]?.(claims)
    return claims
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = pathOf(request)
    const { method = '', headers } = request
    request.resume()
    if (headers.origin !== undefined) allow(request, response)
    if (method === 'OPTIONS') return void response.writeHead(204).end()
    if (path === '/.well-known/oauth-protected-resource') {
      return json(response, 200, {
        resource: url,
        authorization_servers: [provider.issuer],
        scopes_supported: ['orders', 'admin'],
      })
    }
    const noted: ApiRequest = {
      method,
      path,
      authorization: headers.authorization ?? '',
      jkt: undefined,
      status: 200,
      error: undefined,
    }
    requests.push(noted)
    try {
      const { sub, scope, acr } = await judge(request, (jkt) => {
        noted.jkt = jkt
      })
      if (options.isDpop) response.setHeader('dpop-nonce', nonces.next())
      json(response, 200, { sub, scope, acr })
    } catch (error) {
      const { status, params } = error instanceof Refusal ? error : new Refusal(401, { error: 'invalid_token' })
      Object.assign(noted, { status, error: params.error })
      const all = { ...params, ...(options.isDpop && { algs: 'ES256' }), resource_metadata: metadataUrl }
      response.setHeader(
        'www-authenticate',
        `${scheme} ${Object.entries(all)
          .map(([name, value]) => `${name}="${value}"`)
          .join(', ')}`,
      )
      if (options.isDpop) response.setHeader('dpop-nonce', nonces.next())
      json(response, status, { error: params.error })
    }
  }

  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((closed) => void server.close(closed))
  }
  return { url, requests, rotateNonce: nonces.rotate, close, [Symbol.asyncDispose]: close }
}

function tokenCheck(provider: TestProvider, url: string): (token: string) => Promise<JWTPayload> {
  const keys = createRemoteJWKSet(new URL(`${provider.issuer}/jwks`))
  return async (token) => {
    const { payload } = await jwtVerify(token, keys, {
      issuer: provider.issuer,
      audience: [url, `${url}/`],
      typ: 'at+jwt',
      clockTolerance: 0,
    })
    if (Number(payload.gen) < provider.generation) throw new Refusal(401, { error: 'invalid_token' })
    return payload
  }
}

type Nonces = ReturnType<typeof nonceList>

/** RFC 9449 §4.3, each point of it that a server can check. */
function proofCheck(url: string, nonces: Nonces) {
  const seen = new Set<string>()
  return async (request: IncomingMessage, token: string, jkt: string): Promise<string> => {
    const proof = request.headers.dpop
    const refused = new Refusal(401, { error: 'invalid_dpop_proof' })
    if (typeof proof !== 'string') throw refused
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      typ: 'dpop+jwt',
      algorithms: ['ES256', 'Ed25519'],
      maxTokenAge: 60,
    }).catch(() => {
      throw refused
    })
    const ath = createHash('sha256').update(token).digest('base64url')
    const isForThis =
      payload.htm === request.method && payload.htu === `${url}${pathOf(request)}` && payload.ath === ath
    const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk ?? {})
    if (!isForThis || thumbprint !== jkt || typeof payload.jti !== 'string' || seen.has(payload.jti)) throw refused
    seen.add(payload.jti)
    if (!nonces.takes(payload.nonce)) throw new Refusal(401, { error: 'use_dpop_nonce' })
    return thumbprint
  }
}

function nonceList(answersPerNonce: number) {
  let taken = [randomUUID()]
  let answers = 0
  return {
    takes: (nonce: unknown): boolean => taken.some((one) => one === nonce),
    /** The nonce for the next answer. */
    next(): string {
      if (++answers % answersPerNonce === 0) taken = [randomUUID(), ...taken].slice(0, 2)
      return taken[0] ?? ''
    },
    rotate(): void {
      taken = [randomUUID()]
    },
  }
}

const pathOf = (request: IncomingMessage): string => new URL(request.url ?? '/', 'http://any').pathname

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** CORS, Fetch standard. */
function allow({ headers }: IncomingMessage, response: ServerResponse): void {
  response.setHeader('access-control-allow-origin', headers.origin ?? '')
  response.setHeader('access-control-allow-methods', headers['access-control-request-method'] ?? 'GET')
  response.setHeader('access-control-allow-headers', headers['access-control-request-headers'] ?? '')
  response.setHeader('access-control-expose-headers', 'WWW-Authenticate, DPoP-Nonce')
  response.setHeader('access-control-max-age', '600')
}
