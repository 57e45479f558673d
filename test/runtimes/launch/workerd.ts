/** workerd: a real one, with a worker that runs a case for each request. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Result } from '../suite/case.ts'
import { bundle } from './bundle.ts'
import type { Launch } from './launch.ts'
import { outputOf } from './process.ts'
import { findRuntime } from './programs.ts'

/** The oldest compatibility date that docs/runtimes.md asks for. Of flags there is none. */
export const OLDEST_DATE = '2025-05-05'

/** The worker may call loopback, where the server of the suite and the worker itself are. */
const configOf = (date: string, port: number): string => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "suite", worker = .suite),
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "suite")],
);
const suite :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${date}",
);
`

/** @param date the compatibility date; default: the newest that the binary knows */
export const launchWorkerd =
  (date?: string): Launch =>
  async ({ runtime, places, onResult, signal }) => {
    const program = findRuntime('workerd')
    const version = (await outputOf(program, ['--version'], signal)).match(/\d{4}-\d\d-\d\d/)?.[0] ?? ''
    const folder = await mkdtemp(path.join(tmpdir(), 'relatch-workerd-'))
    try {
      const port = await freePort()
      await writeFile(path.join(folder, 'worker.js'), await bundle('worker.ts'))
      await writeFile(path.join(folder, 'config.capnp'), configOf(date ?? version, port))
      const child = spawn(program, ['serve', 'config.capnp'], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
      const closed = once(child, 'close')
      const stop = (): void => void child.kill('SIGKILL')
      signal.addEventListener('abort', stop)
      let errors = ''
      child.stderr.on('data', (chunk) => {
        errors += chunk
      })
      try {
        const gone = new AbortController()
        child.once('close', () => gone.abort(new Error(`workerd has ended: ${errors.slice(-2000)}`)))
        const count = await countOf(port, AbortSignal.any([signal, gone.signal]))
        for (let index = 0; index < count; index++) {
          const asked = new URLSearchParams({ index: String(index), runtime, places: JSON.stringify(places) })
          const response = await fetch(`http://127.0.0.1:${port}/?${asked}`, { signal })
          if (!response.ok) throw new Error(`workerd answered ${response.status}: ${errors.slice(-2000)}`)
          onResult((await response.json()) as Result)
        }
      } finally {
        signal.removeEventListener('abort', stop)
        stop()
        await closed
      }
      return version
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

/** How many cases there are, once it listens; `signal`: nobody will. */
async function countOf(port: number, signal: AbortSignal): Promise<number> {
  for (;;) {
    signal.throwIfAborted()
    const response = await fetch(`http://127.0.0.1:${port}/count`, { signal }).catch(() => null)
    if (response) return Number(await response.json())
    await sleep(20)
  }
}

/** workerd can choose one itself, and tells only by a file descriptor of its own. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
