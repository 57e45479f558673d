/** Before the first send: the session as it should be sent. Reads the store once, and refreshes what is about to expire (R4). */
import { within } from '../clock.ts'
import { abortable } from '../coordination/abortable.ts'
import { AuthError } from '../errors.ts'
import { isExpiring, type Live, remainingMs } from '../live.ts'
import type { Call } from './call.ts'
import { refreshFor, stillOurs } from './recover.ts'
import { isOver, type Pipeline, type RefreshOutcome } from './shared-session.ts'
import { waitFor } from './trace.ts'

/** How long a request waits for the refresh of a token that could still be sent, in milliseconds. */
const PATIENCE_MS = 1000
const LATE = Symbol('late')

/** Whether `live` can go out as it is: the one question on the hot path. */
export const isReady = ({ shared: { engine }, settings }: Pipeline, live: Live | null): boolean =>
  engine.loading() === null &&
  (settings.refresh === undefined || (live === null ? engine.isVacant() : !isExpiring(live, settings.refreshMarginMs)))

/**
 * The session to send with; null = nobody is signed in.
 *
 * @param made the session that was current when the call was made, before the store had been read
 * @throws AuthError where the tokens have expired and cannot be refreshed for now, or where the session ended meanwhile
 */
export async function prepare(pipeline: Pipeline, call: Call, made: Live | null): Promise<Live | null> {
  const { shared } = pipeline
  await abortable(shared.engine.loading() ?? Promise.resolve(), call.signal)
  const base = shared.engine.current()
  if (made !== null && made.sessionId !== base?.sessionId) throw ended(base)
  if (isReady(pipeline, base)) return base
  const outcome = await waitFor(call, 'refresh', soon(refreshFor(pipeline, call, base, 'expiring'), base))
  if (outcome === null) {
    call.hasRefreshed = false
    if (stillOurs(shared, base) === null) throw ended(shared.engine.current())
    return base
  }
  switch (outcome.kind) {
    case 'fresh': {
      const current = stillOurs(shared, base)
      if (current !== null) return current
      break
    }
    case 'over':
      // Sent all the same: the server's own 401, not our opinion of the clock, is what a login is asked for with.
      if (base === null || isOver(shared, base)) return base
      break
    case 'ended':
      break
    case 'failed':
      call.failure = outcome.error
      if (base === null) return stillOurs(shared, base)
      if (stillOurs(shared, base) === null) break
      if (remainingMs(base) <= 0) throw outcome.error
      return base
  }
  throw ended(shared.engine.current())
}

/** The outcome, or null where a token that is good for longer need not wait for it: the refresh goes on by itself (R4). */
function soon(refreshing: Promise<RefreshOutcome>, base: Live | null): Promise<RefreshOutcome | null> {
  const leftMs = base === null ? 0 : remainingMs(base)
  if (leftMs <= 0) return refreshing
  return within<RefreshOutcome | null>(refreshing, Math.min(leftMs, PATIENCE_MS), () => LATE).catch(
    (reason: unknown) => {
      if (reason === LATE) return null
      throw reason
    },
  )
}

const ended = (current: Live | null): AuthError =>
  current === null
    ? new AuthError('signed-out', 'The session was signed out while the request waited')
    : new AuthError('session-changed', 'Another session took the place of the one that the request belongs to')
