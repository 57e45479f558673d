/**
 * The session in the memory of the open tabs and nowhere else: handed to new tabs by message, gone with the last one. Which one
 * stands is judged by an IndexedDB record, in which there is no token.
 */
import { after } from '../clock.ts'
import type { Stamped } from '../coordination/judge.ts'
import { tabChannel } from '../coordination/tab-channel.ts'
import { createId } from '../id.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { StoredSession, TokenStore } from '../ports.ts'
import { readStoredSession } from '../tokens.ts'
import { tabStore } from './tabs.ts'

export interface SharedTabsStoreOptions {
  /**
   * The name under which tabs find each other; those of another name share nothing.
   * @default 'relatch'
   */
  channel?: string | undefined
}

/** How long to wait for a tab that has the session to say so. */
const ANSWER_MS = 400
/** How many sessions a tab remembers: the one that stands, and candidates that others have announced. */
const REMEMBERED = 4

/**
 * Keeps the session in memory, shared by the open tabs of the origin: a new tab gets it from another one. A reload keeps it
 * while a second tab is open; with the last tab it is gone, and nothing of it was ever on disk.
 *
 * The tabs hand tokens to each other over a BroadcastChannel, which an injected script can listen to like everything else on
 * the page.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`
 * @example
 * const api = createAuthFetch({ baseUrl: 'https://api.example', store: sharedTabsStore() })
 */
export function sharedTabsStore(options: SharedTabsStoreOptions = {}): TokenStore {
  const { channel: given = 'relatch' } = ownOptions(options, ['channel'])
  if (typeof given !== 'string' || given === '') throw expected('channel', 'a name')
  const name = `relatch:shared-tabs:${given}`
  const { ring, listen } = tabChannel(name)
  const known = new Map<string, StoredSession>()
  const waiting = new Set<(isLast: boolean) => void>()
  const watches = new Set<object>()
  let standing: string | undefined
  let missed: string | undefined
  let leave: (() => void) | null = null
  let isClosed = false

  const remember = (stamp: unknown, value: unknown): void => {
    const session = readStoredSession(value)
    if (typeof stamp !== 'string' || session === null) return
    known.delete(stamp)
    known.set(stamp, session)
    for (const oldest of known.keys()) {
      // Never the one that stands: whoever makes up others must not push it out (C4).
      if (known.size > REMEMBERED && oldest !== standing) known.delete(oldest)
    }
  }
  const find = (stamp: string): StoredSession | null => readStoredSession(known.get(stamp))
  const hear = (message: unknown): void => {
    const { want, stamp, session } = { ...(message as object) } as Record<string, unknown>
    const wanted = typeof want === 'string' && find(want)
    if (wanted) ring({ stamp: want, session: wanted })
    // A stamp is made once, for one session: what is known under it is not replaced by what somebody says (C4).
    if (!known.has(stamp as string)) remember(stamp, session)
    for (const retry of [...waiting]) retry(false)
    // From a tab that was too busy to answer in time.
    if (missed !== undefined && known.has(missed)) {
      missed = undefined
      ring('late')
    }
  }
  /** From the first use until the last watch ends this tab hears the others, and answers them. */
  const join = (): void => {
    if (!isClosed) leave ??= listen(hear)
  }
  const ask = (stamp: string): Promise<StoredSession | null> =>
    new Promise((resolve) => {
      const retry = (isLast = true): void => {
        const found = find(stamp)
        if (!found && !isLast) return
        missed = found ? undefined : stamp
        cancel()
        waiting.delete(retry)
        resolve(found)
      }
      const cancel = after(ANSWER_MS, retry)
      waiting.add(retry)
      ring({ want: stamp })
    })

  const shared = tabStore<Stamped>(name, {
    open({ stamp }) {
      join()
      standing = stamp
      // Asked for once: who answers later rings.
      return find(stamp) ?? (stamp === missed ? null : ask(stamp))
    },
    seal(session) {
      join()
      const stamp = createId()
      remember(stamp, session)
      ring({ stamp, session })
      return { stamp }
    },
    settle({ next, sealed, hasWon }) {
      if (!hasWon) return
      known.clear()
      standing = sealed?.stamp
      remember(standing, next)
    },
  })
  return {
    ...shared,
    async read() {
      const before = [...known.keys()]
      const session = await shared.read()
      // What was ended elsewhere stays in no tab's memory; what has come meanwhile is another session.
      if (session === null) for (const stamp of before) known.delete(stamp)
      return session
    },
    watch(listener) {
      isClosed = false
      join()
      const endHints = shared.watch(listener)
      const entry = {}
      watches.add(entry)
      return () => {
        endHints()
        if (!watches.delete(entry) || watches.size > 0) return
        leave?.()
        leave = null
        isClosed = true
      }
    },
  }
}
