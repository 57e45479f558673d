/**
 * Redirects for schemes that set headers of their own (O2). A platform drops `Authorization` across origins and forwards
 * everything else, a DPoP proof or an API key included; so for such schemes we follow, by the Fetch standard's rules, and what
 * we set is gone at the first change of origin, for the rest of the chain.
 */
import { drain } from './body-text.ts'

/** The Fetch standard's own bound. */
const MAX_REDIRECTS = 20
/** Credentials of the caller's that must not cross origins either. */
export const CREDENTIAL_HEADERS = ['authorization', 'cookie', 'proxy-authorization'] as const
const BODY_HEADERS = ['content-encoding', 'content-language', 'content-location', 'content-type', 'content-length']

export const isRedirect = ({ status }: Response): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

/** One step of a chain, as the sender has to make it. */
export interface Hop {
  url: URL
  method: string
  /** Whether the chain has never left its first origin: only then may credentials go along. */
  isHome: boolean
  /** Headers that described a body which is gone. */
  droppedHeaders: readonly string[]
  hasBody: boolean
}

/**
 * Follows what `first` points at, if anything.
 *
 * @throws TypeError as a fetch does: too many redirects, a location that is no http(s) URL
 */
export async function followRedirects(
  first: Response,
  start: Pick<Hop, 'url' | 'method' | 'hasBody'>,
  send: (hop: Hop) => Promise<Response>,
): Promise<Response> {
  let response = first
  let hop: Hop = { ...start, isHome: true, droppedHeaders: [] }
  for (let count = 0; ; count++) {
    if (response.type === 'opaqueredirect') {
      throw new TypeError(
        'A redirect was refused: this scheme sets headers that a browser would forward to other origins',
      )
    }
    const location = isRedirect(response) ? response.headers.get('location') : null
    if (location === null) {
      // Callers read it; without this ours would be the only fetch that says false after a redirect.
      if (count > 0) Object.defineProperty(response, 'redirected', { value: true })
      return response
    }
    if (count === MAX_REDIRECTS) throw new TypeError('fetch failed: more than 20 redirects')
    hop = nextHop(hop, response.status, location)
    await drain(response)
    response = await send(hop)
  }
}

function nextHop(hop: Hop, status: number, location: string): Hop {
  const text = asUtf8(location)
  const url = URL.canParse(text, hop.url) ? new URL(text, hop.url) : null
  if (url === null || !/^https?:$/.test(url.protocol)) throw new TypeError('fetch failed: a redirect to no http(s) URL')
  if (url.hash === '') url.hash = hop.url.hash
  const isHome = hop.isHome && url.origin === hop.url.origin && url.username === '' && url.password === ''
  const becomesGet =
    status === 303 ? hop.method !== 'GET' && hop.method !== 'HEAD' : status < 303 && hop.method === 'POST'
  return becomesGet
    ? { url, method: 'GET', isHome, droppedHeaders: BODY_HEADERS, hasBody: false }
    : { ...hop, url, isHome }
}

/** Headers come as Latin-1; what a server wrote unescaped into a location is UTF-8, to a platform's own redirects too. */
const asUtf8 = (header: string): string =>
  new TextDecoder().decode(Uint8Array.from(header, (letter) => letter.charCodeAt(0)))
