/**
 * A real authorization server on loopback: panva's oidc-provider, certified for OpenID Connect, set up strictly. PKCE is required,
 * refresh tokens rotate and the whole grant is revoked when one comes twice, access tokens are JWTs for one resource, and DPoP asks
 * for a nonce. Nothing here is fit for anything but tests.
 */
import { hkdfSync, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { decodeJwt, exportJWK, generateKeyPair } from 'jose'
import Provider, { type ClientMetadata, type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider'
import {
  loginPolicy,
  STRONG,
  serveInteractions,
  showCodeConfirm,
  showCodeInput,
  showDone,
  showError,
  showLogout,
  WEAK,
} from './oidc-pages.ts'
import { oidcStore } from './oidc-store.ts'

export interface ProviderOptions {
  /** Where the browser client lives: `/callback` and `/signed-out` are its redirect URIs. Default: https://app.example */
  appOrigin?: string
  /** The host of the issuer. Default: 127.0.0.1 */
  host?: '127.0.0.1' | 'localhost'
  /** Default: 3600 */
  accessTokenSeconds?: number
  /** Default: 600 */
  deviceCodeSeconds?: number
  /** What a device is told to wait between two polls. Default: 0.02 */
  deviceIntervalSeconds?: number
  /** Whether proofs need a nonce (RFC 9449 §8). Default: true */
  isNonceRequired?: boolean
}

/** One request at the token endpoint, as it ended. */
export interface TokenRequest {
  /** Empty where only its proof was looked at. */
  grantType: string
  clientId: string
  hasProof: boolean
  status: number
  /** The OAuth error code. */
  error: string | undefined
  /** Whether it brought a refresh token that had been used before. */
  isReuse: boolean
  resource: unknown
  scope: unknown
}

export interface TestProvider extends AsyncDisposable {
  readonly issuer: string
  /** May be changed while it runs. */
  accessTokenSeconds: number
  readonly tokenRequests: readonly TokenRequest[]
  /** From now on an API of oidc-api.ts refuses every access token that has been issued so far. */
  expireAccessTokens(): void
  /** How often that was done; access tokens carry it as the claim `gen`. */
  readonly generation: number
  /** Nonces handed out before are no longer taken at the token endpoint. */
  rotateNonce(): void
  /** How many more polls of devices are answered with slow_down. */
  slowDowns: number
  /** Sees requests first; true: it has answered, or will. For outages and for servers that misbehave. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
  close(): Promise<void>
}

/** Its secret is no secret. */
export const MACHINE = { clientId: 'machine', clientSecret: 'machine secret: +%/' } as const

const SCOPES = 'orders admin transfer'

export async function startProvider(options: ProviderOptions = {}): Promise<TestProvider> {
  const server = createServer()
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo
  const issuer = `http://${options.host ?? '127.0.0.1'}:${port}`

  const tokenRequests: TokenRequest[] = []
  const reuses = new WeakSet<object>()
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise((closed) => void server.close(closed))
  }
  let generation = 0
  const nonces = nonceClock()
  const self: TestProvider = {
    issuer,
    accessTokenSeconds: options.accessTokenSeconds ?? 3600,
    tokenRequests,
    expireAccessTokens: () => void generation++,
    get generation() {
      return generation
    },
    rotateNonce: nonces.rotate,
    slowDowns: 0,
    intercept: undefined,
    close,
    [Symbol.asyncDispose]: close,
  }

  const provider = new Provider(issuer, await configuration(self, options, nonces.secret))
  provider.on('grant.error', (ctx, error) => {
    if (error.error_detail === 'refresh token already used') reuses.add(ctx)
  })
  serveInteractions(provider)
  provider.use(async (ctx, next) => {
    if (ctx.path !== '/token' || ctx.method !== 'POST') return next()
    await next()
    // None where the nonce was refused before anybody read the request.
    const { params, client } = (ctx as unknown as Partial<KoaContextWithOIDC>).oidc ?? {}
    tokenRequests.push({
      grantType: String(params?.grant_type ?? ''),
      clientId: client?.clientId ?? '',
      hasProof: ctx.get('dpop') !== '',
      status: ctx.status,
      error: (ctx.body as { error?: string }).error,
      isReuse: reuses.has(ctx),
      resource: params?.resource,
      scope: params?.scope,
    })
  })
  if (options.isNonceRequired ?? true) provider.use(nonces.refuseStale)
  provider.use(pacing(self, options.deviceIntervalSeconds ?? 0.02))

  const answer = provider.callback()
  server.on('request', (request, response) => {
    if (!self.intercept?.(request, response)) void answer(request, response)
  })
  return self
}

async function configuration(
  self: TestProvider,
  options: ProviderOptions,
  nonceSecret: Buffer,
): Promise<Configuration> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const { appOrigin = 'https://app.example', deviceCodeSeconds = 600, isNonceRequired = true } = options
  const clients = clientsOf(appOrigin)
  return {
    adapter: oidcStore(),
    jwks: { keys: [{ ...(await exportJWK(privateKey)), use: 'sig', alg: 'ES256' }] },
    cookies: { keys: [randomBytes(16).toString('hex')] },
    clients,
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    clientBasedCORS: (_, origin, client) => client.redirectUris?.some((uri) => new URL(uri).origin === origin) ?? false,
    clockTolerance: 0,
    acrValues: [WEAK, STRONG],
    scopes: ['openid', 'offline_access'],
    pkce: { required: () => true },
    interactions: { policy: loginPolicy(), url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    extraTokenClaims: (ctx) => {
      const { AuthorizationCode, RefreshToken, DeviceCode } = ctx.oidc.entities
      const login = AuthorizationCode ?? RefreshToken ?? DeviceCode
      return { gen: self.generation, acr: login?.acr, auth_time: login?.authTime }
    },
    renderError: showError,
    ttl: {
      AccessToken: () => self.accessTokenSeconds,
      ClientCredentials: () => self.accessTokenSeconds,
      AuthorizationCode: 60,
      DeviceCode: deviceCodeSeconds,
      IdToken: 3600,
      RefreshToken: 86_400,
      Interaction: 600,
      Session: 86_400,
      Grant: 86_400,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: (_, client, token) => token.clientId === client.clientId },
      dPoP: { enabled: true, nonceSecret, requireNonce: () => isNonceRequired },
      deviceFlow: {
        enabled: true,
        deviceInfo: () => ({}),
        userCodeInputSource: showCodeInput,
        userCodeConfirmSource: showCodeConfirm,
        successSource: showDone,
      },
      rpInitiatedLogout: { enabled: true, logoutSource: showLogout, postLogoutSuccessSource: showDone },
      resourceIndicators: {
        enabled: true,
        // As strict as it comes: who wants a token for an API says which API (RFC 8707), each time.
        defaultResource: () => undefined as unknown as string,
        useGrantedResource: () => false,
        getResourceServerInfo: (_, resource) => {
          if (!/^http:\/\/(127\.0\.0\.1|localhost):\d+\/?$/.test(resource)) throw new errors.InvalidTarget()
          return {
            scope: SCOPES,
            audience: resource,
            accessTokenFormat: 'jwt',
            accessTokenTTL: self.accessTokenSeconds,
            jwt: { sign: { alg: 'ES256' } },
          }
        },
      },
    },
  }
}

function clientsOf(appOrigin: string): ClientMetadata[] {
  const browser: Omit<ClientMetadata, 'client_id'> = {
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [`${appOrigin}/callback`],
    post_logout_redirect_uris: [`${appOrigin}/signed-out`],
  }
  return [
    { ...browser, client_id: 'spa' },
    { ...browser, client_id: 'spa-dpop', dpop_bound_access_tokens: true },
    {
      client_id: 'native',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      // Any port of it: RFC 8252 §7.3.
      redirect_uris: ['http://127.0.0.1/callback'],
    },
    {
      client_id: MACHINE.clientId,
      client_secret: MACHINE.clientSecret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    },
  ]
}

type Middleware = Parameters<Provider['use']>[0]

/** Tells devices how fast to poll, and some of them that they are too fast (RFC 8628 §3.5), which oidc-provider does not. */
function pacing(self: TestProvider, interval: number): Middleware {
  return async (ctx, next) => {
    await next()
    if (ctx.path === '/device/auth' && ctx.status === 200) Object.assign(ctx.body as object, { interval })
    const isPending = (ctx.body as { error?: string } | undefined)?.error === 'authorization_pending'
    if (!isPending || self.slowDowns === 0) return
    self.slowDowns--
    ctx.body = { error: 'slow_down' }
  }
}

/**
 * The nonces of oidc-provider live for minutes. This makes them as short-lived as a test wants, by taking only one of those that are
 * valid to it; which they are is written in its helpers/challenge.js: one for each minute, from the secret.
 */
function nonceClock() {
  const secret = randomBytes(32)
  let rotations = 0
  const current = (): string => {
    const minute = Buffer.alloc(8)
    minute.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 60_000) + (rotations % 3) - 1))
    return Buffer.from(hkdfSync('sha256', secret, minute, 'DPoP', 32)).toString('base64url')
  }
  const refuseStale: Middleware = async (ctx, next) => {
    const proof = ctx.get('dpop')
    if (ctx.path !== '/token' || proof === '') return next()
    const nonce = current()
    if (nonceOf(proof) === nonce) {
      await next()
    } else {
      ctx.status = 400
      ctx.body = { error: 'use_dpop_nonce' }
      ctx.set('access-control-allow-origin', ctx.get('origin') || '*')
      ctx.set('access-control-expose-headers', 'DPoP-Nonce')
    }
    ctx.set('dpop-nonce', current())
  }
  return { secret, refuseStale, rotate: (): void => void rotations++ }
}

function nonceOf(proof: string): unknown {
  try {
    return decodeJwt(proof).nonce
  } catch {
    return undefined
  }
}
