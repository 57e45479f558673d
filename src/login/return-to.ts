/**
 * Where a login may send the user back to: the rule that keeps a `returnTo` on this site (L4). It answers with a path, never
 * with a whole URL; it never throws; and it repairs nothing: what is not plainly fine gives way to the fallback, because every
 * known bypass is a repair that two parsers make in two ways.
 */

/** What browsers, proxies and servers all let through, and a bound for the work below. */
const MAX_LENGTH = 2048

/** Where plain paths resolve when there is no page and no base. Never part of an answer. */
const PLACEHOLDER_ORIGIN = 'https://relatch.invalid'

// One slash and no second one, or http(s):// with a host and no userinfo: not `https:evil`, `https:///evil`, `https://us@evil`.
const PATH_OR_URL = /^(?:\/(?![/\\])|https?:\/\/[^/?#@]+(?![^/?#]))/i

// A control anywhere (browsers drop some of them: `/<TAB>/evil`), or a backslash in the path (browsers take it for a slash).
const CONTROL_OR_BACKSLASH = /[^ -~\xa0-\uffff]|^[^?#]*\\/

// The paths that name another site, or a script, once something resolves them again or strips their slash: with a control or
// a backslash; with an empty segment at the start, or behind dot segments that lead back there; with a scheme at the start.
const LEAVES_SITE =
  /[^ -[\]-~\xa0-\uffff]|\/\.\.?\/\/|^\/\s*(?:\.{0,2}\/|(?:https?|javascript|vbscript|data|blob|file(?:system)?|[a-z][\w+.-]*(?=:\/)):)/i

/** Undoes one layer of percent-encoding, as lenient as the laxest server: what is no escape stays, and nothing throws. */
function decodeOnce(path: string): string {
  // URLSearchParams holds the URL standard's own decoder; decodeURIComponent would give up at the first `%zz` and leave the
  // `%2f%2f` beside it unseen. `&` and `+` mean nothing in a path.
  return new URLSearchParams(`=${path.replace(/[&+]/g, encodeURIComponent)}`).get('') as string
}

/** Where `safeReturnTo` is at home, and where it sends what it refuses. */
export interface ReturnToOptions {
  /**
   * A URL of this site; only its origin counts. With a malformed one, or one that is not http(s), everything is refused.
   *
   * @default the page's origin; where there is no page, paths are accepted and whole URLs refused
   */
  base?: string | URL | undefined
  /**
   * The answer to everything refused. It is the program's own, not the user's, so it comes back unchecked.
   *
   * @default '/'
   */
  fallback?: string | undefined
}

/**
 * Makes a place on this site, safe to send the user to, of a value that came from a query, a form or storage.
 *
 * Accepted are paths that begin with one slash, and http(s) URLs of the origin of `base`. Whatever could lead elsewhere when a
 * browser, a server or a proxy reads it again, up to three rounds of decoding later, is not; nor is anything but a string, or
 * anything longer than 2048 characters, before or after percent-encoding.
 *
 * @param value Anything: what is not a string is refused, not converted.
 * @returns Path, query and fragment, resolved and percent-encoded, beginning with exactly one slash; or the fallback. Giving
 *   an answer back in changes nothing. Never throws.
 * @see RFC 9700 §4.11 (open redirectors), RFC 3986 §5.2.4 (dot segments)
 * @example
 * safeReturnTo('/orders?page=2', { base: 'https://app.example' }) // '/orders?page=2'
 * safeReturnTo('https://app.example/a/../b', { base: 'https://app.example' }) // '/b'
 * safeReturnTo('//evil.example', { base: 'https://app.example', fallback: '/home' }) // '/home'
 */
export function safeReturnTo(value: unknown, options?: ReturnToOptions): string {
  // Own properties only: a polluted prototype must not name the fallback (O4).
  const own: ReturnToOptions = Object.assign(Object.create(null), options)
  const { base, fallback = '/' } = own
  if (typeof value !== 'string' || value.length > MAX_LENGTH || value !== value.trim()) return fallback
  if (!PATH_OR_URL.test(value) || CONTROL_OR_BACKSLASH.test(value)) return fallback
  try {
    const origin = base === undefined ? (globalThis.location?.origin ?? PLACEHOLDER_ORIGIN) : new URL(base).origin
    const url = new URL(value, origin)
    // Other schemes can share an origin, or have none that means anything.
    if (url.origin !== origin || !/^https?:$/.test(url.protocol)) return fallback

    // The parser has resolved `/.//evil` to `//evil` by now: same origin here, another site for whoever reads the path alone.
    let path = url.pathname
    for (let rounds = 0; rounds < 4; rounds++) {
      if (LEAVES_SITE.test(path)) return fallback
      // NFKC, as some servers normalise: a full-width slash is a slash to them.
      path = decodeOnce(path).normalize('NFKC')
    }
    const answer = url.pathname + url.search + url.hash
    // Encoding can triple the length; what we give must be something that we would take.
    return answer.length > MAX_LENGTH ? fallback : answer
  } catch {
    return fallback
  }
}
