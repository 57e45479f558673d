/**
 * An app with a server of its own, as it is deployed: built by its own scripts, running as a process on loopback, and behind it the
 * API and the auth server of relatch/testing. Nothing reaches into the app.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import path from 'node:path'
import { vi } from 'vitest'
import { type AuthServer, createAuthServer } from '../../src/testing/index.ts'
import { runScript } from './app-world.ts'

export const USERS = ['adaline', 'benedict', 'cleopatra', 'donatella'] as const

const SECRET = 'a secret of the tests, as long as secrets have to be'

export interface ServerWorld {
  readonly origin: string
  /** The API, and under `/auth` a login and the token endpoint. */
  readonly server: AuthServer
  /** How long the first token of the next sign-in lives, in milliseconds; refreshed ones live for minutes. */
  firstTtlMs: number
  /** What the app has printed. */
  printed(): string
  /** The app in a new process, which remembers nothing. */
  restart(): Promise<void>
  close(): Promise<void>
}

/**
 * @param name the folder of the app
 * @param start what runs it once it is built, in its folder: arguments for Node; given the port
 */
export async function openServerWorld(name: string, start: (port: number) => readonly string[]): Promise<ServerWorld> {
  const folder = path.resolve(import.meta.dirname, '../../examples/frameworks', name)
  const port = await freePort()
  const origin = `http://localhost:${port}`
  // SvelteKit's build asks for it, where there is no https.
  vi.stubEnv('ORIGIN', origin)
  vi.stubEnv('NEXT_TELEMETRY_DISABLED', '1')
  vi.stubEnv('NUXT_TELEMETRY_DISABLED', '1')
  await runScript(name, 'check')
  await runScript(name, 'build')

  const settings = { firstTtlMs: 300_000 }
  const server = createAuthServer({
    users: { ...Object.fromEntries(USERS.map((user) => [user, { roles: ['viewer'] }])), admin: { roles: ['admin'] } },
    routes: {
      'POST /auth/token': {
        isPublic: true,
        handle: async (request) => server.fetch('/token', { method: 'POST', body: await formOf(request) }),
      },
      'POST /auth/login': {
        isPublic: true,
        async handle(request) {
          const form = await formOf(request)
          const user = form.get('username') ?? ''
          if (form.get('password') !== user) return new Response(null, { status: 401 })
          return Response.json(server.signIn(user, { ttlMs: settings.firstTtlMs }))
        },
      },
    },
  })
  const { url } = await server.listen()
  const told = { API_URL: url, AUTH_URL: `${url}/auth`, SESSION_SECRET: SECRET }
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: 'production',
    NEXT_TELEMETRY_DISABLED: '1',
    HOST: 'localhost',
    PORT: String(port),
    ...told,
    // Nuxt's own names for the same.
    ...Object.fromEntries(Object.entries(told).map(([variable, value]) => [`NUXT_${variable}`, value])),
  }

  let child: ChildProcess
  let printed = ''
  const run = (): Promise<void> =>
    new Promise((resolve, reject) => {
      printed = ''
      child = spawn(process.execPath, start(port), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
      const hear = (text: Buffer): void => {
        printed += text
        if (/Ready in|Listening on/.test(printed)) resolve()
      }
      child.stdout?.on('data', hear)
      child.stderr?.on('data', hear)
      child.once('exit', (code) => reject(new Error(`The app ended with ${code}:\n${printed}`)))
    })
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  await run()
  return Object.assign(settings, {
    origin,
    server,
    printed: () => printed,
    async restart() {
      await stop()
      await run()
    },
    async close() {
      await stop()
      await server.close()
    },
  })
}

const formOf = async (request: Request): Promise<URLSearchParams> => new URLSearchParams(await request.text())

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, 'localhost')
  await once(listener, 'listening')
  const address = listener.address()
  listener.close()
  await once(listener, 'close')
  if (address === null || typeof address === 'string') throw new Error('Expected a port')
  return address.port
}
