// What holds for each page of docs/ that comes with programs.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import ts from 'typescript'
import { collect, readSource } from './source.ts'

/** The blocks of a page that say which file they are. */
export function filesIn(page: string): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const [, file = '', language, code = ''] of page.matchAll(
    /^<!-- file: (\S+) -->\n```(\w+)\n([\s\S]*?)^```$/gm,
  )) {
    if (file.endsWith(`.${language}`)) files.set(file, code)
  }
  return files
}

/** How many blocks a page has that are no commands for a shell. */
export const blocksIn = (page: string): number => [...page.matchAll(/^```(?!sh$)\w+$/gm)].length

export interface Project {
  readonly folder: string
  write(file: string, text: string): void
  remove(): void
}

/** A folder outside the repository, with relatch installed there under its own name, and these packages of node_modules. */
export function newProject(name: string, packages: readonly string[]): Project {
  const folder = mkdtempSync(path.join(tmpdir(), `relatch-${name}-`))
  const link = (target: string, as: string): void => {
    const place = path.join(folder, 'node_modules', as)
    mkdirSync(path.dirname(place), { recursive: true })
    symlinkSync(path.resolve(target), place, 'junction')
  }
  link('.', 'relatch')
  for (const each of packages) link(`node_modules/${each}`, each)
  const write = (file: string, text: string): void => writeFileSync(path.join(folder, file), text)
  write('package.json', '{ "private": true, "type": "module" }')
  return { folder, write, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** What the compiler says of a folder with a tsconfig.json. */
export function compilerSays(project: string): string {
  const tsc = path.resolve('node_modules/@typescript/native/bin/tsc')
  return spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: project, encoding: 'utf8' }).stdout
}

/** The links of a page of docs/ that lead nowhere. */
export const deadLinks = (page: string): string[] =>
  [...page.matchAll(/\]\(([^)\s]+)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !leadsSomewhere(target, page, 'docs'))

/** @param folder which the link starts from */
export function leadsSomewhere(target: string, text: string, folder = '.'): boolean {
  if (/^https:/.test(target)) return URL.canParse(target)
  const [file = '', anchor] = target.split('#')
  const place = path.join(folder, file)
  if (!existsSync(place)) return false
  return anchor === undefined || headingsOf(file === '' ? text : readFileSync(place, 'utf8')).includes(anchor)
}

/** The anchors that GitHub makes of headings. */
const headingsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )

/** The members of an interface, in their order: what a table of options has to name. */
export const membersOf = (file: string, name: string): string[] =>
  collect(readSource(file), (node) =>
    ts.isInterfaceDeclaration(node) && node.name.text === name ? node.members : undefined,
  ).flatMap((members) => members.map((member) => member.name?.getText().replaceAll("'", '') ?? ''))

/** What a page imports from this package that it does not export. */
export function unknownImports(page: string): string[] {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: object }
  return [...page.matchAll(/from 'relatch(.*?)'/g)]
    .map(([, subpath]) => `.${subpath}`)
    .filter((subpath) => !(subpath in exports))
}
