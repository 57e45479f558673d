// Which rows there are: filtered, folded where many are alike, and what a fold says.
import { expect, it } from 'vitest'
import type { Mark } from '../../../src/devtools/entry.ts'
import { outcomeOf, type Row, rowsOf, timeOf } from '../../../src/devtools/row.ts'
import { createTimeline, type Timeline } from '../../../src/devtools/timeline.ts'

/** Requests of these statuses, 10 ms after each other, each of them 100 ms longer than the one before. */
function calls(...given: [path: string, status: number][]): Timeline {
  const timeline = createTimeline(200)
  given.forEach(([path, status], index) => {
    const call = { requestId: String(index), request: { method: 'GET', url: `https://api.test${path}` } }
    const at = index * 10
    timeline.take('request', { ...call, stage: 'sent', sends: 1 }, at)
    timeline.take('request', { ...call, stage: 'answered', status }, at + (index + 1) * 100)
    timeline.take('request', { ...call, stage: 'ended', status }, at + (index + 1) * 100)
  })
  return timeline
}

function rows(timeline: Timeline, filter: { text?: string; marks?: Mark[] } = {}, expanded: string[] = []): Row[] {
  const [burst] = timeline.bursts
  if (!burst) return []
  return rowsOf(burst, { text: filter.text ?? '', marks: new Set(filter.marks) }, new Set(expanded))
}

const sketch = (all: Row[]): string[] =>
  all.map(({ entries, isFold, level }) => `${level} ${entries[0].name}${isFold ? ` ×${entries.length}` : ''}`)

const alike = (count: number, status = 200): [string, number][] =>
  Array.from({ length: count }, () => ['/items', status])

it('four that are alike share a row, three do not', () => {
  expect(sketch(rows(calls(['/me', 200], ...alike(3))))).toEqual(['1 /me', '1 /items', '1 /items', '1 /items'])
  expect(sketch(rows(calls(...alike(4), ['/me', 200])))).toEqual(['1 /items ×4', '1 /me'])
})

it('a fold that is opened has its rows below it', () => {
  const timeline = calls(...alike(4))
  const [fold] = rows(timeline)
  expect(sketch(rows(timeline, {}, [fold?.key ?? '']))).toEqual([
    '1 /items ×4',
    '2 /items',
    '2 /items',
    '2 /items',
    '2 /items',
  ])
})

it('a fold says what its requests came to, the most frequent first, and how long the slowest took', () => {
  const [same] = rows(calls(...alike(50)))
  expect(same && outcomeOf(same)).toBe('200')
  const [mixed] = rows(calls(...alike(1, 503), ...alike(4)))
  expect(mixed && outcomeOf(mixed)).toBe('200 ×4, 503 ×1')
  expect(mixed && timeOf(mixed, 0)).toBe('500 ms')
})

it.each([
  [{ text: 'items' }, ['1 /items']],
  [{ text: '403' }, ['1 /admin']],
  [{ text: 'get /me' }, ['1 /me']],
  [{ text: 'nowhere' }, []],
  [{ marks: ['denied' as const] }, ['1 /admin']],
  [{ marks: ['denied' as const, 'rejected' as const] }, ['1 /admin', '1 /gone']],
  [{ marks: ['sent' as const], text: 'gone' }, ['1 /gone']],
  [{ marks: ['session' as const] }, []],
])('shows what passes the filter %o', (filter, expected) => {
  const timeline = calls(['/me', 200], ['/items', 200], ['/admin', 403], ['/gone', 401])
  expect(sketch(rows(timeline, filter))).toEqual(expected)
})
