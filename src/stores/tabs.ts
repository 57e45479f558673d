/** What the browser stores have in common: an IndexedDB record as the judge, a channel between the tabs, and a lock. */
import { indexedDbJudge } from '../coordination/indexeddb-judge.ts'
import type { Stamped } from '../coordination/judge.ts'
import { tabChannel } from '../coordination/tab-channel.ts'
import { tabLock } from '../coordination/tab-lock.ts'
import { type Copies, type JudgedStore, judgedStore } from './judged.ts'

/** @param name of the session, its channel and its lock, the same in every tab that shares them */
export function tabStore<R extends Stamped>(
  name: string,
  copies: Copies<R>,
  database: string = 'relatch',
): JudgedStore {
  return judgedStore(indexedDbJudge<R>(name, database), copies, tabChannel(name), tabLock(name, database))
}
