/** Keeps everything that a client shows of itself: each event, each snapshot. */
import type { AuthEvents, AuthFetch, SessionSnapshot } from '../../src/index.ts'

export const EVENTS: ReadonlyArray<keyof AuthEvents> = [
  'refreshed',
  'refresh-failed',
  'adopted',
  'recovered',
  'denied',
  'login-required',
  'step-up',
  'signed-in',
  'signed-out',
  'subject-changed',
  'not-replayed',
  'store-failed',
]

export interface Watch {
  readonly events: ReadonlyArray<[keyof AuthEvents, unknown]>
  readonly snapshots: readonly SessionSnapshot[]
  /** The payloads of one event, in order. */
  of<E extends keyof AuthEvents>(event: E): Array<AuthEvents[E]>
}

export function watch(api: AuthFetch): Watch {
  const events: Array<[keyof AuthEvents, unknown]> = []
  const snapshots = [api.snapshot()]
  for (const event of EVENTS) api.on(event, (payload) => events.push([event, payload]))
  api.subscribe(() => snapshots.push(api.snapshot()))
  return {
    events,
    snapshots,
    of: (event) => events.flatMap(([name, payload]) => (name === event ? [payload as never] : [])),
  }
}
