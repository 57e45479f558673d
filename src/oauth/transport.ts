/**
 * How a request reaches the authorization server: no redirect is followed, no answer is longer than a bound or takes longer than
 * a limit, and a transport that fails tells nothing of what it was given to send.
 */
import { after } from '../clock.ts'
import { AuthError, type AuthErrorCode } from '../errors.ts'
import { bareFetch } from '../http/bare-fetch.ts'
import { boundedText } from '../http/body-text.ts'
import type { TokenSet } from '../tokens.ts'

/** Documents and tokens are a few kilobytes; what is longer once it is decoded is neither. */
const ANSWER_BYTES = 262_144

export interface Via {
  /** The transport, where the client has none of its own. */
  fetch?: typeof fetch | undefined
  /** Ends the request. */
  signal?: AbortSignal | undefined
  /** The tokens that are to be replaced. */
  tokens?: TokenSet | undefined
}

/** The same transport for one request after the other, each answer whole, in memory and within `timeoutMs`. */
export function boundedFetch(transport: typeof fetch, timeoutMs: number, signal?: AbortSignal): typeof fetch {
  const bounded = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> =>
    new Promise((resolve, reject) => {
      const ended = new AbortController()
      const end = (reason: unknown): void => {
        ended.abort(reason)
        reject(reason)
      }
      const leave = (): void => end(signal?.reason)
      if (signal?.aborted) return leave()
      signal?.addEventListener('abort', leave)
      const cancel = after(timeoutMs, () => end(new TypeError('No answer in time')), true)
      const ask = async (): Promise<Response> => {
        const response = await bareFetch(transport, undefined, ended.signal)(input, { ...init, signal: ended.signal })
        const text = await boundedText(response, ANSWER_BYTES, timeoutMs)
        if (text === null) throw new TypeError('An answer that is too long, or broke off')
        const { status, headers } = response
        return new Response(status === 204 || status === 205 || status === 304 ? null : text, { status, headers })
      }
      void ask()
        .then(resolve, reject)
        .finally(() => {
          cancel()
          signal?.removeEventListener('abort', leave)
        })
    })
  return bounded as typeof fetch
}

/**
 * What to say of a request that got no answer. Not its error: a transport's may quote what was sent. The code that a system
 * gives (`ECONNREFUSED`) is all that helps, and holds nothing.
 */
export function unreachable(code: AuthErrorCode, thrown: unknown): AuthError {
  const codes = [thrown, (thrown as { cause?: unknown } | null)?.cause].map((error) => Object(error).code)
  const system = codes.find((each) => typeof each === 'string' && /^[A-Z][A-Z\d_]{2,40}$/.test(each))
  return new AuthError(code, `The authorization server could not be reached${system ? ` (${system})` : ''}`, {
    retryable: true,
  })
}
