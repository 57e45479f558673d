/** Runs a TypeScript program of the tests in a Node process of its own, and says how it ended. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

export interface ChildOutcome {
  exitCode: number | null
  stdout: string
  stderr: string
}

/** @param program a `file:` URL; @param args what it gets in `process.argv` */
export function runChild(program: string, args: readonly string[] = [], limitMs = 20_000): Promise<ChildOutcome> {
  return new Promise((resolve, reject) => {
    // A clean environment: a debugger's or a runner's variables must not make it print or wait.
    const child = spawn(process.execPath, [fileURLToPath(program), ...args], { env: { PATH: process.env.PATH } })
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
    const chunks = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text) => {
      chunks.stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      chunks.stderr += text
    })
    child.once('error', reject)
    child.once('close', (exitCode) => {
      clearTimeout(timer)
      resolve({ exitCode, ...chunks })
    })
  })
}
