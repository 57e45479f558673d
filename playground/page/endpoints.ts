/** What there is to call, and what to expect of it. */
export interface Endpoint {
  method: 'GET' | 'POST'
  path: string
  hint: string
  body?: () => BodyInit
}

const MEBIBYTE = 1_048_576
/** Bytes that no string survives: what arrives is compared by its hash. */
const upload = (): Blob => {
  const bytes = new Uint8Array(MEBIBYTE / 4)
  for (let start = 0; start < bytes.length; start += 65_536)
    crypto.getRandomValues(bytes.subarray(start, start + 65_536))
  return new Blob([bytes])
}

export const ENDPOINTS: readonly Endpoint[] = [
  { method: 'GET', path: '/items', hint: '200 for everyone who is signed in.' },
  { method: 'GET', path: '/me', hint: '200: who the server takes you for.' },
  { method: 'GET', path: '/reports', hint: '403 for the viewer: a scope is missing. No refresh, a toast.' },
  { method: 'GET', path: '/admin', hint: '403 without the role admin. Demote yourself and see.' },
  {
    method: 'POST',
    path: '/echo',
    hint: '256 KiB of noise, compared by hash: it arrives whole, after a 401 too.',
    body: upload,
  },
  { method: 'POST', path: '/payments', hint: '401 until you prove more surely who you are (step-up).' },
  { method: 'GET', path: '/slow', hint: 'Takes a second; browsers send six at a time.' },
  { method: 'GET', path: '/public', hint: '200 for anyone, signed in or not.' },
]
