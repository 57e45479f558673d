/** Says what came, byte for byte, without keeping it: a hash and a count, and the text where it is short. */
import { json, type Outcome } from './answers.ts'
import { sha256 } from './sha256.ts'

/** Up to this many bytes, the text comes back too. */
const SHORT_BYTES = 1024

export async function echo(request: Request, signal: AbortSignal): Promise<Outcome> {
  const hash = sha256()
  const start: Uint8Array[] = []
  let length = 0
  const isWhole = await readAll(request.body, signal, (chunk) => {
    hash.update(chunk)
    length += chunk.length
    if (length <= SHORT_BYTES) start.push(chunk)
  })
  if (!isWhole) return 'dropped'
  return json({
    method: request.method,
    contentType: request.headers.get('content-type'),
    length,
    sha256: hash.hex(),
    ...(length <= SHORT_BYTES ? textOf(start) : {}),
  })
}

/** Whether the body came to its end: the caller may leave in the middle of it. */
async function readAll(
  body: Request['body'],
  signal: AbortSignal,
  take: (chunk: Uint8Array) => void,
): Promise<boolean> {
  const reader = body?.getReader()
  const leave = (): void => void reader?.cancel(signal.reason).catch(() => {})
  signal.addEventListener('abort', leave)
  try {
    for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) take(step.value)
    return !signal.aborted
  } catch {
    return false
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/** Nothing where the bytes are no UTF-8. */
function textOf(parts: readonly Uint8Array[]): { text?: string } {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  try {
    const text = parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode()
    return { text }
  } catch {
    return {}
  }
}
