// A store of another tab, as if it were here: both tabs run real stores, and messages carry the calls and what became of them.

const channel = new BroadcastChannel('remote-store')
const stores = new Map()
/** The locks that are held or waited for on behalf of another tab, by id. */
const locks = new Map()
/** The calls that another tab works on, by id. */
const calls = new Map()

/** Works for the other tabs from now on. `make(kind, name)` makes a store. */
export function serveStores(make) {
  channel.onmessage = async ({ data: { id, kind, name, method, args, isAborted } }) => {
    if (method === 'end' || method === 'abort') return locks.get(id)?.[method]()
    const store = stores.get(name) ?? make(kind, name)
    stores.set(name, store)
    const work = method === 'lock' ? lock(store, id, args[0], isAborted) : store[method](...args)
    await Promise.resolve(work).then(
      (value) => channel.postMessage({ id, state: 'done', value }),
      (error) => channel.postMessage({ id, state: 'failed', error: String(error) }),
    )
  }
}

async function lock(store, id, options, isAborted) {
  const leaving = new AbortController()
  if (isAborted) leaving.abort()
  const task = () =>
    new Promise((end) => {
      locks.set(id, { end })
      channel.postMessage({ id, state: 'run' })
    })
  locks.set(id, { abort: () => leaving.abort() })
  return store.lock(task, { ...options, signal: leaving.signal }).finally(() => locks.delete(id))
}

/** The store of that kind and name in the tab that serves. */
export function remoteStore(kind, name) {
  channel.onmessage = ({ data: { id, state, ...rest } }) => calls.get(id)?.[state](rest)
  const call = (method, args, run = () => {}, { signal, settle = (value) => value } = {}) =>
    new Promise((resolve, reject) => {
      const id = crypto.randomUUID()
      calls.set(id, {
        run: () => run(id),
        // Async: what `settle` throws is what the call rejects with.
        done: async ({ value }) => resolve((async () => settle(value))()),
        failed: ({ error }) => reject(signal?.aborted ? signal.reason : new Error(error)),
      })
      signal?.addEventListener('abort', () => channel.postMessage({ id, method: 'abort' }))
      channel.postMessage({ id, kind, name, method, args, isAborted: signal?.aborted })
    })
  return {
    read: () => call('read', []),
    write: (next, expectedVersion) => call('write', [next, expectedVersion]),
    lock(task, { signal, ...options }) {
      let outcome
      const run = async (id) => {
        outcome = task()
        await outcome.catch(() => {})
        channel.postMessage({ id, method: 'end' })
      }
      return call('lock', [options], run, { signal, settle: () => outcome })
    },
  }
}
