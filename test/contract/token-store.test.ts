// S1 on the stores that are here, and on two that a user might write from the port alone. See also the test of the suite itself.
import { describe, it } from 'vitest'
import type { StoredSession, TokenStore } from '../../src/ports.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { describeTokenStore } from '../../src/testing/index.ts'
import { emptyShelf, shelfStore } from './shelf-store.ts'

const runner = { describe, it }

describeTokenStore('memoryStore', () => memoryStore(), runner)

describeTokenStore(
  'a synchronous store with a watch and a lock',
  () => {
    const shelf = emptyShelf()
    return {
      store: shelfStore(shelf),
      sibling: () => shelfStore(shelf),
      corrupt: () => {
        shelf.text = '{"sessionId":"session-1","version":5,"tok'
      },
    }
  },
  runner,
)

describeTokenStore('an asynchronous store far away', async () => slowStore(), runner)

/** A server that answers a turn later; it compares and sets in one step, as Redis or a database would. */
function slowStore(): TokenStore {
  let stored: StoredSession | null = null
  const latency = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  const onServer = (next: StoredSession | null, expectedVersion: number | null): boolean => {
    if ((stored?.version ?? null) !== expectedVersion) return false
    stored = next
    return true
  }
  return {
    async read() {
      await latency()
      const answer = structuredClone(stored)
      await latency()
      return answer
    },
    async write(next, expectedVersion) {
      const sent = structuredClone(next)
      await latency()
      const hasWritten = onServer(sent, expectedVersion)
      await latency()
      return hasWritten
    },
  }
}
