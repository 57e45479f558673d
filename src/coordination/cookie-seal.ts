/**
 * Encryption of what rests in a cookie: AES-256-GCM under a key from the app's secret (HKDF-SHA-256, RFC 5869), by WebCrypto, which
 * edge runtimes have as well. Whatever was not sealed here, for this cookie, reads as nothing; the secret is never shown.
 *
 * No JWE, because nobody else is to read it: there is no header to negotiate with, nothing to install, and 40 bytes less a cookie.
 */
import { base64Url } from '../http/base64.ts'
import { sealingKey } from './sealing-key.ts'

export interface Seal {
  /** base64url without padding: cookies and what encodes them take it as it is. */
  close(text: string): Promise<string>
  /** What was closed; null where that was not done here. Never rejects for what it is given. */
  open(sealed: string): Promise<string | null>
}

/** RFC 5116 §5.3: what GCM is made for. At random, which is good for 2³² cookies under one secret. */
const IV_BYTES = 12
const INFO = 'relatch session cookie'

/**
 * @param secrets the first closes, all open
 * @param name of the cookie, a part of what is authenticated: a value that stands in another cookie says nothing here
 */
export function cookieSeal(secrets: readonly string[], name: string): Seal {
  const additionalData = utf8(name)
  // Made by the first who needs them: importing an app must not compute, and some runtimes do not let it.
  let keys: readonly Promise<CryptoKey>[] | undefined
  const derived = (): readonly Promise<CryptoKey>[] => {
    keys ??= secrets.map((secret) => sealingKey(secret, INFO))
    // Whoever uses one hears of its failure; one that nobody uses must not end the process.
    for (const key of keys) key.catch(() => {})
    return keys
  }
  return {
    async close(text) {
      const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
      const key = (await derived()[0]) as CryptoKey
      const data = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData }, key, utf8(text))
      return base64Url([...iv, ...new Uint8Array(data)])
    },
    async open(sealed) {
      const bytes = fromBase64url(sealed)
      if (bytes === null) return null
      const [iv, data] = [bytes.slice(0, IV_BYTES), bytes.slice(IV_BYTES)]
      for (const key of derived()) {
        const opening = crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, await key, data)
        const text = await opening.catch(() => null)
        if (text) return new TextDecoder().decode(text)
      }
      return null
    },
  }
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** null where it is none, or has no room for what GCM adds. */
function fromBase64url(text: string): Uint8Array<ArrayBuffer> | null {
  if (!/^[\w-]{38,}$/.test(text) || text.length % 4 === 1) return null
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  return Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))
}
