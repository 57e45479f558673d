/**
 * The session engine: the one place that knows which tokens are current. It changes memory and the store by compare-and-set;
 * what memory holds and the store could not take is kept and written later (R11). It never fetches and never calls code of
 * the user's other than the store; of changes it tells its owner, and not while a lock is held.
 */
import { after, monotonicNow, wallNow } from './clock.ts'
import { Medium } from './coordination/medium.ts'
import { NONE, type Reading } from './coordination/steady-store.ts'
import type { AuthEvents } from './events.ts'
import { createId } from './id.ts'
import { asStored, bringToLife, isOtherSubject, isSameCredential, type Live } from './live.ts'
import type { TokenStore } from './ports.ts'
import { carryOver, type ReceivedTokens, type StoredSession } from './tokens.ts'

type Told = 'signed-in' | 'signed-out' | 'subject-changed' | 'adopted' | 'refreshed' | 'refresh-failed' | 'store-failed'

/** What an engine tells: an event for everyone on it, or a change that only the snapshot shows. */
export type Change = { [E in Told]: { event: E; payload: AuthEvents[E] } }[Told] | { event: 'status' }

/** Whoever is told of changes. */
export interface ChangeListener {
  onChange(change: Change): void
}

type End = AuthEvents['signed-out']

/**
 * What runs under the store's lock. `isLate`: the store gave up waiting for it, and somebody else may hold it. `isHeld`: whether
 * it is still ours, as far as the store can say.
 */
export type LockedTask<T> = (isLate: boolean, isHeld: () => boolean) => Promise<T>

const STATUS: Change = { event: 'status' }
/** How often a sign-in or sign-out tries again when another writer comes between its read and its write. */
const WRITE_ATTEMPTS = 5
const REMEMBERED_SESSIONS = 16
/** How long to wait for the lock before looking whether there is anything to wait for. */
const PATIENCE_MS = 100

/** The engine without the store that it stands on. */
export type SessionEngine = Omit<Engine, Exclude<keyof Medium, 'loading' | 'reread' | 'open' | 'close'>>

export class Engine extends Medium {
  readonly #owner: ChangeListener
  #live: Live | null = null
  #ended: End | null = null
  /** The last one whose subject was known, and that of it. */
  #known: { sessionId: string; subject: unknown } | null = null
  #isVacant = false
  #epoch = 0
  /** What the store holds as far as we know; undefined = it has not been read yet. */
  #storedVersion: number | null | undefined
  #highestVersion = 0
  /** Why memory is ahead of the store, or null where it is not. */
  #ahead: 'signed-in' | 'signed-out' | 'refreshed' | null = null
  #writer: Promise<void> | null = null
  /** Ends a lock that is kept after its task. While there is one, the lock is ours. */
  #onCaughtUp: (() => void) | null = null
  #locks = 0
  /** Who stands in line for the lock: once others have done the work, it need not come to their turn. */
  #waiting: readonly AbortController[] = NONE
  #withheld: readonly Change[] = NONE
  /** Sessions that were ended or replaced here: a medium that lags must not bring them back. */
  #gone: readonly string[] = NONE

  constructor(store: TokenStore, owner: ChangeListener) {
    super(store)
    this.#owner = owner
    this.load()
  }

  /** The current session; null = nobody is signed in. */
  current(): Live | null {
    return this.#live
  }

  /** What ended last, and how: a 401 of that session may still be on its way. */
  lastEnded(): End | null {
    return this.#ended
  }

  /** Whether a refresher has already declined to start a session from nothing, or the user has signed out. */
  isVacant(): boolean {
    return this.#isVacant
  }

  setVacant(): void {
    this.#isVacant = true
  }

  /** Grows with every sign-in and sign-out: "nobody" before one is not "nobody" after it. */
  epoch(): number {
    return this.#epoch
  }

  /** Tells of a change at once. */
  announce(change: Change): void {
    this.#owner.onChange(change)
  }

