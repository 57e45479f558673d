// C2: the tab that refreshes is closed, killed, stopped or frozen. The others go on without it, and nobody is logged out.
import type { Page } from 'puppeteer-core'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import type { AuthServer } from '../../src/testing/index.ts'
import { type Bench, describeBrowsers } from './bench/browsers.ts'
import { processOf, type TabProcess } from './bench/processes.ts'
import { signIn } from './bench/sessions.ts'
import { STORES, type StoreName } from './bench/stores.ts'

/** What a refresh may take, and what its lock may be held for: that, and two seconds for the store. */
const refreshTimeoutMs = 1000
const HOLD_MS = refreshTimeoutMs + 2000
/** Whoever has waited for a holder that is gone, or stopped, took longer; a machine that is busy does not. */
const NO_WAIT_MS = HOLD_MS - 1000

/** Three tabs with one session. There is a trio for each store, and all go through the same at the same time. */
interface Trio {
  store: StoreName
  server: AuthServer
  pages: [Page, Page, Page]
  /** Of the first two. */
  processes: [TabProcess, TabProcess]
}

/** Resolves once a refresh that this tab has started is with the server. */
async function startRefresh({ server }: Trio, tab: Page): Promise<{ answers: Promise<unknown> }> {
  server.expireAccessTokens()
  const answers = tab.evaluate(() => statusesOf(2)).catch(() => 'gone')
  await server.seen(1, { kind: 'refresh' })
  return { answers }
}

/** How long it takes until all calls of these tabs have their answer. */
async function recoveryMs(tabs: Page[]): Promise<number> {
  const start = performance.now()
  const statuses = await Promise.all(tabs.map((tab) => tab.evaluate(() => statusesOf(3))))
  expect(statuses).toEqual(tabs.map(() => [200, 200, 200]))
  return performance.now() - start
}

const locksSeenIn = (tab: Page): Promise<unknown> =>
  tab.evaluate(async () => {
    const { held, pending } = await navigator.locks.query()
    return [...(held ?? []), ...(pending ?? [])].map(({ name }) => name)
  })

const accessTokensIn = async (tabs: Page[]): Promise<Set<unknown>> =>
  new Set(await Promise.all(tabs.map((tab) => tab.evaluate(async () => (await api.tokens())?.accessToken))))

/** Three tabs for each store, signed in. */
async function openTrios(bench: Bench): Promise<Trio[]> {
  // Its tabs are stopped and killed: nobody else's work.
  bench.discard()
  const trios: Trio[] = []
  for (const store of STORES) {
    // A refresh token that was spent may come again here, where a test says so; `refreshes` tells.
    const world = await bench.world({ graceMs: 60_000 })
    const pages = (await bench.tabs(3, world)) as [Page, Page, Page]
    await signIn(pages, store, world.server, { refreshTimeoutMs, refreshRetries: 0 })
    const processes: Trio['processes'] = [
      await processOf(pages[0], bench.browser()),
      await processOf(pages[1], bench.browser()),
    ]
    trios.push({ store, server: world.server, pages, processes })
  }
  return trios
}

/** Runs in all trios at once, with the three pages. */
const forAll = (
  trios: readonly Trio[],
  task: (trio: Trio, ...pages: [Page, Page, Page]) => Promise<void>,
): Promise<unknown> => Promise.all(trios.map((trio) => task(trio, ...trio.pages)))

describeBrowsers('holders', (bench) => {
  let trios: Trio[] = []
  beforeAll(async () => {
    trios = await openTrios(bench)
  })
  beforeEach(() => {
    for (const { server } of trios) server.reset()
  })

  /** Stops the holder in the middle of its refresh, sees the others go on after its hold, and gives what the holder then gets. */
  const stopWhileRefreshing = async (trio: Trio, holder: Page, others: Page[]): Promise<unknown> => {
    const [process] = trio.processes
    trio.server.failRefresh('hang')
    const { answers } = await startRefresh(trio, holder)
    process.stop()
    const tookMs = await recoveryMs(others).finally(process.resume)
    expect(tookMs).toBeGreaterThan(NO_WAIT_MS)
    expect(tookMs).toBeLessThan(HOLD_MS + 1500)
    return answers
  }

  it('C2 a tab that is stopped while it refreshes delays the others by its hold, and later takes over what they got', () =>
    forAll(trios, async (trio, holder, ...others) => {
      const answers = await stopWhileRefreshing(trio, holder, others)
      // It wakes up long after its time: its refresh is over, and what the others got is the session now.
      expect(answers).toEqual([200, 200])
      expect(await recoveryMs([holder, ...others])).toBeLessThan(NO_WAIT_MS)
      expect(trio.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 0 })
      expect(await locksSeenIn(holder)).toEqual([])
    }))

  it('C2 a tab that is stopped before it reads the answer to its refresh does not undo what the others got', () =>
    forAll(trios, async (trio, holder, ...others) => {
      const [process] = trio.processes
      trio.server.failRefresh({ slowMs: 300 })
      const { answers } = await startRefresh(trio, holder)
      process.stop()
      await trio.server.seen(1, { kind: 'refresh', status: 200 })
      await recoveryMs(others).finally(process.resume)
      expect(await answers).toEqual([200, 200])
      expect(await recoveryMs([holder, ...others])).toBeLessThan(NO_WAIT_MS)
      expect((await accessTokensIn([holder, ...others])).size).toBe(1)
      expect(trio.server.stats).toMatchObject({ reuses: 0, logins: 0 })
      expect(await locksSeenIn(holder)).toEqual([])
    }))

  it('C2 without Web Locks a lease does the same', async () => {
    await forAll(trios, async (_trio, ...tabs) => {
      const hideLocks = (): void =>
        void Object.defineProperty(navigator, 'locks', { value: undefined, configurable: true })
      await Promise.all(tabs.map((tab) => tab.evaluate(hideLocks)))
    })
    const outcome = forAll(trios, async (trio, holder, ...others) => {
      const answers = await stopWhileRefreshing(trio, holder, others)
      expect(answers).toEqual([200, 200])
      expect(trio.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 0 })
    })
    await outcome.finally(() =>
      forAll(trios, async (_trio, ...tabs) => {
        await Promise.all(tabs.map((tab) => tab.evaluate(() => Reflect.deleteProperty(navigator, 'locks'))))
      }),
    )
  })
})

describeBrowsers('holders that do not come back', (bench) => {
  let trios: Trio[] = []
  // For each test, and each try of it: tabs that are gone are no use to the next.
  beforeEach(async () => {
    trios = await openTrios(bench)
    for (const { server } of trios) server.reset()
  })

  it('C2 a tab that is closed while it refreshes delays nobody', () =>
    forAll(trios, async (trio, holder, ...others) => {
      trio.server.failRefresh('hang')
      await startRefresh(trio, holder)
      await holder.close()
      expect(await recoveryMs(others)).toBeLessThan(NO_WAIT_MS)
      expect(trio.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 0 })
      expect(await locksSeenIn(others[0])).toEqual([])
    }))

  it('C2 a tab whose process is killed while it refreshes delays nobody', () =>
    forAll(trios, async (trio, _other, holder, last) => {
      const [, process] = trio.processes
      trio.server.failRefresh('hang')
      await startRefresh(trio, holder)
      process.kill()
      expect(await recoveryMs([last])).toBeLessThan(NO_WAIT_MS)
      expect(trio.server.stats).toMatchObject({ refreshes: 1, reuses: 0, logins: 0 })
      expect(await locksSeenIn(last)).toEqual([])
    }))
})
