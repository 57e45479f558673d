// What the package offers by name, as somebody sees it who imports or requires it.
import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** Adding a name here is a promise to keep it. */
const publicNames: Record<string, string[]> = {
  relatch: [
    'AuthError',
    'authFailureOf',
    'bearer',
    'createAuthFetch',
    'isAuthError',
    'jwtExpiresAt',
    'loginRedirect',
    'memoryStore',
    'onAuthWait',
    'parseChallenges',
    'refreshEndpoint',
    'retryUnlessAuth',
    'safeReturnTo',
    'tokensFromResponse',
  ],
  'relatch/devtools': ['defineDevtools', 'devtools'],
  'relatch/service-worker': ['createWorkerAuthFetch', 'serveSession'],
  'relatch/ky': ['createKy'],
  'relatch/oauth': ['oauthClient', 'resourceMetadata'],
  'relatch/otel': ['instrumentAuthFetch'],
  'relatch/react': ['useAuthSession'],
  'relatch/schemes/api-key': ['apiKey'],
  'relatch/schemes/basic': ['basic', 'basicCredentials'],
  'relatch/schemes/cookie': ['cookie'],
  'relatch/schemes/dpop': ['dpop'],
  'relatch/stores/cookies': ['cookieSessions'],
  'relatch/stores/file': ['fileStore'],
  'relatch/stores/indexeddb': ['indexedDbStore'],
  'relatch/stores/redis': ['redisStore'],
  'relatch/stores/shared-tabs': ['sharedTabsStore'],
  'relatch/stores/unstorage': ['unstorageStore'],
  'relatch/stores/web-storage': ['webStorageStore'],
  'relatch/testing': ['createAuthServer', 'describeTokenStore'],
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, unknown> }

it('every subpath names files that exist, under each condition', () => {
  const files = Object.values(manifest.exports).flatMap(leaves)
  expect(files).toHaveLength(Object.keys(publicNames).length * 4 + 1)
  expect(files.filter((file) => !existsSync(file))).toEqual([])
})

it('there is a subpath for each list of names, and package.json', () => {
  const subpaths = Object.keys(publicNames).map((name) => name.replace('relatch', '.'))
  expect(Object.keys(manifest.exports).sort()).toEqual([...subpaths, './package.json'].sort())
})

for (const [entry, names] of Object.entries(publicNames)) {
  it(`${entry} exports exactly its public names, and require() gives the very same ones`, () => {
    const script = `
      import { createRequire } from 'node:module'
      const imported = await import('${entry}')
      const required = createRequire(import.meta.url)('${entry}')
      const isSame = Object.keys(imported).every((name) => imported[name] === required[name])
      process.stdout.write(JSON.stringify([Object.keys(imported), Object.keys(required), isSame]))
    `
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' })
    expect(JSON.parse(output)).toEqual([names, names, true])
  })
}

it('the script tag defines the global `relatch` with the same names, and nothing else', () => {
  const script = `
    const before = new Set(Object.getOwnPropertyNames(globalThis))
    require('node:vm').runInThisContext(require('node:fs').readFileSync('dist/relatch.min.js', 'utf8'))
    const added = Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name))
    process.stdout.write(JSON.stringify([added, Object.keys(relatch).sort()]))
  `
  const output = execFileSync(process.execPath, ['--input-type=commonjs', '--eval', script], { encoding: 'utf8' })
  expect(JSON.parse(output)).toEqual([['relatch'], publicNames.relatch])
})

it('every module stands in one file of dist, so that the entries share its brands and WeakMaps', () => {
  const maps = globSync('dist/**/*.js.map', { exclude: ['dist/relatch.min.js.map'] })
  const modules = maps
    .flatMap((map) => (JSON.parse(readFileSync(map, 'utf8')) as { sources: string[] }).sources)
    .map((source) => source.replace(/^(?:\.\.\/)+/, ''))
  expect(modules).toContain('build/auth-fetch.js')
  expect(modules).toHaveLength(new Set(modules).size)
})

function leaves(value: unknown): string[] {
  return typeof value === 'string' ? [value] : Object.values(value as object).flatMap(leaves)
}
