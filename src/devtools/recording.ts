/** Listens to one session, and keeps the timeline up to date. Nothing else of the session is touched; no token is asked for. */
import type { AuthEvents, AuthSession } from '../index.ts'
import { openTabName, type TabName } from './tab-name.ts'
import type { Timeline, TimelineEvent } from './timeline.ts'

export interface Recording {
  tab(): string
  end(): void
}

const EVENTS = [
  'request',
  'refreshed',
  'refresh-failed',
  'adopted',
  'denied',
  'login-required',
  'step-up',
  'signed-in',
  'signed-out',
  'subject-changed',
  'not-replayed',
  'store-failed',
] as const satisfies readonly TimelineEvent[]

export function record(session: AuthSession, timeline: Timeline, onChange: () => void): Recording {
  const now = (): number => performance.now()
  const tabName: TabName = openTabName((said) => {
    timeline.hear(said, now())
    onChange()
  }, onChange)

  const listen = <E extends TimelineEvent>(event: E): (() => void) =>
    session.on(event, (payload) => {
      timeline.take(event, payload, now())
      announce(tabName, event, payload)
      onChange()
    })
  const onStatus = (): void => {
    timeline.status(session.snapshot().status, now())
    onChange()
  }
  const endings = [...EVENTS.map(listen), session.subscribe(onStatus), tabName.close]
  onStatus()
  return {
    tab: tabName.name,
    end() {
      for (const end of endings) end()
      timeline.leave(now())
    },
  }
}

/** Tells the other tabs' devtools of what was done here. */
function announce(tabName: TabName, event: TimelineEvent, payload: AuthEvents[TimelineEvent]): void {
  if (event === 'refreshed') tabName.tell(event)
  if (event === 'signed-in' && 'where' in payload && payload.where === 'here') tabName.tell(event)
  if (event === 'signed-out' && 'reason' in payload && payload.reason !== 'elsewhere') tabName.tell(event)
}
