/** The panel: what stands where, and what its buttons do. It shows what it is given, and starts neither clock nor listener. */
import type { SessionSnapshot } from '../index.ts'
import { createDetail } from './detail.ts'
import { make, mark, write } from './dom.ts'
import type { Mark } from './entry.ts'
import type { Filter, Row } from './row.ts'
import { createSessionBar } from './session-bar.ts'
import type { Timeline } from './timeline.ts'
import { createWaterfall } from './waterfall.ts'
import { LEGEND, timeOfDay } from './wording.ts'

export interface PanelState {
  snapshot: SessionSnapshot | null
  timeline: Timeline
  tab: string
  isOpen: boolean
  /** The page's clock, and the wall's. */
  now: number
  wallNow: number
}

export interface Panel {
  readonly element: HTMLElement
  draw(state: PanelState): void
}

export interface PanelActions {
  toggle(): void
  clear(): void
  /** Something was pressed that changes what is shown. */
  change(): void
}

export function createPanel({ toggle, clear, change }: PanelActions): Panel {
  const marks = new Set<Mark>()
  const filter: Filter & { marks: Set<Mark> } = { text: '', marks }
  const bar = createSessionBar()

  const opener = make('button', { type: 'button', class: 'opener' }, make('i'), 'relatch')
  const search = make('input', {
    type: 'search',
    placeholder: 'Filter',
    'aria-label': 'Filter by method, path or status',
  })
  const clearer = make('button', { type: 'button' }, 'Clear')
  const legend = make('div', { role: 'group', class: 'legend', 'aria-label': 'Show only' })
  const empty = make('p', { class: 'empty' })
  const show = (row: Row | null): void => {
    detail.show(row)
  }
  const hide = (): void => {
    show(null)
    waterfall.element.querySelector<HTMLElement>('[tabindex="0"]')?.focus()
  }
  const detail = createDetail(hide)
  const waterfall = createWaterfall({
    select(row, isOpening) {
      if (isOpening || !detail.element.hidden) show(row)
      change()
    },
    change,
  })
  const body = make('div', { class: 'body' }, waterfall.element, detail.element, empty)
  body.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape' && !detail.element.hidden) hide()
  })
  const header = make('div', { class: 'top' }, opener, bar.state, bar.counts, bar.name, search, clearer)
  const element = make(
    'div',
    { class: 'panel', role: 'region', 'aria-label': 'relatch devtools' },
    header,
    legend,
    body,
    bar.announcer,
  )

  const refilter = (): void => {
    waterfall.redraw()
    change()
  }
  for (const { mark: wanted, kind, label } of LEGEND) {
    const swatch = make('i', { class: `bar ${kind}`, 'aria-hidden': 'true' })
    const button = make('button', { type: 'button', 'aria-pressed': 'false' }, swatch, label)
    button.addEventListener('click', () => {
      if (!marks.delete(wanted)) marks.add(wanted)
      mark(button, 'aria-pressed', String(marks.has(wanted)))
      refilter()
    })
    legend.append(button)
  }
  search.addEventListener('input', () => {
    filter.text = search.value.trim().toLowerCase()
    refilter()
  })
  opener.addEventListener('click', toggle)
  clearer.addEventListener('click', () => {
    show(null)
    waterfall.select(null)
    clear()
  })

  return {
    element,
    draw({ snapshot, timeline, tab, isOpen, now, wallNow }) {
      bar.draw(snapshot, timeline, tab, wallNow)
      mark(opener, 'aria-expanded', String(isOpen))
      mark(element, 'data-open', isOpen ? '' : null)
      if (!isOpen) return
      const wallOf = (at: number): string => timeOfDay(wallNow - (now - at))
      waterfall.draw(timeline, filter, now, wallOf)
      detail.draw(now, wallOf)
      const hasRows = waterfall.element.childElementCount > 1
      empty.hidden = hasRows
      write(empty, timeline.size > 0 ? 'Nothing matches the filter.' : 'Waiting for the first request.')
    },
  }
}
