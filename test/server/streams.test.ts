// B2 over real HTTP: bodies that can be read only once.
import { createReadStream } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { ReadableStream as WebStream } from 'node:stream/web'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type AuthEvents, authFailureOf, createAuthFetch, memoryStore } from '../../src/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { type Answer, type Arrival, type RecordingServer, recordingServer } from '../helpers/recording-server.ts'
import { FRESH, isFresh, OLD, type RejectedSession, rejectedSession } from '../helpers/rejected-session.ts'
import { rejectionOf } from '../helpers/rejection.ts'

const LIMIT = 4096
/** Node's `ReadableStream.from`, which the types of the DOM do not know. */
const streamFrom = (chunks: Iterable<unknown>): ReadableStream => WebStream.from(chunks) as ReadableStream
const noise = (length: number): Uint8Array<ArrayBuffer> =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8)) % 256)

let folder: string
let server: RecordingServer
/** What the server does; after the last byte, by default. */
let answer: Answer
const answerLate: Answer = async (arrival, response) => {
  await arrival.whole
  response.statusCode = isFresh(arrival) ? 200 : 401
  response.end('an answer')
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relatch-streams-'))
  server = await recordingServer((arrival, response) => answer(arrival, response))
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

/** A path of its own for each test: what a test before has left behind may still arrive. */
let path = ''
let tests = 0
let session: RejectedSession
beforeEach(() => {
  path = `/upload/${++tests}`
  answer = answerLate
  session = rejectedSession(server.url, { replayLimitBytes: LIMIT })
})
const arrivals = (): readonly Arrival[] => server.arrivals.filter((arrival) => arrival.path === path)
const post = (body: unknown, api: typeof fetch = session.api): Promise<Response> =>
  api(`${server.url}${path}`, { method: 'POST', body, duplex: 'half' } as RequestInit)

/** How `bytes` can be given as a body that is read once; in pieces of uneven length. */
type Source = (bytes: Uint8Array<ArrayBuffer>) => unknown
function* pieces(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  const length = Math.max(1, Math.ceil(bytes.length / 7))
  for (let at = 0; at < bytes.length; at += length) yield bytes.slice(at, at + length)
}
const streamOf = (bytes: Uint8Array<ArrayBuffer>): ReadableStream => streamFrom(pieces(bytes))
const byteStreamOf = (bytes: Uint8Array<ArrayBuffer>): ReadableStream => {
  const parts = pieces(bytes)
  return new ReadableStream({
    type: 'bytes',
    pull(controller) {
      const { done, value } = parts.next()
      if (!done) return controller.enqueue(value)
      controller.close()
      controller.byobRequest?.respond(0)
    },
  })
}
const requestOf = (body: unknown): Request =>
  new Request(`${server.url}${path}`, { method: 'POST', body, duplex: 'half' } as RequestInit)

const sources: Record<string, Source> = {
  'a ReadableStream': streamOf,
  'a byte stream': byteStreamOf,
  'the stream of a Blob': (bytes) => new Blob([bytes]).stream(),
  'a compressed stream': (bytes) => new Blob([bytes]).stream().pipeThrough(new TransformStream()),
  'an async generator': async function* (bytes) {
    yield* pieces(bytes)
  },
  'an object with an async iterator': (bytes) => ({
    [Symbol.asyncIterator]: () => {
      const parts = pieces(bytes)
      return { next: async () => parts.next() }
    },
  }),
  'a Readable of Buffers': (bytes) => Readable.from([...pieces(bytes)].map((piece) => Buffer.from(piece))),
  'a Readable that pushes': (bytes) => {
    const parts = pieces(bytes)
    return new Readable({
      read() {
        this.push(parts.next().value ?? null)
      },
    })
  },
}

describe.each(Object.entries(sources))('%s', (_, source) => {
  it('B2 up to the limit arrives twice with the same bytes', async () => {
    const response = await post(source(noise(LIMIT)))

    expect(response.status).toBe(200)
    expectTwice(noise(LIMIT))
  })

  it('B2 up to the limit, in a Request, arrives twice with the same bytes', async () => {
    const response = await session.api(requestOf(source(noise(LIMIT))))

    expect(response.status).toBe(200)
    expectTwice(noise(LIMIT))
  })

  it('B2 past the limit arrives once, whole, and the 401 is handed back after the refresh', async () => {
    const events = eventsOf(session.api, 'not-replayed')
    const response = await post(source(noise(LIMIT + 1)))

    await expectHandedBack(response, noise(LIMIT + 1), events)
  })

  it('B2 past the limit, in a Request, arrives once, whole, and the 401 is handed back after the refresh', async () => {
    const events = eventsOf(session.api, 'not-replayed')
    const response = await session.api(requestOf(source(noise(LIMIT + 1))))

    await expectHandedBack(response, noise(LIMIT + 1), events)
  })

  it('B2 empty arrives twice, empty', async () => {
    const response = await post(source(noise(0)))

    expect(response.status).toBe(200)
    expectTwice(noise(0))
  })

  it('B2 is sent once, with a fresh token, where the old one is known to be expired', async () => {
    const { api, refreshes } = rejectedSession(server.url, {
      store: memoryStore({ accessToken: 'old', expiresAt: Date.now() - 1000 }),
      replayLimitBytes: 0,
    })
    const response = await post(source(noise(100_000)), api)

    expect(response.status).toBe(200)
    expect(arrivals().map(({ headers }) => headers.authorization)).toEqual([FRESH])
    expect(arrivals()[0]?.body.equals(noise(100_000))).toBe(true)
    expect(refreshes()).toBe(1)
  })
})

describe('files', () => {
  const fileOf = async (length: number): Promise<Readable> => {
    const file = join(folder, `${length}.bin`)
    await writeFile(file, noise(length))
    return createReadStream(file, { highWaterMark: 1000 })
  }

  it('B2 createReadStream up to the limit arrives twice with the same bytes', async () => {
    const response = await post(await fileOf(LIMIT))

    expect(response.status).toBe(200)
    expectTwice(noise(LIMIT))
  })

  it('B2 createReadStream past the limit arrives once, whole, and the 401 is handed back', async () => {
    const events = eventsOf(session.api, 'not-replayed')
    const response = await post(await fileOf(LIMIT + 1))

    await expectHandedBack(response, noise(LIMIT + 1), events)
  })

  it('B2 createReadStream in a Request arrives twice with the same bytes', async () => {
    const response = await session.api(requestOf(await fileOf(LIMIT)))

    expect(response.status).toBe(200)
    expectTwice(noise(LIMIT))
  })

  it('B2 a file that does not exist rejects, as with a bare fetch, and is not taken for an empty one', async () => {
    const missing = (): Readable => createReadStream(join(folder, 'missing.bin'))
    const bare = (await rejectionOf(post(missing(), fetch))) as Error
    const ours = (await rejectionOf(post(missing()))) as Error

    expect([ours.name, ours.message]).toEqual([bare.name, bare.message])
    expect(await wholeArrivals()).toHaveLength(0)
    expect(session.refreshes()).toBe(0)
  })
})

describe('chunks', () => {
  const text = 'ünï €uro 𝒜bc'
  const bytes = new TextEncoder().encode(text)

  it.each<[string, () => unknown]>([
    ['strings of a Readable in object mode', () => Readable.from([...text])],
    [
      'strings of an async generator',
      async function* () {
        yield* text
      },
    ],
    ['single bytes that split characters', () => streamFrom([...bytes].map((byte) => Uint8Array.of(byte)))],
    [
      'empty chunks between full ones',
      () => streamFrom([new Uint8Array(), bytes.slice(0, 3), new Uint8Array(), bytes.slice(3), new Uint8Array()]),
    ],
    ['empty strings between full ones', () => Readable.from(['', text, ''])],
    ['Buffers', () => Readable.from([Buffer.from(text)])],
    ['views with an offset', () => streamFrom([Uint8Array.of(0, ...bytes, 0).subarray(1, bytes.length + 1)])],
  ])('B2 %s arrive twice with the same bytes', async (_, make) => {
    expect((await post(make())).status).toBe(200)

    expectTwice(bytes)
  })

  it.each<[string, () => unknown]>([
    [
      'a list of bytes',
      async function* () {
        yield [65, 66]
      },
    ],
    [
      'an ArrayBuffer',
      async function* () {
        yield Uint8Array.of(65, 66).buffer
      },
    ],
    ['a string in a ReadableStream', () => streamFrom(['AB'])],
  ])('B2 %s, which only Node takes for a chunk, arrives as a bare fetch sends it', async (_, make) => {
    await post(make(), fetch)
    const response = await post(make())

    expect(response.status).toBe(200)
    expect(arrivals().map(({ body }) => body.toString())).toEqual(['AB', 'AB', 'AB'])
  })

  it('B2 a source that fills one buffer again and again arrives twice as it was read', async () => {
    const reused = async function* (): AsyncGenerator<Uint8Array> {
      const buffer = new Uint8Array(4)
      for (const letter of 'ABCDE') yield buffer.fill(letter.charCodeAt(0))
    }
    await post(reused(), fetch)
    await post(reused())

    expect(arrivals().map(({ body }) => body.toString())).toEqual(Array(3).fill('AAAABBBBCCCCDDDDEEEE'))
  })

  it('B2 the limit is in bytes, not characters', async () => {
    const events = eventsOf(session.api, 'not-replayed')
    const response = await post(Readable.from(['€'.repeat(LIMIT / 2)]))

    await expectHandedBack(response, new TextEncoder().encode('€'.repeat(LIMIT / 2)), events)
  })

  it('B2 a chunk that crosses the limit is sent whole', async () => {
    const events = eventsOf(session.api, 'not-replayed')
    const response = await post(streamFrom([noise(LIMIT - 1), noise(10)]))

    await expectHandedBack(response, Buffer.concat([noise(LIMIT - 1), noise(10)]), events)
  })

  it('B2 replayLimitBytes 0 keeps nothing, and an empty body is still replayed', async () => {
    session = rejectedSession(server.url, { replayLimitBytes: 0 })

    expect((await post(streamOf(noise(0)))).status).toBe(200)
    expect((await post(streamOf(noise(1)), rejectedSession(server.url, { replayLimitBytes: 0 }).api)).status).toBe(401)
  })

  it('B2 replayLimitBytes Infinity keeps everything', async () => {
    session = rejectedSession(server.url, { replayLimitBytes: Number.POSITIVE_INFINITY })
    const bytes = noise(3_000_000)

    expect((await post(streamOf(bytes))).status).toBe(200)
    expectTwice(bytes)
  })

  it('B2 without duplex in init an async iterable streams all the same', async () => {
    const response = await session.api(path, { method: 'POST', body: streamOf(noise(10)) } as RequestInit)

    expect(response.status).toBe(200)
    expectTwice(noise(10))
  })

  it('B2 the content type of a streamed body stays what the caller said', async () => {
    const headers = { 'content-type': 'application/x-ndjson' }
    await session.api(path, { method: 'POST', body: streamOf(noise(10)), duplex: 'half', headers } as RequestInit)

    expect(arrivals().map(({ headers }) => headers['content-type'])).toEqual(Array(2).fill('application/x-ndjson'))
  })

  it('B2 a streamed body without a content type stays without one', async () => {
    await post(streamOf(noise(10)))

    expect(arrivals().map(({ headers }) => headers['content-type'])).toEqual([undefined, undefined])
  })
})

describe('a source that is used already', () => {
  const used: Record<string, () => Promise<unknown>> = {
    'a ReadableStream that is locked': async () => {
      const stream = streamOf(noise(10))
      stream.getReader()
      return stream
    },
    'a ReadableStream that was read in part': async () => {
      const stream = streamOf(noise(10))
      const reader = stream.getReader()
      await reader.read()
      reader.releaseLock()
      return stream
    },
    'a ReadableStream that was read to its end': async () => {
      const stream = streamOf(noise(0))
      const reader = stream.getReader()
      await reader.read()
      reader.releaseLock()
      return stream
    },
    'a ReadableStream that was cancelled': async () => {
      const stream = streamOf(noise(10))
      await stream.cancel()
      return stream
    },
    'a Readable that was read to its end': async () => {
      const readable = Readable.from(['a'])
      for await (const _ of readable);
      return readable
    },
    'a Readable that was destroyed': async () => Readable.from(['a']).destroy(),
  }

  it.each(Object.entries(used))('B2 B3 %s rejects with a TypeError and sends nothing', async (_, make) => {
    expect(await rejectionOf(post(await make(), fetch))).toBeInstanceOf(TypeError)
    expect(await rejectionOf(post(await make()))).toBeInstanceOf(TypeError)
    expect(arrivals()).toHaveLength(0)
    expect(session.refreshes()).toBe(0)
  })
})

describe('an answer before the last byte', () => {
  /** Emits the first half, then waits. */
  async function* twoHalves(bytes: Uint8Array<ArrayBuffer>, second: Promise<void>): AsyncGenerator<Uint8Array> {
    yield bytes.slice(0, bytes.length / 2)
    await second
    yield bytes.slice(bytes.length / 2)
  }

  it('B2 an early 401 is recovered with the whole body once the source has given it', async () => {
    const second = deferred<void>()
    answer = (arrival, response) => {
      if (isFresh(arrival)) return answerLate(arrival, response)
      return response.once('finish', second.resolve).writeHead(401).end()
    }
    const response = await post(twoHalves(noise(1000), second.promise))

    expect(response.status).toBe(200)
    expect(arrivals()).toHaveLength(2)
    expect(arrivals()[1]?.body.equals(noise(1000))).toBe(true)
  })

  it('B2 an early 401 of a Request is recovered with the whole body', async () => {
    const second = deferred<void>()
    answer = (arrival, response) => {
      if (isFresh(arrival)) return answerLate(arrival, response)
      return response.once('finish', second.resolve).writeHead(401).end()
    }
    const response = await session.api(requestOf(twoHalves(noise(1000), second.promise)))

    expect(response.status).toBe(200)
    expect(arrivals()).toHaveLength(2)
    expect(arrivals()[1]?.body.equals(noise(1000))).toBe(true)
  })

  it('B2 an early 401 to a long source is handed back while most of it was never read', async () => {
    answer = async (_, response) => void response.writeHead(401).end('who?')
    const events = eventsOf(session.api, 'not-replayed')
    let chunks = 0
    const source = async function* (): AsyncGenerator<Uint8Array> {
      while (chunks++ < 100_000) yield noise(1000)
    }
    const response = await post(source())

    expect(response.status).toBe(401)
    expect(events).toHaveLength(1)
    expect(arrivals()).toHaveLength(1)
    expect(session.refreshes()).toBe(1)
    expect(chunks).toBeLessThan(50_000)
  })
})

describe('what goes wrong on the way', () => {
  const failing: Record<string, (error: Error) => unknown> = {
    'a ReadableStream': (error) =>
      new ReadableStream({
        start: (controller) => controller.enqueue(noise(10)),
        pull: (controller) => controller.error(error),
      }),
    'an async generator': async function* (error) {
      yield noise(10)
      throw error
    },
    'a Readable': (error) =>
      Readable.from(
        (async function* () {
          yield noise(10)
          throw error
        })(),
      ),
  }

  it.each(Object.entries(failing))(
    'B2 %s that fails rejects as with a bare fetch and is not sent again',
    async (_, make) => {
      const bare = (await rejectionOf(post(make(new RangeError('the disk is gone')), fetch))) as Error
      const ours = (await rejectionOf(post(make(new RangeError('the disk is gone'))))) as Error

      expect([ours.name, ours.message, ours.cause]).toEqual([bare.name, bare.message, bare.cause])
      expect(await wholeArrivals()).toHaveLength(0)
      expect(session.refreshes()).toBe(0)
    },
  )

  it.each(Object.entries(failing))('B2 %s in a Request that fails rejects as with a bare fetch', async (_, make) => {
    const bare = (await rejectionOf(fetch(requestOf(make(new RangeError('the disk is gone')))))) as Error
    const ours = (await rejectionOf(session.api(requestOf(make(new RangeError('the disk is gone')))))) as Error

    expect([ours.name, ours.message, ours.cause]).toEqual([bare.name, bare.message, bare.cause])
    expect(await wholeArrivals()).toHaveLength(0)
  })

  it('B2 a source that fails after an early 401 is never sent cut short', async () => {
    const fail = deferred<void>()
    answer = (arrival, response) => {
      if (isFresh(arrival)) return answerLate(arrival, response)
      return response.once('finish', fail.resolve).writeHead(401).end()
    }
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield noise(10)
      await fail.promise
      throw new RangeError('the disk is gone')
    }
    const outcome = await post(source()).catch((error: Error) => error)

    expect(outcome instanceof Error || outcome.status === 401).toBe(true)
    expect(await wholeArrivals()).toHaveLength(0)
  })

  it('B2 a server that hangs up in the middle of the body rejects as with a bare fetch, and nothing is sent again', async () => {
    answer = ({ message }) => message.once('data', () => message.socket.destroy())
    const bare = (await rejectionOf(post(streamOf(noise(LIMIT)), fetch))) as Error
    const ours = (await rejectionOf(post(streamOf(noise(LIMIT))))) as Error

    expect([ours.name, ours.message]).toEqual([bare.name, bare.message])
    expect(arrivals()).toHaveLength(2)
    expect(session.refreshes()).toBe(0)
  })

  it('B2 the 401 to a replay is handed back; the body goes out no third time', async () => {
    answer = async (arrival, response) => {
      await arrival.whole
      response.writeHead(401).end()
    }
    const response = await post(streamOf(noise(100)))

    expect(response.status).toBe(401)
    expectTwice(noise(100))
  })

  it('B2 a body adopted and refreshed for goes out three times, each time whole', async () => {
    const store = memoryStore({ accessToken: 'old' })
    const { api } = rejectedSession(server.url, { store })
    answer = async (arrival, response) => {
      await arrival.whole
      // While the first send is on its way, somebody else refreshes; what they got is not good either.
      if (arrival.headers.authorization === OLD) {
        const stored = await store.read()
        await store.write(
          { ...stored, version: 99, tokens: { accessToken: 'adopted' } } as never,
          stored?.version ?? null,
        )
      }
      response.writeHead(isFresh(arrival) ? 200 : 401).end()
    }
    const response = await post(streamOf(noise(100)), api)

    expect(response.status).toBe(200)
    expect(arrivals().map(({ headers }) => headers.authorization)).toEqual([OLD, 'Bearer adopted', FRESH])
    expect(arrivals().map(({ body }) => body.equals(noise(100)))).toEqual([true, true, true])
  })
})

