// relatch/oauth in real browsers against a certified authorization server: sign-in by redirect and by popup, with Bearer tokens and
// with keys that nobody can read out, step-up, sign-out.
import { expect, it } from 'vitest'
import { describeBrowsers, describeEveryBrowser } from './bench/browsers.ts'
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
  refuseAt,
  signInAt,
  statusesOfCalls,
  statusOfCall,
} from './bench/oauth-app.ts'

describeEveryBrowser('sign-in with OAuth by redirect', (bench) => {
  it('leaves, comes back to where it was, survives reloads, steps up, signs out', async () => {
    await using app = await openApp(bench)
    // A page may have such parameters of its own.
    const tab = await openTab(bench, app, '/app?item=3&code=own&state=own#note')
    expect(await tab.evaluate(() => returned)).toBeNull()
    await knock(tab, '/orders')
    await refuseAt(tab)
    expect(await comeBack(tab)).toEqual({ returned: 'authorization-failed', address: '/callback' })
    await tab.goto(`${app.world.origin}${PAGE}`)
    await arrives(tab, () => 'returned' in globalThis)
    await knock(tab, '/orders')
    await signInAt(tab, { ago: 3600 })
    expect(await comeBack(tab)).toEqual({ returned: PAGE, address: '/callback' })
    expect(await statusOfCall(tab, '/orders')).toBe(200)

    await tab.goto(`${app.world.origin}${PAGE}`)
    await arrives(tab, () => 'returned' in globalThis)
    expect(await statusOfCall(tab, '/orders')).toBe(200)
    app.provider.expireAccessTokens()
    expect(await statusesOfCalls(tab, 20)).toEqual(Array(20).fill(200))
    expect(app.provider.tokenRequests.map(({ grantType }) => grantType)).toEqual([
      'authorization_code',
      'refresh_token',
    ])

    await knock(tab, '/transfer', 'POST')
    await signInAt(tab, { with: 'strong' })
    expect((await comeBack(tab)).returned).toBe(PAGE)
    expect(await statusOfCall(tab, '/transfer', 'POST')).toBe(200)
    expect(await tab.evaluate(() => api.snapshot().subject)).toBe('alice')

    await tab.evaluate(() => void oauth.signOut(api)).catch(() => {})
    await arrives(tab, () => document.title === 'Sign out?')
    await press(tab, '[name=logout]')
    await arrives(tab, () => location.pathname === '/signed-out' && 'returned' in globalThis)
    expect(await tab.evaluate(() => api.snapshot().status)).toBe('signed-out')
  })

  it('with DPoP has one key for all tabs, which no script can export, and nonces wherever they are asked for', async () => {
    await using app = await openApp(bench, { isDpop: true })
    const tab = await openTab(bench, app)
    await knock(tab, '/orders')
    await signInAt(tab)
    await comeBack(tab)
    expect(await statusOfCall(tab, '/orders')).toBe(200)
    expect(await tab.evaluate(exportsOfKeys)).toEqual([
      { type: 'private', jwk: 'InvalidAccessError', pkcs8: 'InvalidAccessError' },
    ])

    const other = await openTab(bench, app)
    for (let round = 0; round < 2; round++) {
      app.provider.expireAccessTokens()
      app.provider.rotateNonce()
      app.api.rotateNonce()
      const both = [tab, other].map((one) => statusesOfCalls(one, 10))
      expect((await Promise.all(both)).flat()).toEqual(Array(20).fill(200))
    }
    const granted = app.provider.tokenRequests.filter(({ status }) => status === 200)
    expect(granted.map(({ grantType }) => grantType)).toEqual(['authorization_code', 'refresh_token', 'refresh_token'])
    expect(keysIn(app).size).toBe(1)

    // After a sign-out there is another key, and every tab finds it.
    await tab.evaluate(() => oauth.signOut(api, { navigate: false }))
    await knock(tab, '/orders')
    await agreeAt(tab)
    await comeBack(tab)
    await arrives(other, () => api.snapshot().status === 'signed-in')
    expect(await statusesOfCalls(other, 3)).toEqual([200, 200, 200])
    expect(keysIn(app).size).toBe(2)
  })
})

