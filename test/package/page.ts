// What holds for each page of docs/ that comes with programs.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** What the compiler says of a folder with a tsconfig.json. */
export function compilerSays(project: string): string {
  const tsc = path.resolve('node_modules/@typescript/native/bin/tsc')
  return spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: project, encoding: 'utf8' }).stdout
}

/** The links of a page that lead nowhere. */
export const deadLinks = (page: string): string[] =>
  [...page.matchAll(/\]\(([^)#\s]+)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !existsSync(path.join('docs', target)))

/** What a page imports from this package that it does not export. */
export function unknownImports(page: string): string[] {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: object }
  return [...page.matchAll(/from 'relatch(.*?)'/g)]
    .map(([, subpath]) => `.${subpath}`)
    .filter((subpath) => !(subpath in exports))
}
