// relatch/oauth over relatch/service-worker: the page signs in at a certified authorization server, and the worker has the tokens.
import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { howOften } from '../helpers/extent.ts'
import { type Bench, describeBrowsers } from './bench/browsers.ts'
import {
  agreeAt,
  arrives,
  clickForPopup,
  closed,
  comeBack,
  knock,
  type OAuthApp,
  openApp,
  openTab,
  PAGE,
  press,
  signInAt,
  statusesOfCalls,
  statusOfCall,
} from './bench/oauth-app.ts'

interface Start {
  page: Page
  /** Every answer of the authorization server that a page of this tab has read. */
  read: string[]
}

/** A tab whose session is in the worker. */
async function start(bench: Bench, app: OAuthApp): Promise<Start> {
  const page = await openTab(bench, app)
  expect(await page.evaluate(() => (api as unknown as { ready: Promise<string> }).ready)).toBe('worker')
  const read: string[] = []
  await page.exposeFunction('report', (text: string) => void read.push(text))
  const listen = (issuer: string): void => {
    const { fetch } = globalThis
    globalThis.fetch = async (...args) => {
      const response = await fetch(...args)
      const copy = response.clone()
      if (copy.url.startsWith(issuer)) await (globalThis as unknown as Reporting).report(await copy.text())
      return response
    }
  }
  await page.evaluateOnNewDocument(listen, app.provider.issuer)
  await page.evaluate(listen, app.provider.issuer)
  return { page, read }
}
interface Reporting {
  report(text: string): Promise<void>
}
interface Deploying {
  deploy(): Promise<void>
}

const statusOfSession = (page: Page): Promise<string> =>
  page.evaluate(async () => {
    // It waits until it is known whose session it is.
    await api.tokens()
    return api.snapshot().status
  })

/** The access tokens that the API was sent. */
const tokensOf = (app: OAuthApp): Set<string> =>
  new Set(app.api.requests.map(({ authorization }) => authorization.replace(/^\w+ /, '')).filter(Boolean))

/** Whether there is a signature in it: of an access token, or of an ID token. */
const SIGNED = /ey[\w-]+\.[\w-]+\.[\w-]{20}/

