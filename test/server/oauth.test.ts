// relatch/oauth against a certified authorization server, over HTTP: sign-in, call, expiry, one refresh, rotation, step-up, more
// scopes, sign-out. Each with Bearer tokens, and with tokens that are bound to a key while both servers ask for nonces.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAuthFetch, type Denial, isAuthError } from '../../src/index.ts'
import { oauthClient } from '../../src/oauth/index.ts'
import { knock, openTab, type Page, type Tab, type TabOptions } from '../helpers/oauth-tab.ts'
import { startApi, type TestApi } from '../helpers/oidc-api.ts'
import { STRONG } from '../helpers/oidc-pages.ts'
import { startProvider, type TestProvider } from '../helpers/oidc-provider.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { user } from '../helpers/user-agent.ts'

let provider: TestProvider
beforeAll(async () => {
  provider = await startProvider()
})
afterAll(() => provider.close())

describe.each([
  ['with Bearer tokens', false],
  ['with DPoP, nonces required', true],
])('%s', (_, isDpop) => {
  let api: TestApi
  let tab: Tab
  let seenRequests = 0
  beforeEach(async () => {
    api = await startApi(provider, { isDpop })
    tab = openTab(provider, api, { isDpop })
    seenRequests = provider.tokenRequests.length
  })
  afterEach(async () => {
    provider.intercept = undefined
    await api.close()
  })

  /** What succeeded at the token endpoint since the test began. */
  const granted = (): string[] =>
    provider.tokenRequests
      .slice(seenRequests)
      .filter(({ status }) => status === 200)
      .map(({ grantType }) => grantType)
  const refusals = (): Array<string | undefined> =>
    provider.tokenRequests
      .slice(seenRequests)
      .map(({ error }) => error)
      .filter((error) => error !== undefined && error !== 'use_dpop_nonce')

  /** From a request without a session to a page that has one. */
  async function signedIn(answers = {}, options: TabOptions = {}): Promise<Page> {
    tab = openTab(provider, api, { isDpop, ...options })
    const page = tab.open()
    knock(page, '/orders')
    return tab.signIn(page, answers)
  }

  /** Where the servers ask for nonces, those that the client knows are stale now. */
  const expire = (): void => {
    provider.expireAccessTokens()
    provider.rotateNonce()
    api.rotateNonce()
  }

  it('signs in by the code of RFC 6749 §4.1 with PKCE, and answers', async () => {
    const page = tab.open()
    knock(page, '/orders')
    const next = await tab.follow(page)
    const { searchParams } = next.visited

    expect(Object.fromEntries(searchParams)).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      scope: 'openid offline_access orders',
      resource: api.url,
    })
    expect(await next.oauth.handleCallback(next.api, { url: next.url })).toEqual({ returnTo: '/' })
    const response = await next.api('/orders')
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ sub: 'alice', scope: 'orders' })
    expect(next.api.snapshot()).toMatchObject({
      status: 'signed-in',
      subject: 'alice',
      scope: expect.stringContaining('orders'),
    })
    expect(granted()).toEqual(['authorization_code'])
    const jkts = new Set(api.requests.filter(({ status }) => status === 200).map(({ jkt }) => jkt))
    expect(jkts).toEqual(new Set([await tab.scheme?.thumbprint()]))
  })

  it('R2: forty requests with an expired token cost one refresh, again and again, and no token is used twice', async () => {
    const page = await signedIn()
    for (let round = 1; round <= 4; round++) {
      expire()
      const one = async (_: unknown, call: number): Promise<number> => (await page.api(`/orders?page=${call}`)).status
      const statuses = await Promise.all(Array.from({ length: 40 }, one))
      expect(statuses).toEqual(Array(40).fill(200))
      expect(granted()).toEqual(['authorization_code', ...Array(round).fill('refresh_token')])
    }
    expect(refusals()).toEqual([])
    expect(page.navigations).toEqual([])
  })

  it('L5: steps up where the API asks for a stronger login', async () => {
    const page = await signedIn()
    knock(page, '/transfer', { method: 'POST', body: '100' })
    const stronger = await tab.signIn(page, { with: 'strong' })

    expect(stronger.visited.searchParams.get('acr_values')).toBe(STRONG)
    expect((await stronger.api('/transfer', { method: 'POST', body: '100' })).status).toBe(200)
    expect(stronger.api.snapshot().subject).toBe('alice')
    expect(granted()).toEqual(['authorization_code', 'authorization_code'])
  })

  it('L5: steps up where the API asks for a more recent login', async () => {
    const page = await signedIn({ ago: 3600 })
    knock(page, '/recent')
    const recent = await tab.signIn(page)

    expect(recent.visited.searchParams.get('max_age')).toBe('60')
    expect((await recent.api('/recent')).status).toBe(200)
  })

  it('D1: asks for more scopes when the app says so; the 403 is handed back', async () => {
    const denials: Denial[] = []
    let asking: Promise<void> | undefined
    const page: Page = await signedIn(
      {},
      {
        fetch: {
          onPermissionDenied(denial) {
            denials.push(denial)
            asking ??= page.oauth.requestScopes(page.api, denial.requiredScopes)
            asking.catch(() => {})
          },
        },
      },
    )
    expect((await page.api('/admin')).status).toBe(403)
    const next = await tab.signIn(page)

    expect(denials.map(({ reason, requiredScopes }) => ({ reason, requiredScopes }))).toEqual([
      { reason: 'insufficient-scope', requiredScopes: ['admin'] },
    ])
    expect(new Set(next.visited.searchParams.get('scope')?.split(' '))).toEqual(
      new Set(['openid', 'offline_access', 'orders', 'admin']),
    )
    expect(api.requests.filter(({ path, status }) => path === '/admin' && status !== 401)).toHaveLength(1)
    expect((await next.api('/admin')).status).toBe(200)
    // A refresh asks for what was granted, not for what was asked first; and so does who asks for even more.
    expire()
    expect((await next.api('/admin')).status).toBe(200)
    await next.oauth.requestScopes(next.api, ['transfer'])
    expect(new URL(await next.left).searchParams.get('scope')?.split(' ')).toEqual(
      expect.arrayContaining(['openid', 'orders', 'admin', 'transfer']),
    )
  })

  it('signs out here, at the authorization server (RFC 7009), and out of its own session (RP-initiated logout)', async () => {
    const page = await signedIn()
    const { refreshToken = '' } = (await page.api.tokens()) ?? {}
    const { isRevoked, logoutUrl } = await page.oauth.signOut(page.api)

    expect(isRevoked).toBe(true)
    expect(page.api.snapshot().status).toBe('signed-out')
    const form = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'spa', refresh_token: refreshToken })
    if (!isDpop) {
      const answer = await fetch(`${provider.issuer}/token`, { method: 'POST', body: form })
      expect(await answer.json()).toMatchObject({ error: 'invalid_grant' })
    }
    const end = await tab.person.authorize(logoutUrl ?? '', { redirectUri: 'https://app.example/signed-out' })
    expect(new URL(end).origin).toBe('https://app.example')
    // Who comes back is asked who they are.
    const next = tab.open()
    knock(next, '/orders')
    const other = await tab.signIn(next, { account: 'bob' })
    expect(other.api.snapshot().subject).toBe('bob')
  })

  it('E1: shows no token, code, verifier, state, proof or key, on any of these ways', async () => {
    const page = await signedIn({ ago: 3600 })
    expire()
    tab.shown.push(await page.api('/orders'))
    knock(page, '/recent')
    const recent = await tab.signIn(page)
    tab.shown.push(
      await rejectionOf(
        recent.oauth.handleCallback(recent.api, { url: 'https://app.example/callback?code=c&state=s' }),
      ),
    )
    tab.shown.push(await recent.oauth.signOut(recent.api).then(({ isRevoked }) => isRevoked))

    expect(tab.secrets.size).toBeGreaterThan(8)
    expect(tab.secrets.shownBy(...tab.shown)).toEqual([])
  })
})

