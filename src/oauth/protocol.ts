/**
 * Every request to the authorization server, and the reading of its answer, by oauth4webapi, which nothing else here imports.
 * Whatever goes wrong leaves as an AuthError of ours: its errors hold the bodies they are about, and must not get out (E1).
 */
import * as oauth from 'oauth4webapi'
import { wallNow } from '../clock.ts'
import { abortable } from '../coordination/abortable.ts'
import { AuthError, type AuthErrorCode, isAuthError, oauthErrorOf } from '../errors.ts'
import { jwtClaims } from '../http/jwt.ts'
import { expected } from '../option-check.ts'
import type { DpopScheme } from '../schemes/dpop.ts'
import { isKept, KEPT, own, type TokenResponse, type TokenSet } from '../tokens.ts'
import {
  authorizationFailed,
  failureOf,
  isPassing,
  mistyped,
  refusedIdToken,
  successOf,
  unmade,
  usableMembers,
} from './answers.ts'
import { type Endpoint, faultOf, refusedMetadata } from './metadata.ts'
import { boundedFetch, unreachable, type Via } from './transport.ts'

/** An authorization server's metadata, RFC 8414. */
export type AuthorizationServer = oauth.AuthorizationServer
/** How a client proves who it is: `ClientSecretPost`, `PrivateKeyJwt` and others of oauth4webapi. */
export type ClientAuth = oauth.ClientAuth

/** What the protocol asks of the client's options. */
export interface ProtocolSettings {
  issuer: URL
  clientId: string
  clientSecret?: string | undefined
  clientAuth?: ClientAuth | undefined
  server?: AuthorizationServer | undefined
  scope?: string | undefined
  resources: readonly string[]
  dpop?: DpopScheme | undefined
  fetch?: typeof fetch | undefined
  timeoutMs: number
}

/** What binds an answer to the sign-in that asked for it. */
export interface Binding {
  state: string
  /** PKCE, RFC 7636. */
  verifier: string
  /** With it, the answer has to hold an ID token that repeats it. */
  nonce?: string
  /** How old the login may be, in seconds, by the ID token's `auth_time`. */
  maxAgeSeconds?: number
  /** What was asked for. */
  scope?: string
}

export const newState = (): string => oauth.generateRandomState()
export const newNonce = (): string => oauth.generateRandomNonce()
export const newVerifier = (): string => oauth.generateRandomCodeVerifier()
/** RFC 7636 §4.2, S256. */
export const challengeOf = (verifier: string): Promise<string> => oauth.calculatePKCECodeChallenge(verifier)

type Options = oauth.TokenEndpointRequestOptions
/** An answer's members, as JSON says them. */
type Members = Record<string, unknown>
type Ask = (server: AuthorizationServer, options: Options) => Promise<Response>

/** One client at one authorization server. */
export class Protocol {
  readonly #settings: ProtocolSettings
  readonly #auth: ClientAuth
  #metadata: Promise<AuthorizationServer> | null = null

  /** @throws TypeError `ERR_INVALID_OPTION` for a `server` that breaks the rules of discovered ones */
  constructor(settings: ProtocolSettings) {
    this.#settings = settings
    const { clientAuth, clientSecret, server } = settings
    this.#auth = clientAuth ?? (clientSecret === undefined ? oauth.None() : oauth.ClientSecretBasic(clientSecret))
    if (server === undefined) return
    const fault = faultOf(server)
    if (fault !== null) throw expected('server', `other metadata: this ${fault}`)
    this.#metadata = Promise.resolve(server)
  }

