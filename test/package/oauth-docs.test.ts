// docs/oauth.md: every block is a file of one small project outside the repository, with relatch installed there. All are compiled
// under `strict`. The programs run as processes of their own against a real authorization server, and so does what the pages of an
// app do, in as much of a browser as they ask for. Only the two addresses of the page are replaced by those of the servers.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startApi, type TestApi } from '../helpers/oidc-api.ts'
import { MACHINE, startProvider, type TestProvider } from '../helpers/oidc-provider.ts'
import { type Answers, user } from '../helpers/user-agent.ts'
import { blocksIn, compilerSays, deadLinks, filesIn, membersOf, newProject, unknownImports } from './page.ts'

const page = readFileSync('docs/oauth.md', 'utf8')
const files = filesIn(page)
const services = filesIn(readFileSync('docs/services.md', 'utf8'))
const project = newProject('oauth', ['@types', 'react', 'oauth4webapi'])

/** What the examples take from the app around them. */
const ROUTER = `
export const replaced: string[] = []
export const router = { replace: (path: string): void => void replaced.push(path) }
`
const OFFER = `
export const offered: Array<readonly string[]> = []
export const offer = (scopes: readonly string[]): void => void offered.push(scopes)
`

/** As much of a browser as a sign-in asks for, with a person in front of it. */
const BROWSER = `
import { user } from '${pathToFileURL(path.resolve('test/helpers/user-agent.ts')).href}'

const items = new Map()
globalThis.sessionStorage = {
  getItem: (key) => items.get(key) ?? null,
  setItem: (key, text) => void items.set(key, text),
  removeItem: (key) => void items.delete(key),
}
export const left = []
export function show(href) {
  const { origin, pathname, search, hash } = new URL(href, globalThis.location?.href)
  const assign = (url) => void left.push(String(url))
  globalThis.location = { href: origin + pathname + search + hash, origin, pathname, search, hash, assign }
}
globalThis.history = { state: null, replaceState: (_state, _title, url) => show(url) }
export const until = async (is) => {
  while (!is()) await new Promise(setImmediate)
}
export const person = user()
/** Goes where the page has gone, and comes back. Tells what the server was asked for. */
export async function comeBack(answers) {
  await until(() => left.length > 0)
  const asked = new URL(left.pop())
  show(await person.authorize(asked, { redirectUri: 'https://app.example/callback', ...answers }))
  return asked.searchParams
}
/** A call that makes the page leave; a real one would not see its end. */
export const knock = (api, path, init) => void api(path, init).catch(() => {})
export const tell = (value) => process.stdout.write(JSON.stringify(value))
show('https://app.example/orders?page=2')
`

let provider: TestProvider
let api: TestApi
let boundApi: TestApi
const children = new Set<ChildProcess>()

beforeAll(async () => {
  provider = await startProvider()
  api = await startApi(provider)
  boundApi = await startApi(provider, { isDpop: true })
  project.write('router.ts', ROUTER)
  project.write('offer.ts', OFFER)
  project.write('browser.js', BROWSER)
  project.write('session-path.ts', services.get('session-path.ts') ?? '')
  for (const [file, code] of files) {
    const { url } = code.includes('relatch/schemes/dpop') ? boundApi : api
    const text = code.replaceAll('https://id.example', provider.issuer).replaceAll('https://api.example', url)
    project.write(file, text)
  }
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all([provider, api, boundApi].map((server) => server?.close()))
  project.remove()
})

interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

interface Running {
  child: ChildProcess
  ended: Promise<Outcome>
  /** Resolves with what the pattern finds in what is printed. */
  printed(pattern: RegExp): Promise<string>
}

function start(args: string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, args, {
    cwd: project.folder,
    env: { PATH: process.env.PATH, HOME: project.folder, XDG_CONFIG_HOME: inProject('config'), ...env },
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
  children.add(child)
  const outcome: Outcome = { code: null, stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text) => {
      outcome[name] += text
      child.emit('printed')
    })
  }
  const ended = once(child, 'close').then(([code]) => {
    children.delete(child)
    return { ...outcome, code: code as number | null }
  })
  const printed = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const found = pattern.exec(outcome.stdout + outcome.stderr)?.[1]
      if (found !== undefined) return found
      if (!children.has(child)) throw new Error(`Expected ${pattern} in: ${outcome.stdout}${outcome.stderr}`)
      await Promise.race([once(child, 'printed'), ended])
    }
  }
  return { child, ended, printed }
}

const inProject = (file: string): string => path.join(project.folder, file)
const run = (args: string[], env?: Record<string, string>): Promise<Outcome> => start(args, env).ended
const fine = (stdout: string): Outcome => ({ code: 0, stdout, stderr: '' })

