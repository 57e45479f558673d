// B1 and B3 over real HTTP: what arrives the second time is what arrived the first time, byte for byte.
import { openAsBlob } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Arrival, type RecordingServer, recordingServer } from '../helpers/recording-server.ts'
import { FRESH, isFresh, OLD, type RejectedSession, rejectedSession } from '../helpers/rejected-session.ts'

const BYTES = Uint8Array.from({ length: 512 }, (_, index) => index % 256)
const LIMIT = 1_048_576

/** One entry a kind of body: every call makes a new one. */
const kinds: Record<string, () => RequestInit> = {
  'a string': () => ({ body: 'plain, ünïcode, 𝒜 and \r\n\0' }),
  'a string with a lone surrogate': () => ({ body: 'a\ud800b' }),
  'a string of JSON with its content type': () => ({
    body: JSON.stringify({ items: [1, 'zwei'] }),
    headers: { 'content-type': 'application/json' },
  }),
  URLSearchParams: () => ({
    body: new URLSearchParams([
      ['a', '1 & 2'],
      ['ä', '€'],
      ['a', ''],
    ]),
  }),
  'URLSearchParams with another content type': () => ({
    body: new URLSearchParams({ a: '1' }),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }),
  'a Blob with a type': () => ({ body: new Blob([BYTES, 'end'], { type: 'image/x-Custom; v=1' }) }),
  'a Blob without a type': () => ({ body: new Blob([BYTES]) }),
  'a Blob whose type is overruled': () => ({
    body: new Blob(['x'], { type: 'text/plain' }),
    headers: { 'content-type': 'application/octet-stream' },
  }),
  'a slice of a Blob': () => ({ body: new Blob([BYTES]).slice(100, 300, 'text/x-slice') }),
  'a File': () => ({ body: new File([BYTES], 'ü "1".bin', { type: 'application/x-file' }) }),
  'an ArrayBuffer': () => ({ body: BYTES.slice().buffer }),
  'a Uint8Array with an offset': () => ({ body: BYTES.slice().subarray(7, 77) }),
  'a Uint16Array with an offset': () => ({ body: new Uint16Array(BYTES.slice().buffer, 8, 20) }),
  'a Float64Array': () => ({ body: Float64Array.of(1.5, Number.NaN, -0) }),
  'a BigInt64Array': () => ({ body: BigInt64Array.of(1n, -1n) }),
  'a DataView with an offset': () => ({ body: new DataView(BYTES.slice().buffer, 3, 33) }),
  'a Buffer out of the pool': () => ({ body: Buffer.from('one of many in a shared pool') }),
  'a slice of a Buffer': () => ({ body: Buffer.from(BYTES).subarray(11, 111) }),
  'a large string': () => ({ body: 'x'.repeat(LIMIT + 1) }),
  'a large Uint8Array': () => ({ body: new Uint8Array(LIMIT + 1).fill(7) }),
  'a large Blob': () => ({ body: new Blob([new Uint8Array(LIMIT + 1).fill(7)]) }),
  'an empty string': () => ({ body: '' }),
  'empty URLSearchParams': () => ({ body: new URLSearchParams() }),
  'an empty Blob': () => ({ body: new Blob([]) }),
  'an empty ArrayBuffer': () => ({ body: new ArrayBuffer(0) }),
  'an empty view': () => ({ body: new Uint8Array(8).subarray(8) }),
}

let server: RecordingServer
beforeAll(async () => {
  server = await recordingServer(async (arrival, response) => {
    await arrival.whole
    response.statusCode = arrival.headers.authorization === OLD ? 401 : 200
    response.end()
  })
})
afterAll(() => server[Symbol.asyncDispose]())

let seen = 0
let session: RejectedSession
beforeEach(() => {
  seen = server.arrivals.length
  session = rejectedSession(server.url)
})

/** What has arrived since the test began. */
const arrivals = (): readonly Arrival[] => server.arrivals.slice(seen)

describe.each(Object.entries(kinds))('%s', (_, init) => {
  it('B1 arrives twice with the same bytes, as a bare fetch sends them', async () => {
    const response = await session.api('/upload', { method: 'POST', ...init() })

    expect(response.status).toBe(200)
    await fetch(`${server.url}/upload`, { method: 'POST', ...init() })
    expectTheSameTwice(arrivals())
  })

  it('B1 in a Request arrives twice with the same bytes, as a bare fetch sends them', async () => {
    const response = await session.api(new Request(`${server.url}/upload`, { method: 'PUT', ...init() }))

    expect(response.status).toBe(200)
    await fetch(new Request(`${server.url}/upload`, { method: 'PUT', ...init() }))
    expectTheSameTwice(arrivals())
  })
})

