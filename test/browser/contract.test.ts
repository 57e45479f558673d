// S1 where the stores live: the contract suite runs in a page, on the built package, and each of its tests is one here too.
import { beforeAll, describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/index.ts'
import { describeTokenStore } from '../../src/testing/index.ts'
import { describeEveryBrowser, type Tab } from './bench/browsers.ts'
import { together } from './bench/sessions.ts'
import { STORES } from './bench/stores.ts'

type Kind = (typeof STORES)[number] | 'sessionStorage'
type Siblings = 'here' | 'in another tab'
type Run = [Kind, Siblings]
type Outcomes = Array<[title: string, failure: string | null]>

declare global {
  var runContract: (kind: Kind, siblings: Siblings, only?: string) => Promise<Outcomes>
  var runGarbage: (kind: Kind, garbage: Record<string, Corrupt>) => Promise<Outcomes>
  var changeRecords: (database: string, change: (record: AnyRecord, key: string) => unknown) => Promise<void>
  var serve: () => void
  /** The store that a tab of the race writes to, and who it is. */
  var racer: { store: TokenStore; name: string; version: number | null }
}

/** Puts garbage where the store of that name keeps its session. Runs in a page. */
type Corrupt = (name: string) => unknown
type AnyRecord = Record<string, unknown>

const PAGE = '/page/contract.js'

const here = (kind: Kind): Run => [kind, 'here']
const elsewhere = (kind: Kind): Run => [kind, 'in another tab']

interface ContractWorld {
  title: string
  path: string
  groups: Run[][]
}

const worldsOf = (name: string): [ContractWorld, ContractWorld] => [
  {
    title: 'with Web Locks',
    path: PAGE,
    // One after the other: a page that runs everything at once is too busy for tests that look at the clock. A sibling in the
    // same page is the easier case, and one engine says enough of it.
    groups: [[...(name === 'chrome' ? STORES.map(here) : []), here('sessionStorage')], STORES.map(elsewhere)],
  },
  { title: 'without Web Locks', path: `${PAGE}?without=locks`, groups: [STORES.map(elsewhere)] },
]

const GARBAGE: Record<(typeof STORES)[number], Record<string, Corrupt>> = {
  webStorage: {
    'storage that somebody has cleared': (key) => {
      for (const each of Object.keys(localStorage)) if (each.startsWith(key)) localStorage.removeItem(each)
    },
    'sessions that are no JSON': (key) => {
      for (const each of Object.keys(localStorage))
        if (each !== key && each.startsWith(key)) localStorage.setItem(each, '{"vers')
    },
    'sessions of another shape': (key) => {
      for (const each of Object.keys(localStorage))
        if (each.startsWith(key)) localStorage.setItem(each, '{"version":5}')
    },
    'a token that would split a header': (key) => {
      const session = { sessionId: 'session-1', version: 5, tokens: { accessToken: 'a\r\nCookie: b' } }
      const text = JSON.stringify(session)
      for (const each of Object.keys(localStorage))
        if (each !== key && each.startsWith(key)) localStorage.setItem(each, text)
    },
    'a record that is a text': (key) => changeRecords('relatch', (record, id) => (id.includes(key) ? 'text' : record)),
    'a record without a stamp': (key) => changeRecords('relatch', (record, id) => (id.includes(key) ? {} : record)),
    'a record with a stamp that nobody made': (key) =>
      changeRecords('relatch', (record, id) => (id.includes(key) ? { stamp: 'forged' } : record)),
    'no record': (key) => changeRecords('relatch', (record, id) => (id.includes(key) ? undefined : record)),
  },
  indexedDb: {
    'records that are null': (name) => changeRecords(name, () => null),
    'records of another shape': (name) => changeRecords(name, () => ({ stamp: 'forged' })),
    'a ciphertext with one byte flipped': (name) =>
      changeRecords(name, (record) => {
        if (record.data instanceof ArrayBuffer)
          new DataView(record.data).setUint8(9, ~new DataView(record.data).getUint8(9))
        return record
      }),
    'a ciphertext that was cut short': (name) =>
      changeRecords(name, ({ data, ...rest }) =>
        data instanceof ArrayBuffer ? { ...rest, data: data.slice(0, 20) } : { ...rest, data },
      ),
    'a number in the place of the ciphertext': (name) =>
      changeRecords(name, (record) => ('data' in record ? { ...record, data: 5, iv: 5 } : record)),
    'a key record of another shape': (name) =>
      changeRecords(name, (record) => ('data' in record ? record : { stamp: 'forged', key: 'a text' })),
    'the key of somebody else': async (name) => {
      const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt'])
      await changeRecords(name, (record) => ('data' in record ? record : { ...record, key }))
    },
    'no key': (name) => changeRecords(name, (record) => ('data' in record ? record : undefined)),
    'no records': (name) => changeRecords(name, () => undefined),
  },
  sharedTabs: {
    'a record without a stamp': (name) => changeRecords('relatch', (record, id) => (id.includes(name) ? {} : record)),
    'a record with a stamp that nobody made': (name) =>
      changeRecords('relatch', (record, id) => (id.includes(name) ? { stamp: 'forged' } : record)),
    'no record': (name) => changeRecords('relatch', (record, id) => (id.includes(name) ? undefined : record)),
  },
}

describeEveryBrowser('the contract', (bench) => {
  const worlds = worldsOf(bench.name)
  const outcomes = new Map<string, string | null>()
  const tabs = new Map<ContractWorld, Tab>()
  const runAll = async (world: ContractWorld): Promise<void> => {
    const { title, path, groups } = world
    const [tab, other] = await bench.tabs(2, await bench.world(), path)
    tabs.set(world, tab)
    await other.evaluate(() => serve())
    for (const runs of groups) {
      const ends = runs.map((run) => tab.evaluate((...args) => runContract(...args), ...run))
      for (const [index, each] of (await Promise.all(ends)).entries()) {
        for (const [test, failure] of each) outcomes.set(`${title} ${runs[index]} ${test}`, failure)
      }
    }
  }
  const runAllGarbage = async (): Promise<void> => {
    const tab = await bench.tab(await bench.world(), PAGE)
    const run = async (kind: Kind, garbage: Record<string, Corrupt>): Promise<void> => {
      // Functions travel as text.
      const texts = Object.entries(garbage).map(([title, corrupt]) => `${JSON.stringify(title)}: ${corrupt}`)
      const ends = await tab.evaluate(`runGarbage('${kind}', { ${texts} })`)
      for (const [title, failure] of ends as Outcomes) outcomes.set(`${kind} ${title}`, failure)
    }
    await Promise.all(STORES.map((kind) => run(kind, GARBAGE[kind])))
  }
  const again = async (world: ContractWorld, run: Run, test: string): Promise<void> => {
    const ends = await tabs.get(world)?.evaluate((...args) => runContract(...args), ...run, test)
    for (const [, failure] of ends ?? []) outcomes.set(`${world.title} ${run} ${test}`, failure)
  }
  // Two at a time, in pages of their own: for the most part they wait.
  beforeAll(() => Promise.all([runAll(worlds[0]), runAll(worlds[1]).then(runAllGarbage)]))

  describe.each(worlds)('$title', (world) => {
    describe.each(world.groups.flat())('%s, the sibling %s', (...run) => {
      it.for(titles())('%s', async (test, { task }) => {
        // A second try has the page to itself.
        if (task.result?.retryCount) await again(world, run, test)
        expect(outcomes.get(`${world.title} ${run} ${test}`)).toBeNull()
      })
    })
  })

  describe('garbage', () => {
    const all = STORES.flatMap((kind) => Object.keys(GARBAGE[kind]).map((title) => `${kind} ${title}`))
    it.each(all)('S1 in %s', (title) => expect(outcomes.get(title)).toBeNull())
  })

  it.each(STORES)('S1 %s: of 50 writers in two tabs one wins, 5 rounds', async (kind) => {
    const tabs = await bench.tabs(2, await bench.world())
    for (const [index, tab] of tabs.entries()) {
      await tab.evaluate(
        (make, name) => {
          racer = { store: relatch[make](), name, version: null }
        },
        `${kind}Store` as const,
        `tab-${index}`,
      )
    }
    for (let round = 1; round <= 5; round++) {
      const ready = tabs.map((tab) =>
        tab.evaluate(async () => {
          racer.version = (await racer.store.read())?.version ?? null
        }),
      )
      await Promise.all(ready)
      const wins = await together(tabs, async () => {
        const { store, name, version } = racer
        const write = async (index: number): Promise<string[]> => {
          const accessToken = `${name}-${index}`
          const next = { sessionId: 'session-1', version: (version ?? 0) + 1 + index, tokens: { accessToken } }
          return (await store.write(next, version)) ? [accessToken] : []
        }
        return (await Promise.all(Array.from({ length: 25 }, (_, index) => write(index)))).flat()
      })
      const winner = wins.flat()[0]
      const read = await Promise.all(
        tabs.map((tab) => tab.evaluate(async () => (await racer.store.read())?.tokens?.accessToken)),
      )
      expect({ round, winners: wins.flat(), read }).toEqual({ round, winners: [winner], read: [winner, winner] })
    }
  })

  it('S1 webStorage: a removal leaves what rests under longer keys alone', async () => {
    const tab = await bench.tab(await bench.world())
    const left = await tab.evaluate(async () => {
      const [one, two] = [relatch.webStorageStore(), relatch.webStorageStore({ key: 'relatch:admin' })]
      const session = { sessionId: 'session-1', version: 1, tokens: { accessToken: 'access-1' } }
      for (const store of [one, two]) await store.write(session, null)
      await one.write(null, 1)
      return [
        await one.read(),
        (await two.read())?.tokens,
        Object.keys(localStorage).every((key) => key.includes('admin')),
      ]
    })
    expect(left).toEqual([null, { accessToken: 'access-1' }, true])
  })

  it.each(STORES)('S1 %s: a database that is deleted under it is gone at once, and made anew', async (kind) => {
    const world = await bench.world()
    const [first, second] = await bench.tabs(2, world)
    const make = `${kind}Store` as const
    const write = { sessionId: 'session-1', version: 1, tokens: { accessToken: 'access-1' } }
    const open = (name: typeof make): void => {
      racer = { store: relatch[name](), name: '', version: null }
    }
    for (const tab of [first, second]) await tab.evaluate(open, make)
    expect(await first.evaluate((next) => racer.store.write(next, null), write)).toBe(true)
    for (const tab of [first, second]) expect(await tab.evaluate(() => racer.store.read())).toEqual(write)
    const deleted = await second.evaluate(async () => {
      const deleting = indexedDB.deleteDatabase('relatch')
      return new Promise((resolve) => {
        deleting.onsuccess = () => resolve('deleted')
        deleting.onblocked = () => setTimeout(resolve, 1000, 'blocked')
      })
    })
    expect(deleted).toBe('deleted')
    const third = await bench.tab(world)
    await third.evaluate(open, make)
    // The first look of web storage is at the copy, and may be old.
    await third.evaluate(() => racer.store.read())
    for (const tab of [first, second, third]) expect(await tab.evaluate(() => racer.store.read())).toBeNull()
    expect(await third.evaluate((next) => racer.store.write(next, null), write)).toBe(true)
    for (const tab of [first, second, third]) expect(await tab.evaluate(() => racer.store.read())).toEqual(write)
  })
})

/** What the suite registers: titles that begin with S1. */
function titles(): string[] {
  const registered: string[] = []
  const runner = {
    describe: (_: string, define: () => void) => define(),
    it: (title: string) => registered.push(title),
  }
  describeTokenStore('', () => ({ read: () => null, write: () => false }), runner)
  return registered
}
