/** Reads bodies up to a bound: an answer of the other side must fill neither our memory nor our time. */
import { after, within } from '../clock.ts'

/** How much, and for how long, an unwanted body is read so that its connection can be used again. */
const DRAIN_BYTES = 65_536
const DRAIN_MS = 100

/** Whether the whole body was read within the bound; where it was not, it is cancelled. Never rejects. */
async function consume(
  response: Response,
  limitBytes: number,
  limitMs: number,
  take: (chunk: Uint8Array) => void,
): Promise<boolean> {
  let cancelTimer = (): void => {}
  let isStopped = false
  try {
    const { body } = response
    if (body === null) return true
    if (response.bodyUsed || body.locked) return false
    const reader = body.getReader()
    const stop = (): void => {
      isStopped = true
      reader.cancel().catch(() => {})
    }
    cancelTimer = after(limitMs, stop, true)
    for (let size = 0; ; ) {
      const { done, value } = await reader.read()
      // A cancelled body ends like one that is whole.
      if (done) return !isStopped
      size += value.byteLength
      if (size > limitBytes) {
        stop()
        return false
      }
      take(value)
    }
  } catch {
    return false
  } finally {
    cancelTimer()
  }
}

/** The decoded text, or null where it is longer than `limitBytes`, takes longer than `limitMs`, or cannot be read. */
export async function boundedText(response: Response, limitBytes: number, limitMs: number): Promise<string | null> {
  // React Native has no body stream: there the text comes whole or not at all.
  if (response.body === undefined) return within(response.text(), limitMs, () => null).catch(() => null)
  const decoder = new TextDecoder()
  let text = ''
  const isWhole = await consume(response, limitBytes, limitMs, (chunk) => {
    text += decoder.decode(chunk, { stream: true })
  })
  return isWhole ? text + decoder.decode() : null
}

/** Frees the connection of a response that is replaced: an unread body holds its socket, a cancelled one costs it (B4). */
export async function drain(response: Response): Promise<void> {
  await consume(response, DRAIN_BYTES, DRAIN_MS, () => {})
}
