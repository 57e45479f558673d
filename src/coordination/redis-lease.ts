/** The place of a lock in Redis: a key that goes by itself, and that only its owner extends or takes away (S5). */
import type { LeasePlace } from './lease.ts'
import { type RedisSpot, swapCell } from './redis-cell.ts'
import { overhear } from './redis-hints.ts'

/** What is said when a lock is free. */
export const FREE = 'free'

export function redisLease(spot: RedisSpot): LeasePlace {
  const suffix = ':lock'
  const put = (expected: string | undefined, owner: string, ttlMs: number): Promise<boolean> =>
    swapCell(spot, { suffix, expected, next: JSON.stringify({ stamp: owner }), ttlMs })
  return {
    take: (owner, ttlMs) => put(undefined, owner, ttlMs),
    extend: (owner, ttlMs) => put(owner, owner, ttlMs),
    release: (owner) => swapCell(spot, { suffix, expected: owner, next: null, word: FREE }),
    onFree: (listener) => overhear({ spot, hear: (word) => word === FREE && listener() }),
  }
}
