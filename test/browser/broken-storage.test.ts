// S2 in browsers: whatever becomes of the storage under a session, the session goes on in memory. Nobody waits long, one event
// says so, and nothing goes to the console (the bench sees to that).
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Browser, LaunchOptions } from 'puppeteer-core'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import type { SessionSnapshot } from '../../src/index.ts'
import type { AuthServer } from '../../src/testing/index.ts'
import { describeEveryBrowser, describeIn, type Tab } from './bench/browsers.ts'
import { BROWSERS, type BrowserName, launch } from './bench/launch.ts'
import { openWorld, type World } from './bench/page-server.ts'
import { STORES, type StoreName } from './bench/stores.ts'

/** Breaks something in a page, before the session is opened there. Runs in the page. */
type Break = () => void | Promise<void>

interface Breakage {
  title: string
  stores: readonly StoreName[]
  breaks: Break
}

/** What stores cannot do without. */
const BREAKAGES: Breakage[] = [
  {
    title: 'storage that throws at every call',
    stores: STORES,
    breaks: () => {
      const fail = (): never => {
        throw new DOMException('Broken on purpose', 'UnknownError')
      }
      Object.assign(Storage.prototype, { getItem: fail, setItem: fail, removeItem: fail, key: fail })
      IDBFactory.prototype.open = fail
    },
  },
  {
    title: 'storage that may not even be looked at',
    stores: STORES,
    breaks: () => {
      const get = (): never => {
        throw new DOMException('The operation is insecure', 'SecurityError')
      }
      for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) Object.defineProperty(window, name, { get })
    },
  },
  {
    title: 'localStorage that is full to the brim',
    stores: ['webStorage'],
    breaks: () => {
      let filling = 'x'.repeat(2 ** 20)
      for (let index = 0; filling !== ''; index++) {
        try {
          localStorage.setItem(`filling-${index}`, filling)
        } catch {
          filling = filling.slice(filling.length / 2 + 1)
        }
      }
    },
  },
  {
    title: 'an IndexedDB that takes no more records',
    stores: STORES,
    breaks: () => {
      IDBObjectStore.prototype.put = () => {
        throw new DOMException('Broken on purpose', 'QuotaExceededError')
      }
    },
  },
  {
    title: 'an IndexedDB that takes back what it has written',
    stores: STORES,
    breaks: () => {
      const { put } = IDBObjectStore.prototype
      IDBObjectStore.prototype.put = function (...args) {
        const request = put.apply(this, args)
        request.onsuccess = () => this.transaction.abort()
        return request
      }
    },
  },
  {
    title: 'an IndexedDB of that name which is somebody else’s',
    stores: STORES,
    breaks: () =>
      new Promise((resolve) => {
        const opening = indexedDB.open('relatch', 7)
        opening.onupgradeneeded = () => void opening.result.createObjectStore('theirs')
        opening.onsuccess = () => resolve(opening.result.close())
      }),
  },
  {
    title: 'an IndexedDB that never opens, since somebody waits to delete it',
    stores: STORES,
    breaks: () =>
      new Promise((resolve) => {
        const opening = indexedDB.open('relatch')
        opening.onupgradeneeded = () => void opening.result.createObjectStore('relatch')
        // It stays open, and the deletion waits for it, and everybody else for the deletion.
        opening.onsuccess = () => {
          indexedDB.deleteDatabase('relatch').onblocked = () => resolve()
        }
      }),
  },
  {
    title: 'no IndexedDB',
    stores: STORES,
    breaks: () => void Object.defineProperty(window, 'indexedDB', { value: undefined }),
  },
  {
    title: 'no crypto.subtle',
    stores: ['indexedDb'],
    breaks: () => void Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined }),
  },
]

/** What they can do without, and nobody has to be told. */
const NUISANCES: Breakage[] = [
  {
    title: 'no crypto.subtle',
    stores: ['webStorage', 'sharedTabs'],
    breaks: () => void Object.defineProperty(Crypto.prototype, 'subtle', { value: undefined }),
  },
  {
    title: 'no BroadcastChannel',
    stores: STORES,
    breaks: () => void Object.defineProperty(window, 'BroadcastChannel', { value: undefined }),
  },
  {
    title: 'a BroadcastChannel that may not be opened',
    stores: STORES,
    breaks: () => {
      window.BroadcastChannel = class extends EventTarget {
        constructor() {
          super()
          throw new DOMException('The operation is insecure', 'SecurityError')
        }
      } as never
    },
  },
  {
    title: 'no Web Locks',
    stores: STORES,
    breaks: () => void Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }),
  },
  {
    title: 'Web Locks that are refused',
    stores: STORES,
    breaks: () => {
      const refuse = (): Promise<never> => Promise.reject(new DOMException('Not allowed here', 'SecurityError'))
      Object.assign(LockManager.prototype, { request: refuse, query: refuse })
    },
  },
]

/** A line for each store: a title, and what goes with it. */
const each = (breakages: Breakage[], word: 'on' | 'with'): Array<[title: string, store: StoreName, breaks: Break]> =>
  breakages.flatMap(({ title, stores, breaks }) =>
    stores.map((store): [string, StoreName, Break] => [`${store} ${word} ${title}`, store, breaks]),
  )

/** How long whoever calls may wait for a store that is broken, and a second for the busiest of machines. */
const LIMIT_MS = 2000
const CALLS = 10

interface Life {
  /** Of calls after the sign-in, and of calls after the server has expired the token. */
  statuses: Array<number | string>
  isQuick: boolean
  refreshes: number
  reuses: number
  /** After the sign-out. */
  end: SessionSnapshot['status']
  failures: unknown[]
}

