/** docs/runtimes.md, made of what the suite has shown. Of versions it names what has run when it was written; the rest has to be so still. */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { type Column, cellOf, letterOf, promisesIn } from './matrix.ts'
import { NOTES } from './notes.ts'
import type { Result } from './suite/case.ts'

const target = path.join(import.meta.dirname, '../../docs/runtimes.md')

/** Browsers come from the system, and are newer from one day to the next. */
const VERSIONS = /^Node .*\n/m

/** What CONTRIBUTING.md says of a promise in a line: the one list of them. */
function promiseTexts(): ReadonlyMap<string, string> {
  const text = readFileSync(path.join(import.meta.dirname, '../../CONTRIBUTING.md'), 'utf8')
  const texts = new Map<string, string>()
  for (const [, letter = '', from = '', to, what = ''] of text.matchAll(
    /^\| ([A-Z])(\d+)(?: – [A-Z](\d+))? \| (.*) \|$/gm,
  )) {
    // A row for several promises has a part for each.
    const parts = to === undefined ? [what] : what.split('; ')
    for (const [index, part] of parts.entries()) texts.set(`${letter}${Number(from) + index}`, part)
  }
  return texts
}

function tableOf(columns: readonly Column[]): string {
  const texts = promiseTexts()
  const rows = promisesIn(columns).map((promise) => {
    const cells = columns.map((column) => {
      const { passed, marks } = cellOf(column, promise)
      if (passed === 0) throw new Error(`Nothing of ${promise} has passed on ${column.label}`)
      const links = [...marks].map((letter) => `[${letter}](#${letter})`)
      return marks ? links.join(' ') : '✓'
    })
    const text = texts.get(promise)
    if (text === undefined) throw new Error(`Expected CONTRIBUTING.md to say what ${promise} promises`)
    return `| **${promise}** ${text} | ${cells.join(' | ')} |`
  })
  return [
    `| | ${columns.map(({ label }) => label).join(' | ')} |`,
    `|---|${columns.map(() => ':-:|').join('')}`,
    ...rows,
  ].join('\n')
}

function notesOf(columns: readonly Column[]): string {
  return Object.entries(NOTES)
    .map(([note, { title, text }]) => {
      const shows = ({ note: shown }: Result): boolean => shown === note
      const where = columns.filter(({ results }) => results.some(shows))
      if (where.length === 0) throw new Error(`Nobody has shown the note ${note}`)
      const cases = new Set(
        where.flatMap(({ results }) => results.filter(shows).map(({ id, title: what }) => `${id} ${what}`)),
      )
      return [
        `### <a id="${letterOf(note)}"></a>${letterOf(note)}. ${title}`,
        '',
        `${where.map(({ label }) => label).join(', ')}.`,
        '',
        text,
        '',
        ...[...cases].map((one) => `- ${one}`),
      ].join('\n')
    })
    .join('\n\n')
}

function pageOf(columns: readonly Column[]): string {
  const template = readFileSync(path.join(import.meta.dirname, 'page.md'), 'utf8')
  const cases = Math.min(...columns.map(({ results }) => results.length))
  const versions = columns
    .filter(({ runtime }) => runtime !== 'workerd-2025')
    .map(({ label, version }) => (label.startsWith('Node') ? `Node ${version}` : `${label} ${version}`))
  return template
    .replace('<!-- cases -->', String(cases))
    .replace('<!-- versions -->', () => `${versions.slice(0, -1).join(', ')} and ${versions.at(-1)}.`)
    .replace('<!-- table -->', () => tableOf(columns))
    .replace('<!-- notes -->', () => notesOf(columns))
}

/** Whether the page says what was shown. */
export const isPageOf = (columns: readonly Column[]): boolean => {
  const [written, made] = [readFileSync(target, 'utf8'), pageOf(columns)].map((text) => text.replace(VERSIONS, ''))
  return written === made
}

export const writePage = (columns: readonly Column[]): void => writeFileSync(target, pageOf(columns))
