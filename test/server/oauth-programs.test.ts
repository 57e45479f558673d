// relatch/oauth for programs without a user, or without a browser, against a certified authorization server: client credentials
// (RFC 6749 §4.4) and device codes (RFC 8628).
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AuthFetch, type AuthFetchOptions, createAuthFetch } from '../../src/index.ts'
import { type OAuthClient, type OAuthClientOptions, oauthClient, resourceMetadata } from '../../src/oauth/index.ts'
import { dpop } from '../../src/schemes/dpop.ts'
import { collectSecrets } from '../helpers/oauth-secrets.ts'
import { startApi, type TestApi } from '../helpers/oidc-api.ts'
import { MACHINE, startProvider, type TestProvider } from '../helpers/oidc-provider.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { user } from '../helpers/user-agent.ts'
import { watch } from '../helpers/watch.ts'

let provider: TestProvider
beforeAll(async () => {
  provider = await startProvider({ deviceIntervalSeconds: 1 })
})
afterAll(() => provider.close())

/** How requests of one kind ended at the token endpoint, from here on. */
function grants(): () => Array<string | number> {
  const from = provider.tokenRequests.length
  return () => provider.tokenRequests.slice(from).map(({ error, status }) => error ?? status)
}

describe.each([
  ['with Bearer tokens', false],
  ['with DPoP, nonces required', true],
])('client credentials %s', (_, isDpop) => {
  let api: TestApi
  beforeEach(async () => {
    api = await startApi(provider, { isDpop })
  })
  afterEach(() => api.close())

  function program(options: Partial<OAuthClientOptions> = {}, fetchOptions: AuthFetchOptions = {}): AuthFetch {
    const scheme = isDpop ? dpop() : undefined
    const oauth = oauthClient({
      issuer: provider.issuer,
      ...MACHINE,
      scope: 'orders',
      resource: api.url,
      ...(scheme && { dpop: scheme }),
      ...options,
    })
    return createAuthFetch({
      baseUrl: api.url,
      refresh: oauth.clientCredentials,
      refreshRetries: 0,
      ...(scheme && { scheme }),
      ...fetchOptions,
    })
  }

  it('R2: start from nothing, and one token request serves fifty calls, at each expiry', async () => {
    const session = program()
    const ended = grants()
    for (let round = 1; round <= 5; round++) {
      const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await session('/orders')).status))
      expect(statuses).toEqual(Array(50).fill(200))
      expect(ended().filter((end) => end === 200)).toHaveLength(round)
      provider.expireAccessTokens()
    }
    expect(new Set(ended())).toEqual(new Set(isDpop ? ['use_dpop_nonce', 200] : [200]))
  })

  it('R7: a wrong secret is a misconfiguration: named, not retried, and nobody is asked to sign in', async () => {
    const onLoginRequired = vi.fn()
    const session = program({ clientSecret: 'not it' }, { onLoginRequired, refreshRetries: 2 })
    const ended = grants()
    const error = await rejectionOf(session('/orders'))

    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: false })
    expect(String(error)).toContain('invalid_client')
    expect(ended().filter((end) => end !== 'use_dpop_nonce')).toEqual(['invalid_client'])
    expect(onLoginRequired).not.toHaveBeenCalled()
  })
})

/** Enough by a clock that runs fast. */
const PATIENT_MS = 600_000

