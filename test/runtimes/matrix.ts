/** What came out, by promise and by runtime, as the terminal shows it and as the page does. */
import { NOTES } from './notes.ts'
import type { Result, Runtime } from './suite/case.ts'

export interface Column {
  readonly runtime: Runtime
  /** What it is called. */
  readonly label: string
  /** '' where it has not come to that. */
  readonly version: string
  readonly results: readonly Result[]
}

/** One promise on one runtime. */
interface Cell {
  readonly passed: number
  readonly failed: number
  /** The letters of the differences that were shown. */
  readonly marks: string
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz'

export function letterOf(note: string): string {
  const index = Object.keys(NOTES).indexOf(note)
  if (index < 0) throw new Error(`Expected notes.ts to have the note ${note}`)
  return LETTERS.charAt(index)
}

/** In the order of the suite. */
export const promisesIn = (columns: readonly Column[]): string[] => [
  ...new Set(columns.flatMap(({ results }) => results.map(({ id }) => id))),
]

export function cellOf({ results }: Column, promise: string): Cell {
  const own = results.filter(({ id }) => id === promise)
  const failed = own.filter(({ failure }) => failure !== null).length
  const notes = new Set(own.flatMap(({ note, failure }) => (note === null || failure !== null ? [] : [letterOf(note)])))
  return { passed: own.length - failed, failed, marks: [...notes].toSorted().join('') }
}

/**
 * What is wrong with a run that came to its end: each case has to have run, once and in its place, and nothing else. null: nothing.
 *
 * @param expected what the suite has for that runtime
 */
export function complaintAbout(
  results: readonly Result[],
  expected: ReadonlyArray<Pick<Result, 'id' | 'title'>>,
): string | null {
  const nameOf = (one?: Pick<Result, 'id' | 'title'>): string => (one ? `${one.id} ${one.title}` : 'nothing')
  const [got, wanted] = [results, expected].map((list) => list.map(nameOf)) as [string[], string[]]
  const length = Math.max(got.length, wanted.length)
  const at = Array.from({ length }, (_, index) => index).find((index) => got[index] !== wanted[index])
  if (at === undefined) return null
  const place = `of ${wanted.length} cases ${got.length} have run: in place ${at + 1} `
  return `${place}${nameOf(results[at])}, where the suite has ${nameOf(expected[at])}`
}

/** For the terminal: how many have passed, and with which differences. */
export function matrixOf(columns: readonly Column[]): string {
  const heads = columns.map(({ label, version }) => [label, version])
  const rows = promisesIn(columns).map((promise) => [
    promise,
    ...columns.map((column) => {
      const { passed, failed, marks } = cellOf(column, promise)
      if (failed > 0) return `${failed} FAIL`
      return passed > 0 ? `${passed}${marks && ` ${marks}`}` : '–'
    }),
  ])
  const table = [
    ['', ...heads.map(([label = '']) => label)],
    ['', ...heads.map(([, version = '']) => version)],
    ...rows,
  ]
  const widths = table[0]?.map((_, index) => Math.max(...table.map((row) => row[index]?.length ?? 0))) ?? []
  const shown = new Set(columns.flatMap(({ results }) => results.flatMap(({ note }) => note ?? [])))
  const legend = Object.entries(NOTES)
    .filter(([note]) => shown.has(note))
    .map(([note, { title }]) => `  ${letterOf(note)}  ${title}`)
  return [
    ...table.map((row) =>
      row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd(),
    ),
    ...(legend.length > 0 ? ['', 'Differs, as docs/runtimes.md says:', ...legend] : []),
  ].join('\n')
}
