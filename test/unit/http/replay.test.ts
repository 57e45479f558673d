import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Replay, replayOf } from '../../../src/http/replay.ts'

const URL_ = 'https://api.example/upload'
const requestOf = (body: unknown, method = 'POST'): Request =>
  new Request(URL_, { method, body, duplex: 'half' } as RequestInit)
const textOf = (body: BodyInit | null | undefined): Promise<string> => new Response(body).text()
const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** A replay that there must be. */
function replay(body: unknown, limitBytes = 100): Replay {
  const made =
    body instanceof Request ? replayOf(body, undefined, limitBytes) : replayOf(null, body as BodyInit, limitBytes)
  if (made === null) throw new Error('Expected a replay')
  return made
}

/** Hands out a chunk at each pull, and says how many were asked for and whether it was cancelled. */
function source(chunks: number, chunkBytes: number, type?: 'bytes') {
  const told = { pulls: 0, cancelled: undefined as unknown }
  const stream = new ReadableStream({
    ...(type && { type }),
    pull(controller: ReadableStreamDefaultController) {
      told.pulls++
      if (told.pulls <= chunks) controller.enqueue(new Uint8Array(chunkBytes).fill(65))
      else controller.close()
    },
    cancel(reason: unknown) {
      told.cancelled = reason ?? 'cancelled'
    },
  } as unknown as UnderlyingDefaultSource)
  return { stream, told }
}

describe('what needs no replay', () => {
  it.each<[string, BodyInit | null | undefined]>([
    ['nothing', undefined],
    ['null', null],
    ['a string', 'text'],
    ['an empty string', ''],
    ['a Blob', new Blob(['x'])],
    ['a File', new File(['x'], 'x')],
  ])('B1 %s can be sent twice as it is', (_, body) => {
    expect(replayOf(null, body, 100)).toBeNull()
  })

  it.each(['GET', 'HEAD', 'POST', 'DELETE'])('B1 a %s Request without a body can be sent twice as it is', (method) => {
    expect(replayOf(new Request(URL_, { method }), undefined, 100)).toBeNull()
  })

  it('B1 a Request whose body is replaced is left alone', () => {
    const request = requestOf('of the request')

    expect(replayOf(request, 'of init', 100)).toBeNull()
    expect(request.bodyUsed).toBe(false)
  })
})

describe('what its owner may change', () => {
  it.each<[string, () => { body: BodyInit; change: () => void; was: string }]>([
    [
      'an ArrayBuffer',
      () => {
        const view = bytes('before')
        return { body: view.buffer, change: () => view.fill(0), was: 'before' }
      },
    ],
    [
      'a view of a part of one',
      () => {
        const view = bytes('--before--')
        return { body: view.subarray(2, 8), change: () => view.fill(0), was: 'before' }
      },
    ],
    [
      'a DataView of a part of one',
      () => {
        const view = bytes('--before--')
        return { body: new DataView(view.buffer, 2, 6), change: () => view.fill(0), was: 'before' }
      },
    ],
    [
      'URLSearchParams',
      () => {
        const body = new URLSearchParams({ a: '1' })
        return { body, change: () => body.append('b', '2'), was: 'a=1' }
      },
    ],
  ])('B1 %s is copied at once', async (_, make) => {
    const { body, change, was } = make()
    const made = replay(body)
    change()

    expect(await textOf(made.body)).toBe(was)
    expect(await textOf(await made.again())).toBe(was)
  })

  it('B1 a FormData is written down at once', async () => {
    const form = new FormData()
    form.set('a', '1')
    const made = replay(form)
    form.set('a', '2')

    expect([...(await new Response(made.body).formData())]).toEqual([['a', '1']])
    expect(await textOf(await made.again())).toBe(await textOf(made.body))
  })

  it('B1 two forms have two boundaries', () => {
    const types = [new FormData(), new FormData()].map((form) => (replay(form).body as Blob).type)

    expect(types[0]).not.toBe(types[1])
  })
})

