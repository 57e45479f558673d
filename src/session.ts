/**
 * The session engine: the one place that knows which tokens are current. It changes memory and the store by compare-and-set;
 * what memory holds and the store could not take is kept and written later (R11). It never fetches and never calls code of
 * the user's other than the store; of changes it tells through `onChange`, and not while a lock is held.
 */
import { monotonicNow, wallNow } from './clock.ts'
import { createMedium } from './coordination/medium.ts'
import type { Reading } from './coordination/steady-store.ts'
import type { AuthEvents } from './events.ts'
import { createId } from './id.ts'
import { asStored, bringToLife, isOtherSubject, isSameCredential, type Live } from './live.ts'
import type { TokenStore } from './ports.ts'
import { carryOver, type ReceivedTokens, type StoredSession } from './tokens.ts'

type Told = 'signed-in' | 'signed-out' | 'adopted' | 'refreshed' | 'refresh-failed' | 'store-failed'

/** What an engine tells: an event for everyone on it, or a change that only the snapshot shows. */
export type Change = { [E in Told]: { event: E; payload: AuthEvents[E] } }[Told] | { event: 'status' }

type End = AuthEvents['signed-out']

export interface SessionEngine {
  /** The current session; null = nobody is signed in. */
  current(): Live | null
  /** Pending until the store has been read for the first time; null after that. */
  loading(): Promise<void> | null
  /** What ended last, and how: a 401 of that session may still be on its way. */
  lastEnded(): End | null
  /** Whether a refresher has already declined to start a session from nothing, or the user has signed out. */
  isVacant(): boolean
  setVacant(): void
  /** Starts a session, or goes on with `sessionId` where a stronger login replaces the tokens of the same one. */
  signIn(received: ReceivedTokens, sessionId?: string): Promise<void>
  signOut(): Promise<void>
  /** Grows with every sign-in and sign-out: "nobody" before one is not "nobody" after it. */
  epoch(): number
  /** Stores what a refresh of `base` brought; does nothing where `base` is no longer current, or its epoch is over (R12). */
  commit(base: Live | null, epoch: number, received: ReceivedTokens): Promise<void>
  /** Ends `base`, if the store does not hold something newer (R8). */
  endOver(base: Live): Promise<void>
  /** Takes over what the store holds, where that is newer. */
  reread(): Promise<void>
  /**
   * Runs `task` under the store's lock, or as soon as another session or other tokens are current: then there is nothing left
   * to wait for. Changes are told of after its release. `isLate`: the store gave up waiting for the lock, and somebody else
   * may hold it. `isHeld`: whether it is still ours, as far as the store can say.
   */
  locked<T>(task: (isLate: boolean, isHeld: () => boolean) => Promise<T>, holdMs: number): Promise<T>
  /** Tells of a change at once. */
  announce(change: Change): void
  /** Tells of a change once no lock is held. */
  report(change: Change): void
  onChange(listener: (change: Change) => void): () => void
  /** Starts watching the store; returns what ends that and every timer. */
  open(): () => void
}

const STATUS: Change = { event: 'status' }
/** How often a sign-in or sign-out tries again when another writer comes between its read and its write. */
const WRITE_ATTEMPTS = 5
const REMEMBERED_SESSIONS = 16

