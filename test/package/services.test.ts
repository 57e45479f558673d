// docs/services.md: every block is a file of one small project outside the repository, with relatch installed there. All are
// compiled under `strict`, and run as processes of their own against a real auth server, a real Redis and a real MCP server:
// only the names https://…example lead to loopback.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/ports.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { type McpTestServer, startMcpServer } from '../helpers/mcp-server.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'
import { blocksIn, compilerSays, deadLinks, filesIn, newProject, unknownImports } from './page.ts'

const page = readFileSync('docs/services.md', 'utf8')
const files = filesIn(page)
const {
  folder: project,
  write,
  remove,
} = newProject('services', ['@types', '@modelcontextprotocol/sdk', 'redis', 'unstorage'])

/** Before every program: where the names of the page lead. */
const WORLD = `
const bare = globalThis.fetch
const places = {
  'https://api.example': process.env.AUTH_SERVER,
  'https://auth.example': process.env.AUTH_SERVER,
  'https://mcp.example': process.env.MCP_SERVER,
}
globalThis.fetch = async (input, init) => {
  const { origin, pathname, search } = new URL(input)
  const isDevice = init?.body instanceof URLSearchParams && init.body.has('device_code')
  const answer = await bare(new URL((isDevice ? '/device/token' : pathname) + search, places[origin]), init)
  // As far away as it has to be for others to ask meanwhile.
  if (pathname === '/token') await new Promise((resolve) => setTimeout(resolve, process.env.TOKEN_MS ?? 0))
  return answer
}
`

/** What the program around the page's example knows about its own users. */
const USER_OF = `
import type { IncomingMessage } from 'node:http'
export const userOf = ({ headers }: IncomingMessage): string | undefined => headers.cookie
`

/** Where requests wait for each other, so that all of them meet the same expiry. */
let meeting: (() => Promise<void>) | undefined

function meetingOf(size: number): () => Promise<void> {
  let arrived = 0
  let begin = (): void => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  return () => {
    if (++arrived === size) begin()
    return begun
  }
}

/** The user confirms the code between the first question and the second. */
const logins = new Map<string, number>()
const auth = createAuthServer({
  routes: {
    'GET /items/:id': (_request, { params }) => Response.json(params),
    'GET /me': {
      isJudgedLate: true,
      async handle(_request, { user }) {
        await meeting?.()
        return Response.json({ user })
      },
    },
    'POST /device_authorization': {
      isPublic: true,
      handle() {
        const device_code = crypto.randomUUID()
        logins.set(device_code, 0)
        const verification_uri = 'https://auth.example/device'
        return Response.json({ device_code, user_code: 'WDJB-MJHT', verification_uri, interval: 0.05 })
      },
    },
    'POST /device/token': {
      isPublic: true,
      async handle(request) {
        const code = new URLSearchParams(await request.text()).get('device_code') ?? ''
        const asked = logins.get(code) ?? 0
        logins.set(code, asked + 1)
        return asked === 0
          ? Response.json({ error: 'authorization_pending' }, { status: 400 })
          : Response.json(auth.signIn('viewer'))
      },
    },
  },
})

let authUrl: string
let redis: RedisServer
let mcp: McpTestServer
const children = new Set<ChildProcess>()

beforeAll(async () => {
  write('world.js', WORLD)
  write('user-of.ts', USER_OF)
  for (const [file, code] of files) write(file, code)
  authUrl = (await auth.listen()).url
  redis = await startRedis()
  mcp = await startMcpServer(async (authorization) => {
    const response = await auth.fetch('/me', { headers: { authorization } })
    return response.ok ? ((await response.json()) as { user: string }).user : null
  }, auth.expireAccessTokens)
})

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await mcp?.[Symbol.asyncDispose]()
  await redis?.stop()
  await auth.close()
  remove()
})

interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

interface Running {
  child: ChildProcess
  ended: Promise<Outcome>
  /** The first line that it prints. */
  line: Promise<string>
}

function start(args: string[], env: Record<string, string> = {}): Running {
  const world = { AUTH_SERVER: authUrl, MCP_SERVER: mcp.url, REDIS_URL: redis.url, HOME: project }
  const child = spawn(process.execPath, ['--import', './world.js', ...args], {
    cwd: project,
    env: { PATH: process.env.PATH, XDG_CONFIG_HOME: path.join(project, 'config'), ...world, ...env },
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    timeout: 20_000,
    killSignal: 'SIGKILL',
  })
  children.add(child)
  const outcome: Outcome = { code: null, stdout: '', stderr: '' }
  const line = new Promise<string>((resolve) => {
    child.stdout?.setEncoding('utf8').on('data', (text) => {
      outcome.stdout += text
      if (outcome.stdout.includes('\n')) resolve(outcome.stdout.split('\n')[0] ?? '')
    })
  })
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    outcome.stderr += text
  })
  const ended = once(child, 'close').then(([code]) => {
    children.delete(child)
    return { ...outcome, code: code as number | null }
  })
  return { child, ended, line }
}

