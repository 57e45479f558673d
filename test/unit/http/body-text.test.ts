import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { boundedText, drain } from '../../../src/http/body-text.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const FOREVER = 1_000_000

/** A body that hands out these chunks, then ends, fails or falls silent. */
function body(chunks: unknown[], end: 'ends' | 'fails' | 'falls silent' = 'ends') {
  const told = { pulls: 0, cancelled: false }
  const stream = new ReadableStream(
    {
      pull(controller) {
        const chunk = chunks[told.pulls++]
        if (chunk !== undefined) return controller.enqueue(chunk)
        if (end === 'ends') controller.close()
        if (end === 'fails') controller.error(new Error('the connection is gone'))
        return end === 'falls silent' ? new Promise<void>(() => {}) : undefined
      },
      cancel() {
        told.cancelled = true
      },
    },
    { highWaterMark: 0 },
  )
  return { response: new Response(stream), told }
}
const bytes = (text: string) => new TextEncoder().encode(text)
const kilobytes = (count: number) => Array.from({ length: count }, () => new Uint8Array(1024))

describe('boundedText', () => {
  it('E5 gives the text of a body', async () => {
    expect(await boundedText(new Response('text'), 100, FOREVER)).toBe('text')
  })

  it('E5 gives the empty text where there is no body', async () => {
    expect(await boundedText(new Response(null), 0, FOREVER)).toBe('')
  })

  it('E5 joins characters that chunks have split', async () => {
    const { response } = body([...bytes('ü€𝒜')].map((byte) => Uint8Array.of(byte)))

    expect(await boundedText(response, 100, FOREVER)).toBe('ü€𝒜')
  })

  it('E5 replaces what is no UTF-8, at the end as well', async () => {
    const { response } = body([Uint8Array.of(0xff, 97, 0xe2, 0x82)])

    expect(await boundedText(response, 100, FOREVER)).toBe('\ufffda\ufffd')
  })

  it('E5 leaves a byte order mark out, as response.text() does', async () => {
    expect(await boundedText(new Response('\ufeff{}'), 100, FOREVER)).toBe('{}')
  })

  it('E5 gives a text of exactly the limit', async () => {
    expect(await boundedText(new Response('x'.repeat(10)), 10, FOREVER)).toBe('x'.repeat(10))
  })

  it('E5 gives nothing of a text that is longer, and cancels it', async () => {
    const { response, told } = body(kilobytes(1000))

    expect(await boundedText(response, 10_000, FOREVER)).toBeNull()
    expect(told.cancelled).toBe(true)
    expect(told.pulls).toBe(10)
  })

  it('E5 gives nothing of a text that takes longer, and cancels it', async () => {
    const { response, told } = body([bytes('a')], 'falls silent')
    const text = boundedText(response, 100, 500)
    await vi.advanceTimersByTimeAsync(499)
    expect(told.cancelled).toBe(false)
    await vi.advanceTimersByTimeAsync(1)

    expect(told.cancelled).toBe(true)
    // What came before the silence could pass for the whole: nothing is better than a cut text.
    expect(await text).toBeNull()
  })

  it('E5 gives nothing of a body that breaks off', async () => {
    expect(await boundedText(body([bytes('a')], 'fails').response, 100, FOREVER)).toBeNull()
  })

  it('E5 gives nothing of a body that was read', async () => {
    const response = new Response('text')
    await response.text()

    expect(await boundedText(response, 100, FOREVER)).toBeNull()
  })

  it('E5 gives nothing of a body that somebody reads', async () => {
    const response = new Response('text')
    response.body?.getReader()

    expect(await boundedText(response, 100, FOREVER)).toBeNull()
  })

  it('E5 reads text() where a platform has no body streams', async () => {
    const native = { body: undefined, text: async () => 'text' } as unknown as Response

    expect(await boundedText(native, 100, FOREVER)).toBe('text')
  })

  it('E5 gives nothing where that text() fails or takes too long', async () => {
    const failing = { body: undefined, text: () => Promise.reject(new Error('gone')) } as unknown as Response
    const silent = { body: undefined, text: () => new Promise(() => {}) } as unknown as Response
    const late = boundedText(silent, 100, 500)
    await vi.advanceTimersByTimeAsync(500)

    expect(await boundedText(failing, 100, 500)).toBeNull()
    expect(await late).toBeNull()
  })

  it('T2 leaves no timer behind', async () => {
    await boundedText(new Response('text'), 100, FOREVER)
    await boundedText(body(kilobytes(1000)).response, 100, FOREVER)
    await boundedText(body([], 'fails').response, 100, FOREVER)

    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('drain', () => {
  it.each([0, 1, 64])('B4 reads %i KiB to the end, and cancels nothing', async (count) => {
    const { response, told } = body(kilobytes(count))
    await drain(response)

    expect(told).toEqual({ pulls: count + 1, cancelled: false })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('B4 reads 64 KiB of a longer body and cancels the rest', async () => {
    const { response, told } = body(kilobytes(1000))
    await drain(response)

    expect(told).toEqual({ pulls: 65, cancelled: true })
    expect(vi.getTimerCount()).toBe(0)
  })

  it('B4 waits 100 ms for a body that falls silent, and cancels it', async () => {
    const { response, told } = body(kilobytes(1), 'falls silent')
    let isDone = false
    const drained = drain(response).then(() => {
      isDone = true
    })
    await vi.advanceTimersByTimeAsync(99)
    expect({ isDone, cancelled: told.cancelled }).toEqual({ isDone: false, cancelled: false })
    await vi.advanceTimersByTimeAsync(1)
    await drained

    expect(told.cancelled).toBe(true)
  })

  it('B4 a body that trickles has 100 ms in all', async () => {
    const stream = new ReadableStream({
      pull: (controller) =>
        new Promise<void>((next) => {
          setTimeout(() => {
            controller.enqueue(new Uint8Array(1))
            next()
          }, 30)
        }),
    })
    let isDone = false
    const drained = drain(new Response(stream)).then(() => {
      isDone = true
    })
    await vi.advanceTimersByTimeAsync(100)
    await drained

    expect(isDone).toBe(true)
  })

  it.each<[string, () => Response | Promise<Response>]>([
    ['has no body', () => new Response(null)],
    ['breaks off', () => body([], 'fails').response],
    [
      'is being read',
      () => {
        const response = new Response('text')
        response.body?.getReader()
        return response
      },
    ],
    [
      'was read',
      async () => {
        const response = new Response('text')
        await response.text()
        return response
      },
    ],
    ['has chunks that are no bytes', () => body(['text', null]).response],
    [
      'cannot be cancelled',
      () =>
        new Response(
          new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
            cancel: () => Promise.reject(new Error('no')),
          }),
        ),
    ],
    ['is no Response of the platform', () => ({ status: 401 }) as Response],
    [
      'throws at the first touch',
      () =>
        Object.defineProperty({}, 'body', {
          get: () => {
            throw new Error('no')
          },
        }) as Response,
    ],
  ])('B4 never rejects: a response that %s', async (_, make) => {
    await expect(drain(await make())).resolves.toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })
})
