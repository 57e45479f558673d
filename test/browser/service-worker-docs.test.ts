// docs/service-worker.md: every block is a file of one small project outside the repository. They are compiled under `strict`, built as
// the page says, and run: the script by the server of the page, and the rest in Chromium.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { TOLD_EVENTS } from '../../src/service-worker/protocol.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { blocksIn, compilerSays, deadLinks, filesIn, membersOf, newProject, unknownImports } from '../package/page.ts'
import { describeBrowsers } from './bench/browsers.ts'

const page = readFileSync('docs/service-worker.md', 'utf8')
const files = filesIn(page)
const project = newProject('service-worker', ['@types'])
const auth = createAuthServer({ cors: true })
let authUrl: string

/** The hosts of the page are one server here. */
async function bundle(contents: string): Promise<string> {
  const result = await build({
    stdin: { contents, resolveDir: project.folder },
    bundle: true,
    write: false,
    format: 'iife',
    logLevel: 'error',
  })
  return (result.outputFiles[0]?.text ?? '').replaceAll(/https:\/\/(?:api|auth)\.example/g, authUrl)
}

beforeAll(async () => {
  authUrl = (await auth.listen()).url
  for (const [file, code] of files) project.write(file, code)
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: 'NodeNext',
    target: 'ES2023',
    lib: ['ES2023', 'DOM', 'DOM.Iterable'],
    types: ['node'],
    allowImportingTsExtensions: true,
  }
  project.write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts'] }))
})
afterAll(async () => {
  await auth.close()
  project.remove()
})

it('every block has a name, compiles, and imports what there is; links lead somewhere', () => {
  expect(files.size).toBe(blocksIn(page))
  expect(compilerSays(project.folder)).toBe('')
  expect(unknownImports(page)).toEqual([])
  expect(deadLinks(page)).toEqual([])
})

it('its tables name every option, and its text every event', () => {
  for (const option of membersOf('src/service-worker/connection.ts', 'WorkerOptions'))
    expect(page).toContain(`| \`${option}\` |`)
  for (const option of membersOf('src/service-worker/serve-session.ts', 'ServeSessionOptions'))
    expect(page).toContain(`| \`${option}\` |`)
  for (const event of TOLD_EVENTS) expect(page).toContain(`\`${event}\``)
})

describeBrowsers(
  'docs/service-worker.md',
  (bench) => {
    it('signs in by the token endpoint, and has the session after the worker was ended; no script but a worker gets the key', async () => {
      const worker = (files.get('worker.ts') ?? '').replace('serveSession({', 'serveSession({ key: self.sessionKey,')
      project.write('worker.js', await bundle(worker))
      const app = await bundle(
        `import { api } from './api.ts'; import { signIn } from './login.ts'; Object.assign(globalThis, { api, signIn })`,
      )
      const before = process.cwd()
      process.chdir(project.folder)
      const program = pathToFileURL(path.join(project.folder, 'worker-script.ts')).href
      const { serveWorker } = await import(/* @vite-ignore */ program).finally(() => process.chdir(before))
      const server = createServer((request, response) => {
        if (request.url === '/worker.js') return serveWorker(request, response)
        const isApp = request.url === '/app.js'
        response.writeHead(200, { 'content-type': isApp ? 'text/javascript' : 'text/html' })
        response.end(isApp ? app : '<!doctype html><link rel="icon" href="data:,"><script src="/app.js"></script>')
      })
      await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve))
      try {
        const origin = `http://localhost:${(server.address() as AddressInfo).port}`
        const tab = await bench.tab({ origin }, '/')
        expect(await tab.evaluate(() => globalThis.signIn('viewer', 'viewer'))).toBe(true)
        expect(await tab.evaluate(async () => [(await api('/me')).status, await api.tokens()])).toEqual([200, null])
        const devtools = await tab.createCDPSession()
        await devtools.send('ServiceWorker.enable')
        await devtools.send('ServiceWorker.stopAllWorkers')
        auth.expireAccessTokens()
        expect(await tab.evaluate(async () => (await api('/me')).status)).toBe(200)
        expect(auth.stats).toMatchObject({ logins: 1, refreshes: 1, reuses: 0 })
        expect(await tab.evaluate(async () => (await fetch('/worker.js')).text())).not.toContain("self.sessionKey = '")
        await tab.close()
      } finally {
        server.closeAllConnections()
        server.close()
      }
    })
  },
  ['chrome'],
)
