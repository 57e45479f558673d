// The contract suite of token stores, to be run in a page: `runContract`. `?without=locks` leaves the page without Web Locks.
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { sharedTabsStore } from 'relatch/stores/shared-tabs'
import { webStorageStore } from 'relatch/stores/web-storage'
import { describeTokenStore } from 'relatch/testing'
import { remoteStore, serveStores } from './remote-store.js'

if (new URLSearchParams(location.search).get('without') === 'locks') {
  Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })
}

const KINDS = {
  webStorage: {
    make: (key) => webStorageStore({ key }),
    corrupt: (key) => localStorage.setItem(key, '{"sessionId":"session-1","version":5,"tok'),
  },
  sessionStorage: {
    make: (key) => webStorageStore({ key, storage: sessionStorage }),
    corrupt: (key) => sessionStorage.setItem(key, '{"sessionId":"session-1","version":5,"tok'),
  },
  indexedDb: {
    make: (name) => indexedDbStore({ name }),
    corrupt: (name) => changeRecords(name, () => 'garbage'),
  },
  sharedTabs: {
    make: (channel) => sharedTabsStore({ channel }),
    corrupt: (channel) => changeRecords('relatch', (record, key) => (key.includes(channel) ? 'garbage' : record)),
  },
}
const make = (kind, name) => KINDS[kind].make(name)

/** Lets another tab use the stores of this one. */
globalThis.serve = () => serveStores(make)

/**
 * All tests, or the one with that title, each on a medium of its own: [title, what went wrong or null]. The sibling is a store
 * in this tab, or in the one that serves.
 */
globalThis.runContract = async (kind, siblings = 'here', only = undefined) => {
  const cases = casesOf(() => {
    const name = crypto.randomUUID()
    return {
      store: make(kind, name),
      sibling: () => (siblings === 'here' ? make : remoteStore)(kind, name),
      corrupt: () => KINDS[kind].corrupt(name),
    }
  })
  // Those of watch and of the lock have little time, and those that race for writing leave others little.
  const turnOf = (title) => ['S1 watch', 'S1 lock'].findIndex((each) => title.startsWith(each))
  const outcomes = []
  for (const turn of [-1, 0, 1]) {
    const some = cases.filter(([title]) => title === (only ?? title) && turnOf(title) === turn)
    outcomes.push(...(await Promise.all(some.map(async ([title, run]) => [title, await outcomeOf(run)]))))
  }
  return outcomes
}

/** The test of garbage alone, with garbage of several kinds: [what kind, what went wrong or null]. */
globalThis.runGarbage = (kind, garbage) =>
  Promise.all(
    Object.entries(garbage).map(async ([title, corrupt]) => {
      const name = crypto.randomUUID()
      const cases = casesOf(() => ({ store: make(kind, name), corrupt: () => corrupt(name) }))
      const [, run] = cases.find(([each]) => each.startsWith('S1 garbage'))
      return [title, await outcomeOf(run)]
    }),
  )

function casesOf(makeStore) {
  const cases = []
  const runner = { describe: (_, define) => define(), it: (...each) => cases.push(each) }
  describeTokenStore('', makeStore, runner)
  return cases
}

const outcomeOf = (run) =>
  run().then(
    () => null,
    (error) => String(error),
  )

/** Puts something else in the place of each record of a database; undefined removes it. */
globalThis.changeRecords = (database, change) =>
  new Promise((resolve, reject) => {
    const opening = indexedDB.open(database)
    opening.onerror = reject
    opening.onsuccess = () => {
      const transaction = opening.result.transaction([...opening.result.objectStoreNames], 'readwrite')
      for (const name of opening.result.objectStoreNames) {
        transaction.objectStore(name).openCursor().onsuccess = ({ target: { result: cursor } }) => {
          if (!cursor) return
          const next = change(cursor.value, cursor.key)
          if (next === undefined) cursor.delete()
          else cursor.update(next)
          cursor.continue()
        }
      }
      transaction.oncomplete = resolve
      transaction.onabort = reject
    }
  })
