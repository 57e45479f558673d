// S1 for web storage that is one tab's: here a Map, as sessionStorage would be. What is one among all tabs needs tabs: see
// test/browser/contract.test.ts.
import { describe, it } from 'vitest'
import { webStorageStore } from '../../src/stores/web-storage.ts'
import { describeTokenStore } from '../../src/testing/index.ts'
import { mapStorage } from '../helpers/map-storage.ts'

describeTokenStore(
  'webStorageStore over a storage of its own',
  () => {
    const storage = mapStorage()
    return {
      store: webStorageStore({ storage }),
      sibling: () => webStorageStore({ storage }),
      corrupt: () => storage.setItem('relatch', '{"sessionId":"session-1","version":5,"tok'),
    }
  },
  { describe, it },
)
