/** Tells the life of a call, stage by stage, to whoever listens. Where nobody does, a call carries null, and that is all. */
import { patiently } from '../coordination/patience.ts'
import { isAuthError } from '../errors.ts'
import type { Events, RequestStage, Tell } from '../events.ts'
import { createId } from '../id.ts'
import { type Call, summaryOf } from './call.ts'

export function tellerOf(events: Events, call: Call): Tell | null {
  if (!events.isHeard('request')) return null
  const named = { requestId: createId(), request: summaryOf(call) }
  return (stage) => events.emit('request', { ...named, ...stage })
}

/** The same promise, its end told of. */
export async function told(tell: Tell, signal: Call['signal'], answer: Promise<Response>): Promise<Response> {
  try {
    const response = await answer
    tell({ stage: 'ended', status: response.status })
    return response
  } catch (error) {
    tell({
      stage: 'failed',
      ...(isAuthError(error) && { code: error.code }),
      ...(signal?.aborted && { abortedBy: isTimeout(signal.reason) ? 'timeout' : 'caller' }),
    })
    throw error
  }
}

/** As `AbortSignal.timeout` makes it; a reason of the caller's own may be anything (E2). */
const isTimeout = (reason: unknown): boolean => reason instanceof DOMException && reason.name === 'TimeoutError'

/** Waits on behalf of a call, which its signal may end; the clocks and the traces of the request are told. */
export function waitFor<T>(
  { tell, signal }: Call,
  waitsFor: Extract<RequestStage, { stage: 'waiting' }>['waitsFor'],
  work: Promise<T>,
): Promise<T> {
  const waited = patiently(work, signal)
  if (tell === null) return waited
  tell({ stage: 'waiting', waitsFor })
  return waited.finally(() => tell({ stage: 'resumed' }))
}
