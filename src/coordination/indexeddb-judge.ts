/**
 * The judge between tabs: a record in IndexedDB, changed by compare-and-swap in one transaction. localStorage cannot be it, not
 * even under a lock: a tab may go on reading the old value after another has written (measured: up to a third of updates lost).
 */

import type { Judge, Stamped } from './judge.ts'

const RECORDS = 'relatch'

/** Garbage counts as nothing (S1). */
const recordOf = <R extends Stamped>(value: unknown): R | undefined =>
  typeof (value as R | null | undefined)?.stamp === 'string' ? (value as R) : undefined

function open(database: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(database)
    opening.onupgradeneeded = () => opening.result.createObjectStore(RECORDS)
    opening.onsuccess = () => resolve(opening.result)
    opening.onerror = () => reject(opening.error)
  })
}

/** @param key names the record; judges of one key and database, in any tab, are one */
export function indexedDbJudge<R extends Stamped>(key: string, database: string): Judge<R> {
  const visit = async <T>(
    mode: IDBTransactionMode,
    act: (standing: R | undefined, records: IDBObjectStore) => T,
  ): Promise<T> => {
    // For this one transaction: a connection that stays open can go stale, and keeps a database from being deleted.
    const connection = await open(database)
    try {
      return await new Promise((resolve, reject) => {
        const transaction = connection.transaction(RECORDS, mode)
        const records = transaction.objectStore(RECORDS)
        const reading = records.get(key)
        reading.onsuccess = () => {
          try {
            const result = act(recordOf<R>(reading.result), records)
            transaction.oncomplete = () => resolve(result)
          } catch {
            // Thrown out of here it would end on the console.
            transaction.abort()
          }
        }
        transaction.onabort = () => reject(transaction.error)
      })
    } finally {
      connection.close()
    }
  }
  return {
    read: () => visit('readonly', (standing) => standing),
    swap: (next, expected) =>
      visit('readwrite', (standing, records) => {
        const isExpected = standing?.stamp === expected?.stamp
        if (isExpected) records.put(next, key)
        return isExpected
      }),
  }
}
