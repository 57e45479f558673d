import { globSync, readFileSync } from 'node:fs'
import ts from 'typescript'

/** A file of this repository, parsed. Paths start at the root and use `/`. */
export interface Source {
  path: string
  tree: ts.SourceFile
}

export function readSource(path: string): Source {
  return { path, tree: ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true) }
}

export function readSources(pattern: string): Source[] {
  return globSync(pattern)
    .map((path) => path.replaceAll('\\', '/'))
    .sort()
    .map(readSource)
}

/** Every node of a file for which `pick` gives something, in the order of the text. */
export function collect<T>({ tree }: Source, pick: (node: ts.Node) => T | undefined): T[] {
  const found: T[] = []
  const visit = (node: ts.Node): void => {
    const picked = pick(node)
    if (picked !== undefined) found.push(picked)
    ts.forEachChild(node, visit)
  }
  visit(tree)
  return found
}
