// relatch/oauth where something goes wrong, against a certified authorization server: outages, stolen tokens, a lost key, a user who
// says no, a server that does not do what it was asked for. What is a session is kept, what is over ends in one login.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createAuthFetch } from '../../src/index.ts'
import { oauthClient } from '../../src/oauth/index.ts'
import { knock, openTab, type Page, type Tab, type TabOptions } from '../helpers/oauth-tab.ts'
import { startApi, type TestApi } from '../helpers/oidc-api.ts'
import { startProvider, type TestProvider } from '../helpers/oidc-provider.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { user } from '../helpers/user-agent.ts'

let provider: TestProvider
let api: TestApi
let tab: Tab
beforeAll(async () => {
  provider = await startProvider()
})
beforeEach(async () => {
  api = await startApi(provider)
})
afterEach(async () => {
  provider.intercept = undefined
  await api.close()
  expect(tab.secrets.shownBy(...tab.shown)).toEqual([])
})
afterAll(() => provider.close())

async function signedIn(options: TabOptions = {}, answers = {}): Promise<Page> {
  tab = openTab(provider, api, options)
  const page = tab.open()
  knock(page, '/orders')
  return tab.signIn(page, answers)
}

/** From now on nobody reaches the authorization server, or it only says that it is busy. */
const goDown = (how: 'gone' | 'busy'): void => {
  provider.intercept = (request, response) => {
    if (how === 'gone') request.socket.destroy()
    else response.writeHead(503, { 'content-type': 'text/html', 'retry-after': '0' }).end('<h1>down</h1>')
    return true
  }
}

/** Whoever has a refresh token of a public client uses it so. */
async function refreshElsewhere(refreshToken: string | undefined): Promise<{ refresh_token?: string; error?: string }> {
  const form = { grant_type: 'refresh_token', client_id: 'spa', refresh_token: refreshToken ?? '', resource: api.url }
  const answer = await fetch(`${provider.issuer}/token`, { method: 'POST', body: new URLSearchParams(form) })
  return (await answer.json()) as object
}

describe('an authorization server that is down', () => {
  it.each(['gone', 'busy'] as const)('R7: (%s) ends no session, and sends nobody to log in', async (how) => {
    const page = await signedIn()
    provider.expireAccessTokens()
    goDown(how)
    const error = await rejectionOf(page.api('/orders'))
    tab.shown.push(error)

    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(page.api.snapshot().status).toBe('signed-in')
    provider.intercept = undefined
    expect((await page.api('/orders')).status).toBe(200)
    expect(page.navigations).toEqual([])
  })

  it.each(['gone', 'busy'] as const)('(%s) lets a sign-in be ended later, by the same answer', async (how) => {
    tab = openTab(provider, api)
    const page = tab.open()
    knock(page, '/orders')
    const next = await tab.follow(page)
    await next.oauth.metadata()
    goDown(how)
    const error = await rejectionOf(next.oauth.handleCallback(next.api, { url: next.url }))
    tab.shown.push(error)

    expect(error).toMatchObject({ code: 'authorization-failed', retryable: true })
    provider.intercept = undefined
    await next.oauth.handleCallback(next.api, { url: next.url })
    expect((await next.api('/orders')).status).toBe(200)
  })

  it('fails the login where nobody knows yet where that is, and the next call tries again', async () => {
    tab = openTab(provider, api)
    const page = tab.open()
    goDown('busy')
    const error = await rejectionOf(page.api('/orders'))
    tab.shown.push(error)

    expect(error).toMatchObject({ code: 'metadata-refused', retryable: true })
    provider.intercept = undefined
    knock(page, '/orders')
    const next = await tab.signIn(page)
    expect((await next.api('/orders')).status).toBe(200)
  })

  it('R12: signs out here all the same, and says that nothing was revoked', async () => {
    const page = await signedIn()
    goDown('gone')

    expect((await page.oauth.signOut(page.api)).isRevoked).toBe(false)
    expect(page.api.snapshot().status).toBe('signed-out')
  })
})

describe('a session that is over', () => {
  it('R9: because a refresh token was stolen and used, ends on both sides, in one login', async () => {
    const page = await signedIn()
    const { refresh_token: theirs } = await refreshElsewhere((await page.api.tokens())?.refreshToken)
    provider.expireAccessTokens()
    for (let calls = 0; calls < 20; calls++) knock(page, '/orders')
    await page.left

    expect(page.watch.of('login-required')).toHaveLength(1)
    expect(page.navigations).toHaveLength(1)
    expect(provider.tokenRequests.filter(({ isReuse }) => isReuse)).toHaveLength(1)
    expect(await refreshElsewhere(theirs)).toMatchObject({ error: 'invalid_grant' })
    const next = await tab.signIn(page)
    expect((await next.api('/orders')).status).toBe(200)
  })

  it('because its DPoP key was lost, ends in one login with a new key', async () => {
    await api.close()
    api = await startApi(provider, { isDpop: true })
    const page = await signedIn({ isDpop: true })
    await page.api('/orders')
    const before = await tab.scheme?.thumbprint()
    await tab.scheme?.forget()
    for (let calls = 0; calls < 20; calls++) knock(page, '/orders')
    await page.left
    const next = await tab.signIn(page)

    expect(page.navigations).toHaveLength(1)
    expect((await next.api('/orders')).status).toBe(200)
    expect(await tab.scheme?.thumbprint()).not.toBe(before)
  })
})

