// docs/server-side.md: every block is a file of one small project outside the repository, with relatch installed there. All are compiled
// under `strict`, and the two servers are run as processes of their own, with browsers that keep cookies, against an auth server that
// revokes everything when a refresh token comes twice.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthServer } from '../../src/testing/index.ts'
import { CookieBrowser } from '../helpers/cookie-app.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'
import { blocksIn, compilerSays, deadLinks, filesIn, membersOf, newProject, unknownImports } from './page.ts'

const page = readFileSync('docs/server-side.md', 'utf8')
const files = filesIn(page)
const project = newProject('server-side', ['@types', 'redis'])
const PARALLEL = 5
const ROUNDS = 10
const VIEWER = { username: 'viewer', password: 'viewer' }

/** Before each server: where the names of the page lead. */
const WORLD = `
const bare = globalThis.fetch
globalThis.fetch = (input, init) => {
  const { pathname, search } = new URL(input)
  return bare(new URL(pathname + search, process.env.AUTH_SERVER), init)
}
`

const auth = createAuthServer()
let authUrl: string
let redis: RedisServer
const children = new Set<ChildProcess>()
let complaints = ''
const complain = (chunk: unknown): void => {
  complaints += chunk
}

beforeAll(async () => {
  project.write('world.js', WORLD)
  for (const [file, code] of files) project.write(file, code)
  authUrl = (await auth.listen()).url
  redis = await startRedis()
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await redis?.stop()
  await auth.close()
  project.remove()
})

/** Starts a program of the page; the address of what it listens on. */
async function start(file: string, onComplaint = complain, authServer = authUrl): Promise<string> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--import', './world.js', file], {
    cwd: project.folder,
    env: {
      ...process.env,
      AUTH_SERVER: authServer,
      REDIS_URL: redis.url,
      SESSION_SECRET: 'a secret of more than 32 characters, for tests',
      PORT: '0',
    },
  })
  children.add(child)
  child.stderr.on('data', onComplaint)
  let printed = ''
  while (!/port: (\d+)/.test(printed)) printed += (await once(child.stdout, 'data'))[0]
  return `http://127.0.0.1:${/port: (\d+)/.exec(printed)?.[1]}`
}

async function signedIn(url: string): Promise<CookieBrowser> {
  const browser = new CookieBrowser(url)
  await browser.ask('/login', VIEWER)
  auth.reset()
  return browser
}

const userIn = (answer: string): unknown => (JSON.parse(answer || '{}') as { user?: unknown }).user

/** As many expiries, each met by requests of one browser at once at each of these addresses. */
async function expire(browser: CookieBrowser, urls: readonly string[]): Promise<void> {
  for (let round = 1; round <= ROUNDS; round++) {
    auth.expireAccessTokens()
    const answers = await Promise.all(
      Array.from({ length: PARALLEL }, () => urls.map((url) => browser.ask(`${url}/me`))).flat(),
    )
    expect(answers.map(userIn)).toEqual(Array(PARALLEL * urls.length).fill('viewer'))
    expect([auth.stats.refreshAttempts, auth.stats.reuses]).toEqual([round, 0])
  }
}

describe('docs/server-side.md', () => {
  it('holds no code that is not tested: every block says which file it is', () => {
    expect(files.size).toBe(blocksIn(page))
    expect(files.size).toBeGreaterThan(4)
  })

  it('compiles under strict', () => {
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2023',
      lib: ['ESNext'],
      types: ['node'],
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      // What redis asks of its own types is its own.
      skipLibCheck: true,
    }
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, include: [...files.keys()] }))
    expect(compilerSays(project.folder)).toBe('')
  })

  it('names what exists, and each option', () => {
    expect(deadLinks(page)).toEqual([])
    expect(unknownImports(page)).toEqual([])
    const named = [...page.matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(
      ([, names = '']) => names.match(/\w+/g) ?? [],
    )
    expect(named.toSorted()).toEqual(
      membersOf('src/coordination/cookie-options.ts', 'CookieSessionsOptions').toSorted(),
    )
  })
})

