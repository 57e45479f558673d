/** Places for leases in the memory of this process: who refreshes which session. A place that nobody stands at takes no room. */
import { monotonicNow } from '../clock.ts'
import type { LeasePlace } from './lease.ts'

interface Lease {
  readonly owner: string
  readonly endsAt: number
}

export class MemoryLeases {
  readonly #leases = new Map<unknown, Lease>()
  readonly #waiting = new Map<unknown, Set<() => void>>()

  at(key: unknown): LeasePlace {
    const isOwners = (owner: string): boolean => this.#leases.get(key)?.owner === owner
    const put = (owner: string, ttlMs: number): true => {
      this.#leases.set(key, { owner, endsAt: monotonicNow() + ttlMs })
      return true
    }
    return {
      take: async (owner, ttlMs) => {
        const standing = this.#leases.get(key)
        return (!standing || standing.endsAt <= monotonicNow()) && put(owner, ttlMs)
      },
      extend: async (owner, ttlMs) => isOwners(owner) && put(owner, ttlMs),
      release: async (owner) => {
        if (!isOwners(owner)) return
        this.#leases.delete(key)
        for (const listener of [...(this.#waiting.get(key) ?? [])]) listener()
      },
      onFree: (listener) => {
        const listeners = this.#waiting.get(key) ?? new Set()
        this.#waiting.set(key, listeners.add(listener))
        return () => {
          listeners.delete(listener)
          if (listeners.size === 0 && this.#waiting.get(key) === listeners) this.#waiting.delete(key)
        }
      },
    }
  }
}
