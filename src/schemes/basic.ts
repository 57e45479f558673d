/** The Basic scheme, RFC 7617: a name and a password in each request. It asks nobody for them; what was rejected is not sent again. */
import { misuse } from '../errors.ts'
import { base64 } from '../http/base64.ts'
import type { AuthScheme, TokenSet } from '../ports.ts'

/**
 * Sends the credentials as `Authorization: Basic …`. There is nothing to refresh: a 401 goes to `onLoginRequired`, and new
 * credentials resume the request.
 *
 * @see RFC 7617
 *
 * @example
 * const api = createAuthFetch({
 *   baseUrl: 'https://api.example',
 *   scheme: basic(),
 *   onLoginRequired: async () => basicCredentials('Aladdin', await askForPassword()),
 * })
 * await api.signIn(basicCredentials('Aladdin', 'open sesame'))
 */
export function basic(): AuthScheme {
  return {
    name: 'basic',
    headers: ['authorization'],
    attach: (headers, tokens) => headers.set('authorization', `Basic ${tokens.accessToken}`),
    cure: () => 'login',
  }
}

/** Control characters, which neither part may hold (RFC 7617 §2), and halves of characters, which have no UTF-8. */
const UNSENDABLE = /[^ -~\x80-\u{10ffff}]|\p{Surrogate}/u

/**
 * Makes the tokens of a `basic()` session: UTF-8 after normalization (NFC, RFC 7617 §2.1), in base64. That is an encoding and no
 * protection: a store that holds it holds the password. `subject` is the name.
 *
 * @param username without a colon, which would end it
 * @throws TypeError `ERR_CREDENTIALS` for what RFC 7617 cannot send; never with the value
 * @see RFC 7617 §2 and §2.1
 *
 * @example
 * basicCredentials('Aladdin', 'open sesame').accessToken // 'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
 */
export function basicCredentials(username: string, password: string): TokenSet {
  const areTexts = [username, password].every((text) => typeof text === 'string' && !UNSENDABLE.test(text))
  if (!areTexts || username.includes(':')) {
    throw misuse(
      'ERR_CREDENTIALS',
      'Expected a name and a password without control characters, and the name without a colon (RFC 7617 section 2)',
    )
  }
  const bytes = new TextEncoder().encode(`${username}:${password}`.normalize('NFC'))
  return { accessToken: base64(bytes), tokenType: 'Basic', subject: username }
}
