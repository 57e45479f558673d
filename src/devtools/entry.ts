/** What a row of the waterfall shows: a request, a refresh, or something that happened to the session. Data only, no DOM. */
import type { RequestStage } from '../index.ts'

/** What a stretch of time was spent on; also the class of its bar. */
export type PhaseKind =
  | 'sent'
  | 'rejected'
  | 'denied'
  | 'replay'
  | 'waits'
  | 'lock'
  | 'refresh'
  | 'permission'
  | 'login'
  | 'step-up'
  | 'failed'

export interface Phase {
  kind: PhaseKind
  /** Milliseconds on the page's monotonic clock, as every `…At` here. */
  startedAt: number
  /** null: still going on. */
  endedAt: number | null
  /** What the server answered, where this was a send. */
  status: number | null
}

/** What a row can be found by: the legend's buttons. */
export type Mark = 'sent' | 'rejected' | 'waits' | 'refresh' | 'replay' | 'denied' | 'login' | 'failed' | 'session'

export type Tone = 'open' | 'good' | 'recovered' | 'denied' | 'bad' | 'note'

export interface Entry {
  /** Unlike any other of this timeline. */
  readonly serial: number
  readonly what: 'request' | 'refresh' | 'event'
  readonly method: string
  /** The path of a request, or what happened. */
  name: string
  /** Empty where this is no request. */
  readonly url: string
  startedAt: number
  endedAt: number | null
  readonly phases: Phase[]
  readonly marks: Set<Mark>
  /** The column beside the name, and its colour. */
  outcome: string
  tone: Tone
  /** What else is known, for the detail pane. */
  readonly facts: Map<string, string>
}

type WaitsFor = Extract<RequestStage, { stage: 'waiting' }>['waitsFor']

const WAITS: Record<WaitsFor, { kind: PhaseKind; mark: Mark; word: string }> = {
  refresh: { kind: 'waits', mark: 'waits', word: 'waiting' },
  login: { kind: 'login', mark: 'login', word: 'parked' },
  'step-up': { kind: 'step-up', mark: 'login', word: 'step-up' },
  permission: { kind: 'permission', mark: 'denied', word: 'deciding' },
}

/** Time that people take, and no machine can shorten. */
export const isForPeople = ({ kind }: Phase): boolean => kind === 'login' || kind === 'step-up' || kind === 'permission'

export function begin(entry: Entry, kind: PhaseKind, mark: Mark, at: number): void {
  end(entry, at)
  entry.phases.push({ kind, startedAt: at, endedAt: null, status: null })
  entry.marks.add(mark)
}

/** Ends the phase that is going on, if one is. */
function end(entry: Entry, at: number): void {
  const last = entry.phases.at(-1)
  if (last) last.endedAt ??= at
}

/** Takes a request one stage further. */
export function advance(entry: Entry, stage: RequestStage, at: number): void {
  const last = entry.phases.at(-1)
  switch (stage.stage) {
    case 'sent': {
      turnDown(entry, 'rejected')
      const isReplay = stage.sends > 1
      begin(entry, isReplay ? 'replay' : 'sent', isReplay ? 'replay' : 'sent', at)
      entry.outcome = isReplay ? 'replaying' : 'pending'
      return
    }
    case 'answered':
      end(entry, at)
      if (last) last.status = stage.status
      if (stage.status === 401) turnDown(entry, 'rejected')
      if (stage.status === 403) turnDown(entry, 'denied')
      return
    case 'waiting': {
      const { kind, mark, word } = WAITS[stage.waitsFor]
      // With `classify` it may be any status that means this.
      turnDown(entry, stage.waitsFor === 'permission' ? 'denied' : 'rejected')
      begin(entry, kind, mark, at)
      entry.outcome = word
      return
    }
    case 'resumed':
      end(entry, at)
      return
    case 'ended':
      finish(entry, at, statusesOf(entry, stage.status), toneOf(entry, stage.status))
      return
    case 'failed':
      // Nothing came back on this one: it was cut off, or never got through.
      if (last && last.endedAt === null) last.kind = 'failed'
      entry.marks.add('failed')
      if (stage.code) entry.facts.set('code', stage.code)
      finish(entry, at, 'failed', 'bad')
  }
}

export function finish(entry: Entry, at: number, outcome: string, tone: Tone): void {
  end(entry, at)
  Object.assign(entry, { endedAt: at, outcome, tone })
}

/** The last answer was not one to hand back, or one that says no. */
function turnDown(entry: Entry, kind: 'rejected' | 'denied'): void {
  const last = entry.phases.at(-1)
  if (!last || last.status === null) return
  last.kind = kind
  entry.marks.add(kind)
}

/** `401 → 200`: what was answered first, and what the caller has. */
function statusesOf(entry: Entry, status: number): string {
  const first = entry.phases.find((phase) => phase.status !== null)?.status
  return first == null || first === status ? String(status) : `${first} → ${status}`
}

function toneOf(entry: Entry, status: number): Tone {
  if (entry.phases.at(-1)?.kind === 'permission' || status === 403) return 'denied'
  if (status >= 400) return 'bad'
  return entry.marks.has('rejected') ? 'recovered' : 'good'
}
