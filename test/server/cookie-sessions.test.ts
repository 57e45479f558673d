// Sessions in cookies over real HTTP: a web app with one AuthFetch a request, on a server that revokes everything when a refresh
// token comes twice.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type AuthServer, createAuthServer } from '../../src/testing/index.ts'
import { type CookieApp, CookieBrowser, startCookieApp } from '../helpers/cookie-app.ts'

const ROUNDS = 50
const PARALLEL = 5

let auth: AuthServer
let app: CookieApp

beforeAll(async () => {
  auth = createAuthServer()
  app = await startCookieApp(auth, (await auth.listen()).url)
})
afterAll(async () => {
  await app[Symbol.asyncDispose]()
  await auth.close()
})

const all = <T>(count: number, value: T): T[] => Array<T>(count).fill(value)

async function signedIn(user: string): Promise<CookieBrowser> {
  const browser = new CookieBrowser(app.url)
  await browser.ask(`/login/${user}`, {})
  auth.reset()
  app.failures.length = 0
  return browser
}

const asks = (browser: CookieBrowser, path: string, count: number = PARALLEL): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => browser.ask(path)))

it(`C1 ${PARALLEL} requests of one browser × ${ROUNDS} expiries: one refresh each, no replay`, async () => {
  const browser = await signedIn('viewer')
  for (let round = 1; round <= ROUNDS; round++) {
    auth.expireAccessTokens()
    expect(await asks(browser, '/me')).toEqual(all(PARALLEL, 'viewer'))
    expect([auth.stats.refreshAttempts, auth.stats.refreshes, auth.stats.reuses]).toEqual([round, round, 0])
  }
  expect(app.failures).toEqual([])
})

it(`C1 a request that comes late with the old cookie gets the new tokens, in ${ROUNDS} expiries`, async () => {
  const browser = await signedIn('viewer')
  for (let round = 1; round <= ROUNDS; round++) {
    const old = new Map(browser.kept)
    auth.expireAccessTokens()
    await browser.ask('/me')
    const late = new CookieBrowser(app.url)
    for (const [name, value] of old) late.kept.set(name, value)
    expect(await late.ask('/me')).toBe('viewer')
    // And has a new cookie again, whichever answer came last.
    expect([...late.kept]).not.toEqual([...old])
  }
  expect([auth.stats.refreshes, auth.stats.reuses]).toEqual([ROUNDS, 0])
  expect(app.failures).toEqual([])
})

it('R11 a refresh in a response that has begun is not lost: the next request that may set the cookie does', async () => {
  const browser = await signedIn('viewer')
  for (let round = 1; round <= 5; round++) {
    const before = [...browser.kept]
    auth.expireAccessTokens()
    expect(await asks(browser, '/page')).toEqual(all(PARALLEL, '<p>viewer'))
    // Nothing could be set, and nothing was lost.
    expect([...browser.kept]).toEqual(before)
    expect(await browser.ask('/me')).toBe('viewer')
    expect([...browser.kept]).not.toEqual(before)
    expect([auth.stats.refreshAttempts, auth.stats.reuses]).toEqual([round, 0])
  }
  expect(app.failures).toEqual([])
})

it('R12 C3 a sign-out wins over the requests that are under way, and over those that come late', async () => {
  const browser = await signedIn('viewer')
  const old = new Map(browser.kept)
  auth.expireAccessTokens()
  await Promise.all([...Array.from({ length: PARALLEL }, () => browser.ask('/me')), browser.ask('/logout', {})])
  // Those that were under way may have set their cookie after the sign-out took it away: it is worth nothing.
  expect(await browser.ask('/me')).toBe('401')
  const late = new CookieBrowser(app.url)
  for (const [name, value] of old) late.kept.set(name, value)
  expect(await late.ask('/me')).toBe('401')
  expect(auth.stats.reuses).toBe(0)
})

it('two browsers are two sessions, whoever they are', async () => {
  const [viewer, admin] = [await signedIn('viewer'), await signedIn('admin')]
  for (let round = 1; round <= 10; round++) {
    auth.expireAccessTokens()
    const answers = await Promise.all([viewer, admin].map((browser) => asks(browser, '/me')))
    expect(answers).toEqual([all(PARALLEL, 'viewer'), all(PARALLEL, 'admin')])
    expect([auth.stats.refreshes, auth.stats.reuses]).toEqual([2 * round, 0])
  }
  await viewer.ask('/logout', {})
  expect([await viewer.ask('/me'), await admin.ask('/me')]).toEqual(['401', 'admin'])
})
