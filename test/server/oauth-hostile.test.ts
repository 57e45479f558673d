// What must not work with relatch/oauth: answers that nobody asked for, on the return page and at the token endpoint, against a
// certified authorization server and in its place.
import { text as textOf } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isAuthError } from '../../src/index.ts'
import { oauthClient } from '../../src/oauth/index.ts'
import { knock, openTab, type Page, type Tab } from '../helpers/oauth-tab.ts'
import { startApi, type TestApi } from '../helpers/oidc-api.ts'
import { startProvider, type TestProvider } from '../helpers/oidc-provider.ts'
import { recordingServer } from '../helpers/recording-server.ts'
import { rejectionOf } from '../helpers/rejection.ts'

const MIB = 1024 * 1024

let provider: TestProvider
let api: TestApi
beforeAll(async () => {
  provider = await startProvider()
  api = await startApi(provider)
})
afterAll(async () => {
  await api.close()
  await provider.close()
})

let tab: Tab
let page: Page
beforeEach(() => {
  tab = openTab(provider, api)
  page = tab.open()
})
afterEach(() => {
  provider.intercept = undefined
  expect(tab.secrets.shownBy(...tab.shown)).toEqual([])
})

/** What a callback is refused with; nothing is stored by it. */
async function refusal(at: Page, url: string): Promise<unknown> {
  const before = at.api.snapshot()
  const error = await rejectionOf(at.oauth.handleCallback(at.api, { url }))
  tab.shown.push(error)
  expect(isAuthError(error)).toBe(true)
  expect(at.api.snapshot()).toEqual(before)
  return error
}

const changed = (url: string, change: (params: URLSearchParams) => void): string => {
  const copy = new URL(url)
  change(copy.searchParams)
  return copy.href
}

describe('a callback', () => {
  /** Of a sign-in that went well up to here. */
  async function arrived(): Promise<Page & { url: string }> {
    knock(page, '/orders')
    return tab.follow(page)
  }
  const tokenRequests = (): number => provider.tokenRequests.length

  it.each<[string, (params: URLSearchParams) => void]>([
    ['without a state', (params) => params.delete('state')],
    ['with a state of somebody else', (params) => params.set('state', 'somebody-elses')],
    ['with two states', (params) => params.append('state', 'second')],
    ['from another issuer (RFC 9207)', (params) => params.set('iss', 'https://evil.example')],
    ['without an issuer, where the server names itself always', (params) => params.delete('iss')],
    ['with two codes', (params) => params.append('code', 'second')],
  ])('%s is refused before anything is sent', async (_, change) => {
    const next = await arrived()
    const before = tokenRequests()

    expect(await refusal(next, changed(next.url, change))).toMatchObject({ code: 'callback-refused' })
    expect(tokenRequests()).toBe(before)
  })

  it('that comes twice is refused the second time', async () => {
    const next = await arrived()
    await next.oauth.handleCallback(next.api, { url: next.url })
    const before = tokenRequests()

    expect(await refusal(next, next.url)).toMatchObject({ code: 'callback-refused' })
    expect(tokenRequests()).toBe(before)
    expect((await next.api('/orders')).status).toBe(200)
  })

  it('with the code of another transaction signs nobody in: PKCE', async () => {
    const next = await arrived()
    const other = openTab(provider, api)
    const attacker = other.open()
    knock(attacker, '/orders')
    const { url } = await other.follow(attacker, { account: 'mallory' })
    const code = new URL(url).searchParams.get('code') ?? ''

    const error = await refusal(
      next,
      changed(next.url, (params) => params.set('code', code)),
    )
    expect(error).toMatchObject({ code: 'authorization-failed', oauthError: 'invalid_grant' })
  })

  it('to somebody who did not ask is refused: a login of the attacker', async () => {
    const { url } = await arrived()
    const victim = openTab(provider, api).open()

    expect(await refusal(victim, url)).toMatchObject({ code: 'callback-refused' })
  })

  it('that brings a refusal says which', async () => {
    knock(page, '/orders')
    const next = await tab.follow(page, { isDenying: true })

    expect(await refusal(next, next.url)).toMatchObject({ code: 'authorization-failed', oauthError: 'access_denied' })
  })

  it('with an error that nobody asked for is refused, and does not end the sign-in under way', async () => {
    const next = await arrived()
    const forged = 'https://app.example/callback?error=access_denied&error_description=%3Cscript%3E&state=forged'

    expect(await refusal(next, forged)).toMatchObject({ code: 'callback-refused' })
    await next.oauth.handleCallback(next.api, { url: next.url })
    expect((await next.api('/orders')).status).toBe(200)
  })

  it.each(['https://app.example/callback', 'https://app.example/orders?page=2', 'https://app.example/'])(
    'is not what %s is',
    async (url) => {
      expect(await page.oauth.handleCallback(page.api, { url })).toBeNull()
    },
  )
})

