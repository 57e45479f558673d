/**
 * The model: events in, rows out. Pure and bounded, and knows neither clock nor DOM. Requests that were let go of stay gone,
 * whatever is still told of them.
 */
import type { AuthEvents, SessionSnapshot } from '../index.ts'
import { type Burst, createBursts, isUnderWay, type Placed } from './burst.ts'
import { advance, finish } from './entry.ts'
import { createSessionRows, type Hearsay, type SessionEvent } from './session-rows.ts'

/** What a timeline is told of. `recovered` is left out: the stages of the request have said so. */
export type TimelineEvent = SessionEvent | 'request' | 'denied'

export interface Timeline {
  readonly bursts: readonly Burst[]
  readonly counts: Readonly<Record<'requests' | 'refreshes' | 'failed', number>>
  /** How many entries are kept. */
  readonly size: number
  /** @param at milliseconds on the clock of all others here */
  take<E extends TimelineEvent>(event: E, payload: AuthEvents[E], at: number): void
  /** The snapshot has changed: a refresh may have begun, or have ended without an event. */
  status(status: SessionSnapshot['status'], at: number): void
  /** Who caused an event that came, or is about to come, from elsewhere. */
  hear(said: Hearsay, at: number): void
  /** Whether a row grows while nothing happens. */
  isOpen(): boolean
  /** Forgets what has ended; what is under way stays. */
  clear(): void
  /** Ends every row for now: nothing is heard of them until somebody listens again. */
  leave(at: number): void
  /** How many entries are kept, from 1. */
  limit(max: number): void
}

const NOTHING = { requests: 0, refreshes: 0, failed: 0 }

export function createTimeline(max: number): Timeline {
  const counts = { ...NOTHING }
  /** The requests under way, by their ids, whether or not their rows are still kept. */
  const live = new Map<string, Placed>()
  const bursts = createBursts(max)
  const session = createSessionRows(bursts, () => {
    counts.refreshes++
  })

  const onRequest = ({ requestId, request, ...stage }: AuthEvents['request'], at: number): void => {
    const isFirst = stage.stage === 'waiting' || (stage.stage === 'sent' && stage.sends === 1)
    if (isFirst && !live.has(requestId)) {
      const { method, url } = request
      live.set(requestId, bursts.add(at, { what: 'request', method, name: new URL(url).pathname, url, mark: 'sent' }))
      live.get(requestId)?.entry.facts.set('request id', requestId)
      counts.requests++
    }
    const placed = live.get(requestId)
    if (placed) {
      // It may have been left, and be heard of again.
      placed.entry.endedAt = null
      advance(placed.entry, stage, at)
      bursts.touch(placed.burst, at)
    }
    if (stage.stage === 'failed') counts.failed++
    if (stage.stage === 'failed' || stage.stage === 'ended') live.delete(requestId)
  }

  /** It names no request id: meant is the first like it that was answered, and has no reason yet. */
  const onDenied = ({ request: { method, url }, reason, requiredScopes }: AuthEvents['denied']): void => {
    const isMeant = ({ entry }: Placed): boolean =>
      entry.url === url && entry.method === method && entry.phases.at(-1)?.status != null && !entry.facts.has('denied')
    const placed = [...live.values()].find(isMeant)
    if (!placed) return
    placed.entry.facts.set('denied', reason)
    if (requiredScopes.length > 0) placed.entry.facts.set('needs scopes', requiredScopes.join(' '))
    bursts.touch(placed.burst)
  }

  const on: { [E in TimelineEvent]: (payload: AuthEvents[E], at: number) => void } = {
    ...session.on,
    request: onRequest,
    denied: onDenied,
  }

  return {
    get bursts() {
      return bursts.all
    },
    get size() {
      return bursts.size
    },
    counts,
    take: (event, payload, at) => on[event](payload, at),
    status: session.status,
    hear: session.hear,
    isOpen: () => bursts.all.some(({ entries }) => entries.some(isUnderWay)),
    clear() {
      bursts.clear()
      Object.assign(counts, NOTHING)
    },
    leave(at) {
      for (const burst of bursts.all) {
        for (const entry of burst.entries.filter(isUnderWay)) finish(entry, at, 'not seen', 'note')
        bursts.touch(burst)
      }
    },
    limit: bursts.limit,
  }
}
