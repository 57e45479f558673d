// The contract suite is tested like any other code: each fault in a store has to be noticed by the test that is there for it.
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/ports.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { describeTokenStore, type StoreUnderTest } from '../../src/testing/index.ts'
import { brokenStores } from './broken-stores.ts'
import { emptyShelf, shelfStore } from './shelf-store.ts'

describe('a store that', () => {
  // All at once: the faults of locks take their time to show.
  const runs = brokenStores.map((store) => ({ ...store, failures: failuresOf(store.make) }))
  for (const { fault, failing, failures: run } of runs) {
    it(`S1 ${fault} does not pass`, async () => {
      const failures = await run
      const unnoticed = failing.filter((title) => !failures.some((failure) => failure.startsWith(`S1 ${title}`)))
      expect(unnoticed).toEqual([])
    })
  }
})

it('S1 every test of the suite notices at least one of these faults', async () => {
  const titles = registered(() => memoryStore()).map(([title]) => title)
  const aims = brokenStores.flatMap(({ failing }) => failing)
  expect(titles.filter((title) => !aims.some((aim) => title.startsWith(`S1 ${aim}`)))).toEqual([])
})

it('S1 a good store passes, as a bare store and with a sibling', async () => {
  const withSibling = (): StoreUnderTest => {
    const shelf = emptyShelf()
    return { store: shelfStore(shelf), sibling: async () => shelfStore(shelf) }
  }
  expect(await failuresOf(() => shelfStore())).toEqual([])
  expect(await failuresOf(withSibling)).toEqual([])
})

it('cleans up after each test, failed ones too', async () => {
  let cleanups = 0
  const make = (): StoreUnderTest => ({
    store: { read: () => Promise.reject(new Error('broken')), write: () => false },
    cleanup: () => void cleanups++,
  })
  await failuresOf(make)
  expect(cleanups).toBe(registered(make).length)
})

type Make = () => TokenStore | StoreUnderTest | Promise<TokenStore | StoreUnderTest>

/** What the suite registers with a runner. */
function registered(make: Make): Array<[title: string, body: () => Promise<void>]> {
  const tests: Array<[string, () => Promise<void>]> = []
  describeTokenStore('a store', make, {
    describe: (_title: string, body: () => void) => body(),
    it: (title: string, body: () => Promise<void>) => tests.push([title, body]),
  })
  return tests
}

/** The titles of the tests that a store fails. All run at once: each has a medium of its own. */
async function failuresOf(make: Make): Promise<string[]> {
  const outcomes = await Promise.all(
    registered(make).map(([title, body]) =>
      body().then(
        () => [],
        () => [title],
      ),
    ),
  )
  return outcomes.flat()
}
