/** The top of the panel: the session's state, how long its token lives, who refreshed last, how much there was. */
import type { SessionSnapshot } from '../index.ts'
import { make, mark, write } from './dom.ts'
import type { Timeline } from './timeline.ts'
import { countdown, countOf } from './wording.ts'

export interface SessionBar {
  /** The state and the countdown. */
  readonly state: HTMLElement
  readonly counts: HTMLElement
  /** What this tab is called. */
  readonly name: HTMLElement
  /** What a screen reader is told, of changes of state and nothing else. */
  readonly announcer: HTMLElement
  /** @param wallNow Unix milliseconds */
  draw(snapshot: SessionSnapshot | null, timeline: Timeline, tab: string, wallNow: number): void
}

const WORDS: Record<SessionSnapshot['status'], string> = {
  'signed-out': 'Signed out',
  'signed-in': 'Signed in',
  refreshing: 'Refreshing',
  'login-required': 'Login required',
}

export function createSessionBar(): SessionBar {
  const word = make('b')
  const badge = make('span', { class: 'badge' }, make('i'), word)
  const subject = make('span', { class: 'dim subject' })
  // A timer is live: off unless told otherwise: a second is no news.
  const timer = make('span', { role: 'timer', class: 'timer' })
  const state = make('span', { class: 'state' }, badge, subject, timer)
  const counts = make('span', { class: 'dim counts' })
  const name = make('span', { class: 'dim tab' })
  const announcer = make('p', { role: 'status', class: 'unseen' })

  return {
    state,
    counts,
    name,
    announcer,
    draw(snapshot, { counts: counted, size }, tab, wallNow) {
      const status = snapshot?.status ?? null
      const words = status === null ? 'No session' : WORDS[status]
      write(word, words)
      mark(state, 'data-status', status)
      write(subject, snapshot?.subject ?? '')
      write(timer, snapshot ? untilExpiry(snapshot, wallNow) : '')
      mark(timer, 'data-is', snapshot?.expiresAt !== undefined && snapshot.expiresAt <= wallNow ? 'over' : null)
      const { requests, refreshes, failed } = counted
      const parts = [countOf(requests, 'request'), countOf(refreshes, 'refresh', 'refreshes'), `${failed} failed`]
      if (requests > size) parts.push(`newest ${size} rows kept`)
      write(counts, parts.join(' · '))
      write(name, tab && `this is tab ${tab}`)
      // Refreshing comes and goes in a blink.
      if (status !== 'refreshing') write(announcer, `Session: ${words}`)
    },
  }
}

function untilExpiry({ expiresAt, status }: SessionSnapshot, wallNow: number): string {
  if (expiresAt === undefined) return status === 'signed-in' ? 'no expiry known' : ''
  const leftMs = expiresAt - wallNow
  return leftMs > 0 ? `expires in ${countdown(leftMs)}` : `expired ${countdown(-leftMs)} ago`
}
