// T3 and what else happens to pages behind their back: frozen, without a network, unseen, left and come back to.
import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { type Bench, describeBrowsers } from './bench/browsers.ts'
import type { World } from './bench/page-server.ts'
import { becomes, begin, openSessions, signIn } from './bench/sessions.ts'
import { STORES } from './bench/stores.ts'

const refreshTimeoutMs = 1000
const HOLD_MS = refreshTimeoutMs + 2000

/** A session whose token has expired, and which has given up on refreshing it for now. */
async function openDiscouraged(tab: Page, { server }: World, breakDown: () => Promise<unknown>): Promise<void> {
  await openSessions([tab], 'indexedDb', { refreshRetries: 0 })
  await tab.evaluate((tokens) => api.signIn(tokens), server.signIn('viewer', { ttlMs: 200 }))
  await tab.evaluate(() => expiry())
  await breakDown()
  const failed = { event: 'refresh-failed', verdict: 'transient' }
  for (let call = 0; call < 4; call++) expect(await tab.evaluate(() => statusesOf(1))).toEqual(['refresh-unavailable'])
  // Four calls, and two attempts: it has stopped asking.
  expect(await tab.evaluate(() => heard.filter(({ event }) => event === 'refresh-failed'))).toMatchObject([
    failed,
    failed,
  ])
}

/** Takes the network from a tab, and gives it back. */
async function networkOf({ name }: Bench, tab: Page): Promise<(isOnline: boolean) => Promise<unknown>> {
  if (name === 'firefox') return (isOnline) => tab.setOfflineMode(!isOnline)
  // Puppeteer's own needs the network events that the bench does without. What one session has set, only it can undo.
  const session = await tab.createCDPSession()
  await session.send('Network.enable')
  const unlimited = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 }
  return (isOnline) => session.send('Network.emulateNetworkConditions', { offline: !isOnline, ...unlimited })
}

/** Like the user's back button; a page that was kept fires no load event, which puppeteer would wait for. */
async function goBack(tab: Page, path: string): Promise<void> {
  await tab.evaluate(() => setTimeout(() => history.back()))
  const where = (): Promise<string> => tab.evaluate(() => `${location.pathname} ${document.readyState}`).catch(String)
  await expect.poll(where, { timeout: 10_000 }).toBe(`${path} complete`)
}

describeBrowsers('waking', (bench) => {
  it('T3 a tab that was offline calls again as soon as it is online, whatever it had given up', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    const setOnline = await networkOf(bench, tab)
    await openDiscouraged(tab, world, () => setOnline(false))
    const online = tab.evaluate(() => new Promise((resolve) => addEventListener('online', () => resolve(true))))
    await setOnline(true)
    await online
    expect(await tab.evaluate(() => statusesOf(2))).toEqual([200, 200])
    expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })
  })

  it('T3 a tab that is looked at again asks again, whatever it had given up', async () => {
    const world = await bench.world()
    const [tab, another] = await bench.tabs(2, world)
    await another.bringToFront()
    await openDiscouraged(tab, world, async () => {
      world.server.down = true
    })
    world.server.down = false
    const visible = tab.evaluate(
      () => new Promise((resolve) => document.addEventListener('visibilitychange', () => resolve(true))),
    )
    await tab.bringToFront()
    await visible
    expect(await tab.evaluate(() => statusesOf(2))).toEqual([200, 200])
    expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })
  })

  it.each(STORES)('C2 %s: a page that is left while it refreshes delays nobody', async (store) => {
    const world = await bench.world()
    const [tab, another] = await bench.tabs(2, world)
    await signIn([tab, another], store, world.server, { refreshTimeoutMs })
    world.server.expireAccessTokens()
    world.server.failRefresh('hang')
    void tab.evaluate(() => statusesOf(1)).catch(() => {})
    await world.server.seen(1, { kind: 'refresh' })
    await tab.goto(`${world.origin}/page/elsewhere.js`)
    const start = performance.now()
    expect(await another.evaluate(() => statusesOf(2))).toEqual([200, 200])
    expect(performance.now() - start).toBeLessThan(1000)
    await goBack(tab, '/page')
    if (await tab.evaluate(() => globalThis.api === undefined)) await openSessions([tab], store)
    expect(await tab.evaluate(() => statusesOf(2))).toEqual([200, 200])
    expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })
  })
})

// Only Chromium can be told to freeze a tab, and is seen to keep a page that is left while it is driven.
describeBrowsers(
  'freezing',
  (bench) => {
    const setFrozen = async (tab: Page, isFrozen: boolean): Promise<void> => {
      const session = await tab.createCDPSession()
      await session.send('Page.setWebLifecycleState', { state: isFrozen ? 'frozen' : 'active' })
      await session.detach()
    }

    it.each(STORES)(
      'C2 %s: a page that comes back from the back/forward cache goes on with its session',
      async (store) => {
        const world = await bench.world()
        const [tab, another] = await bench.tabs(2, world)
        await signIn([tab, another], store, world.server)
        await tab.goto(`${world.origin}/page/elsewhere.js`)
        await goBack(tab, '/page')
        // As it was: nobody has opened the session anew.
        expect(await tab.evaluate(() => statusesOf(2))).toEqual([200, 200])

        // A message takes a page out of that cache: then it is loaded anew.
        await tab.goto(`${world.origin}/page/elsewhere.js`)
        world.server.expireAccessTokens()
        expect(await another.evaluate(() => statusesOf(2))).toEqual([200, 200])
        await goBack(tab, '/page')
        if (await tab.evaluate(() => globalThis.api === undefined)) await openSessions([tab], store)
        expect(await tab.evaluate(() => statusesOf(2))).toEqual([200, 200])
        expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })
      },
    )

    it.each(STORES)('T3 %s: a frozen tab catches up with what the others did when it wakes', async (store) => {
      const world = await bench.world()
      const [tab, another] = await bench.tabs(2, world)
      await signIn([tab, another], store, world.server)
      await setFrozen(tab, true)
      world.server.expireAccessTokens()
      expect(await another.evaluate(() => statusesOf(2))).toEqual([200, 200])
      await setFrozen(tab, false)
      expect(await tab.evaluate(() => statusesOf(2))).toEqual([200, 200])
      expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })

      await setFrozen(tab, true)
      await another.evaluate(() => api.signOut())
      await setFrozen(tab, false)
      await becomes([tab], 'signed-out')
    })

    it('C2 a tab that is frozen while it refreshes delays the others by its hold, and is not logged out', async () => {
      const outcomes = STORES.map(async (store) => {
        const world = await bench.world()
        const [tab, another] = await bench.tabs(2, world)
        await openSessions([tab, another], store, { refreshTimeoutMs, refreshRetries: 0 })
        await begin([tab, another], world.server)
        world.server.expireAccessTokens()
        world.server.failRefresh('hang')
        const calls = tab.evaluate(() => statusesOf(2))
        await world.server.seen(1, { kind: 'refresh' })
        await setFrozen(tab, true)
        const start = performance.now()
        expect(await another.evaluate(() => statusesOf(2))).toEqual([200, 200])
        expect(performance.now() - start).toBeLessThan(HOLD_MS + 1500)
        await setFrozen(tab, false)
        expect(await calls).toEqual([200, 200])
        expect(world.server.stats).toMatchObject({ refreshes: 1, reuses: 0 })
      })
      await Promise.all(outcomes)
    })
  },
  ['chrome'],
)
