/** The table of test/runtimes: a runtime that has not run all of the suite has no green column. */
import { expect, it } from 'vitest'
import { cellOf, complaintAbout, matrixOf } from '../runtimes/matrix.ts'

const SUITE = [
  { id: 'R1', title: 'one' },
  { id: 'R2', title: 'two' },
  { id: 'T2', title: 'three' },
]
const passed = SUITE.map((one) => ({ ...one, failure: null, note: null }))

it('has nothing to say of a run of every case', () => {
  expect(complaintAbout(passed, SUITE)).toBeNull()
})

it.each([
  ['none', []],
  ['an early end', passed.slice(0, 1)],
  ['one left out', [passed[0], passed[2]]],
  ['one twice', [passed[0], passed[0], passed[2]]],
  ['one too many', [...passed, passed[0]]],
  ['another order', passed.toReversed()],
])('names the first place where a run is not the suite: %s', (_what, results) => {
  expect(
    complaintAbout(
      results.filter((one) => one !== undefined),
      SUITE,
    ),
  ).toMatch(/^of 3 cases \d have run: in place \d /)
})

it('shows a dash where nothing of a promise has run', () => {
  const columns = [
    { runtime: 'node-24', label: 'Node', version: '24', results: passed },
    { runtime: 'bun', label: 'Bun', version: '1', results: passed.slice(1) },
  ] as const
  expect(cellOf(columns[1], 'R1').passed).toBe(0)
  expect(matrixOf(columns)).toMatch(/^R1 +1 +–$/m)
})
