/** API keys: one value in one header. Never in a URL, where logs, histories and referrers would keep it (RFC 9700 §4.3). */
import { isHeaderName, isToken } from '../http/header-name.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { AuthScheme } from '../ports.ts'

export interface ApiKeyOptions {
  /**
   * The header that carries the key. Not one that frames or describes the message, such as `host` or `content-length`, and not
   * `cookie`.
   * @default 'x-api-key'
   */
  header?: string | undefined
  /** A word before the key, as in `Authorization: ApiKey …`. Default: none. */
  prefix?: string | undefined
}

/**
 * Sends the access token of the session as an API key. A key is b64token characters (RFC 6750 §2.1: letters, digits,
 * `- . _ ~ + /`, and `=` at the end), as every access token here; any other is refused when it is handed over.
 *
 * There is nothing to refresh: a 401 goes to `onLoginRequired`, and a new key resumes the request. On a redirect to another
 * origin the key stays behind.
 *
 * @throws TypeError `ERR_INVALID_OPTION` or `ERR_UNKNOWN_OPTION` for options of the wrong kind
 *
 * @example
 * const api = createAuthFetch({ baseUrl: 'https://api.example', scheme: apiKey() })
 * await api.signIn({ accessToken: 'key-1' })
 */
export function apiKey(options: ApiKeyOptions = {}): AuthScheme {
  const { header = 'x-api-key', prefix } = ownOptions(options, ['header', 'prefix'])
  if (!isHeaderName(header)) throw expected('header', 'the name of a header that may carry a key')
  if (prefix !== undefined && !isToken(prefix)) {
    throw expected('prefix', 'one word, without a space')
  }
  const before = prefix === undefined ? '' : `${prefix} `
  return {
    name: 'api-key',
    headers: [header.toLowerCase()],
    attach: (headers, tokens) => headers.set(header, before + tokens.accessToken),
    cure: () => 'login',
  }
}
