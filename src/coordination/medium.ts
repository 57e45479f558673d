/**
 * The store as the session engine uses it: readings in order, hints that cost little, and a failing store that is asked again in
 * the background. It believes no reading that something newer has overtaken; what a reading means is not decided here.
 */
import { after } from '../clock.ts'
import type { AuthEvents } from '../events.ts'
import type { TokenStore } from '../ports.ts'
import { type Reading, type SteadyStore, steadyStore } from './steady-store.ts'

export interface Medium extends Pick<SteadyStore, 'write' | 'lock' | 'refuse'> {
  /** The first reading; pending in `loading` where the store is asynchronous. */
  loading(): Promise<void> | null
  load(): void
  /** Reads, and hands on what is to be believed. */
  reread(): Promise<void>
  /** The same where the store fails, without waiting for the next probe: before a refresh nobody should be blind. */
  revive(): Promise<void>
  /** Asks the store again in a while: something could not be written. */
  probeLater(): void
  /** Starts the watch and lets probes run; returns what ends both. */
  open(): () => void
}

export interface MediumEvents {
  /** Takes a reading; says whether it was news. */
  onReading(reading: Reading): boolean
  onFailure(failure: AuthEvents['store-failed']): void
  /** Writes what memory holds and the store does not, if anything. */
  onRetry(): Promise<void>
}

const FIRST_PROBE_MS = 1000
const LAST_PROBE_MS = 60_000
const HINT_PAUSE_MS = 1000

export function createMedium(tokenStore: TokenStore, { onReading, onFailure, onRetry }: MediumEvents): Medium {
  let isOpen = false
  let probeMs = FIRST_PROBE_MS
  let cancelProbe = (): void => {}
  const store: SteadyStore = steadyStore(tokenStore, (failure) => {
    onFailure(failure)
    probeLater()
  })
  /** In the background, so that no request waits for a store that fails. */
  const probeLater = (): void => {
    cancelProbe()
    if (!isOpen) return
    cancelProbe = after(probeMs, async () => {
      probeMs = Math.min(probeMs * 2, LAST_PROBE_MS)
      store.retry()
      await onRetry()
      if (store.isFailing()) await reread()
      if (store.isFailing()) probeLater()
      else probeMs = FIRST_PROBE_MS
    })
  }

  // Readings and writes are numbered: a slow reading that something newer has overtaken must not be believed.
  let serial = 0
  let lastWrite = 0
  let lastReading = 0
  let writes = 0
  let news = 0
  let loading: Promise<void> | null = null
  const load = (): void => {
    const first = store.read()
    if (!(first instanceof Promise)) {
      onReading(first)
      return
    }
    const mine = ++serial
    loading = first.then((reading) => {
      if (mine >= lastReading) onReading(reading)
      loading = null
    })
  }
  const reread = async (): Promise<void> => {
    const mine = ++serial
    const reading = await store.read()
    if (mine < lastReading) return
    // It overlapped a write of ours, and may be of before or after.
    if (mine < lastWrite || writes > 0) return writes > 0 ? undefined : reread()
    lastReading = mine
    if (onReading(reading)) news++
  }

  const write: SteadyStore['write'] = async (next, expectedVersion) => {
    writes++
    lastWrite = ++serial
    try {
      return await store.write(next, expectedVersion)
    } finally {
      lastWrite = ++serial
      // Later, when whoever wrote has taken note of it: our own writes ring the store's watch too.
      if (--writes === 0 && isHintLate) after(0, () => onHint(true))
    }
  }
  let isHinting = false
  let isHintLate = false
  let newsAtHint = 0
  /**
   * A hint costs one read, and one that nothing explains lets no other through for a second: it may be forged (C4). News that
   * somebody else has read meanwhile, under the lock for example, explains it too.
   */
  const onHint = async (isOurs = false): Promise<void> => {
    isHintLate = writes > 0 || isHinting
    if (isHintLate) return
    isHinting = true
    await reread()
    const isExplained = news !== newsAtHint
    newsAtHint = news
    const resume = (): void => {
      isHinting = false
      if (isHintLate) void onHint()
    }
    if (isOurs || isExplained) resume()
    else after(HINT_PAUSE_MS, resume)
  }

  return {
    loading: () => loading,
    load,
    reread,
    async revive() {
      if (!store.isFailing()) return
      store.retry()
      await reread()
    },
    write,
    lock: store.lock,
    refuse: store.refuse,
    probeLater,
    open() {
      isOpen = true
      const unwatch = store.watch(() => void onHint())
      // Opened again after a close: whatever happened in between went unheard.
      if (loading === null) void reread()
      if (store.isFailing()) probeLater()
      return () => {
        isOpen = false
        unwatch()
        cancelProbe()
      }
    },
  }
}
