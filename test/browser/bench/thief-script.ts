/** What a thief's service worker would be, had somebody let it be uploaded: it asks the worker that it replaces for the key. */
export const THIEF_SCRIPT = `
const got = []
const asked = new Promise((resolve) => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = ({ data }) => { got.push(data instanceof CryptoKey ? 'THE KEY' : String(data)); resolve() }
  registration.active?.postMessage({ relatch: 1, ask: 'hand-over', nonce: 'thief' }, [port2])
  setTimeout(resolve, 400)
})
addEventListener('install', (event) => event.waitUntil(asked))
addEventListener('message', ({ ports: [port] }) => asked.then(() => port.postMessage(['asked', ...got])))
`
