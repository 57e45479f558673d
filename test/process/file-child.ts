/**
 * A program: does to a file store what its first argument says, and tells of it line by line.
 *
 * - `count <path> <target>`: told to begin, adds one to the version until it is `target`; says which versions it wrote
 * - `write <path> <how often>`: writes and removes under locks; says with which modes it has ever seen files and folders
 * - `die <path> <step>`: writes once, and kills itself after one of its calls to the disk, which it names
 * - `rewrite <path>`: writes until it is killed
 * - `hold <path> <holdMs>`: says when it has the lock, and once it is told to end whether it has it still
 * - `leave <path>`: uses everything and ends nothing; nothing must keep it alive
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileJudge } from '../../src/coordination/file-judge.ts'
import { createId } from '../../src/id.ts'
import { fileStore } from '../../src/stores/file.ts'
import { modesIn } from './file-modes.ts'
import { sessionAt } from './file-session.ts'

const [role = '', file = '', amount = ''] = process.argv.slice(2)
// To a pipe that is at once: what was said before a SIGKILL is heard.
const say = (line: unknown): unknown => process.stdout.write(`${line}\n`)

/** Runs `visit` after each call to the disk. */
function visitSteps(visit: (step: string) => unknown): void {
  const wrap = (target: object, name: string): void => {
    const members = target as Record<string, (...args: unknown[]) => Promise<unknown>>
    const real = members[name]?.bind(target)
    members[name] = async (...args) => {
      const result = await real?.(...args)
      if (name === 'open') for (const method of ['writeFile', 'sync', 'close']) wrap(result as object, method)
      await visit(name)
      return result
    }
  }
  for (const name of ['open', 'mkdir', 'stat', 'readdir', 'rename', 'rmdir', 'unlink', 'rm']) wrap(fs, name)
  syncBuiltinESMExports()
}

const told = async (): Promise<unknown> => createInterface({ input: process.stdin })[Symbol.asyncIterator]().next()

async function count(): Promise<void> {
  say('ready')
  await told()
  const judge = fileJudge<{ stamp: string; version: number }>(file, { isDurable: false })
  let last = 0
  while (last < Number(amount)) {
    const found = await judge.read()
    const version = found?.version ?? 0
    if (version < last) say(`back from ${last} to ${version}`)
    last = version
    if (version === Number(amount)) break
    // What became of a write may stay unknown, where one was stopped for long.
    const hasWon = await judge.swap({ stamp: createId(), version: version + 1 }, found).catch(() => 'unknown')
    if (hasWon === true) say(version + 1)
    else if (hasWon === 'unknown') say(hasWon)
  }
  process.exit()
}

async function write(): Promise<void> {
  process.umask(Number.parseInt(process.env.FILE_UMASK ?? '', 8))
  const seen = new Set<string>()
  const top = path.dirname(file)
  visitSteps(() => {
    for (const each of modesIn(top)) seen.add(each)
  })
  for (let round = 0; round < Number(amount); round++) {
    const store = fileStore({ path: path.join(top, `${round}`, 'deep', 'session.json') })
    await store.lock?.(
      async () => {
        await store.write(sessionAt(1), null)
        await store.write(sessionAt(2), 1)
        await store.write(null, 2)
      },
      { waitMs: 1000, holdMs: 1000 },
    )
  }
  for (const each of seen) say(each)
}

async function die(): Promise<void> {
  const deadline = Number(amount)
  let steps = 0
  const store = fileStore({ path: file })
  const before = await store.read()
  visitSteps((step) => {
    if (steps++ !== deadline) return
    say(step)
    process.kill(process.pid, 'SIGKILL')
    return new Promise(() => {})
  })
  const version = before?.version ?? 0
  await store.write(sessionAt(version + 1), before?.version ?? null)
  say('survived')
}

async function rewrite(): Promise<void> {
  const store = fileStore({ path: file })
  for (;;) {
    const version = (await store.read())?.version ?? 0
    say(version)
    await store.write(sessionAt(version + 1), version || null)
  }
}

async function hold(): Promise<void> {
  const options = { waitMs: 10_000, holdMs: Number(amount) }
  await fileStore({ path: file }).lock?.(async (isHeld) => {
    say('held')
    await told()
    say(isHeld?.())
  }, options)
  process.exit()
}

async function leave(): Promise<void> {
  const store = fileStore({ path: file })
  store.watch?.(() => {})
  await store.write(sessionAt(1), null)
  await store.lock?.(() => store.write(sessionAt(2), 1) as Promise<boolean>, { waitMs: 1000, holdMs: 1000 })
  void store.lock?.(() => new Promise(() => {}), { waitMs: 1000, holdMs: 600_000 })
}

const roles: Record<string, () => Promise<void>> = { count, write, die, rewrite, hold, leave }
await roles[role]?.()
