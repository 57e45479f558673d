/**
 * An API over real HTTP that takes DPoP at its word (RFC 9449 §4.3): every proof is verified with `jose`, no `jti` may come
 * twice, and nonces change after so many answers, refusals included. Runs by itself too: `node dpop-api.ts '{"grace":1}'`.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { calculateJwkThumbprint, EmbeddedJWK, type JWK, type JWTPayload, jwtVerify } from 'jose'

export interface DpopApiOptions {
  /** Whether proofs need a nonce. Default: yes */
  asksForNonce?: boolean
  /** After how many answers the nonce changes. Default: never */
  rotateEvery?: number
  /** How many nonces before the current one still count; -1 = not even that. Default: 0 */
  grace?: number
  /** How long each answer takes, in milliseconds. */
  delayMs?: number
  /** The token that is accepted; any other is answered with `invalid_token`. Default: every token */
  token?: string
}

/** A request as it arrived; `claims` only where the proof was good. */
export interface ProvenRequest {
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly proof: string | undefined
  readonly claims: JWTPayload | undefined
  readonly thumbprint: string | undefined
  readonly body: string
  /** Why it was refused; null = it was not. */
  readonly refusal: string | null
}

export interface DpopApi extends AsyncDisposable {
  readonly url: string
  /** The same server under another host name: another origin. */
  readonly otherHost: string
  readonly requests: readonly ProvenRequest[]
  token: string | undefined
  /** None that was given out counts any more. */
  forgetNonces(): void
}

/** Answers what the proof let pass; everything else is answered here. */
export type DpopAnswer = (request: ProvenRequest, response: ServerResponse) => unknown

export async function dpopApi(options: DpopApiOptions = {}, answer: DpopAnswer = ok): Promise<DpopApi> {
  const { asksForNonce = true, rotateEvery = Infinity, grace = 0, delayMs = 0 } = options
  const requests: ProvenRequest[] = []
  const seen = new Set<unknown>()
  const nonces: string[] = [randomUUID()]
  let answers = 0
  const api = { token: options.token }

  const refusalOf = async (message: IncomingMessage, host: string, proof: string | undefined) => {
    const token = /^DPoP (.+)$/.exec(message.headers.authorization ?? '')?.[1]
    const isTokenRequest = message.url === '/token'
    if (proof === undefined || (token === undefined && !isTokenRequest)) return { refusal: 'invalid_request' }
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', maxTokenAge: 60 })
    const thumbprint = await calculateJwkThumbprint(protectedHeader.jwk as JWK)
    const ath = token && createHash('sha256').update(token).digest('base64url')
    const isFor = payload.htm === message.method && payload.htu === `http://${host}${message.url?.split('?')[0]}`
    if (!isFor || payload.ath !== (isTokenRequest ? undefined : ath) || seen.has(payload.jti)) {
      return { refusal: 'invalid_dpop_proof' }
    }
    seen.add(payload.jti)
    const claims = { claims: payload, thumbprint }
    if (asksForNonce && !nonces.slice(Math.max(0, nonces.length - 1 - grace)).includes(payload.nonce as string)) {
      return { refusal: 'use_dpop_nonce', ...claims }
    }
    const isRefused = !isTokenRequest && api.token !== undefined && token !== api.token
    return { refusal: isRefused ? 'invalid_token' : null, ...claims }
  }

  const server = createServer(async (message, response) => {
    const { method = '', url: path = '', headers } = message
    const proof = headers.dpop as string | undefined
    const found = await refusalOf(message, headers.host ?? '', proof).catch(() => ({ refusal: 'invalid_dpop_proof' }))
    let body = ''
    for await (const chunk of message) body += chunk
    const rest = { claims: undefined, thumbprint: undefined, ...found }
    const request = { method, path, authorization: headers.authorization, proof, body, ...rest }
    requests.push(request)
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    // The nonce that an answer brings is the one for the next proof (RFC 9449 §8.2).
    if (++answers % rotateEvery === 0) nonces.push(randomUUID())
    if (asksForNonce) response.setHeader('dpop-nonce', nonces.at(-1) as string)
    if (request.refusal === null) await answer(request, response)
    else refuse(response, path, request.refusal)
  })
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  return Object.assign(api, {
    url: `http://127.0.0.1:${port}`,
    otherHost: `http://localhost:${port}`,
    requests,
    forgetNonces: () => void nonces.splice(0, Infinity, randomUUID()),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
    },
  })
}

const ok: DpopAnswer = (_, response) => response.end('{"ok":true}')

function refuse(response: ServerResponse, path: string, error: string): void {
  if (path === '/token') {
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
  } else {
    const challenge = `Bearer realm="api", DPoP error="${error}", algs="ES256"`
    response.writeHead(401, { 'www-authenticate': challenge }).end()
  }
}

if (import.meta.main) {
  const api = await dpopApi(JSON.parse(process.argv[2] ?? '{}') as DpopApiOptions)
  process.stdout.write(`${api.url}\n`)
}