describe('the servers', () => {
  it(`C1 sessions in cookies: ${PARALLEL} requests × ${ROUNDS} expiries, one refresh each; a sign-out is remembered`, async () => {
    const url = await start('server.ts')
    const browser = await signedIn(url)
    expect([...browser.kept.keys()]).toEqual(['__Host-relatch'])
    await expire(browser, [url])
    const thief = new CookieBrowser(url)
    for (const [name, value] of browser.kept) thief.kept.set(name, value)
    await browser.ask('/logout', {})
    expect(browser.kept.size).toBe(0)
    expect(userIn(await thief.ask('/me'))).toBeUndefined()
  })

  it('C1 ids in cookies: the same over two processes, and a sign-out in both', async () => {
    const urls = [await start('redis-server.ts'), await start('redis-server.ts')] as const
    const browser = await signedIn(urls[0])
    const before = new Map(browser.kept)
    await expire(browser, urls)
    await browser.ask('/logout', {})
    expect(userIn(await browser.ask(`${urls[1]}/me`))).toBeUndefined()
    // Another sign-in is another id, whoever knows the old one.
    await browser.ask('/login', VIEWER)
    expect([...browser.kept.keys()]).toEqual([...before.keys()])
    expect([...browser.kept]).not.toEqual([...before])
    expect(userIn(await browser.ask(`${urls[1]}/me`))).toBe('viewer')
  })

  it.each(['server.ts', 'redis-server.ts'])(
    '%s answers 503 while the auth server does not, and goes on',
    async (file) => {
      const other = createAuthServer()
      let said = ''
      const url = await start(file, (chunk) => (said += chunk), (await other.listen()).url)
      const browser = new CookieBrowser(url)
      const statusOf = async (path: string, init: RequestInit = {}): Promise<number> => {
        const cookie = [...browser.kept].map(([name, value]) => `${name}=${value}`).join('; ')
        return (await fetch(url + path, { ...init, headers: { cookie } })).status
      }
      await browser.ask('/login', VIEWER)
      expect(await statusOf('/me')).toBe(200)
      await other.close()
      for (let round = 0; round < 2; round++) {
        expect(await statusOf('/login', { method: 'POST', body: new URLSearchParams(VIEWER) })).toBe(503)
        expect(await statusOf('/me')).toBe(503)
      }
      expect(await statusOf('/logout', { method: 'POST' })).toBe(204)
      expect(said).toBe('fetch failed\n'.repeat(4))
    },
  )

  it('server.ts sets cookies with the attributes that they are to have', async () => {
    project.write(
      'attributes.ts',
      `import { createServer } from 'node:http'
      import { cookieSessions } from 'relatch/stores/cookies'
      import { cookiesOf } from './node-cookies.ts'
      const secret = process.env.SESSION_SECRET ?? ''
      const sessions = cookieSessions({ secret, name: 'sid', domain: 'app.example', path: '/app', sameSite: 'none', maxAgeSeconds: 60 })
      const server = createServer(async (request, response) => {
        const cookies = cookiesOf(request, response)
        await sessions(cookies).write({ sessionId: 's', version: 1, tokens: { accessToken: 'a' } }, null)
        // A second store of the same request.
        response.end(String((await sessions(cookies).read())?.version))
      })
      server.listen(0, () => console.log(server.address()))`,
    )
    const response = await fetch(await start('attributes.ts'))
    expect(await response.text()).toBe('1')
    const [, ...attributes] = response.headers.get('set-cookie')?.split('; ') ?? []
    const expected = ['Domain=app.example', 'HttpOnly', 'Max-Age=60', 'Path=/app', 'SameSite=none', 'Secure']
    expect(attributes.toSorted()).toEqual(expected)
  })

  it('E3 and none of them complains of anything', () => expect(complaints).toBe(''))
})