describeBrowsers('sign-in with OAuth by popup', (bench) => {
  it('a click opens it, what waited goes on, it closes; the same for a step-up', async () => {
    await using app = await openApp(bench, { interaction: 'popup' })
    const tab = await openTab(bench, app)
    // Without a click, as browsers have it.
    await tab.evaluate(() => {
      const { open } = window
      window.open = () => null
      globalThis.parked = Promise.all([statusOf('/orders'), statusOf('/orders')])
      inClick(() => {
        window.open = open
        return oauth.signIn(api)
      })
    })
    await arrives(tab, () => api.snapshot().status === 'login-required')
    const popup = await clickForPopup(tab)
    await signInAt(popup)
    expect(await tab.evaluate(() => parked)).toEqual([200, 200])
    expect(await tab.evaluate(() => outcome)).toBeUndefined()
    await closed(popup)

    await tab.evaluate(() => inClick(() => statusOf('/transfer', { method: 'POST' })))
    const second = await clickForPopup(tab)
    await signInAt(second, { with: 'strong' })
    expect(await tab.evaluate(() => outcome)).toBe(200)
    await closed(second)
    expect(app.api.requests.map(({ status }) => status)).toEqual([401, 401, 200, 200, 401, 200])
    expect(await tab.evaluate(() => location.pathname + location.search + location.hash)).toBe(PAGE)
  })

  it('one that the user closes, or the browser blocks, is no sign-in', async () => {
    await using app = await openApp(bench, { interaction: 'popup' })
    const tab = await openTab(bench, app)
    await tab.evaluate(() => inClick(() => statusOf('/orders')))
    const popup = await clickForPopup(tab)
    await arrives(popup, () => document.title === 'Sign in')
    await popup.close()
    expect(await tab.evaluate(() => outcome)).toBe(401)

    await tab.evaluate(() => {
      window.open = () => null
      inClick(() => oauth.signIn(api).catch(({ code, retryable }) => [code, retryable]))
    })
    await tab.click('#go')
    expect(await tab.evaluate(() => outcome)).toEqual(['authorization-failed', true])
    expect(app.provider.tokenRequests).toEqual([])
  })

  it('L8: no foreign window is listened to, and none gets hold of the page', async () => {
    await using app = await openApp(bench, { interaction: 'popup' })
    const tab = await openTab(bench, app)
    await tab.evaluate(() => inClick(() => statusOf('/orders')))
    const popup = await clickForPopup(tab)
    await arrives(popup, () => document.title === 'Sign in')
    // The server's page, or one that it leads to, knows the state: it is in the address that opened it.
    const [visited] = app.authorizations
    const state = visited?.searchParams.get('state') ?? ''
    expect(state).not.toBe('')
    const opener = await popup.evaluate((known) => {
      const query = `?code=forged&state=${known}`
      const channel = new BroadcastChannel(`relatch-popup:${known}`)
      for (const message of [
        { query },
        query,
        { code: 'forged', state: known },
        { type: 'authorization_response', query },
      ]) {
        window.opener?.postMessage(message, '*')
        channel.postMessage(message)
      }
      channel.close()
      return window.opener === null ? 'none' : 'there'
    }, state)
    expect(opener).toBe('none')
    // Nor is anybody heard who has a hold on the page for another reason: a frame, a window that it opened itself.
    await tab.evaluate((known) => window.postMessage({ query: `?code=forged&state=${known}` }, '*'), state)
    await signInAt(popup)
    expect(await tab.evaluate(() => outcome)).toBe(200)
    expect(app.provider.tokenRequests.map(({ status }) => status)).toEqual([200])
  })

  it('a server whose pages isolate themselves (COOP) can be signed in at', async () => {
    await using app = await openApp(bench, { interaction: 'popup', isIsolated: true })
    const tab = await openTab(bench, app)
    await tab.evaluate(() => {
      // As it is where windows have somebody to look at them: in Chromium without a screen every page has the focus.
      document.hasFocus = () => false
      inClick(() => statusOf('/orders'))
    })
    const popup = await clickForPopup(tab)
    await signInAt(popup)
    expect(await tab.evaluate(() => outcome)).toBe(200)
  })
})

/** The thumbprints of the keys that the API has seen in good use. */
const keysIn = ({ api }: OAuthApp): Set<string | undefined> =>
  new Set(api.requests.filter(({ status }) => status === 200).map(({ jkt }) => jkt))

/** Runs in the page: what comes of an attempt to take the private keys away that this origin keeps. */
async function exportsOfKeys(): Promise<unknown[]> {
  const done = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  const attempts: unknown[] = []
  const look = async (value: unknown): Promise<void> => {
    if (value instanceof CryptoKey) {
      if (value.type !== 'private') return
      const attempt = (format: 'jwk' | 'pkcs8'): Promise<string> =>
        crypto.subtle.exportKey(format, value).then(
          () => 'exported',
          ({ name }) => name,
        )
      attempts.push({ type: value.type, jwk: await attempt('jwk'), pkcs8: await attempt('pkcs8') })
    } else if (typeof value === 'object' && value !== null) {
      for (const member of Object.values(value)) await look(member)
    }
  }
  for (const { name, version } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name ?? '', version))
    for (const store of database.objectStoreNames) {
      await look(await done(database.transaction(store).objectStore(store).getAll()))
    }
    database.close()
  }
  return attempts
}
