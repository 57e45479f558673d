/** Node, Bun and Deno: one process runs all cases, from the sources of the suite, with `relatch` as whoever installs it has it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Result } from '../suite/case.ts'
import type { Launch } from './launch.ts'
import { findRuntime, type ProgramName } from './programs.ts'

const root = path.join(import.meta.dirname, '../../..')
const ENTRY = 'test/runtimes/entries/process.ts'

/** Deno may reach the network, which is all that relatch takes; it has what npm has installed, and leaves no lock behind. */
const DENO_RUN = [
  'run',
  '--allow-net',
  '--node-modules-dir=manual',
  '--no-config',
  '--no-lock',
  '--no-remote',
  '--no-check',
]

/** How long a process may stay after its last case (T2). */
const LEAVING_MS = 5000

/** What only a process can show. */
export const LEAVING: Pick<Result, 'id' | 'title'> = {
  id: 'T2',
  title: 'nothing that relatch waits for keeps a process alive',
}

export const launchProcess =
  (name: Exclude<ProgramName, 'workerd'>): Launch =>
  async ({ runtime, places, onResult, signal }) => {
    const program = findRuntime(name)
    const version = (await outputOf(program, ['--version'], signal)).match(/\d+\.\d+\.\d+/)?.[0] ?? ''
    const args = [...(name === 'deno' ? DENO_RUN : []), ENTRY, runtime, JSON.stringify(places)]
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    const stop = (): void => void child.kill('SIGKILL')
    signal.addEventListener('abort', stop)
    const closed = once(child, 'close')
    const errors = textOf(child.stderr)
    let lines = 0
    let hasEnded = false
    let isLate = false
    let leaving: NodeJS.Timeout | undefined
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        const message = JSON.parse(line) as Result | { end: true }
        lines++
        if (!('end' in message)) {
          onResult(message)
          continue
        }
        hasEnded = true
        leaving = setTimeout(() => {
          isLate = true
          stop()
        }, LEAVING_MS)
      }
    } catch (error) {
      stop()
      throw error
    }
    const [code, killedBy] = (await closed) as [number | null, string | null]
    clearTimeout(leaving)
    signal.removeEventListener('abort', stop)
    if (!isLate && (code !== 0 || !hasEnded)) {
      const where = hasEnded ? 'after its last case' : 'before its last case'
      throw new Error(`Ended with ${killedBy ?? code} ${where}, after ${lines} lines: ${(await errors).slice(-2000)}`)
    }
    onResult({
      ...{ ...LEAVING, note: null },
      failure: isLate ? `Was still there ${LEAVING_MS} ms after its last case` : null,
    })
    return version
  }

/** What a program says and ends with, which is not to take long. */
export async function outputOf(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  const bounds = { signal, timeout: 20_000, killSignal: 'SIGKILL' } as const
  return (await promisify(execFile)(program, [...args], bounds)).stdout
}

async function textOf(stream: ChildProcess['stdout']): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) text += chunk
  return text
}
