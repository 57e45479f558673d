/**
 * Sends the user to a login page, and stops when that goes in circles (L3). It decides where to and whether; it never signs
 * anybody in, and never navigates to anything but https or loopback.
 */
import { wallNow } from '../clock.ts'
import { AuthError, misuse } from '../errors.ts'
import { pageUrl, secureUrl } from '../http/origins.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { LoginNeed } from '../ports.ts'
import { withoutLoginAnswer } from './current-page.ts'
import { safeReturnTo } from './return-to.ts'

export interface LoginRedirectOptions {
  /**
   * The login page: https, or http on loopback; relative to the page. Or what makes its URL, called with the path to come back
   * to, which it has to carry itself.
   */
  to: string | URL | ((returnTo: string) => string | URL)
  /**
   * The query parameter of `to` that carries the path to come back to.
   * @default 'returnTo'
   */
  param?: string | undefined
  /**
   * Where the user is, as a path of this site, for a router that changes the URL only when a page has its data: the page that it
   * is on the way to. Default: the address bar.
   */
  from?: (() => string) | undefined
  /** How to go there, for a router that does it without leaving the page. Default: `location.assign`. */
  navigate?: ((url: string) => void) | undefined
  /**
   * How many redirects within `windowMs` are no loop yet.
   * @default 2
   */
  maxRedirects?: number | undefined
  /**
   * For how long a redirect counts, in milliseconds.
   * @default 60 000
   */
  windowMs?: number | undefined
  /** Where redirects are counted, so that the count survives a reload. Default: `sessionStorage`, else memory. */
  storage?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | undefined
}

const OPTIONS = ['to', 'param', 'from', 'navigate', 'maxRedirects', 'windowMs', 'storage'] as const
const KEY = 'relatch:redirects'

/**
 * Makes an `onLoginRequired` that navigates to a login page and says there where to come back to. Requests stay parked until
 * the page is left, or somebody signs in, or the user comes back without having done so; then they get their 401.
 *
 * The session has to rest in a store that outlives the page, or the next page has to ask for a login again: a loop.
 *
 * On the login page itself (same origin and path and, where `to` is a route such as `/#/login`, that route) it does nothing.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION` or `ERR_LOGIN_URL`. The callback rejects with `ERR_LOGIN_URL`
 *   where `to` turns out to be no such URL, and with AuthError `login-loop` after `maxRedirects` redirects within `windowMs`.
 * @see RFC 9700 §4.11
 * @example
 * const api = createAuthFetch({ store: indexedDbStore(), onLoginRequired: loginRedirect({ to: '/login' }) })
 * // On the login page, once the user has signed in:
 * location.assign(safeReturnTo(new URLSearchParams(location.search).get('returnTo')))
 */
export function loginRedirect(options: LoginRedirectOptions): (need: LoginNeed) => Promise<null> {
  const given = ownOptions(options, OPTIONS)
  const { param = 'returnTo', from, navigate, maxRedirects = 2, windowMs = 60_000, storage } = given
  const to = given.to instanceof URL ? given.to.href : given.to
  // Where there is no page yet, a relative one can only be judged when there is.
  if (typeof to !== 'function') loginUrl(to, pageUrl() ?? 'https://relative.example')
  if (typeof param !== 'string' || param === '') throw expected('param', 'the name of a query parameter')
  if (from !== undefined && typeof from !== 'function') throw expected('from', 'a function')
  if (navigate !== undefined && typeof navigate !== 'function') throw expected('navigate', 'a function')
  if (!Number.isInteger(maxRedirects) || maxRedirects < 1) throw expected('maxRedirects', 'a whole number above 0')
  if (!Number.isFinite(windowMs) || windowMs <= 0) throw expected('windowMs', 'a number of milliseconds')
  if (storage !== undefined && (typeof storage?.getItem !== 'function' || typeof storage.setItem !== 'function')) {
    throw expected('storage', 'a Storage')
  }

  // Looked up when it is used: storage that is blocked throws at the very look.
  const count = loopGuard(maxRedirects, windowMs, () => storage ?? globalThis.sessionStorage)
  const urlFor = (returnTo: string): URL => {
    const url = loginUrl(typeof to === 'function' ? to(returnTo) : to, pageUrl())
    if (typeof to !== 'function') url.searchParams.set(param, returnTo)
    return url
  }

  return async ({ returnTo, signal }) => {
    const { location } = globalThis as { location?: Location }
    const go = navigate ?? (location?.assign && ((url: string): void => location.assign(url)))
    if (!go || signal.aborted) return null
    const back = withoutLoginAnswer(safeReturnTo(from ? from() : returnTo))
    let url = urlFor(back)
    const isLoginPage = (place: string): boolean =>
      url.origin === (location?.origin ?? url.origin) && isSamePage(new URL(place, url), url)
    const here = from ? back : location?.href
    if (here !== undefined && isLoginPage(here)) return null
    if (isLoginPage(back)) url = urlFor('/')
    count()
    const isAway = (): boolean => !location || isLoginPage(location.href)
    return leave(() => go(url.href), signal, isAway)
  }
}

