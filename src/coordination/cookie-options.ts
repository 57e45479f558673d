/** The options of `cookieSessions`: what they mean, their defaults, and what is refused when it is made. */
import { expected, ownOptions } from '../option-check.ts'
import type { CookieAttributes } from './cookie-chunks.ts'

export interface CookieSessionsOptions {
  /**
   * At least 32 characters at random, the same in every process: `openssl rand -base64 32`. Of several the first encrypts and all
   * decrypt. To change it, `[old, new]` in every process first, `[new, old]` then, and `new` after `maxAgeSeconds`.
   */
  secret: string | readonly string[]
  /**
   * The name of the cookie; a session that is too large for one goes on in `<name>.1` and so on. Default: `__Host-relatch`, which
   * browsers take from this very host over https only; `__Secure-relatch` with a `path` or `domain`; `relatch` where `secure` is
   * false.
   */
  name?: string | undefined
  /**
   * How long the cookie lasts after the last sign-in or refresh, in seconds. The refresh token should last as long.
   * @default 2 592 000
   */
  maxAgeSeconds?: number | undefined
  /**
   * Into how many cookies of 3800 bytes a session may go, 1 to 9. Each request carries them all: Node takes 16 KiB of headers, and
   * many proxies 8 KiB. A session that is too large is a `store-failed`.
   * @default 3
   */
  maxCookies?: number | undefined
  /** @default '/' */
  path?: string | undefined
  /** Default: none, so that only this host gets it. */
  domain?: string | undefined
  /**
   * `lax` keeps it off requests that other sites make, except when a user follows a link here.
   * @default 'lax'
   */
  sameSite?: 'lax' | 'strict' | 'none' | undefined
  /**
   * Only over https. Chromium and Firefox count `http://localhost` among it, Safari does not.
   * @default true
   */
  secure?: boolean | undefined
}

const OPTIONS = ['secret', 'name', 'maxAgeSeconds', 'maxCookies', 'path', 'domain', 'sameSite', 'secure'] as const
const LEAST_SECRET = 32
/** RFC 6265 §4.1.1: a token of RFC 9110 §5.6.2. */
const COOKIE_NAME = /^[\w!#$%&'*.^`|~+-]{1,100}$/
const NO_SEPARATOR = /^[!-:<-~]+$/

export interface CookieSettings {
  readonly secrets: string[]
  readonly name: string
  readonly attributes: CookieAttributes
  readonly maxCookies: number
}

/** @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION` */
export function readOptions(options: CookieSessionsOptions): CookieSettings {
  const given = ownOptions(options, OPTIONS)
  const { secret, maxAgeSeconds = 2_592_000, maxCookies = 3 } = given
  const secrets = typeof secret === 'string' ? [secret] : secret
  if (!Array.isArray(secrets) || secrets.length === 0 || !secrets.every(isSecret))
    throw expected('secret', `a text of at least ${LEAST_SECRET} characters, or an array of them`)
  if (!Number.isSafeInteger(maxAgeSeconds) || maxAgeSeconds <= 0) throw expected('maxAgeSeconds', 'whole seconds')
  if (!Number.isInteger(maxCookies) || maxCookies < 1 || maxCookies > 9) throw expected('maxCookies', '1 to 9')
  const { name, attributes } = cookieOf(given)
  return { secrets: [...secrets], name, attributes: { ...attributes, maxAge: maxAgeSeconds }, maxCookies }
}

const isSecret = (value: unknown): boolean => typeof value === 'string' && value.length >= LEAST_SECRET

function cookieOf(
  given: CookieSessionsOptions,
): Pick<CookieSettings, 'name'> & { attributes: Omit<CookieAttributes, 'maxAge'> } {
  const { path = '/', domain, sameSite = 'lax', secure = true } = given
  if (typeof secure !== 'boolean') throw expected('secure', 'true or false')
  if (!['lax', 'strict', 'none'].includes(sameSite)) throw expected('sameSite', "'lax', 'strict' or 'none'")
  if (sameSite === 'none' && !secure) throw expected('sameSite', "'lax' or 'strict' where secure is false")
  if (typeof path !== 'string' || !path.startsWith('/') || !NO_SEPARATOR.test(path)) throw expected('path', 'a path')
  if (domain !== undefined && !(typeof domain === 'string' && NO_SEPARATOR.test(domain)))
    throw expected('domain', 'a host name')
  const isHosts = secure && path === '/' && domain === undefined
  const { name = `${isHosts ? '__Host-' : secure ? '__Secure-' : ''}relatch` } = given
  if (typeof name !== 'string' || !COOKIE_NAME.test(name)) throw expected('name', 'the name of a cookie')
  // A browser would drop it without a word (RFC 6265bis §4.1.3).
  if (/^__host-/i.test(name) && !isHosts)
    throw expected('name', "one without __Host-: that asks for secure, for the path '/' and no domain")
  if (/^__secure-/i.test(name) && !secure) throw expected('name', 'one without __Secure-: that asks for secure')
  const attributes = { path, ...(domain !== undefined && { domain }), httpOnly: true as const, secure, sameSite }
  return { name, attributes }
}