const GOOD: Life = {
  statuses: Array(2 * CALLS).fill(200),
  isQuick: true,
  refreshes: 1,
  reuses: 0,
  end: 'signed-out',
  failures: [],
}
const ONE_FAILURE = [{ operation: expect.any(String), reason: expect.stringMatching(/^(threw|timed-out)$/) }]

/** A session from sign-in to sign-out, with a refresh in between. */
async function liveThrough(tab: Tab, server: AuthServer, store: StoreName): Promise<Life> {
  server.reset()
  const first = await tab.evaluate(
    async (name, tokens, count) => {
      const startedAt = performance.now()
      openSession(name)
      await api.signIn(tokens)
      const statuses = await statusesOf(count)
      return { statuses, ms: performance.now() - startedAt }
    },
    store,
    server.signIn('viewer'),
    CALLS,
  )
  server.expireAccessTokens()
  const second = await tab.evaluate(async (count) => {
    const startedAt = performance.now()
    const statuses = await statusesOf(count)
    return { statuses, ms: performance.now() - startedAt }
  }, CALLS)
  const last = await tab.evaluate(async () => {
    const tokens = await api.tokens()
    const startedAt = performance.now()
    await api.signOut()
    const ms = performance.now() - startedAt
    const told = JSON.stringify(heard)
    const isTold = [tokens?.accessToken, tokens?.refreshToken].some(
      (secret) => secret === undefined || told.includes(secret),
    )
    const failures = heard.filter(({ event }) => event === 'store-failed')
    return { ms, isTold, end: api.snapshot().status, failures: failures.map(({ event, at, ...rest }) => rest) }
  })
  expect(last.isTold).toBe(false)
  return {
    statuses: [...first.statuses, ...second.statuses],
    isQuick: Math.max(first.ms, second.ms, last.ms) < LIMIT_MS,
    refreshes: server.stats.refreshes,
    reuses: server.stats.reuses,
    end: last.end,
    failures: last.failures,
  }
}

describeEveryBrowser('broken storage', (bench) => {
  let world: World
  let tab: Tab
  beforeAll(async () => {
    world = await bench.world()
    tab = await bench.tab(world)
  })
  // A page that is loaded again is whole again, and nobody is left who keeps a database open.
  beforeEach(async () => {
    await tab.reload()
    await tab.evaluate(async () => {
      localStorage.clear()
      const deleting = indexedDB.deleteDatabase('relatch')
      await new Promise((resolve) => {
        deleting.onsuccess = resolve
      })
    })
  })

  it.each(each(BREAKAGES, 'on'))('S2 %s', async (_, store, breaks) => {
    await tab.evaluate(breaks)
    expect(await liveThrough(tab, world.server, store)).toEqual({ ...GOOD, failures: ONE_FAILURE })
  })

  it.each(each(NUISANCES, 'with'))('S2 %s', async (_, store, breaks) => {
    await tab.evaluate(breaks)
    expect(await liveThrough(tab, world.server, store)).toEqual(GOOD)
  })

  it('S2 a store that works again gets what memory has kept for it, and tells the other tabs', async () => {
    const [other] = await bench.tabs(2, world)
    await other.evaluate(() => openSession('indexedDb'))
    await tab.evaluate(async (tokens) => {
      const { put } = IDBObjectStore.prototype
      IDBObjectStore.prototype.put = () => {
        throw new DOMException('Broken on purpose', 'QuotaExceededError')
      }
      openSession('indexedDb')
      await api.signIn(tokens)
      await hearing('store-failed')
      IDBObjectStore.prototype.put = put
    }, world.server.signIn('viewer'))
    expect(await other.evaluate(() => hearing('signed-in'))).toMatchObject({ where: 'elsewhere' })
    expect(await other.evaluate(() => statusesOf(1))).toEqual([200])
  })
})

/** Not by our hands but by the browser's: every look at storage is a SecurityError. */
const BLOCKED: Record<BrowserName, (folder: string) => LaunchOptions> = {
  chrome(userDataDir) {
    const preferences = { profile: { default_content_setting_values: { cookies: 2 } } }
    mkdirSync(path.join(userDataDir, 'Default'))
    writeFileSync(path.join(userDataDir, 'Default/Preferences'), JSON.stringify(preferences))
    return { userDataDir }
  },
  firefox: () => ({ extraPrefsFirefox: { 'network.cookie.cookieBehavior': 2 } }),
}

for (const name of BROWSERS) {
  describeIn(name)(`a browser whose user has blocked all storage (${name})`, () => {
    let folder: string
    let browser: Browser
    let tab: Tab
    let world: World
    const reports: unknown[] = []
    beforeAll(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'relatch-'))
      browser = await launch(name, BLOCKED[name](folder))
      world = await openWorld()
      const page = await browser.newPage()
      page.on('console', (message) => {
        // Chromium's own line for each 401.
        if (!message.text().startsWith('Failed to load resource')) reports.push(message.text())
      })
      page.on('pageerror', (error) => reports.push(String(error)))
      await page.goto(`${world.origin}/page`)
      tab = page
    })
    afterAll(async () => {
      await browser.close()
      await world.server.close()
      rmSync(folder, { recursive: true })
    })

    it.each(STORES)('S2 %s', async (store) => {
      const isBlocked = await tab.evaluate(() => {
        try {
          return localStorage === undefined
        } catch (error) {
          return error instanceof DOMException && error.name === 'SecurityError'
        }
      })
      expect(isBlocked).toBe(true)
      expect(await liveThrough(tab, world.server, store)).toEqual({ ...GOOD, failures: ONE_FAILURE })
      expect(reports).toEqual([])
    })
  })
}