/** What a program in a page tells; one that hangs, throws or writes to stderr is wrong. */
async function told(program: string): Promise<unknown> {
  const text = `import { comeBack, knock, left, person, show, tell, until } from './browser.js'\n${program}`
  const { stdout, stderr } = await run(['--input-type=module', '--eval', text])
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}

/** Confirms the code that a program shows. */
async function confirm({ printed }: Running, answers?: Answers): Promise<string> {
  const place = await printed(/Open (\S+) and enter [\w-]+\n/)
  return user().visit(`${place}?user_code=${await printed(/ and enter ([\w-]+)\n/)}`, answers)
}

/** The grants that succeeded, from here on. */
function grants(): () => string[] {
  const from = provider.tokenRequests.length
  return () =>
    provider.tokenRequests
      .slice(from)
      .filter(({ status }) => status === 200)
      .map(({ grantType }) => grantType)
}

describe('docs/oauth.md', () => {
  it('holds no code that is not tested: every block says which file it is', () => {
    expect(files.size).toBe(blocksIn(page))
    expect(files.size).toBeGreaterThan(12)
  })

  it('compiles under strict', () => {
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable', 'ESNext.Disposable'],
      jsx: 'react-jsx',
      types: ['node'],
      strict: true,
      exactOptionalPropertyTypes: true,
      noEmit: true,
      allowImportingTsExtensions: true,
    }
    project.write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts', '*.tsx'] }))
    expect(compilerSays(project.folder)).toBe('')
  })

  it('names what exists', () => {
    expect(deadLinks(page)).toEqual([])
    expect(unknownImports(page)).toEqual([])
  })

  it('Options: each option, and no other', () => {
    const [, section = ''] = /^## Options\n([\s\S]*?)^## /m.exec(page) ?? []
    const named = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) => cell.match(/\w+/g) ?? [])
    expect(named).toEqual(membersOf('src/oauth/options.ts', 'OAuthClientOptions'))
  })
})

describe('in a page, by redirect', () => {
  it('L1 L3 signs in, comes back to where the user was, and asks once, StrictMode or not', async () => {
    const granted = grants()
    const outcome = await told(`
      import { api, oauth } from './auth.ts'
      import { finishSignIn } from './finish-sign-in.ts'
      import { replaced } from './router.ts'
      for (let calls = 0; calls < 5; calls++) knock(api, '/orders')
      await until(() => left.length > 0)
      const times = left.length
      const asked = await comeBack()
      const problems = await Promise.all([finishSignIn(), finishSignIn()])
      const { status, subject } = api.snapshot()
      tell({ times, scope: asked.get('scope'), problems, replaced, href: location.href, status, subject, answer: (await api('/orders')).status })
    `)
    expect(outcome).toEqual({
      times: 1,
      scope: 'openid offline_access orders',
      problems: [null, null],
      replaced: ['/orders?page=2', '/orders?page=2'],
      href: 'https://app.example/callback',
      status: 'signed-in',
      subject: 'alice',
      answer: 200,
    })
    expect(granted()).toEqual(['authorization_code'])
  })

  it('refuses what nobody asked for, and says what the server refused', async () => {
    const outcome = await told(`
      import { api, oauth } from './auth.ts'
      import { finishSignIn } from './finish-sign-in.ts'
      show('/orders?code=SUMMER&state=open')
      const elsewhere = await oauth.handleCallback(api)
      show('/callback?code=stolen&state=forged')
      const forged = await finishSignIn()
      await oauth.signIn(api)
      await comeBack({ isDenying: true })
      const denied = await finishSignIn()
      tell([elsewhere, forged.code, denied.code, denied.oauthError, api.snapshot().status])
    `)
    expect(outcome).toEqual([null, 'callback-refused', 'authorization-failed', 'access_denied', 'signed-out'])
  })

  it('L5 D1 steps up for a 401, and for a 403 when the user has agreed', async () => {
    const outcome = await told(`
      import { api, oauth } from './auth.ts'
      import { finishSignIn } from './finish-sign-in.ts'
      import { allow } from './more-scopes.ts'
      import { offered } from './offer.ts'
      await oauth.signIn(api)
      await comeBack()
      await finishSignIn()
      knock(api, '/transfer', { method: 'POST', body: '100' })
      const stronger = await comeBack({ with: 'strong' })
      await finishSignIn()
      const transfer = (await api('/transfer', { method: 'POST', body: '100' })).status
      const denied = (await api('/admin')).status
      const stayed = left.length
      await allow(offered[0])
      const more = await comeBack()
      await finishSignIn()
      const allowed = (await api('/admin')).status
      tell({ acr: stronger.get('acr_values'), transfer, denied, stayed, offered, scope: more.get('scope').split(' ').toSorted(), allowed })
    `)
    expect(outcome).toEqual({
      acr: 'urn:acr:strong',
      transfer: 200,
      denied: 403,
      stayed: 0,
      offered: [['admin']],
      scope: ['admin', 'offline_access', 'openid', 'orders'],
      allowed: 200,
    })
  })

  it('R12 signs out here, at the server, and out of its own session; here where the server is down', async () => {
    const outcome = await told(`
      import { api, oauth } from './auth.ts'
      import { finishSignIn } from './finish-sign-in.ts'
      import { signOut } from './sign-out.ts'
      const warned = []
      console.warn = (text) => warned.push(text)
      const signIn = async () => {
        await oauth.signIn(api)
        await comeBack()
        await finishSignIn()
      }
      await signIn()
      await signOut()
      const place = new URL(left[0])
      const early = warned.length
      const end = await person.authorize(left.pop(), { redirectUri: 'https://app.example/signed-out' })
      await signIn()
      const bare = globalThis.fetch
      globalThis.fetch = async () => { throw new TypeError('fetch failed') }
      const statuses = []
      api.subscribe(() => statuses.push(api.snapshot().status))
      await signOut()
      globalThis.fetch = bare
      tell({ pathname: place.pathname, end, early, warned, statuses, left: left.map((url) => new URL(url).pathname) })
    `)
    expect(outcome).toEqual({
      pathname: '/session/end',
      end: 'https://app.example/signed-out',
      early: 0,
      warned: ['The server may keep this session until it expires'],
      statuses: ['signed-out'],
      left: ['/session/end'],
    })
  })
})