describe('a Request that holds its body', () => {
  it.each<[string, BodyInit]>([
    ['a string', 'x'.repeat(1000)],
    ['bytes', new Uint8Array(1000)],
    ['a Blob', new Blob(['x'.repeat(1000)])],
    ['URLSearchParams', new URLSearchParams({ a: 'x'.repeat(1000) })],
  ])('B1 %s is kept beyond the limit, and given any number of times', async (_, body) => {
    const made = replay(requestOf(body), 10)
    const expected = await textOf(body instanceof Uint8Array ? new Blob([body as Uint8Array<ArrayBuffer>]) : body)

    expect(made.body).toBeUndefined()
    expect(await textOf(await made.again())).toBe(expected)
    expect(await textOf(await made.again())).toBe(expected)
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'])('B1 a %s keeps it', async (method) => {
    expect(await textOf(await replay(requestOf('kept', method), 1).again())).toBe('kept')
  })

  it('B1 the original stays to be sent', async () => {
    const request = requestOf('text')
    replay(request)

    expect(request.bodyUsed).toBe(false)
    expect(await request.text()).toBe('text')
  })
})

describe('what can be read only once', () => {
  const kinds: Array<[string, (text: string) => unknown]> = [
    ['a ReadableStream', (text) => new Blob([text]).stream()],
    [
      'an async iterable',
      async function* (text) {
        yield bytes(text)
      },
    ],
    ['a Request with a stream', (text) => requestOf(new Blob([text]).stream())],
  ]

  it.each(kinds)('B2 %s up to the limit is given any number of times', async (_, make) => {
    const made = replay(make('x'.repeat(100)))

    expect(await textOf(await made.again())).toBe('x'.repeat(100))
    expect(await textOf(await made.again())).toBe('x'.repeat(100))
  })

  it.each(kinds)('B2 %s past the limit is gone', async (_, make) => {
    expect(await replay(make('x'.repeat(101))).again()).toBeNull()
  })

  it.each(kinds)('B2 %s past the limit goes out whole all the same', async (_, make) => {
    const body = make('x'.repeat(1000))
    const made = replay(body)
    await made.again()

    expect(await (body instanceof Request ? body.text() : textOf(made.body))).toBe('x'.repeat(1000))
  })

  it.each(kinds)('B2 of %s the platform is told that it streams, unless a Request says so', (_, make) => {
    const body = make('x')
    const made = replay(body)

    expect(made.isStream).toBe(!(body instanceof Request))
    expect(made.body === undefined).toBe(body instanceof Request)
  })

  it('B2 no more than the limit and a chunk is read ahead', async () => {
    const { stream, told } = source(1000, 10)
    await replay(stream, 100).again()

    expect(told.pulls).toBeGreaterThan(10)
    expect(told.pulls).toBeLessThanOrEqual(13)
  })

  it('B2 no more than the limit and a chunk of a byte stream is read ahead', async () => {
    const { stream, told } = source(1000, 10, 'bytes')
    await replay(stream, 100).again()

    expect(told.pulls).toBeLessThanOrEqual(13)
  })

  it('B2 a released replay reads no further', async () => {
    const { stream, told } = source(1000, 1)
    const made = replay(stream, 500)
    made.release()
    const soFar = told.pulls
    await made.again()
    await new Promise((next) => setImmediate(next))

    expect(await made.again()).toBeNull()
    expect(told.pulls).toBeLessThanOrEqual(soFar + 2)
  })

  it('B2 the source is told once neither the transport nor the replay wants more', async () => {
    const { stream, told } = source(1000, 10)
    const made = replay(stream, 100)
    await made.again()
    await (made.body as ReadableStream).cancel('enough')

    expect(told.cancelled).toBeDefined()
  })

  it('B2 a source that fails has nothing to give again, and fails the send', async () => {
    const made = replay(
      new ReadableStream({
        pull: (controller) => controller.error(new RangeError('the disk is gone')),
      }),
    )

    expect(await made.again()).toBeNull()
    await expect(textOf(made.body)).rejects.toThrow('the disk is gone')
  })

  it('B2 strings count in bytes', async () => {
    const strings = async function* () {
      yield '€'.repeat(34)
    }

    expect(await replay(strings(), 101).again()).toBeNull()
    expect(await textOf(await replay(strings(), 102).again())).toBe('€'.repeat(34))
  })

  it('B2 a source that yields something without a length is never kept as if it were empty', async () => {
    const odd = new ReadableStream({
      start(controller) {
        controller.enqueue({ no: 'bytes' })
        controller.close()
      },
    })

    expect(await replay(odd).again()).toBeNull()
  })
})

