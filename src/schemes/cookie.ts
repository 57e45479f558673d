/**
 * Sessions in HttpOnly cookies: the browser holds the credential and we never see it. What is ours: that cookies go along, the
 * CSRF header on requests that change something, and telling a refusal for CSRF from a missing permission.
 */
import { within } from '../clock.ts'
import { AuthError } from '../errors.ts'
import { boundedText } from '../http/body-text.ts'
import { isHeaderName } from '../http/header-name.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { AuthScheme, Denial, TokenSet } from '../ports.ts'
import { saysCsrfFailed } from './csrf-failure.ts'

/** Where the CSRF token comes from, exactly one of `cookie`, `meta` and `token`, and how it is sent. */
export interface CsrfOptions {
  /**
   * The header that carries the token.
   * @default 'x-csrf-token'
   */
  header?: string | undefined
  /** The name of a cookie that scripts may read, such as `XSRF-TOKEN`. Its value is percent-decoded where it can be. */
  cookie?: string | undefined
  /** The name of a `<meta>` element of the page whose `content` is the token, such as `csrf-token`. */
  meta?: string | undefined
  /** The token itself, for servers that only look for a header; or what gives it, called for each send. None: no header. */
  token?: string | (() => string | null | undefined | Promise<string | null | undefined>) | undefined
  /**
   * Sends the header with GET, HEAD, OPTIONS and TRACE too.
   * @default false
   */
  isSentOnReads?: boolean | undefined
}

export interface CookieOptions {
  /**
   * fetch's `credentials` for requests that leave them at their default. `include` sends cookies to the app's `origins` where
   * those are not the page's own.
   * @default 'include'
   */
  credentials?: 'include' | 'same-origin' | undefined
  /**
   * The CSRF header, for our origins only.
   * @default false
   */
  csrf?: CsrfOptions | false | undefined
  /**
   * Says of an answer of status 400 or above whether it is a refusal for CSRF, for servers that say it in their own way.
   * `undefined` leaves it to the status (419) and the body. It gets a clone and a second; what it throws counts as false.
   */
  isCsrfFailure?: ((response: Response) => boolean | undefined | Promise<boolean | undefined>) | undefined
}

/** How much of a refusal is read, and for how long, before the caller gets it. */
const REFUSAL_BYTES = 65_536
const REFUSAL_MS = 1000

/**
 * The scheme of a session in HttpOnly cookies (a backend for the frontend). Sign in with `api.signIn(true)`.
 *
 * @throws TypeError `ERR_INVALID_OPTION` or `ERR_UNKNOWN_OPTION` for options of the wrong kind. A request rejects with AuthError
 *   `invalid-token` where the CSRF token cannot stand in a header.
 * @see RFC 6265, RFC 9700 §4.7
 *
 * @example
 * const api = createAuthFetch({
 *   scheme: cookie({ csrf: { cookie: 'XSRF-TOKEN', header: 'x-xsrf-token' } }),
 *   refresh: refreshEndpoint({ url: '/auth/refresh', credentials: 'include' }),
 * })
 * await api.signIn(true)
 */
export function cookie(options: CookieOptions = {}): AuthScheme {
  const given = ownOptions(options, ['credentials', 'csrf', 'isCsrfFailure'])
  const { credentials = 'include', csrf = false, isCsrfFailure } = given
  if (credentials !== 'include' && credentials !== 'same-origin') {
    throw expected('credentials', "'include' or 'same-origin'")
  }
  if (isCsrfFailure !== undefined && typeof isCsrfFailure !== 'function') throw expected('isCsrfFailure', 'a function')
  const { headers, attach } = csrf === false ? { headers: [], attach: () => {} } : csrfHeader(csrf)
  return {
    name: 'cookie',
    isAmbient: true,
    credentials,
    headers,
    attach,
    denialReason: (response) => denialReason(response, isCsrfFailure),
    refresherFetch:
      (transport, { isOurs }) =>
      async (input, init) => {
        const url = new URL(input instanceof Request ? input.url : input)
        if (!isOurs(url)) return transport(input, init)
        const request = input instanceof Request ? input : undefined
        const own = { __proto__: null, ...(request ? {} : { credentials }), ...init } as RequestInit
        own.headers = new Headers(own.headers ?? request?.headers)
        await attach(own.headers, NO_TOKENS, { method: own.method ?? request?.method ?? 'GET', url })
        return transport(input, own)
      },
  }
}

/** What the port hands an ambient scheme. */
const NO_TOKENS = null as unknown as TokenSet

