// A store as a user would write it from the port alone: text on a shelf, with a watch and a lock. Several stores may share a shelf.
import type { LockOptions, TokenStore } from '../../src/ports.ts'

/** The medium. */
export interface Shelf {
  text: string | null
  listeners: Set<() => void>
  holder: Place | null
  queue: Place[]
}

/** A place in the queue for the lock, or at its head. */
interface Place {
  holdMs: number
  begin: () => void
}

export const emptyShelf = (): Shelf => ({ text: null, listeners: new Set(), holder: null, queue: [] })

export function shelfStore(shelf: Shelf = emptyShelf()): Required<TokenStore> {
  const read: () => ReturnType<typeof parse> = () => parse(shelf.text)
  return {
    read,
    write(next, expectedVersion) {
      if ((read()?.version ?? null) !== expectedVersion) return false
      shelf.text = next && JSON.stringify(next)
      for (const listener of [...shelf.listeners]) queueMicrotask(() => ignoreErrors(listener))
      return true
    },
    watch(listener) {
      const own = (): void => listener()
      shelf.listeners.add(own)
      return () => void shelf.listeners.delete(own)
    },
    async lock(task, options) {
      const place = await takePlace(shelf, options)
      try {
        return await task()
      } finally {
        leave(shelf, place)
      }
    },
  }
}

function parse(text: string | null) {
  try {
    const value = JSON.parse(text ?? 'null')
    return Number.isSafeInteger(value?.version) ? value : null
  } catch {
    return null
  }
}

function ignoreErrors(listener: () => void): void {
  try {
    listener()
  } catch {}
}

function takePlace(shelf: Shelf, { waitMs, holdMs, signal }: LockOptions): Promise<Place> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const giveUp = (): void => {
      clearTimeout(patience)
      shelf.queue = shelf.queue.filter((each) => each !== place)
      reject(signal?.reason)
    }
    const place: Place = {
      holdMs,
      begin() {
        clearTimeout(patience)
        signal?.removeEventListener('abort', giveUp)
        resolve(place)
      },
    }
    const patience = setTimeout(() => enter(shelf, place), waitMs)
    signal?.addEventListener('abort', giveUp)
    if (shelf.holder) shelf.queue.push(place)
    else enter(shelf, place)
  })
}

function enter(shelf: Shelf, place: Place): void {
  shelf.queue = shelf.queue.filter((each) => each !== place)
  shelf.holder = place
  setTimeout(() => leave(shelf, place), place.holdMs).unref()
  place.begin()
}

function leave(shelf: Shelf, place: Place): void {
  if (shelf.holder !== place) return
  shelf.holder = null
  const next = shelf.queue[0]
  if (next) enter(shelf, next)
}