  /**
   * The server's metadata: asked for once, by whoever comes first; a failure is not kept. Not by the transport of a refresh: what
   * a scheme adds there (a proof, a CSRF header) is no business of a public document, and costs a preflight that many servers fail.
   *
   * @throws AuthError `metadata-refused`, `retryable` where the server could not be reached
   */
  metadata({ signal }: Pick<Via, 'signal'> = {}): Promise<AuthorizationServer> {
    if (this.#metadata === null) {
      // Others may wait for it too: no signal of one of them ends it.
      const asked = this.#discover()
      this.#metadata = asked
      asked.catch(() => {
        this.#metadata = null
      })
    }
    return abortable(this.#metadata, signal)
  }

  /** @throws AuthError `metadata-refused` where the server has no such endpoint */
  async endpoint(name: Endpoint, via?: Via): Promise<URL> {
    const url = own(await this.metadata(via), name)
    if (url === undefined) throw refusedMetadata(`names no ${name}`)
    return new URL(url as string)
  }

  /**
   * Judges what came back in the query of the redirect URI: state, issuer (RFC 9207), doubles, errors.
   *
   * @returns what `exchange` takes
   * @throws AuthError `callback-refused`, or `authorization-failed` where the server says no
   */
  async answerOf(query: URLSearchParams, state: string): Promise<URLSearchParams> {
    const server = await this.metadata()
    try {
      const answer = oauth.validateAuthResponse(server, this.#client(), query, state)
      // oauth4webapi does not look whether there are two.
      if (answer.get('code') && answer.getAll('code').length === 1) return answer
    } catch (thrown) {
      if (thrown instanceof oauth.AuthorizationResponseError) throw authorizationFailed(oauthErrorOf(thrown.error))
    }
    throw new AuthError('callback-refused', 'The answer on the return page breaks the rules of RFC 6749 or RFC 9207')
  }

  /**
   * Trades a code for tokens, and checks the ID token where the scope asked for one.
   *
   * @throws AuthError `authorization-failed`, `unusable-token-response`
   */
  async exchange(answer: URLSearchParams, redirectUri: string, binding: Binding): Promise<TokenResponse> {
    const { verifier, nonce, maxAgeSeconds, scope } = binding
    const { server, tokens } = await this.#tokens('authorization-failed', {}, (server, options) =>
      oauth.authorizationCodeGrantRequest(server, this.#client(), this.#auth, answer, redirectUri, verifier, options),
    )
    const expectations = {
      __proto__: null,
      // It requires an ID token, too.
      ...(nonce !== undefined && { expectedNonce: nonce }),
      ...(maxAgeSeconds !== undefined && { maxAge: maxAgeSeconds }),
    }
    try {
      await oauth.processAuthorizationCodeResponse(server, this.#clientAt(tokens), asResponse(tokens), expectations)
    } catch (thrown) {
      throw refusedIdToken(thrown)
    }
    return granted(tokens, scope)
  }

  /** @throws AuthError `refresh-unavailable` with what its verdict needs (R7), `unusable-token-response` */
  async refresh(refreshToken: string, before: TokenSet, via: Via): Promise<TokenResponse> {
    const bound = { ...via, tokens: before }
    const { server, tokens } = await this.#tokens('refresh-unavailable', bound, (server, options) =>
      oauth.refreshTokenGrantRequest(server, this.#client(), this.#auth, refreshToken, options),
    )
    const { subject } = before
    try {
      const checked = await oauth.processRefreshTokenResponse(server, this.#clientAt(tokens), asResponse(tokens))
      const claims = oauth.getValidatedIdTokenClaims(checked)
      // OpenID Connect Core §12.2: it speaks for the same person.
      if (claims === undefined || subject === undefined || claims.sub === subject) return tokens
    } catch {}
    // R11: an ID token that is no good is dropped; with it would go the only refresh token that still works.
    return withoutIdToken(tokens)
  }

  /** RFC 6749 §4.4. @throws as `refresh` */
  async clientCredentials(via: Via): Promise<TokenResponse> {
    const parameters = this.#parameters()
    const { tokens } = await this.#tokens('refresh-unavailable', via, (server, options) =>
      oauth.clientCredentialsGrantRequest(server, this.#client(), this.#auth, parameters, options),
    )
    return granted(withoutIdToken(tokens), this.#settings.scope)
  }

  /** Starts a login on another device, RFC 8628 §3.1. @throws AuthError `authorization-failed`, `metadata-refused` */
  async device(via: Via): Promise<oauth.DeviceAuthorizationResponse> {
    const code = 'authorization-failed'
    const parameters = this.#parameters()
    const { server, text } = await this.#answer('device_authorization_endpoint', { code, via }, (server, options) =>
      oauth.deviceAuthorizationRequest(server, this.#client(), this.#auth, parameters, options),
    )
    try {
      return await oauth.processDeviceAuthorizationResponse(server, this.#client(), new Response(text, AS_JSON))
    } catch {
      throw new AuthError(code, 'The device authorization endpoint answered no code (RFC 8628 section 3.2)')
    }
  }

  /** Asks whether the user has agreed, RFC 8628 §3.4. @throws AuthError `authorization-failed`, `unusable-token-response` */
  async deviceTokens(deviceCode: string, via: Via): Promise<TokenResponse> {
    const { server, tokens } = await this.#tokens('authorization-failed', via, (server, options) =>
      oauth.deviceCodeGrantRequest(server, this.#client(), this.#auth, deviceCode, options),
    )
    try {
      await oauth.processDeviceCodeResponse(server, this.#clientAt(tokens), asResponse(tokens))
    } catch (thrown) {
      throw refusedIdToken(thrown)
    }
    return granted(tokens, this.#settings.scope)
  }

  /** Whether the server has taken a token back, RFC 7009. That takes no proof of a key (§2.1). Never rejects. */
  async revoke(token: string, hint: 'refresh_token' | 'access_token', via: Via): Promise<boolean> {
    try {
      const code = 'authorization-failed'
      await this.#answer('revocation_endpoint', { code, via }, (server, options) => {
        const hinted = Object.assign(options, { additionalParameters: { token_type_hint: hint } })
        return oauth.revocationRequest(server, this.#client(), this.#auth, token, hinted)
      })
      return true
    } catch {
      return false
    }
  }

  #client(skewSeconds = 0): oauth.Client {
    return { __proto__: null, client_id: this.#settings.clientId, [oauth.clockSkew]: skewSeconds } as oauth.Client
  }

  /**
   * The client with its clock set by the ID token's own `iat`: it comes fresh from the token endpoint, so that it was issued now,
   * and a user whose clock is hours off can still sign in (T1).
   */
  #clientAt({ id_token: idToken }: Members): oauth.Client {
    const issuedAt = jwtClaims(idToken as string)?.iat
    return this.#client(typeof issuedAt === 'number' ? Math.round(issuedAt - wallNow() / 1000) : 0)
  }

  #parameters(): URLSearchParams {
    const { scope, resources } = this.#settings
    const parameters = new URLSearchParams(resources.map((resource) => ['resource', resource]))
    if (scope !== undefined) parameters.set('scope', scope)
    return parameters
  }

  /** The transport for one purpose: bounded, and with errors that tell nothing. */
  #transport(code: AuthErrorCode, via: Via): typeof fetch {
    const { fetch: given, timeoutMs } = this.#settings
    const transport = given ?? via.fetch ?? ((...request: Parameters<typeof fetch>) => globalThis.fetch(...request))
    const bounded = boundedFetch(transport, timeoutMs, via.signal)
    const reaching: typeof bounded = (...request) =>
      bounded(...request).catch((thrown: unknown) => {
        throw unreachable(code, thrown)
      })
    return reaching
  }

  /** Makes a request; its answer, where that is a success. */
  async #answer(
    endpoint: Endpoint,
    { code, via, transport = this.#transport(code, via) }: { code: AuthErrorCode; via: Via; transport?: typeof fetch },
    ask: Ask,
  ): Promise<{ server: AuthorizationServer; response: Response; text: string }> {
    await this.endpoint(endpoint, via)
    const server = await this.metadata(via)
    const response = await ask(server, using(transport)).catch((thrown: unknown) => {
      throw isAuthError(thrown) ? thrown : unmade(code)
    })
    const text = await response.text()
    if (!response.ok) throw failureOf(code, endpoint, response, text)
    return { server, response, text }
  }

  /**
   * Asks for tokens; what the endpoint answered, where there is a usable access token in it, or is kept. Its ID token is not yet
   * judged.
   */
  async #tokens(
    code: AuthErrorCode,
    via: Via,
    ask: Ask,
  ): Promise<{ server: AuthorizationServer; tokens: TokenResponse }> {
    const { dpop, resources } = this.#settings
    const plain = this.#transport(code, via)
    const { tokens: before = null } = via
    // Tokens that are there already are bound to a key: no other would do.
    const transport = dpop ? dpop.refresherFetch(plain, { tokens: before, isOurs: () => true }) : plain
    const additionalParameters = resources.map((resource) => ['resource', resource])
    const request = { code, via, transport }
    const { server, response, text } = await this.#answer('token_endpoint', request, (server, options) =>
      ask(server, Object.assign(options, { additionalParameters })),
    )
    const answer = successOf(response, text)
    if (answer === null) throw failureOf(code, 'token_endpoint', response, text)
    const tokens = usableMembers(answer) as TokenResponse
    // A rotation must not be lost to a server that forgets what RFC 6749 §5.1 requires (R11).
    if (code === 'refresh-unavailable' && !dpop) tokens.token_type ??= 'Bearer'
    try {
      await oauth.processGenericTokenEndpointResponse(server, this.#client(), asResponse(withoutIdToken(tokens)))
    } catch {
      throw new AuthError('unusable-token-response', 'The token endpoint answered no usable access token')
    }
    const type = dpop ? 'DPoP' : 'Bearer'
    if (String(tokens.token_type).toLowerCase() !== type.toLowerCase()) throw mistyped(type)
    return { server, tokens }
  }

  /** OpenID Connect Discovery, then RFC 8414. */
  async #discover(): Promise<AuthorizationServer> {
    const { issuer } = this.#settings
    const ask = (algorithm: 'oidc' | 'oauth2'): Promise<Response> => {
      const options = using(this.#transport('metadata-refused', {}))
      return oauth.discoveryRequest(issuer, Object.assign(options, { algorithm }) as object)
    }
    let response = await ask('oidc')
    if (response.status === 404) response = await ask('oauth2')
    const { status } = response
    if (status !== 200) throw refusedMetadata(`cannot be had: the server answered ${status}`, isPassing(status))
    let server: AuthorizationServer
    try {
      server = await oauth.processDiscoveryResponse(issuer, response)
    } catch {
      throw refusedMetadata('is no document of this issuer (RFC 8414 section 3.3)')
    }
    const fault = faultOf(server)
    if (fault !== null) throw refusedMetadata(fault)
    return server
  }
}

/** Options of oauth4webapi. Loopback is the one place for plain http; that an address is one was checked before. */
const using = (transport: typeof fetch): Options =>
  ({ __proto__: null, [oauth.customFetch]: transport, [oauth.allowInsecureRequests]: true }) as Options

const AS_JSON: ResponseInit = { headers: { 'content-type': 'application/json' } }

/** A page sees no access token where a service worker has kept it (`KEPT`); the rest is checked all the same. */
const asResponse = (members: Members): Response =>
  new Response(JSON.stringify(isKept(members) ? { access_token: KEPT.held_by, ...members } : members), AS_JSON)

function withoutIdToken({ id_token: _, ...tokens }: TokenResponse): TokenResponse {
  return tokens as TokenResponse
}

/** An answer that names no scope grants what was asked for (RFC 6749 §5.1): who wants more later must not lose that. */
const granted = (tokens: TokenResponse, asked: string | undefined): TokenResponse =>
  asked === undefined || Object.hasOwn(tokens, 'scope') ? tokens : { ...tokens, scope: asked }
