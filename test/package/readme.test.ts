// README.md is part of what users rely on. Its ts blocks are run as somebody runs them who copied them into a project with relatch
// installed, and compiled under `strict`; its tables are compared with the source. Only the network is replaced: behind `fetch`
// stands a createAuthServer that answers at every origin, so https://api.example and https://auth.example are one real server.
//
// What a console.log of a block prints is what the comment behind it says; where it prints more than once, the comment
// separates the lines with ", then ". A comment `<!-- setup: … -->` above a block is run before it, with `server` and `assert` in scope.
import { execFile, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULTS } from '../../src/options.ts'
import { leadsSomewhere, membersOf } from './page.ts'
import { collect, readSource } from './source.ts'

interface Block {
  language: string
  /** The line of README.md on which the code begins. */
  line: number
  code: string
  setup: string
}

const readme = readFileSync('README.md', 'utf8')
const blocks = readBlocks(readme)
const snippets = blocks.filter(({ language }) => language === 'ts')

// Outside the repository, as a reader's project is; the package is found under its own name, with the exports it publishes.
const project = mkdtempSync(path.join(tmpdir(), 'relatch-readme-'))
const fileOf = ({ line }: Block): string => `line-${line}.ts`
let complaints: string[] = []

beforeAll(() => {
  mkdirSync(path.join(project, 'node_modules'))
  const link = (target: string, name: string): void =>
    symlinkSync(path.resolve(target), path.join(project, 'node_modules', name), 'junction')
  link('.', 'relatch')
  link('node_modules/@types', '@types')
  link('node_modules/react', 'react')
  write('package.json', '{ "private": true, "type": "module" }')
  for (const block of snippets) {
    write(fileOf(block), block.code)
    write(`${fileOf(block)}.world.js`, worldOf(block))
  }

  const lib = ['ES2023', 'DOM', 'DOM.Iterable']
  const compilerOptions = { module: 'NodeNext', target: 'ES2023', strict: true, noEmit: true, lib, types: ['node'] }
  write('tsconfig.json', JSON.stringify({ compilerOptions, files: snippets.map(fileOf) }))
  const tsc = path.resolve('node_modules/@typescript/native/bin/tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: project, encoding: 'utf8' })
  complaints = stdout.split('\n').filter((line) => line.includes('error TS'))
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

describe('README.md', () => {
  it('holds no code that is not tested: every block is ts, or a command for a shell', () => {
    expect(blocks.filter(({ language }) => !['ts', 'sh'].includes(language))).toEqual([])
    expect(snippets.length).toBeGreaterThan(8)
  })

  it('compiles under strict, whichever block is copied', () => expect(complaints).toEqual([]))

  for (const block of snippets) {
    it(`line ${block.line}: prints what its comments say`, async () => {
      expect(await linesPrintedBy(block)).toEqual(linesPromisedBy(block))
    })
  }

  it('says `npm run …` only of scripts that package.json has', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }
    const named = ['README.md', 'CONTRIBUTING.md', 'SECURITY.md'].flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/`npm (?:run )?([a-z:]+)/g)].map(([, script]) => script as string),
    )
    expect(named.filter((script) => !(script in scripts) && !['install', 'test', 'start'].includes(script))).toEqual([])
    expect(named).toEqual(expect.arrayContaining(['test', 'start']))
  })
})

describe('its tables say what the source says', () => {
  it('Options: each option, and no other', () => {
    expect(namesIn('Options')).toEqual(membersOf('src/options.ts', 'AuthFetchOptions'))
  })

  it('Options: the default of DEFAULTS', () => {
    const written = rowsOf('Options').map(([name = '', value = '']) => [plain(name), plain(value).replaceAll(' ', '')])
    expect(Object.fromEntries(written)).toMatchObject(
      Object.fromEntries(Object.entries(DEFAULTS).map(([name, value]) => [name, String(value)])),
    )
  })

  it('refreshEndpoint: each option, and no other', () => {
    expect(namesIn('A refresh endpoint of your own')).toEqual(
      membersOf('src/refreshers/refresh-endpoint.ts', 'RefreshEndpointOptions'),
    )
  })

  it('The session: each member, and no other', () => {
    const members = membersOf('src/auth-session.ts', 'AuthSession').filter((name) => !name.startsWith('['))
    expect(namesIn('The session').map((name) => name.replace(/\(.*/, ''))).toEqual(members)
  })

  it('Events: each event, and no other', () => {
    expect(namesIn('Events').toSorted()).toEqual(membersOf('src/events.ts', 'AuthEvents').toSorted())
  })

  it('errors: each code of AuthError, and no other', () => {
    const codes = collect(readSource('src/errors.ts'), (node) =>
      ts.isTypeAliasDeclaration(node) && node.name.text === 'AuthErrorCode' ? node : undefined,
    ).flatMap((alias) => [...alias.getText().matchAll(/\| '([a-z-]+)'/g)].map(([, code]) => code as string))
    expect(codes.length).toBeGreaterThan(8)
    expect(namesIn('What the caller sees').filter((name) => codes.includes(name))).toEqual(codes)
  })
})

describe('the documents', () => {
  for (const file of ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md']) {
    it(`${file}: every link leads somewhere`, () => {
      const text = readFileSync(file, 'utf8')
      const targets = [...text.matchAll(/\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"/g)].map(([, a, b]) => a ?? b ?? '')
      const broken = targets.filter((target) => !leadsSomewhere(target, text))
      expect(broken).toEqual([])
    })
  }

  it('the source files that CONTRIBUTING.md names exist', () => {
    const named = [...readFileSync('CONTRIBUTING.md', 'utf8').matchAll(/`((?:src|test|scripts|examples)\/[\w./-]+)`/g)]
    expect(named.length).toBeGreaterThan(10)
    expect(named.map(([, file]) => file as string).filter((file) => !existsSync(file))).toEqual([])
  })

  it('the promises that SECURITY.md names are promises that a test keeps', () => {
    const tested = readFileSync('test/package/promises.test.ts', 'utf8')
    const ids = [...readFileSync('SECURITY.md', 'utf8').matchAll(/\*\*([A-Z]\d+)\*\*/g)].map(([, id]) => id as string)
    expect(ids.length).toBeGreaterThan(9)
    const isKept = (id: string): boolean => {
      const upTo = new RegExp(`numbered\\('${id[0]}', (\\d+)\\)`).exec(tested)?.[1]
      return tested.includes(`'${id}'`) || Number(id.slice(1)) <= Number(upTo ?? 0)
    }
    expect(ids.filter((id) => !isKept(id))).toEqual([])
  })
})

function readBlocks(text: string): Block[] {
  const found: Block[] = []
  const fence = /(?:<!-- setup: ([\s\S]*?) -->\s*)?^```(\w*)\n([\s\S]*?)^```$/gm
  for (const match of text.matchAll(fence)) {
    const [whole, setup = '', language = '', code = ''] = match
    const before = text.slice(0, match.index + whole.indexOf('```'))
    found.push({ language, line: before.split('\n').length + 1, code, setup })
  }
  return found
}

function write(file: string, text: string): void {
  writeFileSync(path.join(project, file), text)
}

/** Runs before a block, in its process: the server behind fetch, and a console.log that notes from which line it was called. */
function worldOf(block: Block): string {
  return `
    import assert from 'node:assert/strict'
    import { writeFileSync } from 'node:fs'
    import { format } from 'node:util'
    import { createAuthServer } from 'relatch/testing'

    const server = createAuthServer()
    globalThis.fetch = server.fetch
    ${block.setup}

    const printed = []
    console.log = (...values) => {
      const line = Number(/${fileOf(block).replace('.', '\\.')}:(\\d+)/.exec(new Error().stack)?.[1])
      printed.push([line, format(...values).replace(/\\s+/g, ' ')])
    }
    process.on('exit', () => writeFileSync('${fileOf(block)}.json', JSON.stringify(printed)))
  `
}

/** By line of the block, what was printed there. */
async function linesPrintedBy(block: Block): Promise<Record<string, string>> {
  const args = ['--disable-warning=ExperimentalWarning', '--import', `./${fileOf(block)}.world.js`, fileOf(block)]
  // A block that hangs, throws or prints to stderr is wrong, whatever it has printed before.
  const { stderr } = await promisify(execFile)(process.execPath, args, { cwd: project, timeout: 20_000 })
  expect(stderr).toBe('')
  const printed = JSON.parse(readFileSync(path.join(project, `${fileOf(block)}.json`), 'utf8')) as [number, string][]
  const lines: Record<string, string> = {}
  for (const [line, text] of printed) lines[line] = line in lines ? `${lines[line]}, then ${text}` : text
  return lines
}

/** By line of the block, what the comment behind a console.log says; every console.log has one. */
function linesPromisedBy({ code }: Block): Record<string, string> {
  const lines = code.split('\n').map((text, index) => [index + 1, text] as const)
  const logs = lines.filter(([, text]) => text.includes('console.log('))
  return Object.fromEntries(logs.map(([line, text]) => [line, / \/\/ (.*)$/.exec(text)?.[1] ?? 'no comment']))
}

/** The one hook that README.md shows, with React's own signature; what it does belongs to React. */
/** The rows of all tables under a heading, cell by cell, without head and rule. */
function rowsOf(heading: string): string[][] {
  const [, section = ''] = readme.split(new RegExp(`^#+ ${heading}$`, 'm'))
  const [text = ''] = section.split(/^#+ /m)
  const rows = text.split('\n').filter((line) => line.startsWith('|'))
  const cells = rows.map((row) => row.split(/(?<!\\)\|/).slice(1, -1))
  return cells.filter((row, index) => !isRule(row) && !isRule(cells[index + 1] ?? []))
}

const isRule = (row: string[]): boolean => row.length > 0 && row.every((cell) => /^ *:?-+:? *$/.test(cell))
const plain = (cell: string): string => cell.replaceAll('`', '').trim()

/** What stands first in each row: the names that a table explains. */
const namesIn = (heading: string): string[] => rowsOf(heading).map(([first = '']) => plain(first))
