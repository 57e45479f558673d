/**
 * A real redis-server (or valkey-server) for a test: on a free loopback port, with a folder of its own, and gone when the test's
 * process is. It never touches port 6379, where somebody's own may listen.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { findProgram } from '../../scripts/programs.mjs'

export interface RedisOptions {
  /** Where its files are. The folder stays when the server goes. @default a fresh one, which `stop` removes */
  dir?: string
  /** Writes every change to its folder, so that a restart finds them. @default false: nothing outlives the process */
  appendOnly?: boolean
  /** A cluster of one node, which has all the slots. It takes two seconds to be ready. @default false */
  cluster?: boolean
  /** @default a free one */
  port?: number
}

export interface RedisServer extends AsyncDisposable {
  /** The same after a restart. */
  readonly port: number
  /** `redis://127.0.0.1:<port>` */
  readonly url: string
  /** Of the process that runs now, or ran last: SIGSTOP and SIGCONT make it a server that does not answer. */
  readonly pid: number
  /** Ends it and removes its folder. */
  stop(): Promise<void>
  /** SIGKILL, as in a crash. Its folder stays. Resolves when the process is gone. */
  kill(): Promise<void>
  /** Kills it if it runs, and starts another on the same port and folder. */
  restart(): Promise<void>
}

/** Resolves when it takes commands. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const { appendOnly = false, cluster = false } = options
  const dir = options.dir ?? (await mkdtemp(path.join(tmpdir(), 'redis-')))
  const args = ['--save', '', '--bind', '127.0.0.1', '--daemonize', 'no', '--dir', dir]
  if (appendOnly) args.push('--appendonly', 'yes')
  if (cluster) args.push('--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1')

  let server: Launched | undefined
  const start = async (port: number) => {
    const ports = ['--port', `${port}`, ...(cluster ? ['--cluster-port', `${await freePort()}`] : [])]
    server = launch([...args, ...ports])
    await server.said('Ready to accept connections')
    if (!cluster) return port
    // A node that was restarted says no: it has them still.
    await tell(port, 'CLUSTER ADDSLOTSRANGE 0 16383')
    await server.said('Cluster state changed: ok')
    return port
  }
  const startAnywhere = async (attempts = 5): Promise<number> => {
    try {
      return await start(await freePort())
    } catch (error) {
      const isTaken = /address already in use/i.test(String(error))
      if (!isTaken || attempts === 1) throw error
      return startAnywhere(attempts - 1)
    }
  }
  const kill = async () => server?.kill()
  const stop = async () => {
    await kill()
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }
  const port = await (options.port === undefined ? startAnywhere() : start(options.port)).catch(async (error) => {
    await stop()
    throw error
  })
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return server?.pid ?? 0
    },
    stop,
    kill,
    async restart() {
      await kill()
      await start(port)
    },
    [Symbol.asyncDispose]: stop,
  }
}

interface Launched {
  readonly pid: number
  /** Resolves when it has logged a line with this text; rejects when it ends without. */
  said(text: string): Promise<void>
  kill(): Promise<void>
}

/**
 * A server does not notice that its parent has died. So it begins as a shell, which leaves somebody behind to read from a pipe of
 * ours and then becomes the server: a pipe that closes without a word means that we are dead, by whatever hand.
 */
const ENDS_WITH_US = '(read word <&3 || kill -9 $$) >/dev/null 2>&1 & exec "$@" 2>&1 3<&-'

function launch(args: string[]): Launched {
  const program = findProgram('redis')
  if (program === null) throw new Error('Expected redis-server: run node scripts/programs.mjs')
  const child = spawn('/bin/sh', ['-c', ENDS_WITH_US, 'sh', program, ...args], {
    // Not its parent's: a variable of a runner must not change what it does or says.
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  })
  const pipe = child.stdio[3] as Writable
  pipe.on('error', () => {}) // nobody there to read it, which is as well
  const log: string[] = []
  const lines = createInterface({ input: child.stdout as Readable })
  lines.on('line', (line) => log.push(line))
  child.once('exit', () => pipe.end('over\n'))
  const ended = once(child, 'close').then(() => {
    throw new Error(`Expected ${program} to run on, but it ended:\n${log.join('\n')}`)
  })
  ended.catch(() => {}) // who waits for a line is told, and nobody else

  const heard = (text: string) =>
    new Promise<void>((resolve) => {
      const look = () => log.some((line) => line.includes(text)) && resolve()
      lines.on('line', look)
      look()
    })
  return {
    pid: child.pid ?? 0,
    said: (text) => Promise.race([heard(text), ended]),
    async kill() {
      // Not SIGTERM: one that is stopped by SIGSTOP would not hear it.
      child.kill('SIGKILL')
      await ended.catch(() => {})
    },
  }
}

/** Sends a command, and resolves when the answer begins. */
async function tell(port: number, command: string): Promise<void> {
  const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
  await once(socket, 'data')
  socket.destroy()
}

/**
 * Below the ports that a system hands out by itself. There, a client that keeps trying to reach a server which was killed may be
 * given the server's own port, and is then connected to itself.
 */
async function freePort(): Promise<number> {
  const port = 10_000 + Math.floor(Math.random() * 20_000)
  const socket = createServer()
  const isFree = await new Promise<boolean>((resolve) => {
    socket.once('error', () => resolve(false))
    socket.listen(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
  return isFree ? port : freePort()
}