describe('a device code', () => {
  let api: TestApi
  beforeEach(async () => {
    api = await startApi(provider)
    // A clock that runs fifty times as fast: RFC 8628 counts in seconds.
    const { setTimeout: real } = globalThis
    const fast = (run: () => void, ms = 0, ...args: unknown[]) => real(run, ms / 50, ...(args as []))
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(fast as typeof setTimeout)
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await api.close()
  })

  /** A program whose user is told the code, and does `decide` with it. */
  function program(decide: (verificationUri: string) => unknown) {
    const secrets = collectSecrets()
    const shown: unknown[] = []
    const oauth = oauthClient({
      issuer: provider.issuer,
      clientId: 'native',
      scope: 'openid offline_access orders',
      resource: api.url,
      fetch: secrets.tap(globalThis.fetch),
      timeoutMs: PATIENT_MS,
    })
    const session = createAuthFetch({
      baseUrl: api.url,
      refresh: oauth.refresher,
      refreshTimeoutMs: PATIENT_MS,
      onLoginRequired: oauth.deviceLogin(async (code) => {
        shown.push(code)
        await decide(code.verificationUriComplete ?? code.verificationUri)
      }),
    })
    return { session, secrets, shown: [session, watch(session), shown] }
  }

  it('signs in once the user has approved it, and resumes all who waited; then refreshes', async () => {
    const { session, secrets, shown } = program((uri) => user().visit(uri))
    const ended = grants()
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await session('/orders')).status))

    expect(statuses).toEqual([200, 200, 200, 200, 200])
    expect(session.snapshot().subject).toBe('alice')
    provider.expireAccessTokens()
    expect((await session('/orders')).status).toBe(200)
    expect(ended().filter((end) => end !== 'authorization_pending')).toEqual([200, 200])
    expect(secrets.shownBy(shown)).toEqual([])
  })

  it('waits while the user thinks, and longer when told to slow down (RFC 8628 §3.5)', async () => {
    provider.slowDowns = 2
    const ended = grants()
    const { session } = program((uri) => {
      const poll = setInterval(() => {
        if (ended().length < 4) return
        clearInterval(poll)
        void user().visit(uri)
      }, 5)
    })
    expect((await session('/orders')).status).toBe(200)
    expect(ended().slice(0, 3)).toEqual(['slow_down', 'slow_down', 'authorization_pending'])
    expect(ended().at(-1)).toBe(200)
    const waits = vi.mocked(setTimeout).mock.calls.map(([, ms]) => ms)
    expect(waits.filter((ms) => ms === 11_000).length).toBeGreaterThan(1)
  })

  it('that the user refuses is no login, and says so', async () => {
    const { session, shown, secrets } = program((uri) => user().visit(uri, { isDenying: true }))
    const error = await rejectionOf(session('/orders'))

    expect(error).toMatchObject({ code: 'authorization-failed', oauthError: 'access_denied' })
    expect(session.snapshot().status).toBe('signed-out')
    expect(secrets.shownBy(shown, error)).toEqual([])
  })

  it('that expires is no login, and says so', async () => {
    await using hasty = await startProvider({ deviceCodeSeconds: 1, deviceIntervalSeconds: 40 })
    const oauth = oauthClient({ issuer: hasty.issuer, clientId: 'native', scope: 'openid', timeoutMs: PATIENT_MS })
    const session = createAuthFetch({ baseUrl: api.url, onLoginRequired: oauth.deviceLogin(() => {}) })

    expect(await rejectionOf(session('/orders'))).toMatchObject({
      code: 'authorization-failed',
      oauthError: 'expired_token',
    })
  })

  it('of a server that a program has never heard of: the 401 says where it is (RFC 9728)', async () => {
    let oauth: OAuthClient | undefined
    const session = createAuthFetch({
      baseUrl: api.url,
      refresh: async (context) => oauth?.refresher(context) ?? null,
      refreshTimeoutMs: PATIENT_MS,
      async onLoginRequired(need) {
        const {
          resource,
          authorizationServers,
          scopesSupported = [],
        } = await resourceMetadata(need, {
          resource: api.url,
          timeoutMs: PATIENT_MS,
        })
        oauth = oauthClient({
          issuer: String(authorizationServers[0]),
          clientId: 'native',
          scope: ['openid', 'offline_access', ...scopesSupported].join(' '),
          resource,
          timeoutMs: PATIENT_MS,
        })
        return oauth.deviceLogin((code) => user().visit(String(code.verificationUriComplete)))(need)
      },
    })

    expect((await session('/admin')).status).toBe(200)
    provider.expireAccessTokens()
    expect((await session('/admin')).status).toBe(200)
  })
})
