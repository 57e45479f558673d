/**
 * Makes a body repeatable, or knows that it is not (B1, B2). A string or a Blob needs nothing; what its owner may change while
 * we wait is copied; what can be read only once is kept while it streams, up to a bound.
 */
import { createId } from '../id.ts'
import { encodeForm } from './form-data.ts'

const encoder: TextEncoder = new TextEncoder()

export interface Replay {
  /** What to send as `init.body` the first time; undefined where the input itself carries the body. */
  readonly body: BodyInit | undefined
  /** Whether the platform must be told that this body streams. */
  readonly isStream: boolean
  /** The same bytes once more, or null where they are gone. */
  again(): Promise<BodyInit | null>
  /** Stops keeping: there is an answer, and nothing will be sent again. */
  release(): void
}

/**
 * What a call has to keep so that its body can be sent again; null where its arguments can simply be used twice.
 *
 * @param request the Request that was passed, if one was
 * @param body `init.body`, which wins over the Request's own
 * @throws TypeError where the body is used or locked already, as fetch does (B3)
 */
export function replayOf(
  request: Request | null,
  body: BodyInit | null | undefined,
  limitBytes: number,
): Replay | null {
  if (body == null) {
    if (request === null || request.method === 'GET' || request.method === 'HEAD') return null
    // The original goes out, so that it ends up used as with a bare fetch; its clone is what we keep. The clone is asked for its
    // body, too: once somebody has looked at it, WebKit cannot send a Request of a form that has a file in it.
    const spare = request.clone()
    if (spare.body === null) return null
    const whole = inMemory(spare)
    if (whole === null) return keptWhileStreaming(undefined, spare.body as ReadableStream<Uint8Array>, limitBytes)
    let bytes: Promise<Blob> | undefined
    return fixed(undefined, () => (bytes ??= whole.blob()))
  }
  if (typeof body === 'string') return null
  if (body instanceof URLSearchParams) return fixed(new URLSearchParams(body))
  if (body instanceof ArrayBuffer) return fixed(body.slice(0))
  if (ArrayBuffer.isView(body)) return fixed(new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice())
  if (body instanceof FormData) return fixed(encodeForm(body, `relatch-${createId()}`))
  const stream = streamOf(body)
  if (stream === null) return null
  if (isSpelledOut()) throw new TypeError('This platform cannot stream a body')
  const [sent, spare] = stream.tee()
  return keptWhileStreaming(sent, spare, limitBytes)
}

/** Whether the platform sends the words "[object ReadableStream]" for a stream (Firefox), which it says by their type. */
function isSpelledOut(): boolean {
  try {
    const probe = { __proto__: null, method: 'POST', body: new ReadableStream(), duplex: 'half' } as RequestInit
    return new Request('http://a', probe).headers.get('content-type') === 'text/plain;charset=UTF-8'
  } catch {
    // Whatever it is that it cannot do (under a polluted prototype Node's Request does nothing, O4), the transport will say it.
    return false
  }
}

function fixed(body: BodyInit | undefined, again: () => Promise<BodyInit> = async () => body as BodyInit): Replay {
  return { body, isStream: false, again, release: () => {} }
}

/**
 * The request where its body was not made from a stream, so that keeping it costs what the app holds anyway; else null. A
 * platform tells by refusing streams under `no-cors` (Fetch standard, Request constructor: a body whose source is null).
 */
function inMemory(request: Request): Request | null {
  try {
    return new Request(request, { __proto__: null, mode: 'no-cors', method: 'POST' } as RequestInit)
  } catch {
    return null
  }
}

/**
 * A ReadableStream as it is, an async iterable (a Node Readable is one) as a stream; null for everything else.
 *
 * @throws TypeError where it was read before: what is left of it would be a truncated body
 */
function streamOf(body: BodyInit): ReadableStream<Uint8Array> | null {
  const isIterable = typeof (body as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator] === 'function'
  if (!(body instanceof ReadableStream) && !isIterable) return null
  // The platform itself says what is used up, and reads async iterables where its fetch does (Node). Elsewhere it makes a
  // text of them, which is what a content type gives away.
  const { body: stream, headers } = new Response(body)
  return headers.has('content-type') ? fromIterable(body as unknown as AsyncIterable<Uint8Array | string>) : stream
}

function fromIterable(iterable: AsyncIterable<Uint8Array | string>): ReadableStream<Uint8Array> {
  const iterator = iterable[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      // Copied, because a generator may fill one buffer again and again.
      else controller.enqueue(typeof value === 'string' ? encoder.encode(value) : new Uint8Array(value))
    },
    async cancel(reason) {
      await iterator.return?.(reason)
    },
  })
}

/** Reads the spare branch ahead until it ends or the bound is passed; from then on the transport alone sets the pace. */
function keptWhileStreaming(
  sent: ReadableStream<Uint8Array> | undefined,
  spare: ReadableStream<Uint8Array>,
  limitBytes: number,
): Replay {
  const reader = spare.getReader()
  let isReleased = false
  const release = (): void => {
    isReleased = true
    // A branch's cancel settles only when both are cancelled: not to be waited for.
    reader.cancel().catch(() => {})
  }
  const keep = async (): Promise<BodyInit | null> => {
    const chunks: BlobPart[] = []
    let size = 0
    for (;;) {
      const { done, value } = await reader.read()
      if (isReleased) return null
      if (done) return new Blob(chunks)
      const chunk = typeof value === 'string' ? encoder.encode(value) : (value as Uint8Array<ArrayBuffer>)
      size += chunk.byteLength
      if (!(size <= limitBytes)) {
        release()
        return null
      }
      chunks.push(chunk)
    }
  }
  // A source that fails makes the transport's send fail, and that is what the caller hears of it.
  const kept = keep().catch(() => null)
  return { body: sent, isStream: sent !== undefined, again: () => kept, release }
}
