/**
 * What a thief's service worker would be, had somebody let it be uploaded: it asks the worker that it replaces for the key, and
 * plants one of its own in the worker that replaces it.
 */
export const THIEF_SCRIPT = `
const got = []
const planted = crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt'])
const asked = new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = ({ data }) => { got.push(data instanceof CryptoKey ? 'THE KEY' : String(data)); resolve() }
  registration.active?.postMessage({ relatch: 1, ask: 'hand-over', nonce: 'thief' }, [port2])
  setTimeout(resolve, 400)
})
addEventListener('install', (event) => event.waitUntil(asked.then(() => skipWaiting())))
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
addEventListener('message', ({ data, ports: [port] }) => {
  if (data?.ask === 'hand-over') planted.then((key) => port.postMessage(key))
  else Promise.all([planted, asked]).then(([key]) => port.postMessage(['asked', ...got, key]))
})
`

/** One that makes our script a part of its own. */
export const THIEF_MODULE = `
import '/worker.js'
addEventListener('message', ({ ports: [port] }) => port.postMessage(['imported', self.workerOptions]))
`
