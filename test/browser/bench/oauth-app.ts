/** An app of pages/oauth.js with an authorization server and an API of its own, and what a person does on the server's pages. */
import type { Page } from 'puppeteer-core'
import { startApi, type TestApi } from '../../helpers/oidc-api.ts'
import { startProvider, type TestProvider } from '../../helpers/oidc-provider.ts'
import type { AnyBench, Tab } from './browsers.ts'
import { page, type World } from './page-server.ts'
import { workerScript } from './worker-script.ts'

export interface OAuthApp extends AsyncDisposable {
  readonly world: World
  readonly provider: TestProvider
  readonly api: TestApi
  /** Of the service worker's script: another one is an update. */
  workerVersion: number
  /** The authorization requests that have come. */
  readonly authorizations: readonly URL[]
}

export interface AppOptions {
  isDpop?: boolean
  interaction?: 'redirect' | 'popup'
  /** Whether the server's pages cut every tie to other windows (Cross-Origin-Opener-Policy). */
  isIsolated?: boolean
  /** Whether a service worker has the session (pages/oauth-worker.ts). */
  isHeld?: boolean
}

/** What the server writes into the pages of the app, as `settings`. */
export interface AppSettings extends Required<Pick<AppOptions, 'isDpop' | 'interaction' | 'isHeld'>> {
  issuer: string
  apiUrl: string
  clientId: string
}

export async function openApp(bench: AnyBench, options: AppOptions = {}): Promise<OAuthApp> {
  const { isDpop = false, interaction = 'redirect', isIsolated = false, isHeld = false } = options
  let settings: AppSettings | undefined
  const handle = (): Response => page('oauth.js', { settings })
  const route = { isPublic: true, handle }
  const world = await bench.world({
    routes: {
      ...{ 'GET /app': route, 'GET /callback': route, 'GET /signed-out': route },
      'GET /worker.js': {
        isPublic: true,
        handle: () => workerScript('oauth-worker.ts', { settings, version: app.workerVersion }),
      },
    },
  })
  // Another site than the app, as authorization servers are: `localhost` and `127.0.0.1` share no cookies.
  const provider = await startProvider({ appOrigin: world.origin, host: 'localhost' })
  const authorizations: URL[] = []
  provider.intercept = ({ url = '' }, response) => {
    if (url.startsWith('/auth?')) authorizations.push(new URL(url, provider.issuer))
    if (isIsolated) response.setHeader('cross-origin-opener-policy', 'same-origin')
    return false
  }
  const api = await startApi(provider, { isDpop })
  settings = {
    issuer: provider.issuer,
    apiUrl: api.url,
    clientId: isDpop ? 'spa-dpop' : 'spa',
    isDpop,
    interaction,
    isHeld,
  }
  const app: OAuthApp = {
    world,
    provider,
    api,
    workerVersion: 1,
    authorizations,
    async [Symbol.asyncDispose]() {
      await api.close()
      await provider.close()
    },
  }
  return app
}

/** Resolves when the tab shows the page that `is` it, in the tab's own words. */
export async function arrives(tab: Tab, is: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  // A page that leaves takes the question along.
  while (!(await tab.evaluate(is).catch(() => false))) {
    if (performance.now() > deadline) {
      const place = await tab.evaluate(() => `${location.pathname}: ${document.title}`).catch(String)
      throw new Error(`Expected ${is}, and it is ${place}`)
    }
  }
}

/** Presses a button of the page; the page may be gone before it can say so. */
export const press = async (tab: Tab, selector: string): Promise<void> => {
  await tab.evaluate((button) => document.querySelector<HTMLElement>(button)?.click(), selector).catch(() => {})
}

export interface Login {
  account?: string
  with?: 'login' | 'strong'
  ago?: number
}

/** Signs in and agrees, on the server's pages. */
export async function signInAt(
  tab: Tab,
  { account = 'alice', with: how = 'login', ago = 0 }: Login = {},
): Promise<void> {
  await arrives(tab, () => document.title === 'Sign in' && document.readyState === 'complete')
  await tab.evaluate(
    (name, seconds) => {
      const [accountField, agoField] = document.querySelectorAll('input')
      if (accountField) accountField.value = name
      if (agoField) agoField.value = seconds
    },
    account,
    String(ago),
  )
  await press(tab, `[value=${how}]`)
  await agreeAt(tab)
}

export async function agreeAt(tab: Tab): Promise<void> {
  await arrives(tab, () => document.title === 'Allow it?' && document.readyState === 'complete')
  await press(tab, '[value=consent]')
}

export async function refuseAt(tab: Tab): Promise<void> {
  await arrives(tab, () => document.title === 'Sign in' && document.readyState === 'complete')
  await press(tab, '[value=deny]')
}

/** Where the app is left for a sign-in. */
export const PAGE = '/app?item=3#note'

/** Where the app is after a sign-in by redirect: what handleCallback said, and what the address still shows. */
export async function comeBack(tab: Tab): Promise<{ returned: string | null; address: string }> {
  await arrives(tab, () => location.pathname === '/callback' && 'returned' in globalThis)
  return tab.evaluate(async () => ({
    returned: await returned,
    address: location.pathname + location.search + location.hash,
  }))
}

/** A tab on a page of the app, once its script has run. */
export async function openTab<T extends Tab>(bench: AnyBench<T>, app: OAuthApp, path: string = PAGE): Promise<T> {
  const tab = await bench.tab(app.world, path)
  await arrives(tab, () => 'returned' in globalThis)
  return tab
}

/** The window that comes of a real click. */
export async function clickForPopup(tab: Page): Promise<Page> {
  const opened = new Promise<Page | null>((resolve) => void tab.once('popup', resolve))
  await tab.click('#go')
  const popup = await opened
  if (popup === null) throw new Error('Expected a popup')
  return popup
}

/** What a call in the page brings, where the page may leave before it has. */
export const knock = async (tab: Tab, path: string, method: string = 'GET'): Promise<void> => {
  await tab.evaluate((place, how) => void statusOf(place, { method: how }), path, method).catch(() => {})
}

export const statusesOfCalls = (tab: Tab, count: number): Promise<Array<number | string>> =>
  tab.evaluate((calls) => Promise.all(Array.from({ length: calls }, () => statusOf('/orders'))), count)

export const statusOfCall = (tab: Tab, path: string, method: string = 'GET'): Promise<number | string> =>
  tab.evaluate((place, how) => statusOf(place, { method: how }), path, method)

export async function closed(popup: Page): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!popup.isClosed()) {
    if (performance.now() > deadline) throw new Error('Expected the popup to close')
    await new Promise((later) => setTimeout(later, 20))
  }
}