describe('a user', () => {
  it('who refuses more scopes keeps the session as it was', async () => {
    const page = await signedIn()
    await page.oauth.requestScopes(page.api, ['admin'])
    const next = await tab.follow(page, { isDenying: true })
    const before = next.api.snapshot()
    const error = await rejectionOf(next.oauth.handleCallback(next.api, { url: next.url }))
    tab.shown.push(error)

    expect(error).toMatchObject({ code: 'authorization-failed', oauthError: 'access_denied' })
    expect(next.api.snapshot()).toEqual(before)
    expect((await next.api('/orders')).status).toBe(200)
  })

  it('whose callback page asks twice at once (StrictMode) signs in once', async () => {
    tab = openTab(provider, api)
    const page = tab.open()
    knock(page, '/orders')
    const next = await tab.follow(page)
    const before = provider.tokenRequests.length
    const handle = () => next.oauth.handleCallback(next.api, { url: next.url })

    expect(await Promise.all([handle(), handle()])).toEqual([{ returnTo: '/' }, { returnTo: '/' }])
    expect(provider.tokenRequests.length).toBe(before + 1)
  })

  it('whose callback page asks the API at once signs in once: the call waits for the callback', async () => {
    tab = openTab(provider, api)
    const page = tab.open()
    knock(page, '/orders')
    const next = await tab.follow(page)
    const [{ status }] = await Promise.all([
      next.api('/orders'),
      next.oauth.handleCallback(next.api, { url: next.url }),
      next.api('/orders'),
    ])

    expect(status).toBe(200)
    expect(next.navigations).toEqual([])
  })

  it('who was granted more scopes keeps them through a step-up, on a page that was loaded since', async () => {
    const page = await signedIn()
    await page.oauth.requestScopes(page.api, ['admin'])
    const granted = await tab.signIn(page)
    granted.api.dispose()
    const reloaded = tab.open()
    knock(reloaded, '/transfer', { method: 'POST' })
    const next = await tab.signIn(reloaded, { with: 'strong' })

    expect((await next.api('/transfer', { method: 'POST' })).status).toBe(200)
    expect((await next.api('/admin')).status).toBe(200)
  })

  it('L5 L3: who is no surer of himself after a step-up is not asked for ever', async () => {
    let page = await signedIn()
    for (let round = 0; round < 2; round++) {
      knock(page, '/transfer', { method: 'POST' })
      page = await tab.signIn(page, { with: 'login' })
    }
    const error = await rejectionOf(page.api('/transfer', { method: 'POST' }))
    tab.shown.push(error)

    expect(error).toMatchObject({ code: 'login-loop' })
    expect((await page.api('/orders')).status).toBe(200)
  })
})

describe('a desktop program, whose window stays while the browser shows the pages', () => {
  /** Opens the system's browser, and takes the answer at its own port. @param stronger who signs in for a step-up */
  function program(stronger = 'alice') {
    tab = openTab(provider, api)
    const person = user()
    const redirectUri = 'http://127.0.0.1:4711/callback'
    const opened: string[] = []
    const done: Array<Promise<unknown>> = []
    const oauth = oauthClient({
      issuer: provider.issuer,
      clientId: 'native',
      redirectUri,
      scope: 'openid offline_access orders',
      parameters: { prompt: 'consent' },
      resource: api.url,
      navigate(url) {
        opened.push(url)
        const isStepUp = url.includes('acr_values')
        const answers = isStepUp ? ({ account: stronger, with: 'strong' } as const) : {}
        const answered = person.authorize(url, { redirectUri, ...answers })
        done.push(answered.then((answer) => oauth.handleCallback(session, { url: answer })))
      },
    })
    const session = createAuthFetch({
      baseUrl: api.url,
      refresh: oauth.refresher,
      onLoginRequired: oauth.onLoginRequired,
      onStepUp: oauth.onStepUp,
    })
    return { session, opened, done }
  }

  it('L2: what waited for the login goes on', async () => {
    const { session, opened } = program()
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await session('/orders')).status))

    expect(statuses).toEqual(Array(10).fill(200))
    expect(opened).toHaveLength(1)
  })

  it('L5: what waited for a step-up goes on', async () => {
    const { session, done } = program()
    await session('/orders')
    expect((await session('/transfer', { method: 'POST' })).status).toBe(200)
    await Promise.all(done)
    expect((await session('/orders')).status).toBe(200)
  })

  it('L2 R12: nothing is done in the name of the first user once another one has signed in for a step-up', async () => {
    const { session, done } = program('bob')
    await session('/orders')
    expect((await session('/transfer', { method: 'POST' })).status).toBe(401)
    await Promise.all(done)

    expect(session.snapshot().subject).toBe('bob')
    expect(api.requests.filter(({ path }) => path === '/transfer').map(({ status }) => status)).toEqual([401])
  })
})

describe('a client that the server does not know any more', () => {
  it('R7: keeps its tokens, and says what is wrong', async () => {
    const page = await signedIn()
    provider.expireAccessTokens()
    provider.intercept = ({ url }, response) => {
      if (url !== '/token') return false
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"invalid_client"}')
      return true
    }
    const error = await rejectionOf(page.api('/orders'))
    tab.shown.push(error)

    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: false })
    expect(String(error)).toContain('invalid_client')
    expect(page.api.snapshot().status).toBe('signed-in')
  })
})