describe('bodies that their owner changes after the call', () => {
  const url = () => `${server.url}/upload`
  const bytesOf = (arrival: Arrival | undefined) => arrival?.body.toString('latin1')

  it.each<[string, () => { body: Uint8Array<ArrayBuffer> | DataView<ArrayBuffer> | ArrayBuffer; memory: Uint8Array }]>([
    [
      'an ArrayBuffer',
      () => {
        const memory = BYTES.slice()
        return { body: memory.buffer, memory }
      },
    ],
    [
      'a Uint8Array',
      () => {
        const memory = BYTES.slice()
        return { body: memory, memory }
      },
    ],
    [
      'a DataView',
      () => {
        const memory = BYTES.slice()
        return { body: new DataView(memory.buffer), memory }
      },
    ],
    [
      'a Buffer',
      () => {
        const memory = Buffer.from(BYTES)
        return { body: memory, memory }
      },
    ],
  ])('B1 %s goes out, both times, as it was at the call', async (_, make) => {
    const { body, memory } = make()
    const call = session.api(url(), { method: 'POST', body })
    memory.fill(0xee)

    expect((await call).status).toBe(200)
    expect(arrivals().map(bytesOf)).toEqual([
      Buffer.from(BYTES).toString('latin1'),
      Buffer.from(BYTES).toString('latin1'),
    ])
  })

  it('B1 URLSearchParams go out, both times, as they were at the call', async () => {
    const body = new URLSearchParams({ a: '1' })
    const call = session.api(url(), { method: 'POST', body })
    body.set('a', 'changed')
    body.append('b', '2')

    await call
    expect(arrivals().map(bytesOf)).toEqual(['a=1', 'a=1'])
  })

  it('B1 a FormData goes out, both times, as it was at the call', async () => {
    const body = new FormData()
    body.set('a', '1')
    const call = session.api(url(), { method: 'POST', body })
    body.set('a', 'changed')
    body.append('b', '2')

    await call
    for (const arrival of arrivals()) expect(await fieldsOf(arrival)).toEqual([['a', '1']])
    expect(arrivals()).toHaveLength(2)
  })

  it('B1 headers and init go out, both times, as they were at the call', async () => {
    const headers = new Headers({ 'x-caller': 'one' })
    const init: RequestInit = { method: 'POST', headers, body: 'first' }
    const call = session.api(url(), init)
    headers.set('x-caller', 'two')
    Object.assign(init, { method: 'DELETE', body: 'second' })

    await call
    expect(arrivals().map(({ method, headers, body }) => [method, headers['x-caller'], String(body)])).toEqual([
      ['POST', 'one', 'first'],
      ['POST', 'one', 'first'],
    ])
    expect(init).toEqual({ method: 'DELETE', headers, body: 'second' })
  })
})

