/**
 * The store as the session engine uses it: readings in order, hints that cost little, and a failing store that is asked again in
 * the background. It believes no reading that something newer has overtaken; what a reading means is not decided here.
 */
import { after } from '../clock.ts'
import type { AuthEvents } from '../events.ts'
import type { StoredSession } from '../ports.ts'
import { type Reading, SteadyStore } from './steady-store.ts'

const FIRST_PROBE_MS = 1000
const LAST_PROBE_MS = 60_000
const HINT_PAUSE_MS = 1000

export abstract class Medium extends SteadyStore {
  #isOpen = false
  #probeMs = FIRST_PROBE_MS
  #cancelProbe: (() => void) | null = null
  #loading: Promise<void> | null = null
  // Readings and writes are numbered: a slow reading that something newer has overtaken must not be believed.
  #serial = 0
  #lastWrite = 0
  #lastReading = 0
  /** Writes under way. */
  #writes = 0
  #isHinting = false
  #isHintLate = false
  /** Whether a reading since the last hint brought something. */
  #hasNews = false

  /** Takes a reading; says whether it was news. */
  protected abstract onReading(reading: Reading): boolean
  /** Writes what memory holds and the store does not, if anything. */
  protected abstract onRetry(): Promise<void>

  /** The first reading; pending where the store is asynchronous. */
  loading(): Promise<void> | null {
    return this.#loading
  }

  load(): void {
    const first = this.read()
    if (!(first instanceof Promise)) {
      this.onReading(first)
      return
    }
    const mine = ++this.#serial
    this.#loading = first.then((reading) => {
      if (mine >= this.#lastReading) this.onReading(reading)
      this.#loading = null
    })
  }

  /** Reads, and hands on what is to be believed. Says whether the store answered. */
  async reread(): Promise<boolean> {
    const mine = ++this.#serial
    const reading = await this.read()
    const hasAnswered = reading !== undefined
    if (mine < this.#lastReading) return hasAnswered
    // It overlapped a write of ours, and may be of before or after.
    if (mine < this.#lastWrite || this.#writes > 0) return this.#writes > 0 ? hasAnswered : this.reread()
    this.#lastReading = mine
    if (this.onReading(reading)) this.#hasNews = true
    return hasAnswered
  }

  /** The same where the store fails, without waiting for the next probe: before a refresh nobody should be blind. */
  async revive(): Promise<void> {
    if (!this.isFailing()) return
    this.retry()
    await this.reread()
  }

  override async write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean | undefined> {
    this.#writes++
    this.#lastWrite = ++this.#serial
    try {
      return await super.write(next, expectedVersion)
    } finally {
      this.#lastWrite = ++this.#serial
      // Later, when whoever wrote has taken note of it: our own writes ring the store's watch too.
      if (--this.#writes === 0 && this.#isHintLate) after(0, () => this.#onHint(true))
    }
  }

  protected override onFailure(_failure: AuthEvents['store-failed']): void {
    this.probeLater()
  }

  /** Asks the store again in a while: in the background, so that no request waits for a store that fails. */
  probeLater(): void {
    this.#cancelProbe?.()
    if (!this.#isOpen) return
    this.#cancelProbe = after(this.#probeMs, async () => {
      this.#probeMs = Math.min(this.#probeMs * 2, LAST_PROBE_MS)
      this.retry()
      await this.onRetry()
      if (this.isFailing()) await this.reread()
      if (this.isFailing()) this.probeLater()
      else this.#probeMs = FIRST_PROBE_MS
    })
  }

  #hear(): void {
    void this.#onHint()
  }

  /**
   * A hint costs one read, and one that nothing explains lets no other through for a second: it may be forged (C4). News that
   * somebody else has read meanwhile, under the lock for example, explains it too.
   */
  async #onHint(isOurs = false): Promise<void> {
    this.#isHintLate = this.#writes > 0 || this.#isHinting
    if (this.#isHintLate) return
    this.#isHinting = true
    await this.reread()
    const isExplained = this.#hasNews
    this.#hasNews = false
    const resume = (): void => {
      this.#isHinting = false
      if (this.#isHintLate) void this.#onHint()
    }
    if (isOurs || isExplained) resume()
    else after(HINT_PAUSE_MS, resume)
  }

  /** Starts the watch and lets probes run. */
  open(): void {
    this.#isOpen = true
    this.watch(this.#hear.bind(this))
    // Opened again after a close: whatever happened in between went unheard.
    if (this.#loading === null) void this.reread()
    if (this.isFailing()) this.probeLater()
  }

  close(): void {
    this.#isOpen = false
    this.unwatch()
    this.#cancelProbe?.()
  }
}