/** Never shows what it was given: a URL may hold anything. */
function loginUrl(value: unknown, base: string | undefined): URL {
  const url = secureUrl(value, base)
  if (url === null) {
    throw misuse('ERR_LOGIN_URL', 'Expected `to` to be a login URL: https, or http on loopback, without userinfo')
  }
  return url
}

/** Servers add and drop a slash at the end. A fragment counts where the login page is one of a hash router. */
function isSamePage(place: URL, login: URL): boolean {
  const path = ({ pathname }: URL): string => pathname.replace(/\/$/, '')
  const route = ({ hash }: URL): string | undefined => /^#!?\/[^?]*/.exec(hash)?.[0]
  return path(place) === path(login) && [undefined, route(place)].includes(route(login))
}

/**
 * Goes, and stays pending: the page is about to be gone, and requests answered now would show errors on it. Ends when nobody
 * waits any more, or when the user is back without a session: from the back/forward cache, or within the page.
 */
function leave(go: () => unknown, signal: AbortSignal, isAway: () => boolean): Promise<null> {
  const ended = new AbortController()
  return new Promise<null>((resolve, reject) => {
    const listening = { signal: ended.signal }
    signal.addEventListener('abort', () => resolve(null), listening)
    globalThis.addEventListener?.('pageshow', ({ persisted }) => persisted && resolve(null), listening)
    // Back from a login page that a router had shown; where the login is in another tab, the page was never away.
    let wasAway = false
    globalThis.addEventListener?.('popstate', () => (wasAway && !isAway() ? resolve(null) : undefined), listening)
    const arrive = (): void => {
      wasAway = isAway()
    }
    // A router's promise that fails is a failed login; one that is fulfilled says nothing about it.
    Promise.resolve(go()).then(arrive).catch(reject)
  }).finally(() => ended.abort())
}

/**
 * Counts redirects, and throws when there are too many. A sign-in does not clear the count: a login that works and an API that
 * still says 401 are the loop.
 */
export function loopGuard(
  maxRedirects: number,
  windowMs: number,
  place: () => Pick<Storage, 'getItem' | 'setItem'>,
): () => void {
  // Stands in where the storage is missing, blocked, full or emptied.
  let remembered: number[] = []
  return () => {
    const now = wallNow()
    // Those in the future are from before the clock was set back; they must not block for ever.
    const [inStorage = [], inMemory = []] = [stored(place), remembered].map((instants) =>
      instants.filter((at) => Math.abs(now - at) < windowMs).sort((a, b) => a - b),
    )
    const recent = inStorage.length > inMemory.length ? inStorage : inMemory
    const oldest = recent.at(-maxRedirects)
    if (oldest !== undefined) {
      const message = `Expected a session after ${maxRedirects} login redirects within ${windowMs} ms; not redirecting again yet`
      throw new AuthError('login-loop', message, { retryable: true, retryAfterMs: oldest + windowMs - now })
    }
    remembered = [...recent, now]
    try {
      place().setItem(KEY, JSON.stringify(remembered))
    } catch {}
  }
}

function stored(place: () => Pick<Storage, 'getItem'>): number[] {
  try {
    // What is no list has no filter, and throws.
    return (JSON.parse(place().getItem(KEY) ?? '') as number[]).filter(Number.isFinite)
  } catch {
    return []
  }
}
