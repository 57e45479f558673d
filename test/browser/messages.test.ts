// C4: what tabs say to each other. It carries no tokens where it need not, and whoever forges it gets nothing by it.
import { beforeAll, beforeEach, expect, it } from 'vitest'
import type { AuthServer } from '../../src/testing/index.ts'
import { howOften } from '../helpers/extent.ts'
import { describeEveryBrowser, type Tab } from './bench/browsers.ts'
import { becomes, heardIn, hearNothing, openSessions, signIn } from './bench/sessions.ts'
import { STORES, type StoreName } from './bench/stores.ts'

const CHANNELS: Record<StoreName, string> = {
  webStorage: 'relatch:web-storage:relatch',
  indexedDb: 'relatch:indexeddb:relatch',
  sharedTabs: 'relatch:shared-tabs:relatch',
}

const FORGED = howOften(10_000, 2_000)

describeEveryBrowser('messages', (bench) => {
  let server: AuthServer
  let tabs: [Tab, Tab, ...Tab[]]
  let stranger: Tab
  beforeAll(async () => {
    const world = await bench.world()
    server = world.server
    tabs = await bench.tabs(2, world)
    stranger = await bench.tab(world, '/page/stranger.js')
  })
  beforeEach(() => server.reset())

  it.each(STORES)('C4 %s: no message carries a token, but those of sharedTabs', async (store) => {
    const [one, two] = tabs
    await stranger.evaluate((name) => overhear(name), CHANNELS[store])
    await signIn(tabs, store, server)
    const secrets: string[] = []
    const note = async (tab: Tab): Promise<void> => {
      const tokens = await tab.evaluate(() => api.tokens())
      secrets.push(tokens?.accessToken ?? '', tokens?.refreshToken ?? '')
    }
    await note(two)
    server.expireAccessTokens()
    expect(await two.evaluate(() => statusesOf(2))).toEqual([200, 200])
    await note(two)
    await one.evaluate(() => api.signOut())
    await becomes([two], 'signed-out')
    const messages = await stranger.evaluate(() => overheard())
    expect(messages.length).toBeGreaterThanOrEqual(3)
    expect(new Set(secrets).size).toBe(4)
    const told = secrets.filter((secret) => messages.join().includes(secret))
    expect(told).toEqual(store === 'sharedTabs' ? secrets : [])
  })

  it('C4 sharedTabs: a session under an empty stamp is no session, and nobody answers it', async () => {
    await signIn(tabs, 'sharedTabs', server)
    await stranger.evaluate((name) => overhear(name), CHANNELS.sharedTabs)
    await stranger.evaluate(async (name) => {
      const channel = new BroadcastChannel(name)
      channel.postMessage({ stamp: '', session: { sessionId: 's', version: 1, tokens: { accessToken: 'forged' } } })
      // Long enough for a storm to be seen.
      await new Promise((resolve) => setTimeout(resolve, 100))
      channel.close()
    }, CHANNELS.sharedTabs)
    expect((await stranger.evaluate(() => overheard())).length).toBeLessThanOrEqual(1)
  })

  it.each(STORES)(`C4 %s: ${FORGED} forged messages change nothing and cost one look a second`, async (store) => {
    await signIn(tabs, store, server)
    const before = await tabs[0].evaluate(async () => [api.snapshot(), await api.tokens()])
    await Promise.all(tabs.map(hearNothing))
    server.reset()
    await tabs[0].evaluate((name) => countLooks(name), CHANNELS[store])
    const tookMs = await stranger.evaluate((name, count) => forge(name, count), CHANNELS[store], FORGED)
    const count = await tabs[0].evaluate(() => looks)
    expect(count).toBeLessThanOrEqual(1 + tookMs / 1000)
    expect(await tabs[0].evaluate(async () => [api.snapshot(), await api.tokens()])).toEqual(before)
    // That the store was slow for a moment may be heard: a thousand messages at once keep any page busy.
    const heardOf = (tab: Tab): Promise<unknown[]> =>
      tab.evaluate(() => heard.filter(({ event }) => event !== 'store-failed'))
    expect(await Promise.all(tabs.map(heardOf))).toEqual([[], []])
    expect(server.requests).toEqual([])
    // A tab that comes now finds the session, and what is true is still heard.
    await openSessions([tabs[1]], store)
    expect(await tabs[1].evaluate(() => statusesOf(1))).toEqual([200])
    await tabs[1].evaluate(() => api.signOut())
    await becomes(tabs, 'signed-out')
  })

  it('C4 sharedTabs: a forged session does not take the place of the one that stands, whatever it says of itself', async () => {
    await signIn(tabs, 'sharedTabs', server)
    await stranger.evaluate((name) => overhear(name), CHANNELS.sharedTabs)
    server.expireAccessTokens()
    expect(await tabs[1].evaluate(() => statusesOf(1))).toEqual([200])
    await heardIn(tabs[0], 'adopted')
    const before = await tabs[0].evaluate(() => api.tokens())
    // It has heard the stamp and the session, and says that there are newer tokens under that very stamp.
    await stranger.evaluate(() => forgeNewer())
    expect(await tabs[0].evaluate(() => api.tokens())).toEqual(before)
    expect(await tabs[0].evaluate(() => statusesOf(1))).toEqual([200])
  })
})
