// C3, L2: what happens in one tab happens in all, at once: sign-out, sign-in, and the calls that wait for one.
import { beforeAll, beforeEach, expect, it } from 'vitest'
import type { AuthServer } from '../../src/testing/index.ts'
import { describeEveryBrowser, type Tab } from './bench/browsers.ts'
import { becomes, begin, heardIn, hearNothing, openSessions, signIn, together } from './bench/sessions.ts'
import { STORES, type StoreName } from './bench/stores.ts'

/** Seen: 5 to 20 ms. What waits for a pause, or for a timer of a background tab, takes a second. */
const AT_ONCE_MS = 500

describeEveryBrowser('tabs', (bench) => {
  let server: AuthServer
  let tabs: [Tab, Tab, ...Tab[]]
  beforeAll(async () => {
    const world = await bench.world({ idToken: true })
    server = world.server
    tabs = await bench.tabs(4, world)
  })
  beforeEach(() => server.reset())
  /** As with an app that shows a dialog: its calls wait until somebody signs in. */
  const openWithDialog = (tab: Tab, store: StoreName): Promise<void> =>
    tab.evaluate((name) => openSession(name, { onLoginRequired: () => new Promise(() => {}) }), store)

  it.each(STORES)('C3 %s: a sign-out in one tab signs out all of them, at once', async (store) => {
    const [first, ...others] = tabs
    await signIn(tabs, store, server)
    const refreshToken = await first.evaluate(async () => (await api.tokens())?.refreshToken ?? '')
    const at = await first.evaluate(async () => {
      const now = Date.now()
      await api.signOut()
      return now
    })
    for (const tab of others) {
      const { at: heardAt, reason } = await heardIn(tab, 'signed-out')
      expect(reason).toBe('elsewhere')
      expect(heardAt - at).toBeLessThan(AT_ONCE_MS)
      expect(await tab.evaluate(() => api.tokens())).toBeNull()
      expect(await tab.evaluate(() => statusesOf(1))).toEqual([401])
    }
    expect(await first.evaluate(() => dumpStorage())).not.toContain(refreshToken)
    expect(server.stats.refreshAttempts).toBe(0)
  })

  it.each(STORES)(
    'C3 %s: a sign-in in one tab reaches all of them, at once, also right after a refresh',
    async (store) => {
      const [first, ...others] = tabs
      await signIn(tabs, store, server)
      for (let round = 0; round < 5; round++) {
        server.expireAccessTokens()
        await together(tabs, () => statusesOf(2))
        await Promise.all(tabs.map(hearNothing))
        const at = await first.evaluate((tokens) => {
          const now = Date.now()
          return api.signIn(tokens).then(() => now)
        }, server.signIn('admin'))
        for (const tab of others) expect((await heardIn(tab, 'signed-in')).at - at).toBeLessThan(AT_ONCE_MS)
        expect(await Promise.all(others.map((tab) => tab.evaluate(() => statusesOf(1, '/admin'))))).toEqual([
          [200],
          [200],
          [200],
        ])
      }
    },
  )

  it.each(STORES)(
    'L2 %s: calls that are parked in two tabs resume when the user signs in in a third',
    async (store) => {
      const [one, two, three] = tabs
      await openSessions(tabs, store)
      await Promise.all([openWithDialog(one, store), openWithDialog(two, store)])
      await begin(tabs, server)
      await Promise.all(tabs.map(hearNothing))
      server.revokeSession('viewer')

      const parked = [one.evaluate(() => statusesOf(2))]
      await becomes([one], 'login-required')
      // A call that it sends before it has heard of the end is answered with its 401.
      await heardIn(two, 'signed-out')
      parked.push(two.evaluate(() => statusesOf(2)))
      await becomes([one, two], 'login-required')
      const at = await (three ?? one).evaluate((tokens) => {
        const now = Date.now()
        return api.signIn(tokens).then(() => now)
      }, server.signIn('viewer'))
      expect(await Promise.all(parked)).toEqual([
        [200, 200],
        [200, 200],
      ])
      for (const tab of [one, two]) {
        const signedIn = await tab.evaluate(() => heard.findLast(({ event }) => event === 'signed-in')?.at ?? 0)
        expect(signedIn - at).toBeLessThan(AT_ONCE_MS)
      }
    },
  )

  it.each(STORES)('L2 %s: calls that are parked for one user do not resume as another', async (store) => {
    const [one, two] = tabs
    await openSessions(tabs, store)
    await openWithDialog(one, store)
    await begin(tabs, server)
    server.revokeSession('viewer')
    const parked = one.evaluate(() => statusesOf(2))
    await becomes([one], 'login-required')
    await two.evaluate((tokens) => api.signIn(tokens), server.signIn('admin'))
    expect(await parked).toEqual([401, 401])
    expect(server.requests.filter(({ path, status }) => path === '/me' && status === 200)).toEqual([])
    // What it calls from now on is the other user's.
    expect(await one.evaluate(() => statusesOf(1, '/admin'))).toEqual([200])
  })
})
