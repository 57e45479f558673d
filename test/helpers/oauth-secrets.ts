/** Everything secret that goes between a client and an authorization server, collected on the way, and the search for it (E1). */
import { exposures } from './canary.ts'

/** The members of forms and JSON answers that nobody else may see. */
const NAMES = [
  'access_token',
  'refresh_token',
  'id_token',
  'code',
  'code_verifier',
  'client_secret',
  'device_code',
  'token',
  'state',
  'nonce',
]

export interface Secrets {
  /** The same fetch; what passes through it is collected. */
  tap(transport: typeof fetch): typeof fetch
  /** Collects what a URL carries: of an authorization request, of a callback. */
  addUrl(url: string): void
  /** Those that something shows, whole or in part. */
  shownBy(...values: unknown[]): string[]
  readonly size: number
}

export function collectSecrets(): Secrets {
  const found = new Set<string>()
  const addAll = (entries: Iterable<readonly [string, unknown]>): void => {
    for (const [name, value] of entries)
      if (NAMES.includes(name) && typeof value === 'string' && value !== '') found.add(value)
  }
  const addHeaders = (headers: HeadersInit | undefined): void => {
    for (const name of ['authorization', 'dpop']) {
      const value = new Headers(headers).get(name)
      if (value !== null) found.add(value.replace(/^\w+ /, ''))
    }
  }
  return {
    tap: (transport) => async (input, init) => {
      if (input instanceof Request) addHeaders(input.headers)
      addHeaders(init?.headers)
      if (init?.body) addAll(new URLSearchParams(String(init.body)))
      const response = await transport(input, init)
      // What is compressed may be a bomb.
      if (/json/.test(response.headers.get('content-type') ?? '') && !response.headers.has('content-encoding')) {
        const text = await response.clone().text()
        if (text.startsWith('{')) addAll(Object.entries(JSON.parse(text) as object))
      }
      return response
    },
    addUrl: (url) => addAll(new URL(url).searchParams),
    shownBy(...values) {
      const text = values.map(exposures).join('\n')
      return [...found].flatMap(parts).filter((part) => text.includes(part))
    },
    get size() {
      return found.size
    },
  }
}

/** The beginning of each part: the header of a JWT is the same in all of them, and no secret. */
function parts(secret: string): string[] {
  const [header = '', ...rest] = secret.split('.')
  return (rest.length === 2 ? rest : [header]).map((part) => part.slice(0, 12))
}
