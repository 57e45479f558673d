/** Keys that seal what rests where others can read it: AES-256-GCM, and never to be read out again. */

const AES = { name: 'AES-GCM', length: 256 } as const
const USES: readonly KeyUsage[] = ['encrypt', 'decrypt']

/** At random. */
export const newSealingKey = (): Promise<CryptoKey> => crypto.subtle.generateKey(AES, false, [...USES])

/**
 * HKDF-SHA-256, RFC 5869.
 *
 * @param secret at random already
 * @param info what the key is for: another one is another key
 */
export async function sealingKey(secret: string, info: string): Promise<CryptoKey> {
  const encoder = new TextEncoder()
  const material = await crypto.subtle.importKey('raw', encoder.encode(secret), 'HKDF', false, ['deriveKey'])
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info: encoder.encode(info) }
  return crypto.subtle.deriveKey(hkdf, material, AES, false, [...USES])
}
