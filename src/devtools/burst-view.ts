/** Draws one burst: its title, its time axis, the bands where a refresh ran, and a row for each request, refresh and event. */
import { type Bars, createBars } from './bars.ts'
import type { Burst } from './burst.ts'
import { make, mark, write } from './dom.ts'
import { outcomeOf, type Row, timeOf } from './row.ts'
import { type Axis, axisOf } from './time-axis.ts'
import { countOf, describe, duration } from './wording.ts'

export interface RowView {
  readonly element: HTMLElement
  readonly row: Row
}

export interface BurstView {
  readonly element: HTMLElement
  /** The row that an element of the list belongs to. */
  readonly rows: ReadonlyMap<string, RowView>
  /** What was drawn last; only the list knows what it stands for. */
  version: string
  draw(burst: Burst, rows: readonly Row[], title: string, now: number): void
}

interface DrawnRow {
  readonly element: HTMLElement
  readonly cells: readonly HTMLElement[]
  readonly bars: Bars
  row: Row
}

export function createBurstView(): BurstView {
  const title = make('span', { class: 'title' })
  const scale = make('span', { class: 'axis' })
  const lane = make('span', { class: 'lane' })
  const under = make('div', { class: 'under', 'aria-hidden': 'true' }, lane)
  const head = make('div', { class: 'row head', 'aria-hidden': 'true' }, title, scale)
  const element = make('div', { role: 'rowgroup', class: 'burst' }, under, head)
  const rows = new Map<string, DrawnRow>()
  let drawnScale = ''

  const drawScale = ({ ticks, cuts }: Axis, bands: readonly (readonly [number, number])[]): void => {
    const text = JSON.stringify([ticks, cuts, bands])
    if (text === drawnScale) return
    drawnScale = text
    for (const each of [scale, lane]) each.replaceChildren()
    for (const [place, width] of bands) put(lane, 'band', place, width)
    for (const { place, label } of ticks) {
      put(scale, 'tick', place, null, label)
      put(lane, 'grid', place, null)
    }
    for (const { place, width, label } of cuts) {
      put(scale, 'cut', place, width, label)
      put(lane, 'cut', place, width)
    }
  }

  return {
    element,
    rows,
    version: '',
    draw(burst, wanted, text, now) {
      const axis = axisOf(burst.entries, now)
      write(title, text)
      mark(element, 'aria-label', text)
      const refreshes = burst.entries.flatMap(({ what, phases }) => (what === 'refresh' ? phases.slice(-1) : []))
      const bands = refreshes.map(({ startedAt, endedAt }) => {
        const place = axis.place(startedAt)
        return [place, axis.place(endedAt ?? now) - place] as const
      })
      drawScale(axis, bands)

      const keys = new Set(wanted.map(({ key }) => key))
      for (const [key, it] of rows) {
        if (keys.has(key)) continue
        it.element.remove()
        rows.delete(key)
      }
      let before: Element = head
      for (const row of wanted) {
        const it = rows.get(row.key) ?? makeRow(row)
        rows.set(row.key, it)
        drawRow(it, row, axis, now)
        if (before.nextElementSibling !== it.element) before.after(it.element)
        before = it.element
      }
    },
  }
}

function put(parent: Element, kind: string, place: number, width: number | null, label = ''): void {
  const it = make('i', { class: kind }, label)
  it.style.left = `${place}%`
  if (width !== null) it.style.width = `${width}%`
  parent.append(it)
}

function makeRow(row: Row): DrawnRow {
  const cells = ['method', 'name', 'outcome', 'time'].map((name) => make('span', { role: 'gridcell', class: name }))
  const bars = createBars()
  const element = make('div', { role: 'row', tabindex: '-1', 'aria-selected': 'false' }, ...cells, bars.cell)
  return { element, cells, bars, row }
}

function drawRow(drawn: DrawnRow, row: Row, axis: Axis, now: number): void {
  const { element, cells, bars } = drawn
  const [entry] = row.entries
  drawn.row = row
  const bad = row.entries.find(({ tone }) => tone === 'bad')
  const classes = `row ${entry.what} ${(bad ?? entry).tone}`
  if (element.className !== classes) element.className = classes
  mark(element, 'aria-level', String(row.level))
  mark(element, 'aria-expanded', row.isFold ? String(row.isExpanded) : null)
  const name = row.isFold ? `${entry.name} ×${row.entries.length}` : entry.name
  const texts = [entry.method, name, outcomeOf(row), timeOf(row, now)]
  cells.forEach((cell, index) => void write(cell, texts[index] ?? ''))
  for (const cell of cells.slice(1, 3))
    mark(cell, 'title', (cell.textContent ?? '').length > 12 ? cell.textContent : null)
  // In words for those who see no bars, and for a mouse that rests on them.
  const words = (!row.isFold && describe(entry)) || null
  for (const attribute of ['aria-label', 'title']) mark(bars.cell, attribute, words)
  bars.draw(row, axis, now)
}

/** `14:03:22.114 · 12.0 s later · 50 requests, 1 refresh`. */
export function titleOf({ entries }: Burst, wall: string, pauseMs: number): string {
  const count = (what: string): number => entries.filter((entry) => entry.what === what).length
  const [requests, refreshes] = [count('request'), count('refresh')]
  const counted = [
    requests && countOf(requests, 'request'),
    refreshes && countOf(refreshes, 'refresh', 'refreshes'),
  ].filter(Boolean)
  return [wall, pauseMs > 0 && `${duration(pauseMs)} later`, counted.join(', ')].filter(Boolean).join(' · ')
}
