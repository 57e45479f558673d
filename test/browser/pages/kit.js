// What a page of the tests starts with: the built package, every part of it, and a session on the store that is asked for.
// Plain JavaScript, served as it is; its types are in ../bench/page-globals.ts. Does nothing until it is called.
import * as core from 'relatch'
import { createWorkerAuthFetch } from 'relatch/service-worker'
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { sharedTabsStore } from 'relatch/stores/shared-tabs'
import { webStorageStore } from 'relatch/stores/web-storage'

globalThis.relatch = { ...core, indexedDbStore, sharedTabsStore, webStorageStore }

const stores = { webStorage: webStorageStore, indexedDb: indexedDbStore, sharedTabs: sharedTabsStore }
const EVENTS = ['refreshed', 'refresh-failed', 'adopted', 'recovered', 'denied', 'login-required', 'signed-in']
EVENTS.push('signed-out', 'not-replayed', 'store-failed')

/** Makes `api` on a store, and writes down what it tells in `heard`. */
globalThis.openSession = (store, options = {}) => {
  globalThis.api?.dispose()
  use(core.createAuthFetch({ refresh: refresh(), store: stores[store](), ...options }))
}

/** The same with the session in the service worker, where there is one. */
globalThis.openWorkerSession = (options = {}) => {
  globalThis.api?.dispose()
  use(createWorkerAuthFetch({ worker: '/worker.js', refresh: refresh(), store: indexedDbStore(), ...options }))
}

const refresh = () => core.refreshEndpoint({ url: '/token', clientId: 'web' })

function use(api) {
  globalThis.api = api
  globalThis.heard = []
  for (const event of EVENTS) {
    api.on(event, (payload) => {
      globalThis.heard.push({ event, at: Date.now(), ...payload })
      for (const retry of [...listeners]) retry()
    })
  }
}

const listeners = new Set()
/** Resolves with what an event told, once it is among `heard`. */
globalThis.hearing = (event) =>
  new Promise((resolve) => {
    const retry = () => {
      const found = globalThis.heard.find((entry) => entry.event === event)
      if (!found) return
      listeners.delete(retry)
      resolve(found)
    }
    listeners.add(retry)
    retry()
  })

let calls = 0
/**
 * The statuses of so many calls, made at once; what rejected is there by its code or name. No two go to one URL: Chromium's
 * cache would send them one after the other.
 */
globalThis.statusesOf = (count, path = '/me') =>
  Promise.all(
    Array.from({ length: count }, () =>
      globalThis.api(`${path}?call=${performance.timeOrigin}-${calls++}`).then(
        async (response) => {
          await response.arrayBuffer()
          return response.status
        },
        (error) => error.code ?? error.name,
      ),
    ),
  )

/** Resolves when the session has that status. */
globalThis.statusIs = (status) =>
  new Promise((resolve) => {
    const check = () => {
      if (globalThis.api.snapshot().status !== status) return
      unsubscribe()
      resolve()
    }
    const unsubscribe = globalThis.api.subscribe(check)
    check()
  })

/** Resolves when the current access token has expired. */
globalThis.expiry = () =>
  new Promise((resolve) => setTimeout(resolve, globalThis.api.snapshot().expiresAt - Date.now() + 1))

/** Gets ready, says so by resolving, and runs `task` when another tab (or this one) calls out `go`. Its result: `outcome`. */
globalThis.prepare = (task) => {
  globalThis.outcome = new Promise((resolve, reject) => {
    const channel = new BroadcastChannel('bench')
    channel.onmessage = () => {
      channel.close()
      task().then(resolve, reject)
    }
  })
}

/** Counts how often the page looks which session stands, until somebody says 'end' on its channel. The count: `looks`. */
globalThis.countLooks = (name) => {
  const { get } = IDBObjectStore.prototype
  let count = 0
  IDBObjectStore.prototype.get = function (...args) {
    // The record has the name of the channel.
    if (args[0] === name) count++
    return get.apply(this, args)
  }
  globalThis.looks = new Promise((resolve) => {
    const channel = new BroadcastChannel(name)
    channel.onmessage = ({ data }) => {
      if (data?.end !== true) return
      channel.close()
      IDBObjectStore.prototype.get = get
      resolve(count)
    }
  })
}

/** All that the origin keeps, as one text: what an injected script, or whoever copies the disk, would find. */
globalThis.dumpStorage = async () => {
  const texts = [JSON.stringify(localStorage), JSON.stringify(sessionStorage)]
  for (const { name, version } of await indexedDB.databases()) {
    const database = await done(indexedDB.open(name, version))
    for (const store of database.objectStoreNames) {
      const objects = database.transaction(store).objectStore(store)
      texts.push(textOf(await done(objects.getAllKeys())), textOf(await done(objects.getAll())))
    }
    database.close()
  }
  return texts.join('\n')
}

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })

/** Bytes as text, so that a search finds what is in them. */
const textOf = (value) =>
  JSON.stringify(value, (_key, member) => {
    if (member instanceof ArrayBuffer) return new TextDecoder('latin1').decode(member)
    if (ArrayBuffer.isView(member)) return new TextDecoder('latin1').decode(member)
    return member instanceof CryptoKey ? { algorithm: member.algorithm, extractable: member.extractable } : member
  })