function csrfHeader(options: CsrfOptions): Pick<AuthScheme, 'headers' | 'attach'> {
  const given = ownOptions(options, ['header', 'cookie', 'meta', 'token', 'isSentOnReads'])
  const { header = 'x-csrf-token', isSentOnReads = false } = given
  if (!isHeaderName(header) || /^authorization$/i.test(header)) {
    throw expected('csrf.header', 'the name of a header that may carry a CSRF token')
  }
  if (typeof isSentOnReads !== 'boolean') throw expected('csrf.isSentOnReads', 'true or false')
  const source = sourceOf(given)
  return {
    headers: [header.toLowerCase()],
    attach(headers, _tokens, { method }) {
      if (!isSentOnReads && /^(GET|HEAD|OPTIONS|TRACE)$/i.test(method)) return
      const set = (token: unknown): void => {
        if (token !== undefined && token !== null && token !== '') headers.set(header, sendable(token))
      }
      // Read anew each time: servers change it with the session. No promise where the source makes none.
      const token = source()
      return isPromise(token) ? token.then(set) : set(token)
    },
  }
}

const isPromise = (value: unknown): value is Promise<unknown> =>
  typeof (value as Promise<unknown> | null | undefined)?.then === 'function'

/** What Headers takes without an error that would quote it (R14). */
const isSendable = (token: unknown): token is string => typeof token === 'string' && /^[ -~]+$/.test(token)

function sourceOf({ cookie, meta, token }: CsrfOptions): () => unknown {
  const [source, ...others] = [cookie, meta, token].filter((value) => value !== undefined)
  const isSource = typeof source === 'function' ? source === token : isSendable(source)
  if (!isSource || others.length > 0) {
    throw expected('csrf', 'exactly one of `cookie`, `meta` and `token`: a name, a name, a token or a function')
  }
  if (cookie !== undefined) return () => cookieNamed(cookie)
  if (meta !== undefined) return () => metaNamed(meta)
  return typeof token === 'function' ? () => token() : () => token
}

function sendable(token: unknown): string {
  if (isSendable(token)) return token
  throw new AuthError('invalid-token', 'Expected the CSRF token to be a text of printable ASCII characters')
}

/** The first cookie of that very name: the one with the longest path (RFC 6265 §5.4). Outside a page there is none. */
function cookieNamed(name: string): string | undefined {
  const { document } = globalThis as { document?: Document }
  const pair = document?.cookie?.split('; ').find((entry) => entry.startsWith(`${name}=`))
  const value = pair?.slice(name.length + 1)
  try {
    return value && decodeURIComponent(value)
  } catch {
    return value
  }
}

function metaNamed(name: string): string | null | undefined {
  const { document } = globalThis as { document?: Document }
  // By its name, not by a selector, in which the name would have to be escaped.
  const elements = [...(document?.getElementsByName?.(name) ?? [])]
  return elements.find(({ localName }) => localName === 'meta')?.getAttribute('content')
}

/** 400 and 422 stand beside 403: Flask-WTF and ASP.NET answer so, Rails and Symfony so. Only what the body says makes them CSRF. */
async function denialReason(
  response: Response,
  isCsrfFailure: CookieOptions['isCsrfFailure'],
): Promise<Denial['reason'] | undefined> {
  const answer = isCsrfFailure && (await asked(isCsrfFailure, response.clone()))
  const isCsrf = answer ?? (response.status === 419 || (await isToldInBody(response)))
  return isCsrf === true ? 'csrf' : undefined
}

async function asked(isCsrfFailure: NonNullable<CookieOptions['isCsrfFailure']>, clone: Response): Promise<unknown> {
  try {
    return await within(Promise.resolve(isCsrfFailure(clone)), REFUSAL_MS, () => null)
  } catch {
    return false
  } finally {
    // Unread, it would keep in memory what the caller reads, and hold up the caller's cancel.
    if (!clone.body?.locked) void clone.body?.cancel().catch(() => {})
  }
}

async function isToldInBody(response: Response): Promise<boolean> {
  const { status, headers } = response
  // SAP's way to ask for a token, with a body that need not be readable.
  if (status === 403 && /^required$/i.test(headers.get('x-csrf-token') ?? '')) return true
  const isRefusal = status === 400 || status === 403 || status === 422
  const isText = /^(text\/|application\/([\w.+-]*\+)?json|application\/xhtml)|^$/i.test(
    headers.get('content-type') ?? '',
  )
  if (!isRefusal || !isText || response.bodyUsed) return false
  return saysCsrfFailed((await boundedText(response.clone(), REFUSAL_BYTES, REFUSAL_MS)) ?? '')
}
