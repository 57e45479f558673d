/**
 * Sessions in HttpOnly cookies, encrypted, for servers that make one AuthFetch for each request. A cookie is as old as the request
 * that brought it, so that the process remembers what came after it; what no process can know is what another one did meanwhile.
 */
import { wallNow } from '../clock.ts'
import {
  type CookieAttributes,
  type CookieSpot,
  type RequestCookies,
  readChunks,
  TooLarge,
  writeChunks,
} from '../coordination/cookie-chunks.ts'
import { MemoryLeases } from '../coordination/cookie-lease.ts'
import { CookieMemory } from '../coordination/cookie-memory.ts'
import { type CookieSessionsOptions, readOptions } from '../coordination/cookie-options.ts'
import { cookieSeal, type Seal } from '../coordination/cookie-seal.ts'
import { leaseLock } from '../coordination/lease.ts'
import { jsonObject } from '../http/json.ts'
import { expected } from '../option-check.ts'
import type { LockOptions, StoredSession, TokenStore } from '../ports.ts'
import { own, readStoredSession } from '../tokens.ts'

export type { CookieAttributes, CookieSessionsOptions, RequestCookies }

/** How often to look whether a holder's time is over; its release is heard of at once. */
const POLL_MS = 100

/**
 * Keeps each browser's session in a cookie of its own: HttpOnly, encrypted and authenticated (AES-256-GCM). Make it once, at module
 * level, and a store for each request.
 *
 * Among the requests of one process there is one refresh at a time for a session, and a request whose cookie is behind gets the
 * newest tokens: they are kept in memory until the browser is seen to have them. Where a response can set no cookies (it has
 * started, or Next is rendering) a refresh is not lost: the next request that may sets the cookie. Several processes do not know of
 * each other's refreshes: send each browser to the same one, or keep only an id in the cookie and the session in `redisStore`.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`
 * @example
 * const sessions = cookieSessions({ secret: process.env.SESSION_SECRET ?? '' })
 * const api = createAuthFetch({ baseUrl: 'https://api.example', store: sessions(await cookies()) })
 */
export function cookieSessions(options: CookieSessionsOptions): (cookies: RequestCookies) => TokenStore {
  const { secrets, name, attributes, maxCookies } = readOptions(options)
  const app: App = {
    spot: { name, attributes, most: maxCookies },
    seal: cookieSeal(secrets, name),
    memory: new CookieMemory(attributes.maxAge * 1000),
    leases: new MemoryLeases(),
    lastSet: new WeakMap(),
  }
  return (cookies) => {
    if (typeof cookies?.get !== 'function' || typeof cookies.set !== 'function')
      throw expected('cookies', 'the cookies of a request, with get() and set()')
    return new CookieStore(app, cookies)
  }
}

/** What all requests have in common. */
interface App {
  readonly spot: CookieSpot
  readonly seal: Seal
  readonly memory: CookieMemory
  readonly leases: MemoryLeases
  /** What was set last through these cookies. To find it there does not mean that a browser has sent it. */
  readonly lastSet: WeakMap<RequestCookies, string>
}

/**
 * The cookie of one request. What it stands for is known to this store alone, and only while the cookie says the same: the object
 * that gives cookies may be one for all requests, over what the request at hand is (AsyncLocalStorage), and must lead from none of
 * them to another's session.
 */
class CookieStore implements TokenStore {
  readonly #app: App
  readonly #cookies: RequestCookies
  /** What the cookie says, and for which session that stands: after a write the new one, also where `get` goes on giving the old. */
  #opened: { readonly text: string; readonly session: StoredSession | null } | null = null
  #hasComplained = false
  /** Lets others have the lock: they find here what was written, although that failed, and whoever wrote tries again for long. */
  #onKept = (): void => {}

  constructor(app: App, cookies: RequestCookies) {
    this.#app = app
    this.#cookies = cookies
  }

  async read(): Promise<StoredSession | null> {
    await this.#catchUp()
    // A copy: whoever reads it may change it.
    return this.#whenOpen((cookie) => readStoredSession(this.#standing(cookie)))
  }

