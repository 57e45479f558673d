// Processes that share a file, and folders for them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { quickFolder } from '../helpers/quick-folder.ts'

// Not onTestFinished: of tests that run side by side it takes one for another.
const leftovers: (() => void)[] = []
// Started by the hundred, what they are made of is compiled once: by one that ends by itself, for only those leave it behind.
let compiled = ''
beforeAll(async () => {
  compiled = testFolder()
  await startChild('nothing', []).ended
})
afterAll(() => {
  for (const remove of leftovers.splice(0)) remove()
})

export interface FileChild {
  /** All that it has said so far. */
  lines: string[]
  /** Resolves when it has said so many lines; rejects when it ends before. */
  said(count: number): Promise<void>
  tell(line: string): void
  signal(name: NodeJS.Signals): void
  /** Resolves when it is gone, with its exit code; null where it was killed. */
  ended: Promise<number | null>
}

/** A folder of the test's own, gone when the file ends. */
export function testFolder(): string {
  const folder = quickFolder('file')
  leftovers.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs file-child.ts. It is killed when the test file ends. */
export function startChild(role: string, args: readonly (string | number)[], env: NodeJS.ProcessEnv = {}): FileChild {
  const program = fileURLToPath(new URL('file-child.ts', import.meta.url))
  const child: ChildProcess = spawn(process.execPath, [program, role, ...args.map(String)], {
    env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compiled, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  leftovers.unshift(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  const reader = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  reader.on('line', (line) => lines.push(line))
  const ended = once(child, 'close').then(([code]) => code as number | null)
  // What it is told after its end is lost, as it should be.
  child.stdin?.on('error', () => {})
  return {
    lines,
    ended,
    said: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => void (lines.length >= count && resolve())
        reader.on('line', look)
        look()
        ended.then(() => reject(new Error(`Expected ${role} to say ${count} lines, it said: ${lines.join(' | ')}`)))
      }),
    tell: (line) => void child.stdin?.write(`${line}\n`),
    signal: (name) => void child.kill(name),
  }
}