export function createEngine(tokenStore: TokenStore): SessionEngine {
  let live: Live | null = null
  let ended: End | null = null
  let isVacant = false
  let epoch = 0
  /** What the store holds as far as we know; undefined = it has not been read yet. */
  let storedVersion: number | null | undefined
  let highestVersion = 0
  /** Why memory is ahead of the store, or null where it is not. */
  let ahead: 'signed-in' | 'signed-out' | 'refreshed' | null = null
  let writer: Promise<void> | null = null
  let locks = 0
  /** Who stands in line for the lock: once others have done the work, it need not come to their turn. */
  const waiting = new Set<AbortController>()
  let withheld: Change[] = []
  /** Sessions that were ended or replaced here: a medium that lags must not bring them back. */
  const gone: string[] = []
  const listeners = new Set<(change: Change) => void>()

  const announce = (change: Change): void => {
    for (const listener of [...listeners]) listener(change)
  }
  /** Tells of a change, after the lock where one is held: listeners are the user's code, and that may fetch. */
  const report = (change: Change): void => {
    if (locks > 0) withheld.push(change)
    else announce(change)
  }

  const medium = createMedium(tokenStore, {
    onReading(reading) {
      const before = live
      receive(reading)
      return live !== before
    },
    onFailure(failure) {
      // A little later: the first failure may come before anybody can listen.
      void Promise.resolve().then(() => report({ event: 'store-failed', payload: failure }))
    },
    onRetry: async () => {
      if (ahead !== null) await persist(ahead)
    },
  })

  const forget = (sessionId: string | undefined): void => {
    if (sessionId !== undefined) gone.unshift(sessionId)
    gone.length = Math.min(gone.length, REMEMBERED_SESSIONS)
  }

  const become = (next: Live | null): void => {
    live = next
    for (const line of waiting) line.abort()
  }

  const end = (base: Live, reason: End['reason']): Change => {
    if (reason !== 'elsewhere') forget(base.sessionId)
    epoch++
    become(null)
    isVacant = true
    ended = { sessionId: base.sessionId, reason }
    return { event: 'signed-out', payload: ended }
  }

  const begin = (stored: StoredSession, isFresh: boolean): void => {
    become(bringToLife(stored, isFresh))
    isVacant = false
    ended = null
  }

  const adopt = (stored: StoredSession, isFresh: boolean): void => {
    const before = live
    begin(stored, isFresh)
    ahead = null
    const { sessionId, version } = stored
    report(
      before?.sessionId === sessionId
        ? { event: 'adopted', payload: { sessionId, version } }
        : { event: 'signed-in', payload: { sessionId, where: 'elsewhere' } },
    )
  }

  /** Settles memory against what was just read. Memory wins where it is newer, the store where someone else moved on. */
  const take = (stored: StoredSession | null): void => {
    const isFirst = storedVersion === undefined
    const version = stored?.version ?? null
    highestVersion = Math.max(highestVersion, version ?? 0)
    if (stored !== null && gone.includes(stored.sessionId)) {
      if (ahead !== null) storedVersion = version
    } else if (live !== null && stored !== null && isSameCredential(live, stored)) {
      storedVersion = version
      live.version = Math.max(live.version, stored.version)
      ahead = null
    } else if (ahead !== null) {
      if (isFirst || version !== storedVersion) settleAhead(stored, isFirst)
    } else if (stored === null) {
      storedVersion = null
      if (live !== null) report(end(live, 'elsewhere'))
    } else if (live?.sessionId !== stored.sessionId || stored.version > live.version) {
      storedVersion = version
      adopt(stored, !isFirst)
    }
    // What is left is an older version of the same session, from a medium that lags (localStorage does): never go back to it.
  }

  /** The same where memory holds what the store does not have yet, and somebody else has written. */
  const settleAhead = (stored: StoredSession | null, isFirst: boolean): void => {
    storedVersion = stored?.version ?? null
    // A sign-in takes the place of whatever is stored; so does a sign-out that came before the store was read.
    if (ahead === 'signed-in' || (ahead === 'signed-out' && isFirst)) return
    if (stored === null) {
      if (ahead === 'refreshed' && live !== null) report(end(live, 'elsewhere'))
      ahead = null
    } else if (ahead === 'signed-out' || stored.sessionId !== live?.sessionId || stored.version > live.version) {
      adopt(stored, true)
    }
  }

  const receive = (reading: Reading): void => {
    if (reading === 'garbage' && live !== null) {
      // A sign-out leaves nothing; this is a medium that has lost what it held, and memory has it still.
      storedVersion = null
      void persist(ahead ?? 'refreshed')
    } else if (reading !== undefined) take(reading === 'garbage' ? null : reading)
  }

  /** Writes until the store holds what memory holds, or says that it cannot. Says which. */
  const writeMemory = async (): Promise<boolean> => {
    if (storedVersion === undefined) await medium.reread()
    for (let refusals = 0; ahead !== null; ) {
      if (storedVersion === undefined) return false
      if (refusals === WRITE_ATTEMPTS) {
        medium.refuse()
        return false
      }
      if (live !== null && live.version <= (storedVersion ?? 0)) live.version = nextVersion(live)
      const target = live
      const hasWritten = await medium.write(target && asStored(target), storedVersion)
      if (hasWritten === undefined) return false
      if (hasWritten) {
        storedVersion = target?.version ?? null
        if (live === target) ahead = null
      } else {
        refusals++
        await medium.reread()
      }
    }
    return true
  }
  const runWriter = async (): Promise<void> => {
    await medium.loading()
    // Asked again in the step that ends the writer: a change that came in between must not wait for the probe.
    while (await writeMemory()) if (ahead === null) break
    writer = null
    if (ahead !== null) medium.probeLater()
  }
  /** Brings memory into the store, one writer at a time; what fails is tried again by the probe. */
  const persist = (why: NonNullable<typeof ahead>): Promise<void> => {
    // A sign-in that is not stored yet outranks the store even after its first refresh.
    if (why !== 'refreshed' || ahead !== 'signed-in') ahead = why
    writer ??= runWriter()
    return writer
  }

  /**
   * Above everything seen so far. A new session starts at the wall clock, in microseconds of which we make up the last digits:
   * a version that comes back after a removal would let somebody overwrite a session that is not theirs.
   */
  const nextVersion = (base: Live | null): number => {
    const least = base?.version ?? wallNow() * 1000 + Math.floor(Math.random() * 1000)
    highestVersion = Math.max(least, highestVersion, storedVersion ?? 0) + 1
    return highestVersion
  }

  const engine: SessionEngine = {
    current: () => live,
    loading: medium.loading,
    lastEnded: () => ended,
    isVacant: () => isVacant,
    setVacant: () => {
      isVacant = true
    },

    async signIn({ tokens, isFresh }, sessionId = createId()) {
      const isSame = sessionId === live?.sessionId
      const next = isSame && tokens ? carryOver(live?.tokens ?? null, tokens) : tokens
      if (!isSame) forget(live?.sessionId)
      epoch++
      begin({ sessionId, version: nextVersion(isSame ? live : null), tokens: next }, isFresh)
      const written = persist('signed-in')
      announce(isSame ? STATUS : { event: 'signed-in', payload: { sessionId, where: 'here' } })
      await written
    },

    async signOut() {
      epoch++
      isVacant = true
      // A session that has just ended in another way was signed out as well: nothing may bring it back, or ask for a login.
      if (ended !== null) ended = { ...ended, reason: 'requested' }
      forget(ended?.sessionId)
      const change = live && end(live, 'requested')
      const written = persist('signed-out')
      if (change) announce(change)
      await written
    },

    epoch: () => epoch,
    async commit(base, since, received) {
      const isOutdated = (): boolean => live !== base || epoch !== since
      if (isOutdated()) return
      const isSame = base !== null && !isOtherSubject(base.tokens, received.tokens)
      const next: StoredSession = {
        sessionId: isSame ? base.sessionId : createId(),
        version: nextVersion(isSame ? base : null),
        tokens: received.tokens && carryOver(isSame ? base.tokens : null, received.tokens),
      }
      const settle = (): void => {
        begin(next, true)
        report(isSame ? STATUS : { event: 'signed-in', payload: { sessionId: next.sessionId, where: 'here' } })
      }
      if (ahead !== null || storedVersion === undefined) {
        settle()
        void persist('refreshed')
        return
      }
      const hasWritten = await medium.write(asStored(next), storedVersion)
      if (hasWritten) storedVersion = next.version
      if (isOutdated()) return
      if (hasWritten === false) {
        // Somebody was faster: theirs is the session's truth now, be it newer tokens or a sign-out.
        await medium.reread()
        if (isOutdated()) return
        medium.refuse()
      }
      // R11: the server has rotated, so these are the only tokens left; the store gets them when it can.
      if (!hasWritten) ahead = 'refreshed'
      settle()
    },

    async endOver(base) {
      if (live !== base) return
      const hasWritten =
        ahead === null && storedVersion !== undefined ? await medium.write(null, storedVersion) : undefined
      if (hasWritten) storedVersion = null
      if (hasWritten === false) await medium.reread()
      if (live !== base) return
      report(end(base, 'over'))
      if (!hasWritten) await persist('signed-out')
    },

    reread: medium.reread,

    async locked(task, holdMs) {
      locks++
      const line = new AbortController()
      waiting.add(line)
      try {
        await medium.revive()
        // One hold for a holder that is lost, and one more for whoever took over from it.
        const waitMs = 2 * holdMs
        const lateAt = monotonicNow() + waitMs
        const run = (isStores: boolean, isHeld = () => true): ReturnType<typeof task> => {
          waiting.delete(line)
          return task(isStores && monotonicNow() >= lateAt, isHeld)
        }
        return await medium.lock(run, { waitMs, holdMs, signal: line.signal })
      } finally {
        waiting.delete(line)
        if (--locks === 0) {
          const changes = withheld
          withheld = []
          changes.forEach(announce)
        }
      }
    },

    announce,
    report,
    onChange(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },

    open: medium.open,
  }

  medium.load()
  return engine
}
