/**
 * A text in the cookies of one request: in as many as it takes, because a browser drops a cookie beyond 4096 bytes, name and
 * attributes among them, and says nothing. The first one tells how many there are, so that what an older and longer text has left
 * behind is never taken for a part of this one. Knows nothing about what the text says.
 */

/** What a cookie is set with. */
export interface CookieAttributes {
  path: string
  domain?: string
  /** Seconds; 0 removes the cookie. */
  maxAge: number
  httpOnly: true
  secure: boolean
  sameSite: 'lax' | 'strict' | 'none'
}

/** The cookies of one request and its response: Next's `cookies()`, SvelteKit's `event.cookies`, or two lines over h3's. */
export interface RequestCookies {
  get(name: string): string | { value: string } | null | undefined
  /** May throw where it is too late for the response to set anything. What it returns is not waited for. */
  set(name: string, value: string, attributes: CookieAttributes): unknown
}

/** Where a text goes. */
export interface CookieSpot {
  readonly name: string
  readonly attributes: CookieAttributes
  /** In how many cookies at most. */
  readonly most: number
}

/** A text that no browser, or no server, would take. */
export class TooLarge extends Error {}

/** With some 300 bytes for the name and the attributes. */
const CHUNK_LENGTH = 3800
const FIRST = /^([1-9])\.(.*)$/s

/** The text that stands there, as it came; '' = none. Garbage is a text too. */
export function readChunks(cookies: RequestCookies, { name, most }: CookieSpot): string {
  const first = textOf(cookies, name)
  const [, count, start] = FIRST.exec(first) ?? []
  if (start === undefined) return first
  const rest = namesOf(name, Math.min(Number(count), most)).slice(1)
  return start + rest.map((each) => textOf(cookies, each)).join('')
}

/**
 * Puts `text` there, '' removes what is there.
 *
 * @throws whatever `cookies.set` throws; `TooLarge`, and then nothing was set
 */
export function writeChunks(cookies: RequestCookies, { name, attributes, most }: CookieSpot, text: string): void {
  const count = Math.ceil(text.length / CHUNK_LENGTH)
  if (count > most) throw new TooLarge(`Expected the session to fit into ${most} cookies`)
  const names = namesOf(name, most)
  for (const [index, each] of names.entries()) {
    const chunk = text.slice(index * CHUNK_LENGTH, (index + 1) * CHUNK_LENGTH)
    if (chunk !== '') set(cookies, each, index === 0 ? `${count}.${chunk}` : chunk, attributes)
    // All of them where there is to be none: what this response was told before may not be shown.
    else if (text === '' || textOf(cookies, each) !== '') set(cookies, each, '', { ...attributes, maxAge: 0 })
  }
}

const namesOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => (index === 0 ? name : `${name}.${index}`))

function textOf(cookies: RequestCookies, name: string): string {
  const found = cookies.get(name)
  const value = typeof found === 'object' ? found?.value : found
  return typeof value === 'string' ? value : ''
}

function set(cookies: RequestCookies, name: string, value: string, attributes: CookieAttributes): void {
  const answer = cookies.set(name, value, { ...attributes }) as PromiseLike<unknown> | null | undefined
  // A response that gets lost is nothing else: the next request brings the cookie that was there before.
  if (typeof answer?.then === 'function') answer.then(undefined, () => {})
}