describe('by popup', () => {
  it('L2 the calls that wait go on when the window has brought its answer', async () => {
    const outcome = await told(`
      const opened = []
      /** A window of the server's pages: the person goes through them, and the return page of the app opens in it. */
      const open = () => {
        const popup = { closed: false, close: () => void (popup.closed = true) }
        popup.location = {
          async replace(url) {
            opened.push(url)
            const end = await person.authorize(url, { redirectUri: 'https://app.example/callback' })
            const { oauth, api } = await import('./auth-popup.ts?in-the-popup')
            await oauth.handleCallback(api, { url: end })
          },
        }
        return popup
      }
      const blocked = []
      globalThis.open = () => (blocked.push('blocked'), null)
      globalThis.window = globalThis
      const { api, signIn } = await import('./auth-popup.ts')
      const waiting = [api('/orders'), api('/orders')]
      await until(() => blocked.length > 0)
      const { status } = api.snapshot()
      globalThis.open = open
      await signIn()
      const statuses = (await Promise.all(waiting)).map(({ status }) => status)
      tell({ blocked, status, opened: opened.length, statuses, left, stored: sessionStorage.getItem('relatch:sign-ins') })
    `)
    expect(outcome).toEqual({
      blocked: ['blocked'],
      status: 'login-required',
      opened: 1,
      statuses: [200, 200],
      left: [],
      stored: null,
    })
  })
})

describe('with DPoP', () => {
  it('signs in, refreshes and answers nonces, all with one key', async () => {
    const outcome = await told(`
      import { api, oauth } from './auth-dpop.ts'
      await oauth.signIn(api)
      const asked = await comeBack()
      await oauth.handleCallback(api)
      const first = (await api('/orders')).status
      await api.refresh()
      const second = (await api('/orders')).status
      tell([asked.get('dpop_jkt').length, first, second])
    `)
    expect(outcome).toEqual([43, 200, 200])
    expect(new Set(boundApi.requests.filter(({ status }) => status === 200).map(({ jkt }) => jkt)).size).toBe(1)
  })
})

