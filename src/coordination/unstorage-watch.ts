/**
 * Changes in an unstorage: one watch for all stores on a storage object, since unstorage mistakes one that begins while another
 * ends. What it hears are hints, as far as the driver gives any; who listens looks for itself. It never rejects.
 */
import { notify } from '../events.ts'
import type { UnstorageLike } from './unstorage-judge.ts'

interface Hub {
  /** By key. */
  readonly listeners: Map<string, Set<() => void>>
  /** Begins and ends of the watch, one after the other. */
  turns: Promise<unknown>
  end: (() => unknown) | undefined
}

const hubs = new WeakMap<UnstorageLike, Hub>()

/** Tells that something may have changed under `key`. Returns what ends it. */
export function watchKey(storage: UnstorageLike, key: string, listener: () => void): () => void {
  const hub = hubs.get(storage) ?? { listeners: new Map(), turns: Promise.resolve(), end: undefined }
  hubs.set(storage, hub)
  const told = (): void => listener()
  const ofKey = hub.listeners.get(key) ?? new Set()
  hub.listeners.set(key, ofKey.add(told))
  settle(storage, hub)
  return () => {
    ofKey.delete(told)
    if (ofKey.size === 0 && hub.listeners.get(key) === ofKey) hub.listeners.delete(key)
    settle(storage, hub)
  }
}

/** Has the watch begin or end, whichever is due once those before have done. */
function settle(storage: UnstorageLike, hub: Hub): void {
  const { listeners } = hub
  const begin = async (): Promise<void> => {
    if (!storage.watch) return
    hub.end = await storage.watch((_event, changed) => ring(hub, changed))
    // Drivers do not tell of what came while they began.
    for (const key of listeners.keys()) ring(hub, key)
  }
  const finish = async (): Promise<void> => {
    const { end } = hub
    hub.end = undefined
    await end?.()
  }
  const change = async (): Promise<unknown> => (listeners.size > 0 ? (hub.end ?? begin()) : finish())
  hub.turns = hub.turns.then(change).catch(() => {})
}

/** The key may have the base of a `prefixStorage` in front. */
function ring({ listeners }: Hub, changed: string): void {
  const parts = String(changed).split(':')
  for (const index of parts.keys()) {
    for (const listener of [...(listeners.get(parts.slice(index).join(':')) ?? [])]) notify(listener)
  }
}