const run = (args: string[], env?: Record<string, string>): Promise<Outcome> => start(args, env).ended
/** A program beside the blocks. */
const evaluate = (program: string, env?: Record<string, string>): Promise<Outcome> =>
  run(['--input-type=module', '--eval', program], env)
const fine = (stdout: string): Outcome => ({ code: 0, stdout, stderr: '' })

/** What the server counts while `work` runs. */
async function counted<T>(work: () => Promise<T>): Promise<[T, { refreshes: number; reuses: number; logins: number }]> {
  const { refreshes, reuses, logins: before } = { ...auth.stats }
  const result = await work()
  const { stats } = auth
  return [
    result,
    { refreshes: stats.refreshes - refreshes, reuses: stats.reuses - reuses, logins: stats.logins - before },
  ]
}

describe('docs/services.md', () => {
  it('holds no code that is not tested: every block says which file it is', () => {
    expect(files.size).toBe(blocksIn(page))
    expect(files.size).toBeGreaterThan(8)
    for (const text of [page, readFileSync('README.md', 'utf8')]) expect(text.match(/TODO.*/g)).toBe(null)
  })

  it('compiles under strict', () => {
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2023',
      lib: ['ES2023', 'DOM', 'DOM.Iterable'],
      types: ['node'],
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      // What the SDK's types ask of each other is its own.
      skipLibCheck: true,
    }
    write('tsconfig.json', JSON.stringify({ compilerOptions, include: ['*.ts'] }))
    expect(compilerSays(project)).toBe('')
  })

  it('names what exists', () => {
    expect(deadLinks(page)).toEqual([])
    expect(unknownImports(page)).toEqual([])
  })
})