  async write(given: StoredSession | null, expectedVersion: number | null): Promise<boolean> {
    const next = readStoredSession(given)
    const text = next ? await this.#sealed(next) : ''
    return this.#whenOpen((cookie) => {
      const standing = this.#standing(cookie)
      if ((standing?.version ?? null) !== expectedVersion) return false
      this.#replace(standing, next, text)
      return true
    })
  }

  async lock<T>(task: (isHeld?: () => boolean) => Promise<T>, options: LockOptions): Promise<T> {
    // Where nobody is signed in there is nothing else to tell requests apart by; to wait for one too many costs no session.
    const key = await this.#whenOpen((cookie) => cookie?.sessionId ?? this.#cookies)
    const isKept = new Promise<void>((resolve) => {
      this.#onKept = resolve
    })
    let running: Promise<T> | undefined
    await leaseLock(this.#app.leases.at(key), POLL_MS)(async (isHeld) => {
      running = task(isHeld)
      await Promise.race([running, isKept])
    }, options)
    return running as Promise<T>
  }

  #replace(standing: StoredSession | null, next: StoredSession | null, text: string): void {
    const { memory } = this.#app
    const failure = this.#set(text)
    const isSame = next !== null && standing?.sessionId === next.sessionId
    // The browser has a cookie by which the next request finds the newest tokens here, or that there are none any more.
    const isKept = isSame || next === null
    if (isSame || (next && !failure)) memory.keep(next, !failure)
    if (standing && !isSame && (isKept || !failure)) memory.end(standing.sessionId, failure !== null)
    if (failure && (!isKept || failure.error instanceof TooLarge) && !this.#hasComplained) {
      // Told once, as a store that failed; whoever tries again then shall not do so for ever.
      this.#hasComplained = true
      if (isSame) this.#onKept()
      throw failure.error
    }
    this.#opened = { text: this.#text(), session: next }
  }

  /** What stands for whoever comes with this cookie. */
  #standing(cookie: StoredSession | null): StoredSession | null {
    return cookie && this.#app.memory.newestOf(cookie)
  }

  #text(): string {
    return readChunks(this.#cookies, this.#app.spot)
  }

  #sealed(session: StoredSession): Promise<string> {
    const { seal, spot } = this.#app
    return seal.close(JSON.stringify({ session, expiresAt: wallNow() + spot.attributes.maxAge * 1000 }))
  }

  /** Runs `task` with what the cookie stands for, in the same step in which it says so: what is compared is what is replaced. */
  async #whenOpen<T>(task: (cookie: StoredSession | null) => T): Promise<T> {
    for (;;) {
      const [text, opened] = [this.#text(), this.#opened]
      if (opened?.text === text) return task(opened.session)
      const session = await this.#unsealed(text)
      // Somebody who wrote meanwhile knows better.
      if (this.#opened !== opened) continue
      this.#opened = { text, session }
      if (session && this.#app.lastSet.get(this.#cookies) !== text) this.#app.memory.see(session)
    }
  }

  async #unsealed(text: string): Promise<StoredSession | null> {
    const record = jsonObject(await this.#app.seal.open(text)) ?? {}
    // A browser forgets it by then; a copy that somebody has taken must not be good for longer.
    return Number(own(record, 'expiresAt')) > wallNow() ? readStoredSession(own(record, 'session')) : null
  }

  /** Puts into the cookie what was kept because another response could not. */
  async #catchUp(): Promise<void> {
    const missing = await this.#whenOpen((cookie) => this.#missing(cookie))
    if (missing === undefined) return
    const text = missing ? await this.#sealed(missing) : ''
    await this.#whenOpen((cookie) => {
      if (!cookie || this.#missing(cookie) !== missing) return
      const failure = this.#set(text)
      if (!missing && !failure) this.#app.memory.end(cookie.sessionId, false)
      this.#opened = { text: this.#text(), session: missing }
    })
  }

  /** What the browser has to get, null to have its cookie taken away; undefined: nothing. */
  #missing(cookie: StoredSession | null): StoredSession | null | undefined {
    const standing = this.#standing(cookie)
    if (!cookie || standing === cookie) return undefined
    return standing ?? (this.#app.memory.isCookieLeft(cookie.sessionId) ? null : undefined)
  }

  /** Sets the cookie to `text`; says what kept it from that. */
  #set(text: string): { readonly error: unknown } | null {
    try {
      writeChunks(this.#cookies, this.#app.spot, text)
    } catch (error) {
      return { error }
    }
    this.#app.lastSet.set(this.#cookies, text)
    return null
  }
}