describe('an access token of two seconds', () => {
  it('R4: is refreshed before it is sent, once it is about to expire', async () => {
    await using api = await startApi(provider)
    provider.accessTokenSeconds = 2
    try {
      const tab = openTab(provider, api)
      const first = tab.open()
      knock(first, '/orders')
      const page = await tab.signIn(first)
      await page.api('/orders')
      const seen = { calls: api.requests.length, grants: provider.tokenRequests.length }
      // The server's clock decides too: nothing but waiting makes its second token a new one.
      await new Promise((later) => setTimeout(later, 2_000))

      expect((await page.api('/orders')).status).toBe(200)
      expect(api.requests.slice(seen.calls).map(({ status }) => status)).toEqual([200])
      expect(provider.tokenRequests.slice(seen.grants).map(({ grantType }) => grantType)).toEqual(['refresh_token'])
    } finally {
      provider.accessTokenSeconds = 3600
    }
  })
})

describe('a program with a browser at hand', () => {
  it('opens the authorization URL itself and takes the answer on a loopback port (RFC 8252 §7.3)', async () => {
    await using api = await startApi(provider)
    const redirectUri = 'http://127.0.0.1:4711/callback'
    const { authorizationUrl, handleCallback, refresher } = oauthClient({
      issuer: provider.issuer,
      clientId: 'native',
      redirectUri,
      scope: 'openid orders',
      resource: api.url,
    })
    const session = createAuthFetch({ baseUrl: api.url, refresh: refresher })
    const url = await user().authorize(await authorizationUrl(), { redirectUri })
    await handleCallback(session, { url })
    provider.expireAccessTokens()

    expect((await session('/orders')).status).toBe(200)
    const again = await rejectionOf(handleCallback(session, { url }))
    expect(isAuthError(again) && again.code).toBe('callback-refused')
  })
})