  /** Tells of a change once no lock is held. */
  report(change: Change): void {
    if (this.#locks > 0) this.#withheld = [...this.#withheld, change]
    else this.announce(change)
  }

  #reportLater(change: Change): void {
    void Promise.resolve().then(() => this.report(change))
  }

  protected override onReading(reading: Reading): boolean {
    const before = this.#live
    if (reading === 'garbage' && before !== null) {
      // A sign-out leaves nothing; this is a medium that has lost what it held, and memory has it still.
      this.#storedVersion = null
      void this.#persist(this.#ahead ?? 'refreshed')
    } else if (reading !== undefined) this.#take(reading === 'garbage' ? null : reading)
    return this.#live !== before
  }

  protected override onFailure(payload: AuthEvents['store-failed']): void {
    super.onFailure(payload)
    // The first failure may come before anybody can listen.
    this.#reportLater({ event: 'store-failed', payload })
  }

  protected override async onRetry(): Promise<void> {
    if (this.#ahead !== null) await this.#persist(this.#ahead)
  }

  /** Starts a session, or goes on with `sessionId` where a stronger login replaces the tokens of the same one. */
  async signIn({ tokens, isFresh }: ReceivedTokens, sessionId: string = createId()): Promise<void> {
    const live = this.#live
    const isSame = sessionId === live?.sessionId
    const next = isSame && tokens ? carryOver(live.tokens, tokens) : tokens
    if (!isSame) this.#forget(live?.sessionId)
    this.#epoch++
    this.#begin({ sessionId, version: this.#nextVersion(isSame ? live : null), tokens: next }, isFresh)
    const written = this.#persist('signed-in')
    this.announce(isSame ? STATUS : { event: 'signed-in', payload: { sessionId, where: 'here' } })
    await written
  }

  async signOut(): Promise<void> {
    this.#epoch++
    this.#isVacant = true
    // A session that has just ended in another way was signed out as well: nothing may bring it back, or ask for a login.
    if (this.#ended !== null) this.#ended = { ...this.#ended, reason: 'requested' }
    this.#forget(this.#ended?.sessionId)
    const change = this.#live && this.#end(this.#live, 'requested')
    const written = this.#persist('signed-out')
    if (change) this.announce(change)
    await written
  }

  /** Stores what a refresh of `base` brought; does nothing where `base` is no longer current, or its epoch is over (R12). */
  async commit(base: Live | null, epoch: number, received: ReceivedTokens): Promise<void> {
    const isOutdated = (): boolean => this.#live !== base || this.#epoch !== epoch
    if (isOutdated()) return
    const isSame = base !== null && !isOtherSubject(base.tokens, received.tokens)
    const next: StoredSession = {
      sessionId: isSame ? base.sessionId : createId(),
      version: this.#nextVersion(isSame ? base : null),
      tokens: received.tokens && carryOver(isSame ? base.tokens : null, received.tokens),
    }
    const settle = (): void => {
      this.#begin(next, true)
      this.report(isSame ? STATUS : { event: 'signed-in', payload: { sessionId: next.sessionId, where: 'here' } })
    }
    if (this.#ahead !== null || this.#storedVersion === undefined) {
      settle()
      void this.#persist('refreshed')
      return
    }
    const hasWritten = await this.write(asStored(next), this.#storedVersion)
    if (hasWritten) this.#storedVersion = next.version
    if (isOutdated()) return
    if (hasWritten === false) {
      // Somebody was faster: theirs is the session's truth now, be it newer tokens or a sign-out.
      await this.reread()
      if (isOutdated()) return
      this.refuse()
    }
    // R11: the server has rotated, so these are the only tokens left; the store gets them when it can.
    if (!hasWritten) this.#ahead = 'refreshed'
    settle()
  }

  /** Ends `base`, if the store does not hold something newer (R8). */
  async endOver(base: Live): Promise<void> {
    if (this.#live !== base) return
    const version = this.#storedVersion
    const hasWritten = this.#ahead === null && version !== undefined ? await this.write(null, version) : undefined
    if (hasWritten) this.#storedVersion = null
    if (hasWritten === false) await this.reread()
    if (this.#live !== base) return
    this.report(this.#end(base, 'over'))
    if (!hasWritten) await this.#persist('signed-out')
  }

  /**
   * Runs `task` under the store's lock, or as soon as another session or other tokens are current: then there is nothing left
   * to wait for. Changes are told of after its release.
   */
  async locked<T>(task: LockedTask<T>, holdMs: number): Promise<T> {
    this.#locks++
    const line = new AbortController()
    const isOurs = this.#onCaughtUp !== null
    this.#waiting = [...this.#waiting, line]
    const leave = (): void => {
      this.#waiting = this.#waiting.filter((other) => other !== line)
    }
    try {
      await this.revive()
      // One hold for a holder that is lost, and one more for whoever took over from it.
      const waitMs = 2 * holdMs
      const lateAt = monotonicNow() + waitMs
      // The holder may be done and its hint lost; and a store that does not answer will not give us its lock either (S2).
      const cancelLook = after(PATIENCE_MS, async () => {
        if (!(await this.reread())) line.abort()
      })
      const run = (isStores: boolean, isHeld = () => true): Promise<T> => {
        cancelLook()
        leave()
        // It gives its lock, so it answers, whatever it failed at before: under the lock nobody may be blind (C1).
        if (isStores) this.retry()
        return task(isStores && monotonicNow() >= lateAt, isHeld)
      }
      return await (isOurs ? run(false) : this.lock(run, { waitMs, holdMs, signal: line.signal }))
    } finally {
      leave()
      if (--this.#locks === 0) {
        const changes = this.#withheld
        this.#withheld = NONE
        for (const change of changes) this.announce(change)
      }
    }
  }

  /**
   * The store has not got the tokens that a refresh brought: whoever reads it now finds a refresh token that is spent. So the
   * others wait until it has, or until the hold is over.
   */
  protected override beforeRelease(leftMs: number): Promise<void> | null {
    if (this.#ahead !== 'refreshed') return null
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        this.#onCaughtUp = null
        resolve()
      }
      const cancel = after(leftMs, end)
      this.#onCaughtUp = end
    })
  }

  #catchUp(): void {
    this.#ahead = null
    this.#onCaughtUp?.()
  }

  #forget(sessionId: string | undefined): void {
    if (sessionId !== undefined) this.#gone = [sessionId, ...this.#gone].slice(0, REMEMBERED_SESSIONS)
  }

  #become(live: Live | null, ended: End | null): void {
    this.#live = live
    this.#ended = ended
    this.#isVacant = live === null
    for (const line of this.#waiting) line.abort()
  }

  #begin(stored: StoredSession, isFresh: boolean): void {
    const { sessionId, tokens } = stored
    const known = this.#known
    if (tokens && Object.hasOwn(tokens, 'subject')) this.#known = { sessionId, subject: tokens.subject }
    this.#become(bringToLife(stored, isFresh), null)
    // Once it is all done: whoever hears of it may sign out.
    if (known && isOtherSubject(known, tokens))
      this.#reportLater({ event: 'subject-changed', payload: { sessionId, previousSessionId: known.sessionId } })
  }

  #end({ sessionId }: Live, reason: End['reason']): Change {
    if (reason !== 'elsewhere') this.#forget(sessionId)
    this.#epoch++
    const payload: End = { sessionId, reason }
    this.#become(null, payload)
    return { event: 'signed-out', payload }
  }

