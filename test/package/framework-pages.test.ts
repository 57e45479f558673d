// docs/frameworks/: what each page shows is what its app consists of, whole or in part, so that npm run test:frameworks has seen it
// run. The apps need not be installed here.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { blocksIn, filesIn, leadsSomewhere, unknownImports } from './page.ts'

const FOLDER = 'docs/frameworks'
const overview = readFileSync('docs/frameworks.md', 'utf8')
const pages = readdirSync(FOLDER).map((name) => name.replace(/\.md$/, ''))
const read = (name: string): string => readFileSync(`${FOLDER}/${name}.md`, 'utf8')

interface Block {
  kind: 'file' | 'part'
  file: string
  code: string
}

/** The blocks of a page that say where they are from. */
const shownIn = (page: string): readonly Block[] =>
  [...page.matchAll(/^<!-- (file|part): (\S+) -->\n```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, , file = '', language]) => file.endsWith(`.${language}`))
    .map(([, kind, file = '', , code = '']) => ({ kind: kind as Block['kind'], file, code }))

/** Whether these lines stand in a file, one after the other, indented as one. */
function isPart(code: string, file: string): boolean {
  const indented = (by: string): string => code.replace(/^(?=.)/gm, by)
  const [first = ''] = code.split('\n')
  return file.split('\n').some((line) => {
    const by = line.slice(0, line.length - line.trimStart().length)
    return line === by + first && `\n${file}`.includes(`\n${indented(by)}`)
  })
}

/** The apps, by what npm calls the thing that they show; null where there is none. */
const PACKAGES: Record<string, string | null> = {
  angular: '@angular/core',
  dom: null,
  next: 'next',
  nuxt: 'nuxt',
  'react-router': 'react-router',
  'service-worker': null,
  svelte: 'svelte',
  sveltekit: '@sveltejs/kit',
  'tanstack-router': '@tanstack/react-router',
  vue: 'vue',
}

interface Manifest {
  workspaces?: string[]
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}
const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'))

describe.each(pages)('docs/frameworks/%s.md', (name) => {
  const page = read(name)
  const blocks = shownIn(page)

  it('holds no code that is not in its app', () => {
    expect(blocks.length).toBe(blocksIn(page))
    expect(blocks.length).toBeGreaterThan(0)
    for (const { kind, file, code } of blocks) {
      expect(file).toContain(`examples/frameworks/${name}/`)
      const text = readFileSync(file, 'utf8')
      if (kind === 'file') expect(code, file).toBe(text)
      else expect(isPart(code, text), `${file} has no such lines:\n${code}`).toBe(true)
    }
  })

  it('names what exists', () => {
    const links = [...page.matchAll(/\]\(([^)\s]+)/g)].map(([, target = '']) => target)
    expect(links.filter((target) => !leadsSomewhere(target, page, FOLDER))).toEqual([])
    expect(unknownImports(page)).toEqual([])
  })
})

describe('docs/frameworks.md', () => {
  const { workspaces = [] } = manifestOf('examples/frameworks')

  it('knows every app: its page, its test, and the version that was seen', () => {
    expect(workspaces).toEqual(pages.toSorted())
    for (const name of workspaces) {
      const { scripts, dependencies, devDependencies } = manifestOf(`examples/frameworks/${name}`)
      expect(scripts, name).toMatchObject({ check: expect.any(String), build: expect.any(String) })
      expect(existsSync(`test/frameworks/${name}.test.ts`), name).toBe(true)

      const [, version] =
        new RegExp(`^\\| .* \\| (.*)\\| .*\\(frameworks/${name}\\.md\\) \\|$`, 'm').exec(overview) ?? []
      expect(version, `the row of ${name}`).toBeDefined()
      const packageName = PACKAGES[name]
      expect(packageName, name).toBeDefined()
      const seen = packageName ? { ...devDependencies, ...dependencies }[packageName] : ''
      expect(version?.trim(), name).toBe(seen?.split('.').slice(0, 2).join('.'))
    }
  })

  it('shows what the apps use', () => {
    const shown = filesIn(overview)
    for (const [file, place] of [
      ['use-auth-session.ts', 'vue'],
      ['auth-session.ts', 'svelte'],
    ] as const) {
      expect(shown.get(file), file).toBe(readFileSync(`examples/frameworks/${place}/src/${file}`, 'utf8'))
    }
  })
})
