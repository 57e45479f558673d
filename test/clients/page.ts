/**
 * docs/clients.md, made of what the tests have shown: `node page.ts <report> [--write]`. Without --write the page has to say so
 * already. A client that is listed here and has shown nothing is an error, and so are one that is not listed, one that lacks a
 * proof and does not say why, and a run in which any test has failed.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import type { ClientFacts, Shown } from './suite/describe-client.ts'

/** The page's order. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'HTTP clients': ['ky 2', 'ky 1', 'ofetch', 'wretch', 'up-fetch', 'axios', 'better-fetch', 'gaxios', 'Feathers'],
  'Clients with a schema': ['openapi-fetch', 'hey-api', 'typed-openapi', 'Hono hc'],
  'RPC and GraphQL': [
    ...['tRPC, batched', 'tRPC, batched and streamed', 'Connect'],
    ...['graphql-request', 'Apollo Client', 'urql'],
  ],
  SDKs: ['OpenAI', 'Anthropic', 'MCP SDK', 'Octokit', 'Stripe', 'Supabase', 'AWS SDK', 'Azure core-rest-pipeline'],
  'Server-sent events': ['eventsource', 'fetch-event-source'],
  'Query caches': ['TanStack Query', 'SWR', 'RTK Query'],
}

/** What every client has to show. */
const SHOWN_BY_ALL: readonly Shown[] = ['GET', 'POST', 'five at once', '403', 'outage']
/** What the table has a column for: not every client can. */
const SHOWN_BY_SOME: readonly Shown[] = ['abort', 'download', 'events']

/** One of them will do: what streams is either for a client. */
const STREAMS: readonly Shown[] = ['download', 'events']

interface Proven {
  readonly facts: ClientFacts
  readonly shown: ReadonlySet<Shown>
  readonly outageRetries: number
}

interface Asked {
  sends: number
  refreshes: number
}

interface Report {
  testResults: Array<{
    name: string
    status: string
    assertionResults: Array<{
      status: string
      title: string
      ancestorTitles: string[]
      meta: { client?: ClientFacts; shown?: Shown; outageRetries?: number; findings?: Record<string, Asked> }
    }>
  }>
}

const here = import.meta.dirname
const target = path.join(here, '../../docs/clients.md')
const { dependencies } = JSON.parse(readFileSync(path.join(here, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
}

/** The page says what is so: nothing is made of a run in which a test has failed, or was left out. */
function expectGreen({ testResults }: Report): void {
  const failed = testResults.flatMap(({ name, status, assertionResults }) => {
    const titles = assertionResults
      .filter((test) => test.status !== 'passed')
      .map(({ ancestorTitles, title }) => [...ancestorTitles, title].join(' > '))
    return titles.length > 0 || status === 'passed' ? titles : [name]
  })
  if (failed.length === 0) return
  throw new Error(`docs/clients.md is made of a run in which every test has passed, not so:\n${failed.join('\n')}`)
}

function provenIn({ testResults }: Report): ReadonlyMap<string, Proven> {
  const proven = new Map<string, { facts: ClientFacts; shown: Set<Shown>; outageRetries: number }>()
  for (const { meta } of testResults.flatMap(({ assertionResults }) => assertionResults)) {
    const { client: facts, shown, outageRetries } = meta
    if (!facts) continue
    const entry = proven.get(facts.name) ?? { facts, shown: new Set(), outageRetries: 0 }
    if (shown) entry.shown.add(shown)
    if (outageRetries !== undefined) entry.outageRetries = outageRetries
    proven.set(facts.name, entry)
  }
  return proven
}

/** What the table says of a proof that is not there: the client's `needs`. */
function expectReason({ facts: { name, needs }, shown }: Proven): void {
  const missing = SHOWN_BY_ALL.filter((proof) => !shown.has(proof))
  if (missing.length > 0) throw new Error(`${name} has not shown ${missing.join(', ')}`)
  const streams = STREAMS.some((proof) => shown.has(proof))
  if (!(shown.has('abort') && streams) && !needs) throw new Error(`${name} lacks a proof: its \`needs\` has to say why`)
}

/** The table of layers that retry: a row for each test that has counted. */
function layersIn({ testResults }: Report): string {
  const rows = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status, meta }) => status === 'passed' && meta.findings)
    .map(({ ancestorTitles, title, meta: { findings = {} } }) => {
      const cells = Object.entries(findings).map(([of, { sends, refreshes }]) =>
        of === '403' ? `${sends}` : `${sends} / ${refreshes}`,
      )
      return `| ${ancestorTitles.join(' ')} ${title} | ${cells.join(' | ')} |`
    })
  if (rows.length === 0) throw new Error('No layer has been counted')
  return ['| layer | 403 | 401 that stays | auth server down |', '|---|---|---|---|', ...rows].join('\n')
}