  #adopt(stored: StoredSession, isFresh: boolean): void {
    const before = this.#live
    this.#begin(stored, isFresh)
    this.#catchUp()
    const { sessionId, version } = stored
    this.report(
      before?.sessionId === sessionId
        ? { event: 'adopted', payload: { sessionId, version } }
        : { event: 'signed-in', payload: { sessionId, where: 'elsewhere' } },
    )
  }

  /** Settles memory against what was just read. Memory wins where it is newer, the store where someone else moved on. */
  #take(stored: StoredSession | null): void {
    const live = this.#live
    const isFirst = this.#storedVersion === undefined
    const version = stored?.version ?? null
    this.#highestVersion = Math.max(this.#highestVersion, version ?? 0)
    if (stored !== null && this.#gone.includes(stored.sessionId)) {
      if (this.#ahead !== null) this.#storedVersion = version
    } else if (live !== null && stored !== null && isSameCredential(live, stored)) {
      this.#storedVersion = version
      live.version = Math.max(live.version, stored.version)
      this.#catchUp()
    } else if (this.#ahead !== null) {
      if (isFirst || version !== this.#storedVersion) this.#settleAhead(stored, isFirst)
    } else if (stored === null) {
      this.#storedVersion = null
      if (live !== null) this.report(this.#end(live, 'elsewhere'))
    } else if (live?.sessionId !== stored.sessionId || stored.version > live.version) {
      this.#storedVersion = version
      this.#adopt(stored, !isFirst)
    }
    // What is left is an older version of the same session, from a medium that lags (localStorage does): never go back to it.
  }

  /** The same where memory holds what the store does not have yet, and somebody else has written. */
  #settleAhead(stored: StoredSession | null, isFirst: boolean): void {
    const live = this.#live
    const ahead = this.#ahead
    this.#storedVersion = stored?.version ?? null
    // A sign-in takes the place of whatever is stored; so does a sign-out that came before the store was read.
    if (ahead === 'signed-in' || (ahead === 'signed-out' && isFirst)) return
    if (stored === null) {
      if (ahead === 'refreshed' && live !== null) this.report(this.#end(live, 'elsewhere'))
      this.#catchUp()
    } else if (ahead === 'signed-out' || stored.sessionId !== live?.sessionId || stored.version > live.version) {
      this.#adopt(stored, true)
    }
  }

  /** Brings memory into the store, one writer at a time; what fails is tried again by the probe. */
  #persist(why: 'signed-in' | 'signed-out' | 'refreshed'): Promise<void> {
    // A sign-in that is not stored yet outranks the store even after its first refresh.
    if (why !== 'refreshed' || this.#ahead !== 'signed-in') this.#ahead = why
    this.#writer ??= this.#write()
    return this.#writer
  }

  async #write(): Promise<void> {
    await this.loading()
    // Asked again in the step that ends the writer: a change that came in between must not wait for the probe.
    while (await this.#writeMemory()) if (this.#ahead === null) break
    this.#writer = null
    if (this.#ahead !== null) this.probeLater()
  }

  /** Writes until the store holds what memory holds, or says that it cannot. Says which. */
  async #writeMemory(): Promise<boolean> {
    if (this.#storedVersion === undefined) await this.reread()
    for (let refusals = 0; this.#ahead !== null; ) {
      if (this.#storedVersion === undefined) return false
      if (refusals === WRITE_ATTEMPTS) {
        this.refuse()
        return false
      }
      const target = this.#live
      if (target !== null && target.version <= (this.#storedVersion ?? 0)) target.version = this.#nextVersion(target)
      const hasWritten = await this.write(target && asStored(target), this.#storedVersion)
      if (hasWritten === undefined) return false
      if (hasWritten) {
        this.#storedVersion = target?.version ?? null
        if (this.#live === target) this.#catchUp()
      } else {
        refusals++
        await this.reread()
      }
    }
    return true
  }

  /**
   * Above everything seen so far. A new session starts at the wall clock, in microseconds of which we make up the last digits:
   * a version that comes back after a removal would let somebody overwrite a session that is not theirs.
   */
  #nextVersion(base: Live | null): number {
    const least = base?.version ?? wallNow() * 1000 + Math.floor(Math.random() * 1000)
    this.#highestVersion = Math.max(least, this.#highestVersion, this.#storedVersion ?? 0) + 1
    return this.#highestVersion
  }
}