describe('what is read, and when', () => {
  /** A source without an end of its own, which counts what was taken from it. */
  function counted(chunkBytes: number): { stream: ReadableStream; taken: () => number; end: () => void } {
    let taken = 0
    let isEnded = false
    const stream = new ReadableStream({
      pull(controller) {
        if (isEnded) return controller.close()
        taken += chunkBytes
        controller.enqueue(noise(chunkBytes))
      },
    })
    const end = (): void => {
      isEnded = true
    }
    return { stream, taken: () => taken, end }
  }
  const aWhile = () => new Promise((resolve) => setTimeout(resolve, 100))

  it('B2 while a refresh is under way no byte is sent, and no more than the limit is read', async () => {
    const refreshing = deferred<void>()
    const api = createAuthFetch({
      baseUrl: server.url,
      store: memoryStore({ accessToken: 'old', expiresAt: 1 }),
      replayLimitBytes: LIMIT,
      refresh: async () => {
        refreshing.resolve()
        return new Promise(() => {})
      },
    })
    const leaving = new AbortController()
    const { stream, taken } = counted(1000)
    const call = rejectionOf(
      api(path, { method: 'POST', body: stream, duplex: 'half', signal: leaving.signal } as RequestInit),
    )
    await refreshing.promise
    await aWhile()
    leaving.abort(new Error('enough'))
    await call

    expect(arrivals()).toHaveLength(0)
    expect(taken()).toBeLessThanOrEqual(LIMIT + 3 * 1000)
  })

  it('B2 a server that does not read slows the source down, as with a bare fetch', async () => {
    answer = ({ message }) => message.pause()
    const chunkBytes = 64_000
    const takenBy = async (api: typeof fetch): Promise<number> => {
      const leaving = new AbortController()
      const { stream, taken, end } = counted(chunkBytes)
      const init = { method: 'POST', body: stream, duplex: 'half', signal: leaving.signal } as RequestInit
      const call = rejectionOf(api(`${server.url}${path}`, init))
      let before = -1
      // Until nothing more is taken: the buffers of the sockets are full then.
      while (taken() === 0 || taken() > before) {
        before = taken()
        await aWhile()
      }
      // Node 24's fetch goes on pulling after an abort, for as long as the source gives: without an end, for ever.
      end()
      leaving.abort(new Error('enough'))
      await call
      return taken()
    }
    const bare = await takenBy(fetch)

    expect(await takenBy(session.api)).toBeLessThanOrEqual(bare * 1.5 + LIMIT + 3 * chunkBytes)
  })

  it('B2 nothing more is kept once there is an answer: a source past it is left to the transport', async () => {
    const answered = deferred<void>()
    answer = async (arrival, response) => {
      response.writeHead(200).flushHeaders()
      await arrival.whole
      response.end('read it all')
    }
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield noise(10)
      await answered.promise
      yield noise(10)
    }
    const response = await post(source())
    answered.resolve()

    expect(await response.text()).toBe('read it all')
    expect(arrivals()[0]?.body.equals(Buffer.concat([noise(10), noise(10)]))).toBe(true)
  })
})