describeBrowsers('relatch/oauth over a service worker', (bench) => {
  it.each([{ isDpop: false }, { isDpop: true }])(
    'signs in by redirect, steps up, signs out, and the page has no token: $isDpop',
    async ({ isDpop }) => {
      await using app = await openApp(bench, { isHeld: true, isDpop })
      const { page, read } = await start(bench, app)
      const revoked: string[] = []
      const { intercept } = app.provider
      app.provider.intercept = (request, response) => {
        if (request.url === '/token/revocation' && request.method === 'POST') revoked.push(request.url)
        return intercept?.(request, response) ?? false
      }

      await knock(page, '/orders')
      await signInAt(page, { ago: 3600 })
      expect(await comeBack(page)).toEqual({ returned: PAGE, address: '/callback' })
      expect(await statusOfCall(page, '/orders')).toBe(200)
      expect(await page.evaluate(async () => [await api.tokens(), api.snapshot().subject])).toEqual([null, 'alice'])

      app.provider.expireAccessTokens()
      expect(await statusesOfCalls(page, 20)).toEqual(Array(20).fill(200))
      const granted = app.provider.tokenRequests.filter(({ status }) => status === 200)
      expect(granted.map(({ grantType }) => grantType)).toEqual(['authorization_code', 'refresh_token'])

      await page.goto(`${app.world.origin}${PAGE}`)
      await arrives(page, () => 'returned' in globalThis)
      await knock(page, '/transfer', 'POST')
      await signInAt(page, { with: 'strong' })
      expect((await comeBack(page)).returned).toBe(PAGE)
      expect(await statusOfCall(page, '/transfer', 'POST')).toBe(200)

      // The answers to both codes, and nothing that holds a token.
      const exchanges = read.filter((text) => text.includes('held_by'))
      expect(exchanges).toHaveLength(2)
      expect(tokensOf(app).size).toBeGreaterThanOrEqual(3)
      for (const token of tokensOf(app)) expect(read.join()).not.toContain(token)
      expect(read.join()).not.toMatch(SIGNED)
      expect(read.join()).not.toContain('"refresh_token":')

      await page.evaluate(() => void oauth.signOut(api)).catch(() => {})
      await arrives(page, () => document.title === 'Sign out?')
      await press(page, '[name=logout]')
      await arrives(page, () => location.pathname === '/signed-out' && 'returned' in globalThis)
      expect(await statusOfSession(page)).toBe('signed-out')
      // Both tokens, and none of them from the page.
      await expect.poll(() => revoked.length).toBe(2)
    },
  )

  it('comes back time after time, also where Chromium shows an old sessionStorage', async () => {
    await using app = await openApp(bench, { isHeld: true })
    const { page } = await start(bench, app)
    await knock(page, '/orders')
    await signInAt(page)
    for (let time = 0; time < howOften(6, 4); time++) {
      expect((await comeBack(page)).returned).toBe(PAGE)
      await page.goto(`${app.world.origin}${PAGE}`)
      await arrives(page, () => 'returned' in globalThis)
      await page.evaluate(() => void oauth.signIn(api)).catch(() => {})
      await agreeAt(page)
    }
    expect((await comeBack(page)).returned).toBe(PAGE)
    expect(await page.evaluate(() => Object.keys(localStorage))).toEqual([])
  })

  it('signs in by popup: what waited goes on, and after a step-up too', async () => {
    await using app = await openApp(bench, { isHeld: true, interaction: 'popup' })
    const { page, read } = await start(bench, app)
    await page.evaluate(() => inClick(() => statusOf('/orders')))
    const popup = await clickForPopup(page)
    await signInAt(popup)
    expect(await page.evaluate(() => outcome)).toBe(200)
    await closed(popup)

    await page.evaluate(() => inClick(() => statusOf('/transfer', { method: 'POST' })))
    const second = await clickForPopup(page)
    await signInAt(second, { with: 'strong' })
    expect(await page.evaluate(() => outcome)).toBe(200)
    await closed(second)
    expect(read.filter((text) => text.includes('held_by'))).toHaveLength(2)
    expect(read.join()).not.toMatch(SIGNED)
  })

  it('loses no sign-in where a new version of the worker takes over between the answer and the page’s word', async () => {
    await using app = await openApp(bench, { isHeld: true })
    const { page } = await start(bench, app)
    await knock(page, '/orders')
    await arrives(page, () => document.title === 'Sign in')
    // Not before: a navigation looks for one as well.
    await page.exposeFunction('deploy', () => void app.workerVersion++)
    await page.evaluateOnNewDocument(() => {
      const { fetch } = globalThis
      globalThis.fetch = async (...args) => {
        const response = await fetch(...args)
        if (!response.url.endsWith('/token')) return response
        const isReplaced = new Promise((resolve) => {
          navigator.serviceWorker.addEventListener('controllerchange', resolve, { once: true })
        })
        await (globalThis as unknown as Deploying).deploy()
        await (await navigator.serviceWorker.getRegistration())?.update()
        await isReplaced
        return response
      }
    })
    await signInAt(page)
    expect(await comeBack(page)).toEqual({ returned: PAGE, address: '/callback' })
    expect(await statusOfCall(page, '/orders')).toBe(200)
    expect(app.provider.tokenRequests.map(({ status }) => status)).toEqual([200])
  })

  it('a script on the page can begin a sign-in of its own, and trade its code elsewhere', async () => {
    await using app = await openApp(bench, { isHeld: true })
    const { page } = await start(bench, app)
    await knock(page, '/orders')
    await signInAt(page)
    await comeBack(page)
    const [url, begun] = await page.evaluate(async () => {
      const authorizationUrl = String(await oauth.authorizationUrl())
      return [authorizationUrl, sessionStorage.getItem('relatch:sign-ins')] as const
    })
    const { redirectUri, verifier } = JSON.parse(begun ?? '[]').at(-1)
    await page.evaluate(() => {
      sessionStorage.clear()
      localStorage.clear()
    })
    // Before any script of the app, which would take it out of the address.
    await page.evaluateOnNewDocument(() => Object.assign(globalThis, { loot: location.search }))
    await page.goto(url)
    // The server knows its user, and asks at most whether the app may.
    await agreeAt(page)
    await arrives(page, () => location.pathname === '/callback' && 'returned' in globalThis)
    const answer = await page.evaluate(() => (globalThis as unknown as { loot: string }).loot)
    const form = {
      grant_type: 'authorization_code',
      client_id: 'spa',
      code: new URLSearchParams(answer).get('code') ?? '',
      redirect_uri: redirectUri,
      code_verifier: verifier,
      resource: app.api.url,
    }
    const body = new URLSearchParams(form)
    const traded = await fetch(`${app.provider.issuer}/token`, { method: 'POST', body })
    expect(await traded.json()).toHaveProperty('access_token')
  })

  it.each(['redirect', 'popup'] as const)(
    'an ID token that is refused leaves no session in the worker: by %s',
    async (interaction) => {
      await using app = await openApp(bench, { isHeld: true, interaction })
      const { page } = await start(bench, app)
      // The code of another sign-in, with its nonce, would come like this.
      await page.evaluateOnNewDocument(() => {
        for (const key of location.pathname === '/callback' ? Object.keys(sessionStorage) : []) {
          const item = sessionStorage.getItem(key) ?? ''
          sessionStorage.setItem(key, item.replace(/"nonce":"./, '"nonce":"!'))
        }
      })
      if (interaction === 'redirect') {
        await knock(page, '/orders')
        await signInAt(page)
        expect((await comeBack(page)).returned).toBe('unusable-token-response')
      } else {
        await page.evaluate(() => {
          const { open } = window
          // The window is sent on by the page: its nonce is changed on the way.
          window.open = (...args) => {
            const popup = open(...args) as Window
            const close = (): void => popup.close()
            const replace = (url: string): void => popup.location.replace(url.replace(/nonce=./, 'nonce=!'))
            return { close, location: { replace }, closed: false } as unknown as Window
          }
          inClick(() => statusOf('/orders'))
        })
        await signInAt(await clickForPopup(page))
        expect(await page.evaluate(() => outcome)).toBe('unusable-token-response')
      }
      expect(app.provider.tokenRequests.map(({ status }) => status)).toEqual([200])
      expect(await statusOfSession(page)).toBe('signed-out')
    },
  )
})