describe('a token endpoint', () => {
  async function signedIn(): Promise<Page> {
    knock(page, '/orders')
    const next = await tab.signIn(page)
    provider.expireAccessTokens()
    return next
  }

  it.each([301, 302, 303, 307, 308])(
    'O2: that redirects with %i is not followed: not a byte goes there',
    async (status) => {
      const next = await signedIn()
      await using elsewhere = await recordingServer((_, response) => response.end('{}'))
      provider.intercept = ({ url }, response) => {
        if (url !== '/token') return false
        response.writeHead(status, { location: `${elsewhere.url}/token` }).end()
        return true
      }
      const error = await rejectionOf(next.api('/orders'))
      tab.shown.push(error)

      expect(error).toMatchObject({ code: 'refresh-unavailable' })
      expect(elsewhere.arrivals).toEqual([])
      expect(elsewhere.sockets.total).toBe(0)
      expect(next.api.snapshot().status).toBe('signed-in')
    },
  )

  /** Says again, in every place of an answer, what it was sent. */
  const echoing =
    (status: number): NonNullable<TestProvider['intercept']> =>
    (request, response) => {
      if (request.url !== '/token') return false
      void textOf(request).then((sent) => {
        const form = new URLSearchParams(sent)
        const told = form.get('refresh_token') ?? form.get('code')
        const body = { error: told, error_description: sent, error_uri: `https://evil.example/?${sent}`, [sent]: sent }
        const headers = { 'content-type': 'application/json', 'www-authenticate': `Bearer ${told}` }
        response.writeHead(status, `No ${told}`, headers).end(JSON.stringify(body))
      })
      return true
    }

  it.each([200, 400, 401, 403, 500])('E1: that says everything again in a %i is not quoted', async (status) => {
    knock(page, '/orders')
    const coming = await tab.follow(page)
    await coming.oauth.metadata()
    provider.intercept = echoing(status)
    expect(await refusal(coming, coming.url)).toMatchObject({ code: 'authorization-failed' })
    provider.intercept = undefined

    page = tab.open()
    const next = await signedIn()
    provider.intercept = echoing(status)
    // For a 400 or 401 that says nothing the session is over, and the page leaves.
    const call = next.api('/orders').catch((error: unknown) => error)
    tab.shown.push(await Promise.race([call, next.left.then(() => 'left')]))
    // What is shown is searched after each test.
    expect(tab.secrets.size).toBeGreaterThan(5)
  })

  it('E1: whose transport quotes what it was given to send is not quoted', async () => {
    let isBroken = false
    const transport: typeof fetch = async (input, init) => {
      if (!isBroken || !String(input).endsWith('/token')) return tab.secrets.tap(fetch)(input, init)
      throw Object.assign(new TypeError(`fetch failed: ${input} ${init?.body}`), { cause: { ...init }, config: init })
    }
    tab = openTab(provider, api, { oauth: { fetch: transport } })
    page = tab.open()
    knock(page, '/orders')
    const coming = await tab.follow(page)
    isBroken = true
    expect(await refusal(coming, coming.url)).toMatchObject({ code: 'authorization-failed', retryable: true })

    isBroken = false
    await coming.oauth.handleCallback(coming.api, { url: coming.url })
    provider.expireAccessTokens()
    isBroken = true
    const error = await rejectionOf(coming.api('/orders'))
    tab.shown.push(error)
    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
  })

  it('R7: that answers with a gzip bomb is read up to 256 KiB, and ends no session', async () => {
    const next = await signedIn()
    const bomb = gzipSync(gzipSync(Buffer.alloc(64 * MIB), { level: 9 }))
    let sent = 0
    provider.intercept = ({ url }, response) => {
      if (url !== '/token') return false
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip, gzip' }).end(bomb)
      sent++
      return true
    }
    const before = process.memoryUsage().arrayBuffers
    const error = await rejectionOf(next.api('/orders'))
    tab.shown.push(error)

    expect(error).toMatchObject({ code: 'refresh-unavailable' })
    expect(sent).toBe(1)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MIB)
    expect(next.api.snapshot().status).toBe('signed-in')
  })
})

describe('a metadata document', () => {
  const serve = (document: object): void => {
    provider.intercept = ({ url = '' }, response) => {
      if (!url.includes('.well-known')) return false
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
      return true
    }
  }
  const good = () => ({
    issuer: provider.issuer,
    authorization_endpoint: `${provider.issuer}/auth`,
    token_endpoint: `${provider.issuer}/token`,
    code_challenge_methods_supported: ['S256'],
  })
  const refusalOfMetadata = (): Promise<unknown> =>
    rejectionOf(
      oauthClient({ issuer: provider.issuer, clientId: 'spa', redirectUri: 'https://app.example/callback' }).metadata(),
    )

  it.each<[string, () => object]>([
    ['of another issuer', () => ({ issuer: 'https://evil.example' })],
    ['whose token endpoint is plain http', () => ({ token_endpoint: 'http://auth.example/token' })],
    ['whose authorization endpoint is plain http', () => ({ authorization_endpoint: 'http://auth.example/auth' })],
    ['whose authorization endpoint is a script', () => ({ authorization_endpoint: 'javascript:alert(1)' })],
    ['whose revocation endpoint holds userinfo', () => ({ revocation_endpoint: 'https://us:er@auth.example/revoke' })],
  ])('%s is refused', async (_, change) => {
    serve({ ...good(), ...change() })
    expect(await refusalOfMetadata()).toMatchObject({ code: 'metadata-refused' })
  })

  it('that is a redirect is not followed', async () => {
    await using elsewhere = await recordingServer((_, response) => response.end('{}'))
    provider.intercept = ({ url = '' }, response) => {
      if (!url.includes('.well-known')) return false
      response.writeHead(302, { location: elsewhere.url }).end()
      return true
    }
    expect(await refusalOfMetadata()).toMatchObject({ code: 'metadata-refused' })
    expect(elsewhere.sockets.total).toBe(0)
  })
})