/** Both sends had exactly these bytes. */
function expectTwice(bytes: Uint8Array): void {
  expect(arrivals().map(({ headers }) => headers.authorization)).toEqual([OLD, FRESH])
  expect(arrivals().map(({ body }) => body.equals(bytes))).toEqual([true, true])
  expect(session.refreshes()).toBe(1)
}

/** One send with all of the bytes, one refresh, the 401 unread, and one event. */
async function expectHandedBack(
  response: Response,
  bytes: Uint8Array,
  events: ReadonlyArray<AuthEvents['not-replayed']>,
): Promise<void> {
  expect(response.status).toBe(401)
  expect(response.bodyUsed).toBe(false)
  expect(authFailureOf(response)).not.toBeNull()
  expect(await response.text()).toBe('an answer')
  expect(arrivals().map(({ body }) => body.equals(bytes))).toEqual([true])
  expect(session.refreshes()).toBe(1)
  expect((await session.api.tokens())?.accessToken).toBe('fresh')
  expect(events).toEqual([{ request: { method: 'POST', url: `${server.url}${path}` }, limitBytes: LIMIT }])
}

/** The requests whose bodies came to an end: an empty or cut body would be among them. */
async function wholeArrivals(): Promise<Arrival[]> {
  const ends = await Promise.all(arrivals().map(({ whole }) => whole))
  return arrivals().filter((_, index) => ends[index])
}
