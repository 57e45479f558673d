/**
 * The DPoP scheme, RFC 9449: every send carries a proof that we hold the key which the tokens are bound to. Never sends such a
 * token as a Bearer token, whatever a challenge says, and never shows a key, a proof or a token to anybody.
 */
import { calculateThumbprint, generateKeyPair, generateProof } from 'dpop'
import { AuthError, misuse } from '../errors.ts'
import { bareFetch } from '../http/bare-fetch.ts'
import { boundedText, drain } from '../http/body-text.ts'
import { type Challenge, challengesOf } from '../http/challenge.ts'
import { jsonObject } from '../http/json.ts'
import { pageUrl } from '../http/origins.ts'
import { replayOf } from '../http/replay.ts'
import { signalOf } from '../http/request.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { AuthScheme } from '../ports.ts'
import { own } from '../tokens.ts'
import { type DpopKeys, indexedDbKeys, memoryKeys, standingPair } from './dpop-keys.ts'
import { dpopNonces } from './dpop-nonces.ts'

export type { DpopKeys }

/** The signature of the proofs (RFC 7518 §3.1, RFC 9864 §2.2). */
export type DpopAlg = 'ES256' | 'Ed25519' | 'RS256' | 'PS256'

export interface DpopOptions {
  /**
   * How proofs are signed. A pair that is kept already stays in use, whatever its algorithm.
   * @default 'ES256'
   */
  alg?: DpopAlg | undefined
  /**
   * The IndexedDB database that keeps the key pair, one for all tabs. One for each session: two schemes of one name share one
   * key, and who signs out of one session takes the other's key away.
   * @default 'relatch'
   */
  name?: string | undefined
  /** Where the key pair rests. Default: IndexedDB where there is one, else memory. */
  keys?: DpopKeys | undefined
}

export interface DpopScheme extends AuthScheme {
  /** The JWK SHA-256 thumbprint of the key, for `dpop_jkt`. @see RFC 7638, RFC 9449 §10 */
  thumbprint(): Promise<string>
  /**
   * The same fetch with a proof on every request, for token endpoints. A 400 or 401 that asks for a nonce is answered once. A
   * redirect is never followed: the fetch rejects with a TypeError.
   *
   * @see RFC 9449 §5 and §8, RFC 9700 §4.12
   */
  fetch(transport: typeof fetch): typeof fetch
  refresherFetch: NonNullable<AuthScheme['refresherFetch']>
  /** Removes the key and the nonces, after a sign-out; the next use makes a new key. */
  forget(): Promise<void>
}

const USE_NONCE = 'use_dpop_nonce'
const ERROR_BODY_BYTES = 65_536
const ERROR_BODY_MS = 1000
/** Token requests are small; a streamed one that is larger is not sent again. */
const REPLAY_BYTES = 65_536

/**
 * Binds every request to a key that no script can read out, so that a stolen token alone is worth nothing.
 *
 * The key rests beside the session in IndexedDB, and all tabs share it. An injected script can still use it while the page is
 * open: it cannot take it away. A token whose type is known and is not DPoP is never sent: the request rejects with an
 * `AuthError` of the code `invalid-token`.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, `ERR_UNKNOWN_OPTION`
 * @see RFC 9449
 *
 * @example
 * const api = createAuthFetch({
 *   baseUrl: 'https://api.example',
 *   scheme: dpop(),
 *   // Its requests carry proofs too: the token endpoint binds the tokens to the key.
 *   refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }),
 * })
 */
