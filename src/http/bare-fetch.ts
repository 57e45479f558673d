/** The fetch that a refresher gets: never recovers, never follows a redirect, never caches. */
import { isRedirect } from './redirects.ts'

/**
 * Wraps a transport for token requests. A redirect is an error: following one would hand the refresh token to whatever it
 * points at (RFC 9700 §4.12). `redirect: 'error'` is not used, because some runtimes do not know it.
 *
 * @param signal ends requests that bring no signal of their own
 */
export function bareFetch(transport: typeof fetch, base: string | undefined, signal: AbortSignal): typeof fetch {
  const bare = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const target = typeof input === 'string' && base !== undefined ? new URL(input, base).href : input
    // On no prototype: a polluted one must not become part of a token request (O4).
    const ours = { __proto__: null, cache: 'no-store', ...(!(input instanceof Request) && { signal }) } as RequestInit
    const response = await transport(target, Object.assign(ours, init, { redirect: 'manual' }))
    if (!isRedirect(response) && response.type !== 'opaqueredirect') return response
    await response.body?.cancel()
    throw new TypeError('A token request was answered with a redirect, which is never followed (RFC 9700 section 4.12)')
  }
  return bare as typeof fetch
}
