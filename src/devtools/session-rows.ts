/** What happens to the session, as rows: refreshes, and events that take no time. Says which tab it was, where that tab says so. */
import type { AuthEvents, SessionSnapshot } from '../index.ts'
import type { Bursts, Placed } from './burst.ts'
import { begin, finish } from './entry.ts'

/** What another tab's devtools say that their session did. */
export interface Hearsay {
  type: 'refreshed' | 'signed-in' | 'signed-out'
  tab: string
}

export type SessionEvent = Exclude<keyof AuthEvents, 'request' | 'recovered' | 'denied'>

export interface SessionRows {
  readonly on: { readonly [E in SessionEvent]: (payload: AuthEvents[E], at: number) => void }
  status(status: SessionSnapshot['status'], at: number): void
  hear(said: Hearsay, at: number): void
}

/** How long after the end of a refresh its event may come: the snapshot knows first. */
const EVENT_MS = 500
/** How far an event and its announcement from another tab may lie apart. */
const HEARSAY_MS = 3000
/** What the snapshot and the event of one refresh may differ by, in milliseconds; more is waiting. */
const SLACK_MS = 4

export function createSessionRows(bursts: Bursts, onRefresh: () => void): SessionRows {
  let refresh: Placed | null = null
  /** What was said and not yet seen, and what was seen of which nobody has said yet that it was them. */
  const said = new Map<Hearsay['type'], { tab: string; at: number }>()
  const unexplained = new Map<Hearsay['type'], Placed & { at: number }>()

  /** A row for what takes no time. */
  const note = (at: number, name: string, outcome: string, facts: Record<string, unknown>): Placed => {
    const placed = bursts.add(at, { what: 'event', name, mark: 'session' })
    finish(placed.entry, at, outcome, 'note')
    add(placed, facts)
    return placed
  }
  const add = ({ entry }: Placed, facts: Record<string, unknown>): void => {
    for (const [key, value] of Object.entries(facts)) {
      const text = Array.isArray(value) ? value.join(' ') : String(value ?? '')
      if (text !== '') entry.facts.set(key, text)
    }
  }

  const takeRefresh = (at: number): Placed | null => {
    const taken = refresh
    refresh = null
    return taken && at - (taken.entry.endedAt ?? at) < EVENT_MS ? taken : null
  }
  const startRefresh = (at: number): Placed => bursts.add(at, { what: 'refresh', name: 'refresh', mark: 'refresh' })

  /** A refresh is known by its end; what came before its `durationMs` was waiting, for the lock and the store. */
  const endRefresh = (
    { durationMs, refreshId, ...facts }: AuthEvents['refreshed'] & Partial<AuthEvents['refresh-failed']>,
    at: number,
  ): void => {
    const placed = takeRefresh(at) ?? startRefresh(at)
    const { entry, burst } = placed
    const startedAt = at - durationMs
    const waitedSince = Math.min(entry.startedAt, startedAt)
    entry.startedAt = waitedSince
    entry.phases.length = 0
    if (startedAt - waitedSince > SLACK_MS) begin(entry, 'lock', 'refresh', waitedSince)
    begin(entry, facts.verdict ? 'failed' : 'refresh', facts.verdict ? 'failed' : 'refresh', startedAt)
    finish(entry, at, facts.verdict ?? 'by this tab', facts.verdict ? 'bad' : 'recovered')
    add(placed, { ...facts, 'refresh id': refreshId })
    bursts.touch(burst, at)
    onRefresh()
  }

  const attribute = (type: Hearsay['type'], placed: Placed, at: number): void => {
    const known = said.get(type)
    said.delete(type)
    const isKnown = known !== undefined && at - known.at < HEARSAY_MS
    if (!isKnown) unexplained.set(type, { ...placed, at })
    placed.entry.outcome = isKnown ? `by tab ${known.tab}` : 'by another tab'
  }

  return {
    on: {
      refreshed: endRefresh,
      'refresh-failed': endRefresh,
      adopted({ sessionId, version }, at) {
        // A refresh that waited for the lock and found it done: one row, not two.
        const placed = takeRefresh(at) ?? note(at, 'newer tokens taken over', '', {})
        const { entry, burst } = placed
        if (entry.what === 'refresh') finish(entry, at, '', 'recovered')
        add(placed, { version, 'session id': sessionId })
        attribute('refreshed', placed, at)
        bursts.touch(burst, at)
      },
      'signed-in'({ sessionId, where }, at) {
        const placed = note(at, 'signed in', where, { 'session id': sessionId })
        if (where === 'elsewhere') attribute('signed-in', placed, at)
      },
      'signed-out'({ sessionId, reason }, at) {
        const placed = note(at, 'signed out', reason, { reason, 'session id': sessionId })
        if (reason === 'elsewhere') attribute('signed-out', placed, at)
      },
      'subject-changed': ({ sessionId, previousSessionId }, at) =>
        void note(at, 'another user', '', { 'session id': sessionId, 'previous session id': previousSessionId }),
      'login-required': ({ reason, request }, at) =>
        void note(at, 'login required', reason, { reason, method: request.method, url: request.url }),
      'step-up': ({ acrValues, maxAgeSeconds, request }, at) =>
        void note(at, 'step-up required', acrValues.join(' '), {
          'acr values': acrValues,
          'max age, s': maxAgeSeconds,
          method: request.method,
          url: request.url,
        }),
      'store-failed'({ operation, reason }, at) {
        note(at, 'store failed', `${operation} ${reason}`, {}).entry.tone = 'bad'
      },
      'not-replayed'({ request, limitBytes }, at) {
        const facts = { 'limit, bytes': limitBytes, method: request.method, url: request.url }
        note(at, 'body not sent again', '', facts).entry.tone = 'bad'
      },
    },
    status(status, at) {
      const isRunning = refresh?.entry.endedAt === null
      if (status === 'refreshing' && !isRunning) {
        refresh = startRefresh(at)
        begin(refresh.entry, 'refresh', 'refresh', at)
        refresh.entry.outcome = 'refreshing'
      } else if (status !== 'refreshing' && isRunning && refresh) {
        // Unless an event says more, nothing came of it: the refresher had nothing to start a session from.
        finish(refresh.entry, at, 'no change', 'note')
        bursts.touch(refresh.burst, at)
      }
    },
    hear({ type, tab }, at) {
      const placed = unexplained.get(type)
      unexplained.delete(type)
      if (placed && at - placed.at < HEARSAY_MS) {
        placed.entry.outcome = `by tab ${tab}`
        bursts.touch(placed.burst)
      } else said.set(type, { tab, at })
    },
  }
}
