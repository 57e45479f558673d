/**
 * What a process knows of the sessions that rest in cookies. Requests of one browser that are under way together carry the same
 * cookie; so does the next one, where a response could not set the new one or has not arrived. For them the newest tokens are kept
 * here, and which sessions have ended, so that none of them spends a refresh token twice or brings back what was signed out. All
 * of it is bounded, and nothing here runs a timer: what is past its time goes when something new comes, or is not found any more.
 */
import { monotonicNow } from '../clock.ts'
import type { StoredSession } from '../tokens.ts'

/** How many sessions at most, of each kind that is kept with its tokens. */
const MOST_SESSIONS = 10_000
/** Of these an id is kept, and when to forget it: 148 bytes each on Node 24. */
const MOST_ENDED = 100_000
/**
 * What the browser has been seen to have is kept for requests and responses that are still on their way: an answer that took a
 * minute may bring the older cookie back, and the next request may be one after lunch.
 */
const ON_THE_WAY_MS = 3_600_000

export class CookieMemory {
  /**
   * By session, each in one of these. What a browser may not have yet is needed for as long as the cookie that it has; what no
   * response could give to it is apart, so that however many others sign in, none of them takes its place.
   */
  readonly #unset: RecentMap<StoredSession>
  readonly #unseen: RecentMap<StoredSession>
  readonly #seen: RecentMap<StoredSession> = new RecentMap(ON_THE_WAY_MS, MOST_SESSIONS)
  /** Whether the cookie is still to be removed. */
  readonly #ended: RecentMap<boolean>

  /** @param lifetimeMs of a cookie */
  constructor(lifetimeMs: number) {
    this.#unset = new RecentMap(lifetimeMs, MOST_SESSIONS)
    this.#unseen = new RecentMap(lifetimeMs, MOST_SESSIONS)
    this.#ended = new RecentMap(lifetimeMs, MOST_ENDED)
  }

  /** What stands, for whoever comes with `cookie`: that, newer tokens of the same session, or null where it has ended. */
  newestOf(cookie: StoredSession): StoredSession | null {
    const { sessionId, version } = cookie
    if (this.#ended.get(sessionId) !== undefined) return null
    const kept = this.#unset.get(sessionId) ?? this.#unseen.get(sessionId) ?? this.#seen.get(sessionId)
    return kept && kept.version > version ? kept : cookie
  }

  /** A browser has sent this: what is older need not be kept for it for long. */
  see(cookie: StoredSession): void {
    const { sessionId, version } = cookie
    const kept = this.#unset.get(sessionId) ?? this.#unseen.get(sessionId)
    if (!kept || kept.version > version) return
    this.#drop(sessionId)
    this.#seen.set(sessionId, cookie)
  }

  /** @param isSet whether the response was told, so that the browser has it unless that gets lost */
  keep(next: StoredSession, isSet: boolean): void {
    this.#ended.delete(next.sessionId)
    this.#drop(next.sessionId)
    const kept = isSet ? this.#unseen : this.#unset
    kept.set(next.sessionId, next)
  }

  end(sessionId: string, isCookieLeft: boolean): void {
    this.#drop(sessionId)
    this.#ended.set(sessionId, isCookieLeft)
  }

  #drop(sessionId: string): void {
    for (const kept of [this.#unset, this.#unseen, this.#seen]) kept.delete(sessionId)
  }

  /** Whether a session was signed out when its cookie could not be removed. One that another has replaced has none to remove. */
  isCookieLeft(sessionId: string): boolean {
    return this.#ended.get(sessionId) === true
  }
}

/** Forgets what was put in longest ago. */
class RecentMap<V> {
  readonly #entries = new Map<string, { readonly value: V; readonly until: number }>()
  readonly #ttlMs: number
  readonly #most: number

  constructor(ttlMs: number, most: number) {
    this.#ttlMs = ttlMs
    this.#most = most
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    return entry && entry.until > monotonicNow() ? entry.value : undefined
  }

  set(key: string, value: V): void {
    const now = monotonicNow()
    this.#entries.delete(key)
    this.#entries.set(key, { value, until: now + this.#ttlMs })
    // In the order of their time, which is what a Map keeps.
    for (const [oldest, { until }] of this.#entries) {
      if (until > now && this.#entries.size <= this.#most) break
      this.#entries.delete(oldest)
    }
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }
}
