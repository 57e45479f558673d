// Logging in again where it happens: real navigations, the back button, and a second tab.
import { expect, it } from 'vitest'
import { describeBrowsers, describeEveryBrowser, type Tab } from './bench/browsers.ts'
import { becomes, openSessions } from './bench/sessions.ts'
import { STORES } from './bench/stores.ts'

const PAGE = '/page?item=3#note'
/** Another page of the tests is the login page. */
const LOGIN = `/page/kit.js?returnTo=${encodeURIComponent(PAGE)}`

/** Resolves when that tab has come there, and its kit with it. */
async function arrives(tab: Tab, path: string): Promise<void> {
  const where = (): string =>
    'prepare' in globalThis ? location.pathname + location.search + location.hash : 'still on the way'
  const deadline = performance.now() + 10_000
  let place = ''
  while (place !== path) {
    if (performance.now() > deadline) throw new Error(`Expected ${path}, and it is ${place}`)
    // A page that leaves takes the question along.
    place = await tab.evaluate(where).catch(String)
  }
}

/** An app that was loaded just now, as every page of a site is. */
const loadApp = (tab: Tab): Promise<void> =>
  tab.evaluate(() => openSession('webStorage', { onLoginRequired: relatch.loginRedirect({ to: '/page/kit.js' }) }))

/** Does in that tab what makes its page leave, which may take the answer along. */
const leave = async (tab: Tab, task: () => void): Promise<void> => {
  await tab.evaluate(task).catch(() => {})
}

describeEveryBrowser('login', (bench) => {
  it('L1 L3 100 calls navigate once; after two rounds in a minute the loop ends, and a reload does not begin it again', async () => {
    const world = await bench.world()
    const tab = await bench.tab(world, '/page?item=3&code=abc&state=xyz#note')
    for (let round = 1; round <= 2; round++) {
      await loadApp(tab)
      await leave(tab, () => void statusesOf(100))
      await arrives(tab, LOGIN)
      expect(await world.server.seen(round, { path: '/page/kit.js' })).toHaveLength(round)
      // The login page may ask who is there.
      await loadApp(tab)
      expect(await tab.evaluate(() => statusesOf(3))).toEqual([401, 401, 401])
      await leave(tab, () => {
        location.assign(relatch.safeReturnTo(new URLSearchParams(location.search).get('returnTo')))
      })
      await arrives(tab, PAGE)
    }
    await loadApp(tab)
    expect(await tab.evaluate(() => statusesOf(100))).toEqual(Array(100).fill('login-loop'))
    await tab.reload()
    await arrives(tab, PAGE)
    await loadApp(tab)
    expect(await tab.evaluate(() => statusesOf(3))).toEqual(Array(3).fill('login-loop'))
    expect(world.server.requests.filter(({ path }) => path === '/page/kit.js')).toHaveLength(2)
    // Another tab has not been anywhere yet.
    const another = await bench.tab(world, PAGE)
    await loadApp(another)
    await leave(another, () => void statusesOf(1))
    await arrives(another, LOGIN)
  })

  it.each(STORES)('L2 C3 %s: a login in tab B sends the form that waits in tab A', async (store) => {
    const world = await bench.world()
    const [one, two] = await bench.tabs(2, world, PAGE)
    await one.evaluate((name) => {
      const onLoginRequired = relatch.loginRedirect({ to: '/page/kit.js', navigate: () => {} })
      openSession(name, { onLoginRequired })
      globalThis.outcome = api('/echo', { method: 'POST', body: 'what I typed' }).then((response) => response.json())
    }, store)
    await becomes([one], 'login-required')
    await openSessions([two], store)
    await two.evaluate((tokens) => api.signIn(tokens), world.server.signIn('viewer'))
    expect(await one.evaluate(() => outcome)).toMatchObject({ text: 'what I typed' })
    expect(world.server.requests.filter(({ path }) => path === '/echo').map(({ status }) => status)).toEqual([401, 200])
    expect(world.server.stats).toMatchObject({ refreshAttempts: 0 })
  })
})

// Of a browser that is driven, only Chromium has been seen to keep a page in its back/forward cache.
describeBrowsers(
  'login and back',
  (bench) => {
    it('L3 the back button, after no login: what waited gets its 401', async () => {
      const world = await bench.world()
      const tab = await bench.tab(world, PAGE)
      await loadApp(tab)
      await tab.evaluate(() => {
        globalThis.outcome = statusesOf(3)
      })
      await arrives(tab, LOGIN)
      await leave(tab, () => history.back())
      await arrives(tab, PAGE)
      expect(await tab.evaluate(() => outcome)).toEqual([401, 401, 401])
      // And the next call may go there again.
      await leave(tab, () => void statusesOf(1))
      await arrives(tab, LOGIN)
    })
  },
  ['chrome'],
)
