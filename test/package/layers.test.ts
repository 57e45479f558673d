// The architecture as a test: who may import whom, who may touch time, and that importing does nothing.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { collect, readSources } from './source.ts'

interface Layer {
  /** Files, or folders with everything in them. Those of one layer do not know each other. */
  members: string[]
  /** Where given, the only thing inside src that the members may import, besides their own folder. */
  door?: string
}

/** Lowest first. A file may import whatever lies in a lower layer, and the other files of its own folder. */
const layers: Layer[] = [
  { members: ['errors.ts', 'clock.ts', 'id.ts'] },
  { members: ['option-check.ts', 'retry-unless-auth.ts'] },
  { members: ['http/'] },
  { members: ['tokens.ts'] },
  { members: ['live.ts'] },
  { members: ['ports.ts'] },
  { members: ['events.ts'] },
  { members: ['coordination/'] },
  { members: ['schemes/', 'refreshers/', 'stores/', 'login/'] },
  { members: ['session.ts'] },
  { members: ['options.ts'] },
  { members: ['pipeline/'] },
  { members: ['auth-session.ts'] },
  { members: ['auth-fetch.ts'] },
  { members: ['oauth/', 'service-worker/'] },
  { members: ['index.ts'] },
  { members: ['adapters/', 'devtools/', 'testing/'], door: 'index.ts' },
]

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  exports: object
  dependencies: object
  peerDependencies: object
}
const entries = Object.keys(manifest.exports)
  .filter((subpath) => subpath !== './package.json')
  .map((subpath) => subpath.replace('.', 'relatch'))

const clock = 'src/clock.ts'
const time = ['Date', 'setTimeout', 'setInterval', 'setImmediate', 'performance']

const sources = readSources('src/**/*.ts')
// An adapter runs the clocks of the library it adapts, and reaches nothing behind the door; nor do the devtools.
const core = sources.filter(({ path }) => !/^src\/(testing|adapters|devtools)\//.test(path))

interface Import {
  from: string
  /** A path inside src, or the name of a package. */
  to: string
  isInternal: boolean
  isDynamic: boolean
}

const imports: Import[] = sources.flatMap((source) =>
  collect(source, (node) => {
    const specifier = specifierOf(node)
    if (specifier === undefined) return undefined
    const isInternal = specifier.startsWith('.')
    const to = isInternal ? path.posix.join(path.posix.dirname(source.path), specifier) : specifier
    return { from: source.path, to, isInternal, isDynamic: ts.isCallExpression(node) }
  }),
)

describe('layers', () => {
  it('every file of src has a layer', () => {
    expect(sources.map(({ path }) => path).filter((file) => !placeOf(file))).toEqual([])
  })

  it('a file imports only what lies below it, or beside it in its own folder', () => {
    const broken = imports.filter(({ from, to, isInternal }) => isInternal && !isAllowed(from, to))
    expect(broken.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
  })

  it('there are no circles, type imports counted', () => {
    expect(findCircle()).toEqual([])
  })

  it('each dependency, optional peers too, is imported by exactly one file, or the parts of one, and nothing else is', () => {
    const outside = imports.filter(({ to, isInternal, isDynamic }) => !(isInternal || isDynamic || isBuiltin(to)))
    const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    // `otel-meters.ts` is a part of `otel.ts`.
    const importers = new Map(outside.map(({ from, to }) => [`${to} in ${from.replace(/-\w+(?=\.ts$)/, '')}`, to]))
    expect([...importers.values()].sort()).toEqual(names.sort())
  })

  it('Node built-ins are loaded on demand by testing/, and imported by what is about files only', () => {
    const broken = imports.filter(({ from, to, isDynamic }) => {
      if (isDynamic) return !(from.startsWith('src/testing/') && isBuiltin(to))
      return isBuiltin(to) && !/^src\/(?:stores\/file\.ts|coordination\/file-[\w-]+\.ts)$/.test(from)
    })
    expect(broken).toEqual([])
  })
})

describe('globals', () => {
  it(`only ${clock} knows the time`, () => {
    const broken = core
      .filter(({ path }) => path !== clock)
      .flatMap((source) =>
        collect(source, (node) => {
          const isTimer = ts.isPropertyAccessExpression(node) && node.getText() === 'AbortSignal.timeout'
          const isTime = ts.isIdentifier(node) && time.includes(node.text)
          return isTimer || isTime ? `${source.path}: ${node.getText()}` : undefined
        }),
      )
    expect(broken).toEqual([])
  })

  it('nothing is written to the console', () => {
    const broken = sources.flatMap((source) =>
      collect(source, (node) => (ts.isIdentifier(node) && node.text === 'console' ? source.path : undefined)),
    )
    expect(broken).toEqual([])
  })

  it('importing the package touches no window, document, storage, network or timer', () => {
    const watched = [
      ...['window', 'document', 'location', 'navigator', 'localStorage', 'sessionStorage', 'indexedDB', 'caches'],
      ...['fetch', 'BroadcastChannel', 'addEventListener', 'console', ...time],
    ]
    // Each of them becomes a getter that notes who asked: our files only, since Node, ky and OpenTelemetry have their own reasons.
    const script = `
      const touched = []
      for (const name of ${JSON.stringify(watched)}) {
        const value = globalThis[name]
        const get = () => {
          const isOurs = (line) => line.includes('/dist/') && !line.includes('/node_modules/')
          if (new Error().stack.split('\\n').some(isOurs)) touched.push(name)
          return value
        }
        Object.defineProperty(globalThis, name, { get, configurable: true })
      }
      for (const entry of ${JSON.stringify(entries)}) await import(entry)
      process.stdout.write(JSON.stringify(touched))
    `
    const child = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
    expect(child.stderr).toBe('')
    expect(JSON.parse(child.stdout)).toEqual([])
  })
})

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith('node:')
}

/** What an import, a re-export, `import()` or `import('…').Type` names. */
function specifierOf(node: ts.Node): string | undefined {
  let name: ts.Node | undefined
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) name = node.moduleSpecifier
  else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) name = node.argument.literal
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) name = node.arguments[0]
  return name && ts.isStringLiteralLike(name) ? name.text : undefined
}

function placeOf(file: string): { level: number; member: string; door: string | undefined } | undefined {
  for (const [level, { members, door }] of layers.entries()) {
    const member = members.find((each) =>
      each.endsWith('/') ? file.startsWith(`src/${each}`) : file === `src/${each}`,
    )
    if (member) return { level, member, door }
  }
  return undefined
}

function isAllowed(from: string, to: string): boolean {
  const [importer, imported] = [placeOf(from), placeOf(to)]
  if (!importer || !imported) return false
  if (importer.member === imported.member) return true
  return importer.door ? imported.member === importer.door : imported.level < importer.level
}

/** The first circle found, as a path that ends where it began; empty where there is none. */
function findCircle(): string[] {
  const done = new Set<string>()
  const walk = (file: string, trail: string[]): string[] => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file]
    if (done.has(file)) return []
    for (const { from, to, isInternal } of imports) {
      const circle = isInternal && from === file ? walk(to, [...trail, file]) : []
      if (circle.length > 0) return circle
    }
    done.add(file)
    return []
  }
  return sources.map(({ path }) => walk(path, [])).find((circle) => circle.length > 0) ?? []
}
