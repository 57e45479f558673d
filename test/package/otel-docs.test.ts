// docs/otel.md: every block is a file of one small project outside the repository, with relatch installed there. All are compiled
// under `strict` and run together, against a real auth server on loopback; what the page says of spans, attributes and metrics is
// compared with what comes out, and with OpenTelemetry's own names.
import { execFile } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import * as conventions from '@opentelemetry/semantic-conventions'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksIn, compilerSays, deadLinks, filesIn, newProject, unknownImports } from './page.ts'
import { collect, readSources } from './source.ts'

const page = readFileSync('docs/otel.md', 'utf8')
const files = filesIn(page)
const packages = globSync('node_modules/@opentelemetry/*').map((each) => each.replace(/^node_modules./, ''))
const { folder, write, remove } = newProject('otel', ['@types', ...packages])

/** Before every program: where the names of the page lead, and a session that has expired. */
const WORLD = `
import { createAuthServer } from 'relatch/testing'
const routes = { 'GET /orders': () => Response.json([]) }
export const server = createAuthServer({ routes })
const { url } = await server.listen()
const bare = globalThis.fetch
globalThis.fetch = (input, init) => bare(new URL(new URL(input).pathname, url), init)
export const tell = (value) => process.stdout.write(JSON.stringify(value))
`

/** Where the page's telemetry goes. */
const EXPORTER = `
import { AggregationTemporality, InMemoryMetricExporter } from '@opentelemetry/sdk-metrics'
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace'
export const spanExporter = new InMemorySpanExporter()
export const metricExporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
`

beforeAll(() => {
  write('world.js', WORLD)
  write('exporter.ts', EXPORTER)
  for (const [file, code] of files) write(file, code)
})
afterAll(remove)

async function told(program: string): Promise<unknown> {
  const text = `import { server, tell } from './world.js'\n${program}\nawait server.close()`
  const args = ['--input-type=module', '--eval', text]
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: folder, timeout: 20_000 })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

/** What stands in backticks in the first column of the page's tables, and in some others. */
const namedIn = (pattern: RegExp): string[] => [...new Set([...page.matchAll(pattern)].map(([, name = '']) => name))]

/** The names that relatch/otel writes down: texts with a dot in them. */
const names = [
  ...new Set(
    readSources('src/adapters/otel*.ts').flatMap((source) =>
      collect(source, (node) =>
        ts.isStringLiteral(node) && /^[a-z]+(?:\.[a-z_]+)+$/.test(node.text) ? node.text : undefined,
      ),
    ),
  ),
].toSorted()

describe('docs/otel.md', () => {
  it('holds no code that is not tested: every block says which file it is', () => {
    expect(files.size).toBe(blocksIn(page))
    expect(files.size).toBeGreaterThan(4)
  })

  it('compiles under strict', () => {
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      // What the SDK's types ask of each other is its own.
      skipLibCheck: true,
    }
    write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    expect(compilerSays(folder)).toBe('')
  })

  it('names what exists', () => {
    expect(deadLinks(page)).toEqual([])
    expect(unknownImports(page)).toEqual([])
  })

  it('names every attribute and metric, and no other of ours', () => {
    expect(
      namedIn(/`([a-z]+(?:\.[a-z_]+)+)`/g)
        .filter((name) => names.includes(name))
        .toSorted(),
    ).toEqual(names)
    expect(namedIn(/`(relatch\.[a-z_.]+)`/g).filter((name) => !names.includes(name))).toEqual([])
  })
})

describe('the names', () => {
  it("are OpenTelemetry's, as they are today, or begin with ours", () => {
    const theirs = Object.values(conventions)
    const foreign = names.filter((name) => !name.startsWith('relatch.'))
    expect(foreign).toContain('http.request.resend_count')
    expect(foreign.filter((name) => !theirs.includes(name as never))).toEqual([])
  })

  it('come with the version of this package', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    expect(readFileSync('src/adapters/otel-meters.ts', 'utf8')).toContain(`const VERSION: string = '${version}'`)
  })
})

describe('the programs', () => {
  it('make the trace that the page shows', async () => {
    const outcome = (await told(`
      const { flush } = await import('./sdk.ts')
      const { spanExporter, metricExporter } = await import('./exporter.ts')
      const { end } = await import('./instrument.ts')
      const { api } = await import('./api.ts')
      const { loadOrders } = await import('./load-orders.ts')
      await api.signIn(server.signIn('viewer'))
      server.expireAccessTokens()
      const statuses = (await loadOrders()).map(({ status }) => status)
      await flush()
      const spans = spanExporter.getFinishedSpans()
      const nameOf = (id) => spans.find((span) => span.spanContext().spanId === id)?.name
      const lines = spans.map((span) => [
        span.name,
        nameOf(span.parentSpanContext?.spanId) ?? null,
        span.links.map(({ context }) => nameOf(context.spanId)),
        span.attributes['http.response.status_code'] ?? null,
      ])
      const metrics = metricExporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
      end()
      tell({ statuses, lines, metrics: metrics.map(({ scope }) => scope.name) })
    `)) as { statuses: number[]; lines: unknown[]; metrics: string[] }
    expect(outcome.statuses).toEqual([200, 200])
    const request = 'relatch GET'
    expect(outcome.lines).toEqual(
      expect.arrayContaining([
        ['load orders', null, [], null],
        [request, 'load orders', [], 200],
        ['GET', 'load orders', [], 401],
        ['GET', 'load orders', [], 200],
        ['relatch refresh', request, expect.arrayContaining([request]), null],
        ['relatch wait refresh', request, ['relatch refresh'], null],
        ['token request', 'load orders', [], null],
        ['POST', 'token request', [], 200],
      ]),
    )
    const count = (name: string): number => outcome.lines.filter((line) => (line as string[])[0] === name).length
    expect([count(request), count('GET'), count('relatch refresh'), count('POST')]).toEqual([2, 4, 1, 1])
    expect(outcome.metrics).toEqual(expect.arrayContaining(['relatch', '@opentelemetry/instrumentation-undici']))
  })

  it('end with each session of many', async () => {
    const outcome = await told(`
      const { flush } = await import('./sdk.ts')
      const { spanExporter } = await import('./exporter.ts')
      const { memoryStore } = await import('relatch')
      const { withSession } = await import('./user-session.ts')
      const tokens = () => ({ accessToken: server.signIn('viewer').access_token })
      const kept = []
      for (let user = 0; user < 3; user++) {
        await withSession(memoryStore(tokens()), async (api) => {
          kept.push(api)
          await api('/orders')
        })
      }
      for (const api of kept) await api('/me')
      await flush()
      tell(spanExporter.getFinishedSpans().filter(({ name }) => name === 'relatch GET').map(({ attributes }) => attributes['url.path']))
    `)
    expect(outcome).toEqual(['/orders', '/orders', '/orders'])
  })
})