describe('what was read before', () => {
  it.each<[string, () => Promise<unknown>]>([
    [
      'a Request',
      async () => {
        const request = requestOf('x')
        await request.text()
        return request
      },
    ],
    [
      'a locked stream',
      async () => {
        const stream = new Blob(['x']).stream()
        stream.getReader()
        return stream
      },
    ],
    [
      'a stream',
      async () => {
        const stream = new Blob(['xy']).stream()
        await stream
          .getReader({ mode: 'byob' })
          .read(new Uint8Array(1))
          .then(() => {})
        return stream
      },
    ],
  ])('B3 %s throws a TypeError', async (_, make) => {
    const body = await make()

    expect(() => replay(body)).toThrow(TypeError)
  })
})

describe('where the platform makes a text of an async iterable', () => {
  const Platform = Response
  /** As browsers do: only a ReadableStream streams. */
  class Browser extends Platform {
    constructor(body?: BodyInit | null, init?: ResponseInit) {
      super(body == null || body instanceof ReadableStream ? body : String(body), init)
    }
  }
  afterEach(() => vi.unstubAllGlobals())

  it('B2 it is read all the same, chunk by chunk', async () => {
    vi.stubGlobal('Response', Browser)
    const made = replay(
      (async function* () {
        yield 'ü'
        yield bytes('ber')
      })(),
    )
    vi.unstubAllGlobals()

    expect(await textOf(made.body)).toBe('über')
    expect(await textOf(await made.again())).toBe('über')
  })

  it('B2 a buffer that is filled again and again is copied', async () => {
    vi.stubGlobal('Response', Browser)
    const made = replay(
      (async function* () {
        const buffer = new Uint8Array(2)
        for (const letter of 'ABC') yield buffer.fill(letter.charCodeAt(0))
      })(),
    )
    vi.unstubAllGlobals()

    expect(await textOf(made.body)).toBe('AABBCC')
    expect(await textOf(await made.again())).toBe('AABBCC')
  })

  it('B2 the iterator is told when nobody wants more', async () => {
    vi.stubGlobal('Response', Browser)
    const ended = vi.fn()
    const made = replay(
      (async function* () {
        try {
          for (;;) yield bytes('0123456789')
        } finally {
          ended()
        }
      })(),
      100,
    )
    vi.unstubAllGlobals()
    await made.again()
    await (made.body as ReadableStream).cancel()

    expect(ended).toHaveBeenCalledOnce()
  })
})

describe('what a platform cannot do', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('B2 a stream is refused where a platform would make a text of it (Firefox)', () => {
    class Firefox extends Request {
      constructor(input: RequestInfo, { body, ...init }: RequestInit) {
        super(input, { ...init, ...(body && { body: String(body) }) })
      }
    }
    vi.stubGlobal('Request', Firefox)

    expect(() => replayOf(null, source(1, 10).stream, 100)).toThrow(TypeError)
  })

  it('B1 nobody looks at the body of the Request that goes out: WebKit could not send it any more', async () => {
    const request = requestOf('text')
    Object.defineProperty(request, 'body', {
      get() {
        throw new Error('Expected nobody to look')
      },
    })

    expect(await textOf(await replay(request).again())).toBe('text')
  })
})
