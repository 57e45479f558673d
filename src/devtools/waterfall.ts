/** The list of bursts, and the keys to walk it with. Draws only what has changed since the last time. */
import { type BurstView, createBurstView, type RowView, titleOf } from './burst-view.ts'
import { make, mark } from './dom.ts'
import { type Filter, type Row, rowsOf } from './row.ts'
import type { Timeline } from './timeline.ts'

export interface Waterfall {
  readonly element: HTMLElement
  /** @param wallOf an instant of the page's clock as the time of day */
  draw(timeline: Timeline, filter: Filter, now: number, wallOf: (at: number) => string): void
  /** Everything again at the next drawing: the filter has changed, or a fold. */
  redraw(): void
  select(key: string | null): void
}

export interface WaterfallActions {
  /** A row was chosen; `isOpening`: by a click or Enter, not in passing. */
  select(row: Row, isOpening: boolean): void
  /** Something is to be drawn again. */
  change(): void
}

const COLUMNS = ['Method', 'Path', 'Status', 'Time', 'Waterfall']
const PAGE = 10

export function createWaterfall({ select: onSelect, change }: WaterfallActions): Waterfall {
  const columns = COLUMNS.map((name) => make('span', { role: 'columnheader' }, name))
  const head = make('div', { role: 'row', class: 'row columns' }, ...columns)
  const element = make('div', { role: 'treegrid', 'aria-label': 'Requests', class: 'list' }, head)
  const bursts = new Map<number, BurstView>()
  const expanded = new Set<string>()
  let generation = 0
  let selected: string | null = null

  const views = (): RowView[] => {
    const all = [...bursts.values()].flatMap(({ rows }) => [...rows.values()])
    const byElement = new Map(all.map((view) => [view.element, view]))
    return [...element.querySelectorAll<HTMLElement>('[aria-level]')].flatMap((it) => byElement.get(it) ?? [])
  }

  const select = (key: string | null): void => {
    selected = key
    for (const { element: it, row } of views()) mark(it, 'aria-selected', String(row.key === key))
  }

  const redraw = (): void => void generation++

  const expand = ({ key, isFold }: Row, isExpanded: boolean): void => {
    if (!isFold) return
    if (isExpanded) expanded.add(key)
    else expanded.delete(key)
    redraw()
    change()
  }

  const go = (view: RowView | undefined, isOpening = false): void => {
    if (!view) return
    stop(view.element)
    view.element.focus({ preventScroll: true })
    view.element.scrollIntoView({ block: 'nearest' })
    select(view.row.key)
    onSelect(view.row, isOpening)
  }

  /** One row is the list's tab stop; arrows move it. */
  const stop = (target: HTMLElement | undefined): void => {
    for (const it of element.querySelectorAll<HTMLElement>('[tabindex="0"]')) it.tabIndex = -1
    if (target) target.tabIndex = 0
  }

  element.addEventListener('click', ({ target }) => {
    const view = views().find(({ element: it }) => it.contains(target as Node))
    if (!view) return
    if (view.row.isFold && (target as Element).matches('.name')) expand(view.row, !view.row.isExpanded)
    go(view, true)
  })
  element.addEventListener('keydown', (event) => {
    const all = views()
    const index = all.findIndex(({ element: it }) => it === event.target)
    const view = all[index]
    if (!view || event.altKey || event.ctrlKey || event.metaKey) return
    const { row } = view
    const steps: Record<string, () => void> = {
      ArrowDown: () => go(all[index + 1]),
      ArrowUp: () => go(all[index - 1]),
      PageDown: () => go(all[Math.min(all.length - 1, index + PAGE)]),
      PageUp: () => go(all[Math.max(0, index - PAGE)]),
      Home: () => go(all[0]),
      End: () => go(all.at(-1)),
      ArrowRight: () => expand(row, true),
      // Out to the fold, then shut it.
      ArrowLeft: () =>
        row.level === 2 ? go(all.slice(0, index).findLast((each) => each.row.isFold)) : expand(row, false),
      Enter: () => go(view, true),
      ' ': () => (row.isFold ? expand(row, !row.isExpanded) : go(view, true)),
    }
    if (!Object.hasOwn(steps, event.key)) return
    event.preventDefault()
    steps[event.key]?.()
  })

  return {
    element,
    redraw,
    select,
    draw(timeline, filter, now, wallOf) {
      const isAtEnd = element.scrollTop + element.clientHeight > element.scrollHeight - 8
      const hadFocus = element.matches(':focus-within')
      const gone = new Set(bursts.keys())
      let isChanged = false
      let before: Element = head
      let lastAt: number | null = null
      for (const burst of timeline.bursts) {
        const { id, entries, version } = burst
        const rows = rowsOf(burst, filter, expanded)
        const startedAt = entries[0]?.startedAt
        if (rows.length === 0 || startedAt === undefined) continue
        const view = bursts.get(id) ?? createBurstView()
        bursts.set(id, view)
        gone.delete(id)
        const isOpen = entries.some(({ endedAt }) => endedAt === null)
        const current = `${version} ${generation}`
        if (isOpen || view.version !== current) {
          view.draw(burst, rows, titleOf(burst, wallOf(startedAt), startedAt - (lastAt ?? startedAt)), now)
          isChanged ||= view.version !== current
          view.version = current
        }
        if (before.nextElementSibling !== view.element) before.after(view.element)
        before = view.element
        lastAt = burst.lastAt
      }
      for (const id of gone) {
        bursts.get(id)?.element.remove()
        bursts.delete(id)
      }
      if (isChanged) select(selected)
      if (isChanged && isAtEnd) element.scrollTop = element.scrollHeight
      if (element.querySelector('[tabindex="0"]') !== null) return
      const first = element.querySelector<HTMLElement>('[aria-level]')
      if (first) stop(first)
      // The row that had the focus is gone; whoever walks by keys must not be thrown out of the list.
      if (hadFocus) first?.focus({ preventScroll: true })
    },
  }
}