describe('the CLI with a browser at hand', () => {
  it('signs in on loopback, whoever else knocks there, and the next command goes on', async () => {
    const login = start(['cli.ts', 'login'])
    const url = new URL(await login.printed(/browser: (\S+)\n/))
    const redirectUri = url.searchParams.get('redirect_uri') ?? ''
    expect(redirectUri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    const statusOf = async (address: string): Promise<number> => (await fetch(address)).status
    expect(await statusOf(new URL('/favicon.ico', redirectUri).href)).toBe(404)
    expect(await statusOf(`${new URL(redirectUri).origin}//[`)).toBe(404)
    expect(await statusOf(`${redirectUri}?code=stolen&state=forged`)).toBe(400)
    expect(await statusOf(await user().authorize(url, { redirectUri }))).toBe(200)
    expect((await login.ended).stdout).toBe('Signed in\n')

    const granted = grants()
    provider.expireAccessTokens()
    const [one, other] = await Promise.all([run(['cli.ts', 'orders']), run(['cli.ts', 'orders'])])
    expect([one, other].map(({ code, stdout }) => [code, JSON.parse(stdout).sub])).toEqual([
      [0, 'alice'],
      [0, 'alice'],
    ])
    expect(granted()).toEqual(['refresh_token'])
  })

  it('signs out at the server too', async () => {
    expect(await run(['cli.ts', 'logout'])).toEqual(fine('Signed out\n'))
    expect(await run(['cli.ts', 'orders'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Nobody is signed in: run my-cli login\n',
    })
  })

  it('a refusal ends it, and says why', async () => {
    const login = start(['cli.ts', 'login'])
    const url = new URL(await login.printed(/browser: (\S+)\n/))
    const redirectUri = url.searchParams.get('redirect_uri') ?? ''
    await fetch(await user().authorize(url, { redirectUri, isDenying: true }))
    const { code, stderr } = await login.ended
    expect([code, stderr.includes('access_denied')]).toEqual([1, true])
  })
})

describe('the CLI without', () => {
  it('L2 shows a code and goes on when it is confirmed; later there is no code', async () => {
    const first = start(['device-cli.ts'])
    expect(await confirm(first)).toBe('Done')
    expect((await first.ended).stdout).toMatch(/^200 .*"sub":"alice"/)
    provider.expireAccessTokens()
    const { code, stdout, stderr } = await run(['device-cli.ts'])
    expect([code, stdout.slice(0, 3), stderr]).toEqual([0, '200', ''])
  })
})

describe('the service', () => {
  const get = async ({ printed }: Running): Promise<Response> =>
    fetch(`http://127.0.0.1:${await printed(/port: (\d+)/)}`)

  it('R1 gets its token by itself, and again at each expiry', async () => {
    const granted = grants()
    const service = start(['service.ts'], { PORT: '0', CLIENT_SECRET: MACHINE.clientSecret })
    const statuses = [(await get(service)).status]
    provider.expireAccessTokens()
    statuses.push((await get(service)).status)
    expect(statuses).toEqual([200, 200])
    expect(granted()).toEqual(['client_credentials', 'client_credentials'])
    service.child.kill()
    expect((await service.ended).stderr).toBe('')
  })

  it('R7 says at once that its secret is wrong', async () => {
    const service = start(['service.ts'], { PORT: '0', CLIENT_SECRET: 'wrong' })
    const response = await get(service)
    expect([response.status, await response.text()]).toEqual([500, 'refresh-unavailable'])
    service.child.kill()
    await service.ended
  })
})

describe('the bound session', () => {
  const key = (): string => inProject('config/my-bound-cli/key.json')

  it('S4 outlives the program, in a key file for the user alone', async () => {
    const first = start(['bound-cli.ts'])
    await confirm(first)
    expect((await first.ended).stdout).toBe('200\n')
    if (process.platform !== 'win32') expect(statSync(key()).mode & 0o777).toBe(0o600)
    const before = readFileSync(key(), 'utf8')
    provider.expireAccessTokens()
    const granted = grants()
    expect(await Promise.all([run(['bound-cli.ts']), run(['bound-cli.ts'])])).toEqual([fine('200\n'), fine('200\n')])
    expect(granted()).toEqual(['refresh_token'])
    expect(readFileSync(key(), 'utf8')).toBe(before)
    expect(provider.tokenRequests.at(-1)).toMatchObject({ hasProof: true })
  })

  it('C1 a sign-out removes the key; all who start at once after that find one', async () => {
    expect(await run(['bound-cli.ts', 'logout'])).toEqual(fine(''))
    expect(existsSync(key())).toBe(false)
    const program = `
      import { keyFile } from './key-file.ts'
      import { dpop } from 'relatch/schemes/dpop'
      const thumbprints = []
      for (let count = 0; count < 32; count++) {
        thumbprints.push(dpop({ keys: keyFile(${JSON.stringify(key())}) }).thumbprint())
        await new Promise(setImmediate) // each a little behind the one before it
      }
      console.log([...new Set(await Promise.all(thumbprints))].join(' '))
    `
    const { stdout, stderr } = await run(['--input-type=module', '--eval', program])
    expect([stdout, stderr]).toEqual([expect.stringMatching(/^[\w-]{43}\n$/), ''])
    expect(readdirSync(path.dirname(key()))).not.toContainEqual(expect.stringMatching(/^key\.json\./))
  })
})

describe('where to sign in', () => {
  it('is read from the 401, and believed only where it is trusted', async () => {
    const trusting = start(['discover.ts'])
    await confirm(trusting)
    expect((await trusting.ended).stdout).toBe('200\n')
    const text = readFileSync(inProject('discover.ts'), 'utf8')
    project.write('discover-warily.ts', text.replace(provider.issuer, 'https://elsewhere.example'))
    const { code, stderr } = await run(['discover-warily.ts'])
    expect([code, stderr.includes('no authorization server that we trust')]).toEqual([1, true])
  })
})