describe('FormData', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'relatch-bodies-'))
    await writeFile(join(folder, 'disk.bin'), BYTES)
  })
  afterAll(() => rm(folder, { recursive: true }))

  const odd = [
    'plain',
    'with "quotes"',
    "with 'single' quotes",
    'back\\slash',
    'semi;colon=x',
    'per%22cent',
    'new\nline',
    'carriage\rreturn',
    'both\r\nof them',
    'ünï-cödé €',
    '𝒜 日本語.txt',
    '--boundary',
  ]
  const forms: Record<string, () => FormData | Promise<FormData>> = {
    'with fields': () => form(['a', '1'], ['b', ''], ['a', '2']),
    'with odd names': () => form(...odd.map((name, index): [string, string] => [name, `value ${index}`])),
    'with odd values': () => form(...odd.map((value, index): [string, string] => [`name ${index}`, value])),
    'with a file': () => form(['file', new File([BYTES], 'bytes.bin', { type: 'application/x-bytes' })]),
    'with files of odd names': () =>
      form(...odd.map((name): [string, File] => ['file', new File([BYTES], name, { type: 'text/plain' })])),
    'with files of odd types': () =>
      form(
        ['none', new File(['x'], 'none')],
        ['parameters', new File(['x'], 'p', { type: 'text/plain; charset=utf-8' })],
        ['upper', new File(['x'], 'u', { type: 'IMAGE/PNG' })],
      ),
    'with an empty file': () => form(['file', new File([], 'empty.txt', { type: 'text/plain' })]),
    'with a Blob': () => form(['blob', new Blob(['x'], { type: 'text/x-blob' })]),
    'with a file on a disk': async () =>
      form(['disk', new File([await openAsBlob(join(folder, 'disk.bin'))], 'disk.bin')], ['after', 'it']),
    'with 2 MiB in it': () =>
      form(['large', new File([new Uint8Array(2 * LIMIT).fill(9)], 'large.bin')], ['after', 'it']),
  }

  it.each(Object.entries(forms))('B1 %s arrives twice with the same bytes', async (_, make) => {
    await session.api('/upload', { method: 'POST', body: await make() })

    expectTheSameBytes(arrivals())
  })

  it.each(Object.entries(forms))('B1 %s says what a bare fetch says', async (_, make) => {
    await session.api('/upload', { method: 'POST', body: await make() })
    await fetch(`${server.url}/upload`, { method: 'POST', body: await make() })

    const [first, second, bare] = arrivals() as [Arrival, Arrival, Arrival]
    expect(withoutBoundary(first)).toBe(withoutBoundary(bare))
    expect(withoutBoundary(second)).toBe(withoutBoundary(bare))
  })

  it.each(Object.entries(forms))('B1 %s is understood by a multipart parser', async (_, make) => {
    await session.api('/upload', { method: 'POST', body: await make() })
    await fetch(`${server.url}/upload`, { method: 'POST', body: await make() })

    const [first, second, bare] = await Promise.all(arrivals().map(fieldsOf))
    expect(first).toEqual(bare)
    expect(second).toEqual(bare)
  })

  it.each(Object.entries(forms))('B1 %s in a Request arrives twice with the same bytes', async (_, make) => {
    await session.api(new Request(`${server.url}/upload`, { method: 'POST', body: await make() }))

    expectTheSameBytes(arrivals())
  })

  it('B1 without entries arrives twice with the same bytes, as a bare fetch sends them', async () => {
    await session.api('/upload', { method: 'POST', body: new FormData() })
    await fetch(`${server.url}/upload`, { method: 'POST', body: new FormData() })

    expectTheSameBytes(arrivals().slice(0, 2))
    expect(withoutBoundary(arrivals()[0] as Arrival)).toBe(withoutBoundary(arrivals()[2] as Arrival))
  })

  it('B1 a field and a file with empty names keep them', async () => {
    await session.api('/upload', { method: 'POST', body: form(['', 'x'], ['', new File(['y'], '')]) })

    expectTheSameBytes(arrivals())
    // Node's own fetch leaves the empty file name out, against the standard, and makes a field of the file.
    expect(await fieldsOf(arrivals()[1] as Arrival)).toEqual([
      ['', 'x'],
      ['', '', 'application/octet-stream', 'y'],
    ])
  })

  it('B1 a value that holds a boundary of ours is not taken for the end', async () => {
    await session.api('/upload', { method: 'POST', body: form(['a', '1']) })
    const boundary = boundaryOf(arrivals()[0] as Arrival)
    await session.api('/upload', { method: 'POST', body: form(['a', `x\r\n--${boundary}--\r\n`], ['b', '2']) })

    expect(await fieldsOf(arrivals().at(-1) as Arrival)).toEqual([
      ['a', `x\r\n--${boundary}--\r\n`],
      ['b', '2'],
    ])
  })
})

describe('what is left to the caller', () => {
  it('B1 a Request ends up used, as with a bare fetch', async () => {
    const request = new Request(`${server.url}/upload`, { method: 'POST', body: 'once' })
    await session.api(request)

    expect(request.bodyUsed).toBe(true)
  })

  it('B1 init.body wins over the body of a Request, both times', async () => {
    const request = new Request(`${server.url}/upload`, { method: 'POST', body: 'of the request' })
    await session.api(request, { body: 'of init' })

    expect(arrivals().map(({ body }) => String(body))).toEqual(['of init', 'of init'])
  })

  it('B1 headers of a Request go out both times, ours only in place of ours', async () => {
    const headers = { 'x-caller': 'kept', 'content-type': 'text/x-caller' }
    await session.api(new Request(`${server.url}/upload`, { method: 'POST', body: 'x', headers }))

    expect(arrivals().map(({ headers: h }) => [h.authorization, h['x-caller'], h['content-type']])).toEqual([
      [OLD, 'kept', 'text/x-caller'],
      [FRESH, 'kept', 'text/x-caller'],
    ])
  })

  it('B1 a Request given as init brings its body along, both times', async () => {
    const init = new Request('http://elsewhere.invalid/', { method: 'POST', body: 'inside init' })
    await session.api(`${server.url}/upload`, init)

    expect(arrivals().map(({ method, body }) => [method, String(body)])).toEqual([
      ['POST', 'inside init'],
      ['POST', 'inside init'],
    ])
  })
})

