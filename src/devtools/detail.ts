/** The detail pane: one row in full, with its stages, or what a fold's entries have in common. */
import { make, write } from './dom.ts'
import type { Entry } from './entry.ts'
import { outcomeOf, type Row } from './row.ts'
import { duration, inWords } from './wording.ts'

export interface Detail {
  readonly element: HTMLElement
  show(row: Row | null): void
  /** Whether it changes while nothing happens, or would at the next event. */
  draw(now: number, wallOf: (at: number) => string): void
}

type Facts = readonly (readonly [string, string])[]

export function createDetail(onClose: () => void): Detail {
  const title = make('h2')
  const close = make('button', { type: 'button', 'aria-label': 'Close details', class: 'close' }, '✕')
  const facts = make('dl')
  const stages = make('tbody')
  const head = make(
    'thead',
    {},
    make('tr', {}, ...['At', 'Stage', 'Took'].map((name) => make('th', { scope: 'col' }, name))),
  )
  const table = make('table', {}, make('caption', {}, 'Stages'), head, stages)
  const element = make('section', { class: 'detail', 'aria-label': 'Details' }, close, title, facts, table)
  element.hidden = true
  let shown: Row | null = null
  let drawn = ''

  close.addEventListener('click', onClose)

  return {
    element,
    show(row) {
      shown = row
      element.hidden = row === null
    },
    draw(now, wallOf) {
      if (shown === null) return
      const [entry] = shown.entries
      const known = shown.isFold ? factsOfFold(shown, now) : factsOf(entry, wallOf)
      const lines = shown.isFold ? [] : stagesOf(entry, now)
      // Rebuilt where it differs, and not while somebody selects text in it.
      const text = JSON.stringify([shown.key, known, lines])
      if (text === drawn) return
      drawn = text
      write(title, [entry.method, entry.name].filter(Boolean).join(' '))
      facts.replaceChildren(...known.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]))
      stages.replaceChildren(
        ...lines.map(([kind, ...cells]) => make('tr', { class: kind }, ...cells.map((cell) => make('td', {}, cell)))),
      )
      table.hidden = lines.length === 0
    },
  }
}

function factsOf(entry: Entry, wallOf: (at: number) => string): Facts {
  const facts: (readonly [string, string])[] = [['status', entry.outcome]]
  if (entry.url) facts.push(['url', entry.url])
  facts.push(['began', wallOf(entry.startedAt)])
  if (entry.endedAt !== null && entry.what !== 'event') facts.push(['took', duration(entry.endedAt - entry.startedAt)])
  return [...facts, ...entry.facts]
}

function factsOfFold(row: Row, now: number): Facts {
  const took = row.entries
    .map(({ startedAt, endedAt }) => (endedAt ?? now) - startedAt)
    .sort((one, other) => one - other)
  const quantile = (share: number): string => duration(took[Math.round((took.length - 1) * share)] ?? 0)
  return [
    ['status', outcomeOf(row)],
    ['url', row.entries[0].url],
    ['requests', String(row.entries.length)],
    ['fastest', quantile(0)],
    ['median', quantile(0.5)],
    ['slowest', quantile(1)],
  ]
}

type Line = [kind: string, ...cells: string[]]

function stagesOf({ phases, startedAt, endedAt, what }: Entry, now: number): Line[] {
  if (what === 'event') return []
  const lines: Line[] = phases.map((phase) => [
    phase.kind,
    `+${duration(phase.startedAt - startedAt)}`,
    inWords(phase),
    phase.endedAt === null ? `${duration(now - phase.startedAt)} …` : duration(phase.endedAt - phase.startedAt),
  ])
  if (endedAt !== null)
    lines.push(['', `+${duration(endedAt - startedAt)}`, what === 'request' ? 'settled' : 'done', ''])
  return lines
}