describe('the CLI', () => {
  const isWindows = process.platform === 'win32'

  it('S4 logs in by a code, and keeps the session for the user alone', async () => {
    const { code, stdout, stderr } = await run(['cli.ts', 'login'])
    expect([code, stdout]).toEqual([0, 'Signed in\n'])
    expect(stderr).toBe('Open https://auth.example/device and enter WDJB-MJHT\n')
    const modeOf = (file: string): number => statSync(path.join(project, 'config/my-cli', file)).mode & 0o777
    if (!isWindows) expect([modeOf('.'), modeOf('session.json')]).toEqual([0o700, 0o600])
  })

  it('C1 commands at once make one refresh', async () => {
    auth.expireAccessTokens()
    meeting = meetingOf(5)
    const [outcomes, counts] = await counted(() =>
      Promise.all(Array.from({ length: 5 }, () => run(['cli.ts', 'whoami']))),
    )
    expect(outcomes).toEqual(Array.from({ length: 5 }, () => fine('viewer\n')))
    expect(counts).toEqual({ refreshes: 1, reuses: 0, logins: 0 })
  })

  it('signs out here and at the server', async () => {
    const { tokens } = JSON.parse(readFileSync(path.join(project, 'config/my-cli/session.json'), 'utf8')).record.session
    expect(await run(['cli.ts', 'logout'])).toEqual(fine('Signed out\n'))
    expect(readFileSync(path.join(project, 'config/my-cli/session.json'), 'utf8')).not.toContain(tokens.refreshToken)
    const headers = { authorization: `Bearer ${tokens.accessToken}` }
    expect((await auth.fetch('/me', { headers })).status).toBe(401)
    expect(await run(['cli.ts', 'whoami'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'Nobody is signed in: run my-cli login\n',
    })
  })

  it('R11 works on where the session cannot be kept, and says so', async () => {
    write('full', 'a file, where a folder would have to be')
    const { code, stdout, stderr } = await run(['cli.ts', 'login'], { XDG_CONFIG_HOME: path.join(project, 'full') })
    expect([code, stdout]).toEqual([0, 'Signed in\n'])
    expect(stderr).toContain('The session was not kept: ')
  })

  it.each([
    ['linux', { XDG_CONFIG_HOME: '/conf' }, '/conf/my-cli/session.json'],
    ['linux', { XDG_CONFIG_HOME: '' }, '/home/ada/.config/my-cli/session.json'],
    ['darwin', {}, '/home/ada/Library/Application Support/my-cli/session.json'],
    ['win32', { LOCALAPPDATA: '/local' }, '/local/my-cli/session.json'],
  ])('its file on %s, %o', async (platform, env, expected) => {
    const program = `
      Object.defineProperty(process, 'platform', { value: '${platform}' })
      const { sessionPath } = await import('./session-path.ts')
      console.log(sessionPath('my-cli'))
    `
    expect(await evaluate(program, { HOME: '/home/ada', ...env })).toEqual(fine(`${expected}\n`))
  })
})

describe('the fleet', () => {
  // Again where the machine held a worker up for thirty jobs: then it met two expiries in one call, and its 401 is a 401 (R1).
  it('C1 three workers make one refresh an expiry, and lose no job', { retry: 2 }, async () => {
    expect((await run(['sign-in.ts'])).code).toBe(0)
    await using client = await connected(redis.url)
    await client.del(['jobs', 'done', 'failed'])
    const jobs = Array.from({ length: 90 }, (_, index) => `${index + 1}`)
    await client.rPush('jobs', jobs)
    auth.expireAccessTokens()
    let answered = 0
    const end = auth.onRequest(({ path, status }) => {
      const isJob = path.startsWith('/items/') && status === 200
      if (isJob && ++answered % 30 === 0 && answered < 90) auth.expireAccessTokens()
    })
    const [outcomes, counts] = await counted(() => Promise.all([1, 2, 3].map(() => run(['worker.ts']))))
    end()
    expect(outcomes).toEqual([1, 2, 3].map(() => fine('')))
    expect((await client.lRange('done', 0, -1)).toSorted()).toEqual(jobs.toSorted())
    expect(counts).toEqual({ refreshes: 3, reuses: 0, logins: 0 })
  })
})

describe('a refresh that needs Redis', () => {
  it('C1 waits for it, and spends no refresh token without the lock', async () => {
    await using server = await startRedis({ appendOnly: true })
    const program = `
      import { createAuthFetch } from 'relatch'
      import { redisStore } from 'relatch/stores/redis'
      import { carefulRefresh } from './careful-refresh.ts'
      import { redis } from './fleet.ts'
      const options = { baseUrl: 'https://api.example', refresh: carefulRefresh, refreshRetries: 0 }
      const api = createAuthFetch({ ...options, store: redisStore({ client: redis, key: 'careful' }) })
      await api.signIn(${JSON.stringify(auth.signIn('viewer'))})
      process.send('ready')
      for await (const [word] of (await import('node:events')).on(process, 'message')) {
        if (word === 'end') break
        if (word === 'is ready') process.send(redis.isReady)
        else process.send(await api('/me').then(({ status }) => status, ({ code, retryable }) => [code, retryable]))
      }
      process.disconnect()
      await redis.close()
    `
    const one = start(['--input-type=module', '--eval', program], { REDIS_URL: server.url })
    const ask = async (word: string): Promise<unknown> => {
      const answer = once(one.child, 'message')
      one.child.send(word)
      return (await answer)[0]
    }
    await once(one.child, 'message')
    await server.kill()
    expect(await ask('ask')).toBe(200)
    auth.expireAccessTokens()
    const [answer, counts] = await counted(() => ask('ask'))
    expect(answer).toEqual(['refresh-unavailable', true])
    expect(counts).toEqual({ refreshes: 0, reuses: 0, logins: 0 })
    await server.restart()
    await expect.poll(() => ask('is ready'), { timeout: 15_000 }).toBe(true)
    expect(await ask('ask')).toBe(200)
    one.child.send('end')
    expect((await one.ended).stderr.replace(/^Redis: .*\n/gm, '')).toBe('')
  })
})

describe('the user of Redis that the page makes', () => {
  const [, command = ''] = /^redis-cli (.*)$/m.exec(page) ?? []

  it('S5 may do what a store needs, hears of changes, and may do nothing else', async () => {
    await using root = await connected(redis.url)
    await root.sendCommand(command.replaceAll("'", '').split(' '))
    const url = redis.url.replace('//', '//app:secret@')
    await using client = await connected(url)
    await using other = await connected(url)
    const session = { sessionId: 's', version: 1, tokens: { accessToken: 'a' } }
    const [one, two] = [client, other].map((each) => redisStore({ client: each, key: 'acl' })) as [
      TokenStore,
      TokenStore,
    ]
    const heard = new Promise<void>((resolve) => {
      const end = two.watch?.(async () => {
        if ((await two.read()) === null) return
        end?.()
        resolve()
      })
    })
    expect(await one.write(session, null)).toBe(true)
    await heard
    expect(await two.lock?.(async () => 'held', { waitMs: 1000, holdMs: 1000 })).toBe('held')
    expect(await two.write(null, 1)).toBe(true)
    expect(await root.sendCommand(['ACL', 'LOG'])).toEqual([])
    await expect(client.set('else', 'x')).rejects.toThrow('NOPERM')
    await expect(client.keys('*')).rejects.toThrow('NOPERM')
  })
})

describe('the service', () => {
  const get = async (line: string): Promise<Response> => fetch(`http://127.0.0.1:${/port: (\d+)/.exec(line)?.[1]}`)

  it('R1 gets its tokens by itself, and again when they have expired', async () => {
    const service = start(['service.ts'], { PORT: '0', CLIENT_SECRET: 'service' })
    const line = await service.line
    const [statuses, counts] = await counted(async () => {
      const first = await get(line)
      auth.expireAccessTokens()
      return [first.status, (await get(line)).status]
    })
    expect(statuses).toEqual([200, 200])
    expect(counts.logins).toBe(2)
    auth.down = true
    auth.expireAccessTokens()
    expect((await get(line)).status).toBe(503)
    auth.heal()
    service.child.kill()
    expect((await service.ended).stderr).toBe('')
  })

  it('R7 says at once that its secret is wrong', async () => {
    const service = start(['service.ts'], { PORT: '0', CLIENT_SECRET: 'wrong' })
    const response = await get(await service.line)
    expect([response.status, await response.text()]).toEqual([500, 'refresh-unavailable'])
    service.child.kill()
    await service.ended
  })
})

describe('the MCP client', () => {
  it('R1 logs in once, and goes on where its token expires in the middle', async () => {
    const [first, counts] = await counted(() => run(['mcp-client.ts', 'whoami', 'expire', 'whoami']))
    const answers = '[{"type":"text","text":"viewer"}]\n[]\n[{"type":"text","text":"viewer"}]\n'
    expect([first.code, first.stdout]).toEqual([0, answers])
    expect(first.stderr).toContain('WDJB-MJHT')
    expect(counts).toEqual({ refreshes: 1, reuses: 0, logins: 1 })
    expect(mcp.statuses).toContain(401)
    expect(await run(['mcp-client.ts', 'whoami'])).toEqual(fine('[{"type":"text","text":"viewer"}]\n'))
  })
})

describe('many users', () => {
  /** What the server of the page tells of its port. */
  const portOf = (line: string): string => /port: (\d+)/.exec(line)?.[1] ?? ''

  it('C3 each has a session of their own, in every process, and ends by itself', async () => {
    const tokens = JSON.stringify({ viewer: auth.signIn('viewer'), admin: auth.signIn('admin') })
    const signIn = `
      import { apiOf, redis } from './sessions.ts'
      for (const [user, tokens] of Object.entries(${tokens})) await apiOf(user).signIn(tokens)
      const users = ['viewer', 'admin', 'viewer', 'admin', 'admin', 'viewer']
      const answers = await Promise.all(users.map(async (user) => (await apiOf(user)('/me')).json()))
      console.log(answers.map(({ user }) => user).join(' '))
      await redis.close()
    `
    auth.expireAccessTokens()
    const [outcome, { reuses }] = await counted(() => evaluate(signIn, { MOST_SESSIONS: '1' }))
    expect(outcome).toEqual(fine('viewer admin viewer admin admin viewer\n'))
    expect(reuses).toBe(0)

    const server = start(['server.ts'], { PORT: '0' })
    const port = portOf(await server.line)
    const ask = async (cookie: string): Promise<[number, unknown]> => {
      const response = await fetch(`http://127.0.0.1:${port}`, { headers: { cookie } })
      return [response.status, ((await response.json().catch(() => ({}))) as { user?: string }).user]
    }
    expect(await ask('admin')).toEqual([200, 'admin'])
    expect(await ask('viewer')).toEqual([200, 'viewer'])
    expect(await ask('')).toEqual([401, undefined])
    const signOut = `
      import { apiOf, redis } from './sessions.ts'
      await apiOf('viewer').signOut()
      await redis.close()
    `
    expect(await evaluate(signOut)).toEqual(fine(''))
    await expect.poll(() => ask('viewer'), { timeout: 5000 }).toEqual([401, undefined])
    expect(await ask('admin')).toEqual([200, 'admin'])
    server.child.kill()
    expect((await server.ended).stderr).toBe('')
  })
})

const connected = async (url: string) => {
  const client = createClient({ url })
  client.on('error', () => {})
  await client.connect()
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() })
}

describe('unstorage', () => {
  it('keeps the session across processes, and lets them end', async () => {
    const signIn = `
      import { api } from './unstorage.ts'
      await api.signIn(${JSON.stringify(auth.signIn('viewer'))})
    `
    expect(await evaluate(signIn)).toEqual(fine(''))
    auth.expireAccessTokens()
    const ask = `
      import { api } from './unstorage.ts'
      console.log((await api('/me')).status)
    `
    expect(await evaluate(ask)).toEqual(fine('200\n'))
  })
})
