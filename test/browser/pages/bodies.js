// Bodies of every kind, and what a server says that it has got of them. Its types are in ../bench/page-globals.ts.
const TEXT = 'grüße, 世界 \u0000\r\n 👋'
const bytes = () => Uint8Array.from({ length: 700 }, (_, index) => index % 256)

const form = () => {
  const data = new FormData()
  data.append('text', TEXT)
  data.append('file', new Blob([bytes()], { type: 'image/png' }), 'ü.png')
  return data
}
const MAKERS = {
  string: () => TEXT,
  blob: () => new Blob([bytes()], { type: 'image/png' }),
  file: () => new File([bytes()], 'a.bin'),
  params: () => new URLSearchParams({ text: TEXT, empty: '' }),
  buffer: () => bytes().buffer,
  view: () => new DataView(bytes().buffer, 3, 300),
  form,
}

const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('')

const digest = async (blob) => hex(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))

/** What is to arrive, as the browser itself would send it. A form makes up its boundary, so it is told by its parts. */
const expected = async (body) => {
  if (body instanceof FormData) {
    return Promise.all(
      [...body].map(async ([name, value]) =>
        typeof value === 'string' ? [name, value] : [name, value.name, value.type, await digest(value)],
      ),
    )
  }
  const request = new Request('/echo', { method: 'POST', body })
  const contentType = request.headers.get('content-type')
  const blob = new Blob([await request.arrayBuffer()])
  return { contentType, length: blob.size, sha256: await digest(blob) }
}

/** Posts such a body with `api`, which finds its token expired. */
globalThis.post = async (kind) => {
  const make = kind === 'requestOfForm' ? form : kind === 'request' ? MAKERS.view : MAKERS[kind]
  const body = make()
  const url = body instanceof FormData ? '/form' : '/echo'
  const init = { method: 'POST', body }
  const response = await (kind.startsWith('request')
    ? globalThis.api(new Request(url, init))
    : globalThis.api(url, init))
  const received = await response.json()
  const sent = await expected(make())
  const { contentType, length, sha256 } = received
  return { status: response.status, sent, received: url === '/form' ? received : { contentType, length, sha256 } }
}