export function dpop(options: DpopOptions = {}): DpopScheme {
  const { alg = 'ES256', name = 'relatch', keys } = ownOptions(options, ['alg', 'name', 'keys'])
  if (!['ES256', 'Ed25519', 'RS256', 'PS256'].includes(alg)) {
    throw expected('alg', "'ES256', 'Ed25519', 'RS256' or 'PS256'")
  }
  if (typeof name !== 'string' || name === '') throw expected('name', 'a name')
  if (keys !== undefined && !areKeys(keys)) throw expected('keys', 'an object with read(), add() and remove()')

  const pair = standingPair(() => makePair(alg), keys ?? defaultKeys(name))
  const nonces = dpopNonces()

  /** Signs for one send; the nonce is taken last, because it may be replaced while we wait for the key. */
  const prove = async (
    method: string,
    url: URL,
    of: { bound?: string | undefined; ath?: string; signal?: AbortSignal | null | undefined },
  ): Promise<string> => {
    const standing = await pair.current(of.bound)
    const nonce = await nonces.begin(url, of.signal)
    return generateProof(standing, `${url.origin}${url.pathname}`, onWire(method), nonce, of.ath)
  }
  /** Whether the answer brought a nonce. */
  const learn = (response: Response, sentTo: URL, isRefusal: boolean): boolean => {
    const nonce = response.headers.get('dpop-nonce')
    if (!response.redirected) return nonces.learn(sentTo, nonce, isRefusal)
    // Where a transport has followed redirects itself, the nonce is that of the last origin, and may be a stranger's.
    return URL.canParse(response.url) && nonces.learn(new URL(response.url), nonce, false)
  }

  const provingFetch = (transport: typeof fetch, bound?: string): typeof fetch =>
    (async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
      const request = input instanceof Request ? input : null
      // Somebody further out has proved it already: a client at the token endpoint, called by a refresher.
      if (new Headers(init?.headers ?? request?.headers).has('dpop')) return transport(input, init)
      const url = locate(request?.url ?? String(input), pageUrl())
      const signal = signalOf(request, init)
      const method = init?.method ?? request?.method ?? 'GET'
      const replay = replayOf(request, init?.body, REPLAY_BYTES)
      /** Whether the answer asks for the nonce that it brought. */
      const sendOnce = async (body: BodyInit | undefined, isStream: boolean): Promise<[Response, boolean]> => {
        const headers = new Headers(init?.headers ?? request?.headers)
        headers.set('dpop', await prove(method, url, { bound, signal }))
        const given = { __proto__: null, ...init, headers, ...(body !== undefined && { body }) } as RequestInit
        if (isStream) Object.assign(given, { duplex: 'half' })
        try {
          const response = await transport(request ?? url.href, given)
          const isRefusal = await asksForNonce(response)
          return [response, learn(response, url, isRefusal) && isRefusal]
        } finally {
          nonces.answered(url)
        }
      }
      const [first, isRefused] = await sendOnce(replay?.body, replay?.isStream ?? false)
      const again = isRefused && replay ? await replay.again() : undefined
      replay?.release()
      if (!isRefused || again === null) return first
      await drain(first)
      const [second] = await sendOnce(again, false)
      return second
    }) as typeof fetch

  return {
    name: 'dpop',
    headers: ['authorization', 'dpop'],
    async attach(headers, { accessToken, tokenType }, { method, url, signal }) {
      if (tokenType !== undefined && tokenType.toLowerCase() !== 'dpop') throw unbound()
      const proof = await prove(method, url, { bound: accessToken, ath: accessToken, signal })
      headers.set('authorization', `DPoP ${accessToken}`)
      headers.set('dpop', proof)
    },
    observe(response, { url }) {
      learn(response, url, response.status === 401 && isNonceWanted(challengesOf(response)))
      nonces.answered(url)
    },
    cure: (challenges) => (isNonceWanted(challenges) ? 'again' : 'refresh'),
    thumbprint: async () => calculateThumbprint((await pair.current()).publicKey),
    fetch: (transport) => provingFetch(bareFetch(transport, undefined, new AbortController().signal)),
    refresherFetch: (transport, { tokens }) => provingFetch(transport, tokens?.accessToken),
    async forget() {
      nonces.clear()
      await pair.forget()
    },
  }
}

/** Sent as DPoP it would look as if a stolen one were worth nothing. */
const unbound = (): AuthError =>
  new AuthError(
    'invalid-token',
    'Expected a token of the type DPoP: this one is not bound to the key (RFC 9449 section 5)',
  )

const areKeys = (keys: DpopKeys): boolean =>
  [keys?.read, keys?.add, keys?.remove].every((method) => typeof method === 'function')

/** Decided at the first use: nothing may touch storage before. */
function defaultKeys(name: string): DpopKeys {
  let chosen: DpopKeys | undefined
  const keys = (): DpopKeys => (chosen ??= typeof indexedDB === 'undefined' ? memoryKeys() : indexedDbKeys(name))
  return { read: () => keys().read(), add: (pair) => keys().add(pair), remove: (pair) => keys().remove(pair) }
}

async function makePair(alg: DpopAlg): Promise<CryptoKeyPair> {
  try {
    return await generateKeyPair(alg)
  } catch {
    throw misuse('ERR_UNSUPPORTED_ALG', `This platform cannot make a key for ${alg}; ES256 works everywhere`)
  }
}

/** The method as a fetch sends it: these six in upper case, all others as they are (Fetch standard, normalize a method). */
const onWire = (method: string): string =>
  /^(delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method

function locate(address: string, base: string | undefined): URL {
  if (!URL.canParse(address, base)) {
    throw misuse('ERR_RELATIVE_URL', 'A proof names the whole URL of its request: expected an absolute one')
  }
  return new URL(address, base)
}

const isNonceWanted = (challenges: readonly Challenge[]): boolean =>
  challenges.some(({ scheme, params }) => scheme === 'dpop' && params.error === USE_NONCE)

/** A token endpoint says so in its body (RFC 9449 §8), a protected resource in a challenge (§9). */
async function asksForNonce(response: Response): Promise<boolean> {
  if ((response.status !== 400 && response.status !== 401) || !response.headers.has('dpop-nonce')) return false
  if (isNonceWanted(challengesOf(response))) return true
  const answer = jsonObject(await boundedText(response.clone(), ERROR_BODY_BYTES, ERROR_BODY_MS))
  return answer !== null && own(answer, 'error') === USE_NONCE
}
