// A default stands in one place, `DEFAULTS`; what the docstrings say about it is checked against that.
import ts from 'typescript'
import { expect, it } from 'vitest'
import { DEFAULTS } from '../../src/options.ts'
import { collect, readSource } from './source.ts'

const documented = new Map(
  collect(readSource('src/options.ts'), (node) => {
    if (!ts.isPropertySignature(node) || node.parent.parent === undefined) return undefined
    if (!ts.isInterfaceDeclaration(node.parent) || node.parent.name.text !== 'AuthFetchOptions') return undefined
    const tag = ts.getJSDocTags(node).find(({ tagName }) => tagName.text === 'default')
    return tag && ([node.name.getText(), ts.getTextOfJSDocComment(tag.comment) ?? ''] as const)
  }),
)

it('every default of DEFAULTS is documented, with the value that it has', () => {
  const inDocs = Object.keys(DEFAULTS).map((option) => [option, literalOf(documented.get(option))])
  expect(Object.fromEntries(inDocs)).toEqual({ ...DEFAULTS })
})

it('no docstring names a plain value that DEFAULTS does not know', () => {
  const plain = [...documented].filter(([, text]) => literalOf(text) !== undefined).map(([option]) => option)
  expect(plain.filter((option) => !(option in DEFAULTS))).toEqual([])
})

/** 10 000, 10_000, 10000 and `10000` are the same number; what follows it explains it. Expressions are no literals. */
function literalOf(text = ''): number | boolean | undefined {
  const word = text.replaceAll('`', '').trim()
  const number = /^\d[\d_\s\u00a0\u202f]*/.exec(word)?.[0]
  if (number) return Number(number.replaceAll(/\D/g, ''))
  const boolean = /^(?:true|false)\b/.exec(word)?.[0]
  return boolean === undefined ? undefined : boolean === 'true'
}