const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

/** The version that was called, which has to be the one that is asked for. */
function versionOf({ package: name }: ClientFacts): string {
  const asked = (dependencies[name] ?? '').replace(/^npm:.*@/, '')
  const manifest = path.join(here, 'node_modules', name, 'package.json')
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }
  if (version !== asked) throw new Error(`${name} is ${version} in node_modules and ${asked} in package.json`)
  return version
}

/** As its users write it: with files of their own, and ky 1 under its own name. */
const snippetOf = ({ handOver }: ClientFacts): string =>
  readFileSync(path.join(here, 'hand-over', handOver), 'utf8')
    .replaceAll(/'\.\.\/(?:suite|generated)\//g, "'./")
    .replace("'ky1'", "'ky'")

/** The line that hands our fetch over; of an option that stands alone, with what it is an option of. */
function lineOf(facts: ClientFacts): string {
  if (facts.line !== undefined) return facts.line
  const lines = snippetOf(facts).split('\n')
  const found = lines.findIndex((line) => !line.startsWith('import') && /\bapi\b(?!: AuthFetch)/.test(line))
  const line = lines[found]?.replace(/^export const connect = .*? => /, '').trim()
  if (!line) throw new Error(`${facts.handOver} hands nothing over`)
  const owner = lines.slice(0, found).findLast((each) => each.endsWith('{'))
  if (!/^\w+: /.test(line) || !owner) return line.replace(/[,{(]$/, '').trim()
  const called = owner.replace(/^.* => |return /g, '').trim()
  return `${called} ${line.replace(/,$/, '')}, … }${called.includes('(') ? ')' : ''}`
}

/** In Markdown, where the code may hold a backtick of its own. */
function codeOf(code: string): string {
  const fence = code.includes('`') ? '``' : '`'
  return `${fence}${code.replaceAll('|', '\\|')}${fence}`
}

function row({ facts, shown, outageRetries }: Proven): string {
  const notes = facts.mind?.length ?? 0
  const mind = [
    ...(facts.needs ? [facts.needs] : []),
    ...(outageRetries > 0 ? [`sends ${outageRetries + 1} times in an outage`] : []),
    ...(notes > 0 ? [`[${notes} ${notes === 1 ? 'note' : 'notes'}](#${anchorOf(facts.name)})`] : []),
  ]
  const cells = [
    `[${facts.name}](#${anchorOf(facts.name)})`,
    versionOf(facts),
    codeOf(lineOf(facts)),
    ...SHOWN_BY_SOME.map((proof) => (shown.has(proof) ? '✓' : '')),
    mind.join('; '),
  ]
  return `| ${cells.join(' | ')} |`
}

function section({ facts }: Proven): string {
  const notes = (facts.mind ?? []).map((note) => `- ${note}`).join('\n')
  return [`### ${facts.name}`, '', '```ts', snippetOf(facts).trimEnd(), '```', ...(notes ? ['', notes] : []), ''].join(
    '\n',
  )
}

function page(report: Report): string {
  expectGreen(report)
  const proven = provenIn(report)
  const groups = Object.entries(GROUPS).map(([heading, names]) => {
    const members = names.map((name) => {
      const found = proven.get(name)
      if (!found) throw new Error(`${name} has shown nothing`)
      expectReason(found)
      return found
    })
    return { heading, members }
  })
  const unlisted = [...proven.keys()].filter((name) => !Object.values(GROUPS).flat().includes(name))
  if (unlisted.length > 0) throw new Error(`Not in a group: ${unlisted.join(', ')}`)

  const rows = groups.flatMap(({ members }) => members.map(row))
  const sections = groups.map(({ heading, members }) => `## ${heading}\n\n${members.map(section).join('\n')}`)
  const template = readFileSync(path.join(here, 'page.md'), 'utf8')
  return template
    .replace('<!-- count -->', String(rows.length))
    .replace('<!-- rows -->', () => rows.join('\n'))
    .replace('<!-- layers -->', () => layersIn(report))
    .replace('<!-- sections -->', () => sections.join('\n').trimEnd())
}

const [reportFile = '', flag] = process.argv.slice(2)
const made = page(JSON.parse(readFileSync(reportFile, 'utf8')) as Report)
if (flag === '--write') {
  writeFileSync(target, made)
} else if (readFileSync(target, 'utf8') !== made) {
  console.error('docs/clients.md says something else than what was shown: npm run test:clients -- --write')
  process.exitCode = 1
}
