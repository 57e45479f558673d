/** Which rows a burst has: its entries, filtered, and folded where many are alike. Pure. */
import type { Burst } from './burst.ts'
import type { Entry, Mark } from './entry.ts'
import { duration } from './wording.ts'

export interface Row {
  /** The same for the same row, from one drawing to the next. */
  readonly key: string
  /** One, or all that are folded here. */
  readonly entries: readonly [Entry, ...Entry[]]
  readonly isFold: boolean
  readonly isExpanded: boolean
  /** 2: inside a fold. */
  readonly level: 1 | 2
}

export interface Filter {
  /** In lower case. */
  text: string
  /** Any of these; none = all. */
  marks: ReadonlySet<Mark>
}

/** From so many alike on they share a row. */
const FOLD_FROM = 4

export function rowsOf(burst: Burst, filter: Filter, expanded: ReadonlySet<string>): Row[] {
  const groups = new Map<string, [Entry, ...Entry[]]>()
  for (const entry of burst.entries) {
    if (!passes(entry, filter)) continue
    const name = entry.what === 'request' ? `${burst.id} ${entry.method} ${entry.url}` : String(entry.serial)
    const group = groups.get(name)
    if (group) group.push(entry)
    else groups.set(name, [entry])
  }
  const rows: Row[] = []
  const single = (entry: Entry, level: 1 | 2): Row => ({
    key: String(entry.serial),
    entries: [entry],
    isFold: false,
    isExpanded: false,
    level,
  })
  for (const [key, entries] of groups) {
    const isFold = entries.length >= FOLD_FROM
    const isExpanded = isFold && expanded.has(key)
    if (isFold) rows.push({ key, entries, isFold, isExpanded, level: 1 })
    if (!isFold || isExpanded) for (const entry of entries) rows.push(single(entry, isFold ? 2 : 1))
  }
  return rows
}

function passes({ marks, method, name, outcome }: Entry, { text, marks: wanted }: Filter): boolean {
  if (wanted.size > 0 && ![...wanted].some((mark) => marks.has(mark))) return false
  return text === '' || `${method} ${name} ${outcome}`.toLowerCase().includes(text)
}

/** `200`, or `200 ×48, failed ×2` where the entries differ, the most frequent first. */
export function outcomeOf({ entries }: Row): string {
  const counts = new Map<string, number>()
  for (const { outcome } of entries) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  if (counts.size === 1) return entries[0].outcome
  return [...counts]
    .sort(([, one], [, other]) => other - one)
    .map(([outcome, count]) => `${outcome} ×${count}`)
    .join(', ')
}

/** How long it took, the slowest where there are several; empty for what takes no time. */
export function timeOf({ entries }: Row, now: number): string {
  if (entries[0].what === 'event') return ''
  return duration(Math.max(...entries.map(({ startedAt, endedAt }) => (endedAt ?? now) - startedAt)))
}
