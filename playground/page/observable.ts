/** A value that views watch: the shape that React's useSyncExternalStore asks for, as the session's own snapshot has it. */
export interface Observable<T> {
  subscribe(listener: () => void): () => void
  snapshot(): T
}

export interface Source<T> extends Observable<T> {
  set(next: T | ((before: T) => T)): void
}

export function observable<T extends object | null>(initial: T): Source<T> {
  let value = initial
  const listeners = new Set<() => void>()
  return {
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    snapshot: () => value,
    set(next) {
      value = typeof next === 'function' ? next(value) : next
      for (const listener of [...listeners]) listener()
    },
  }
}
