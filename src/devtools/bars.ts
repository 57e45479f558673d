/** The bars of one row. Elements are kept from one drawing to the next, and only what has changed is written. */
import { make, write } from './dom.ts'
import type { Entry } from './entry.ts'
import type { Row } from './row.ts'
import type { Axis } from './time-axis.ts'
import { shortly } from './wording.ts'

/** A fold shows so many of its entries, one thin line each: from the fastest to the slowest. */
const LANES = 6

export interface Bars {
  readonly cell: HTMLElement
  draw(row: Row, axis: Axis, now: number): void
}

export function createBars(): Bars {
  const cell = make('span', { role: 'gridcell', class: 'bars' })
  const drawn: { bar: HTMLElement; label: HTMLElement; state: string }[] = []
  return {
    cell,
    draw(row, axis, now) {
      let used = 0
      const put = (kind: string, text: string, from: number, to: number, lane: string): void => {
        const left = axis.place(from)
        const width = Math.max(0, axis.place(to) - left)
        const state = `${kind} ${left} ${width} ${lane} ${text}`
        let it = drawn[used]
        if (it === undefined) {
          const label = make('b')
          const bar = make('i', {}, label)
          cell.append(bar)
          it = { bar, label, state: '' }
          drawn.push(it)
        }
        used++
        if (it.state === state) return
        it.state = state
        it.bar.className = `bar ${kind}`
        it.bar.style.left = `${left}%`
        it.bar.style.width = `${width}%`
        it.bar.style.top = lane
        write(it.label, text)
      }
      if (row.isFold) {
        sample(row.entries).forEach((entry, index) => {
          for (const { kind, startedAt, endedAt } of entry.phases)
            put(`${kind} lane`, '', startedAt, endedAt ?? now, `${3 + index * 3}px`)
        })
      } else putEntry(row.entries[0], now, put)
      for (const { bar } of drawn.splice(used)) bar.remove()
    },
  }
}

function putEntry(
  entry: Entry,
  now: number,
  put: (kind: string, text: string, from: number, to: number, lane: string) => void,
): void {
  if (entry.what === 'event') put('event', '', entry.startedAt, entry.startedAt, '')
  for (const phase of entry.phases) {
    const isOpen = phase.endedAt === null
    put(isOpen ? `${phase.kind} open` : phase.kind, shortly(phase), phase.startedAt, phase.endedAt ?? now, '')
  }
}

/** Evenly over all of them in the order of their ends. */
function sample(entries: readonly Entry[]): readonly Entry[] {
  const endOf = ({ endedAt }: Entry): number => endedAt ?? Number.MAX_VALUE
  const sorted = [...entries].sort((one, other) => endOf(one) - endOf(other))
  const step = Math.max(1, (sorted.length - 1) / (LANES - 1))
  return sorted.flatMap((_, index) => (index < LANES ? (sorted[Math.round(index * step)] ?? []) : []))
}