describe('used bodies', () => {
  const used: Record<string, () => Promise<Request>> = {
    'was read': async () => {
      const request = new Request(`${server.url}/upload`, { method: 'POST', body: 'once' })
      await request.text()
      return request
    },
    'was sent': async () => {
      const request = new Request(`${server.url}/upload`, { method: 'POST', body: 'once' })
      await fetch(request)
      seen = server.arrivals.length
      return request
    },
    'is being read': async () => {
      const request = new Request(`${server.url}/upload`, { method: 'POST', body: 'once' })
      request.body?.getReader()
      return request
    },
    'was cancelled': async () => {
      const request = new Request(`${server.url}/upload`, { method: 'POST', body: 'once' })
      await request.body?.cancel()
      return request
    },
  }

  it.each(Object.entries(used))(
    'B3 a Request whose body %s rejects with a TypeError and sends nothing',
    async (_, make) => {
      const request = await make()

      await expect(session.api(request)).rejects.toThrow(TypeError)
      await expect(fetch(request)).rejects.toThrow(TypeError)
      expect(arrivals()).toHaveLength(0)
      expect(session.refreshes()).toBe(0)
    },
  )

  it('B3 it rejects before the refresh that the request would have waited for', async () => {
    const request = await used['was read']?.()
    let refreshes = 0
    const { api } = rejectedSession(server.url, {
      store: undefined,
      refresh: () => {
        refreshes++
        return new Promise(() => {})
      },
    })

    await expect(api(request as Request)).rejects.toThrow(TypeError)
    expect(refreshes).toBe(0)
  })

  it('B3 a used Request whose body is replaced by init is sent, as a bare fetch does', async () => {
    const request = await used['was read']?.()
    const response = await session.api(request as Request, { body: 'another' })

    expect(response.status).toBe(200)
    expect(arrivals().map(({ body }) => String(body))).toEqual(['another', 'another'])
  })
})

/** The first two are ours, the third is a bare fetch's. */
function expectTheSameTwice(three: readonly Arrival[]): void {
  const [first, second, bare] = three as [Arrival, Arrival, Arrival]
  expectTheSameBytes([first, second])
  expect(three).toHaveLength(3)
  expect(first.body.equals(bare.body)).toBe(true)
  expect(bodyHeaders(first)).toEqual(bodyHeaders(bare))
  expect(second.headers['content-type']).toBe(bare.headers['content-type'])
}

function expectTheSameBytes(two: readonly Arrival[]): void {
  const [first, second] = two as [Arrival, Arrival]
  expect(two).toHaveLength(2)
  expect([first.headers.authorization, second.headers.authorization]).toEqual([OLD, FRESH])
  expect(isFresh(second)).toBe(true)
  expect(second.body.equals(first.body)).toBe(true)
  expect(second.headers['content-type']).toBe(first.headers['content-type'])
}

/** Whether there is a length or chunks matters too: many servers want a length. */
const bodyHeaders = ({ headers }: Arrival): unknown => [
  headers['content-type'],
  headers['content-length'],
  headers['transfer-encoding'],
]

function form(...entries: Array<[string, string | Blob]>): FormData {
  const result = new FormData()
  for (const [name, value] of entries) result.append(name, value)
  return result
}

const boundaryOf = ({ headers }: Arrival): string =>
  /boundary="?([^";]+)/.exec(headers['content-type'] ?? '')?.[1] ?? ''
const withoutBoundary = (arrival: Arrival): string =>
  arrival.body.toString('latin1').replaceAll(boundaryOf(arrival), '')

/** The entries as the platform's own multipart parser reads them off the wire. */
async function fieldsOf(arrival: Arrival): Promise<unknown[]> {
  const headers = { 'content-type': arrival.headers['content-type'] ?? '' }
  const entries = [...(await new Response(new Uint8Array(arrival.body), { headers }).formData())]
  return Promise.all(
    entries.map(async ([name, value]) =>
      typeof value === 'string'
        ? [name, value]
        : [name, value.name, value.type, Buffer.from(await value.arrayBuffer()).toString('latin1')],
    ),
  )
}
