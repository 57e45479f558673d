// The package as it would be published: packed, installed into an empty project, run and type-checked there.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const expectedFiles = [
  'LICENSE',
  'README.md',
  'package.json',
  'dist/relatch.min.js',
  'dist/relatch.min.js.map',
  ...['core', 'stores/judged', 'stores/records', 'stores/tabs'].flatMap((chunk) => [
    `dist/${chunk}.js`,
    `dist/${chunk}.js.map`,
  ]),
  ...[
    'devtools',
    'service-worker',
    'index',
    'ky',
    'oauth',
    'otel',
    'react',
    'schemes/api-key',
    'schemes/basic',
    'schemes/cookie',
    'schemes/dpop',
    'stores/cookies',
    'stores/file',
    'stores/indexeddb',
    'stores/redis',
    'stores/shared-tabs',
    'stores/unstorage',
    'stores/web-storage',
    'testing',
  ].flatMap((entry) => ['cjs', 'd.cts', 'd.ts', 'js', 'js.map'].map((extension) => `dist/${entry}.${extension}`)),
]

const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  devDependencies: Record<string, string>
}

// Outside the repository: nothing may be found in our own node_modules by accident.
const project = mkdtempSync(path.join(tmpdir(), 'relatch-consumer-'))
let packedFiles: string[] = []

beforeAll(() => {
  const packed = npm('pack', '--json', '--ignore-scripts', '--pack-destination', project)
  const [tarball] = JSON.parse(packed) as [{ filename: string; files: Array<{ path: string }> }]
  packedFiles = tarball.files.map((file) => file.path)

  writeFileSync(path.join(project, 'package.json'), '{ "private": true }')
  const typesOfNode = `@types/node@${devDependencies['@types/node']}`
  npm(
    'install',
    '--prefix',
    project,
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    path.join(project, tarball.filename),
    typesOfNode,
  )
})

afterAll(() => rmSync(project, { recursive: true, force: true }))

it('holds exactly the files that are meant for others', () => {
  expect(packedFiles.toSorted()).toEqual(expectedFiles.toSorted())
})

const use = `
  for (const store of [indexedDbStore(), sharedTabsStore(), webStorageStore()]) {
    createAuthFetch({ origins: ['https://api.example'], store })
  }
  const authFetch = createAuthFetch({ origins: ['https://api.example'], fetch: async () => new Response('hello') })
  const server = createAuthServer()
  Promise.all([authFetch('https://api.example/'), createKy(authFetch).get('https://api.example/')])
    .then((responses) => Promise.all(responses.map((response) => response.text())))
    .then((texts) => console.log(texts.join(), typeof server.fetch))
`

it('runs where it is imported', () => {
  const script = `
    import { createAuthFetch } from 'relatch'
    import { createKy } from 'relatch/ky'
    import { indexedDbStore } from 'relatch/stores/indexeddb'
    import { sharedTabsStore } from 'relatch/stores/shared-tabs'
    import { webStorageStore } from 'relatch/stores/web-storage'
    import { createAuthServer } from 'relatch/testing'
    ${use}
  `
  expect(runNode('module', script)).toBe('hello,hello function\n')
})

it('runs where it is required', () => {
  const script = `
    const { createAuthFetch } = require('relatch')
    const { createKy } = require('relatch/ky')
    const { indexedDbStore } = require('relatch/stores/indexeddb')
    const { sharedTabsStore } = require('relatch/stores/shared-tabs')
    const { webStorageStore } = require('relatch/stores/web-storage')
    const { createAuthServer } = require('relatch/testing')
    ${use}
  `
  expect(runNode('commonjs', script)).toBe('hello,hello function\n')
})

describe('types', () => {
  const consumer = `
    import { type AuthFetch, type AuthFetchOptions, createAuthFetch, type TokenStore } from 'relatch'
    import { createKy } from 'relatch/ky'
    import { indexedDbStore } from 'relatch/stores/indexeddb'
    import { sharedTabsStore } from 'relatch/stores/shared-tabs'
    import { webStorageStore } from 'relatch/stores/web-storage'
    import { createAuthServer, describeTokenStore } from 'relatch/testing'

    export const stores: TokenStore[] = [indexedDbStore(), sharedTabsStore(), webStorageStore()]
    const options: AuthFetchOptions = { origins: ['https://api.example'] }
    const authFetch: AuthFetch = createAuthFetch(options)
    export const plain: typeof fetch = createAuthFetch({ origins: ['https://api.example'] })
    export const answer: Promise<Response> = createKy(authFetch).get('https://api.example/')
    export const store = undefined as unknown as TokenStore
    export { createAuthServer, describeTokenStore }
  `

  // TypeScript 7, and the last one before it.
  const compilers = ['@typescript/native/bin/tsc', 'typescript/bin/tsc6']
  const worlds = [
    { world: 'a browser (DOM, no Node types)', lib: ['ES2022', 'DOM'], types: [] },
    { world: 'Node (no DOM)', lib: ['ES2023'], types: ['node'] },
    { world: 'both', lib: ['ES2023', 'DOM', 'DOM.Iterable'], types: ['node'] },
  ]

  for (const compiler of compilers) {
    for (const { world, lib, types } of worlds) {
      it(`compile with ${compiler} in ${world}`, () => {
        const compilerOptions = { module: 'NodeNext', target: 'ES2022', strict: true, noEmit: true, lib, types }
        // Declarations of others (ky without DOM) are not ours to check; ours are, hence no skipLibCheck.
        const config = { compilerOptions: { ...compilerOptions, skipLibCheck: false }, files: ['esm.mts', 'cjs.cts'] }
        // An element and a service worker are for where there are such.
        const ofPages = ['devtools', 'service-worker'].map((entry) => `export * from 'relatch/${entry}'\n`)
        const all = lib.includes('DOM') ? [consumer, ...ofPages].join('') : consumer
        writeFileSync(path.join(project, 'esm.mts'), all)
        writeFileSync(path.join(project, 'cjs.cts'), all)
        writeFileSync(path.join(project, 'tsconfig.json'), JSON.stringify(config))

        const tsc = path.resolve('node_modules', compiler)
        const { stdout } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: project, encoding: 'utf8' })
        const errors = stdout.split('\n').filter((line) => line.includes('error TS'))
        expect(errors.filter((line) => !/^node_modules\/(?!relatch\/)/.test(line))).toEqual([])
      })
    }
  }
})

function npm(...args: string[]): string {
  return execFileSync('npm', [...args, '--loglevel=error'], { encoding: 'utf8', shell: process.platform === 'win32' })
}

function runNode(inputType: 'module' | 'commonjs', script: string): string {
  const args = [`--input-type=${inputType}`, '--eval', script]
  return execFileSync(process.execPath, args, { cwd: project, encoding: 'utf8' })
}
