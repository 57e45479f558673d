// Every promise that the README makes has a test that carries its id: "R3 late 401 …".
import ts from 'typescript'
import { expect, it } from 'vitest'
import { collect, readSources } from './source.ts'

/** The promises of the core; last those of signing in. */
const promises = [
  ...numbered('R', 14),
  ...numbered('D', 3),
  ...numbered('B', 4),
  ...numbered('A', 3),
  ...numbered('O', 4),
  ...numbered('T', 4),
  ...numbered('E', 5),
  ...numbered('S', 5),
  ...numbered('C', 5),
  ...numbered('L', 5),
  ...['C7', 'L8', 'P6', 'P12'],
]

const kept = new Set(
  readSources('test/!(clients)/**/*.test.ts')
    .flatMap((source) => collect(source, titleOf))
    .flatMap((title) => /^(?:[A-Z]\d+\b[ ,:]*)+/.exec(title)?.[0].match(/[A-Z]\d+/g) ?? []),
)

it('each promise stands in the title of a test', () => {
  expect(promises.filter((id) => !kept.has(id))).toEqual([])
})

function numbered(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${letter}${index + 1}`)
}

/** The title given to it(), test(), describe() and their variants; a test that does not run keeps no promise. */
function titleOf(node: ts.Node): string | undefined {
  if (!ts.isCallExpression(node)) return undefined
  const [title] = node.arguments
  const callee = node.expression.getText()
  if (!title || !/^(?:it|test|describe)\b/.test(callee) || /\.(?:skip|todo)\b/.test(callee)) return undefined
  if (ts.isStringLiteralLike(title)) return title.text
  return ts.isTemplateExpression(title) ? title.head.text : undefined
}
