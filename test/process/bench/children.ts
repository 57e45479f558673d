/**
 * Child processes as their parent sees them: what they are asked, what they tell, and how they end. All are ended by their ids
 * with the family, those that are stopped too; when the parent is gone they end by themselves.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { AuthEvents } from '../../../src/index.ts'
import type { ChildOptions, Heard, Kit, Stage, Word } from './protocol.ts'

const program = fileURLToPath(new URL('./child.ts', import.meta.url))
/** They are all started with the same modules: compiled once, a start takes half the time. */
const cache = fileURLToPath(new URL('../../../node_modules/.cache/relatch-children', import.meta.url))

/** Nothing that is waited for here takes so long: whoever hangs is named. */
const LIMIT_MS = 30_000

export interface Child {
  readonly pid: number
  /** Rejects where it ends, or hangs, before it has answered. */
  ask<K extends keyof Kit>(name: K, ...args: Parameters<Kit[K]>): Promise<Awaited<ReturnType<Kit[K]>>>
  /** The statuses of so many calls at once. */
  statuses(count: number, path?: string): Promise<Array<number | string>>
  /** What its session has told since it was last told to forget. */
  readonly heard: readonly Heard[]
  forget(): void
  hears<E extends keyof AuthEvents>(event: E): Promise<Extract<Heard, { event: E }>>
  /** Resolves when it waits at that stage, which it has been told to. */
  reaches(stage: Stage): Promise<void>
  /** Waits nowhere any more. */
  goOn(): void
  /** Nothing in it runs on: no script, no timer, no message. */
  stop(): void
  resume(): void
  /** As `kill -9`; resolves when it is gone. */
  kill(): Promise<void>
}

export interface Family extends AsyncDisposable {
  /** Resolves when the child has read its store. */
  start(options: ChildOptions): Promise<Child>
  /** What children have printed: nothing, unless something is wrong. Whoever has looked at it takes it out. */
  readonly prints: string[]
}

export function openFamily(): Family {
  const prints: string[] = []
  const alive = new Set<ChildProcess>()
  const inTurn = turnstile(STARTS)
  const killAll = (): void => {
    for (const child of alive) child.kill('SIGKILL')
  }
  process.once('exit', killAll)
  return {
    prints,
    start: (options) =>
      inTurn(() => {
        const child = fork(program, [JSON.stringify(options)], {
          // Nothing of the runner's: no debugger, no coverage.
          execArgv: [],
          env: { PATH: process.env.PATH, TMPDIR: process.env.TMPDIR, NODE_COMPILE_CACHE: cache },
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        })
        alive.add(child)
        child.once('close', () => alive.delete(child))
        for (const output of [child.stdout, child.stderr])
          output?.setEncoding('utf8').on('data', (text) => prints.push(text))
        return raise(child)
      }),
    async [Symbol.asyncDispose]() {
      const ends = [...alive].map((child) => once(child, 'close'))
      killAll()
      await Promise.all(ends)
      process.off('exit', killAll)
    },
  }
}

/** To start more at once takes longer than to start them in turns, and whatever runs meanwhile stands still. */
const STARTS = 3

/** So many tasks at a time, in the order in which they came. */
function turnstile(places: number): <T>(task: () => Promise<T>) => Promise<T> {
  const line: Array<() => void> = []
  let inside = 0
  return async (task) => {
    if (inside === places) await new Promise<void>((enter) => line.push(enter))
    else inside++
    try {
      return await task()
    } finally {
      const next = line.shift()
      if (next) next()
      else inside--
    }
  }
}

/** Something that is waited for until a word of the child's fits. */
type Waiter = () => boolean

async function raise(child: ChildProcess): Promise<Child> {
  const heard: Heard[] = []
  const answers = new Map<number, Extract<Word, { kind: 'answer' }>>()
  const waiters = new Set<Waiter>()
  let isReady = false
  let isGone = false
  let stage: Stage | null = null
  let questions = 0
  const look = (): void => {
    for (const waiter of [...waiters]) if (waiter()) waiters.delete(waiter)
  }

  /** Resolves once `find` finds something. */
  const until = <T>(find: () => T | undefined, subject: string): Promise<T> =>
    new Promise((resolve, reject) => {
      const limit = setTimeout(
        () => settle(() => reject(new Error(`Expected a child ${subject}, for ${LIMIT_MS} ms`))),
        LIMIT_MS,
      )
      const settle = (finish: () => void): true => {
        clearTimeout(limit)
        waiters.delete(waiter)
        finish()
        return true
      }
      const waiter: Waiter = () => {
        const found = find()
        if (found !== undefined) return settle(() => resolve(found))
        return isGone && settle(() => reject(new Error(`Expected a child ${subject}, but it is gone`)))
      }
      waiters.add(waiter)
      look()
    })

  child.on('message', (word: Word) => {
    if (word.kind === 'heard') heard.push(word.heard)
    else if (word.kind === 'reached') stage = word.stage
    else if (word.kind === 'answer') answers.set(word.id, word)
    else isReady = true
    look()
  })
  child.once('close', () => {
    isGone = true
    look()
  })
  await until(() => isReady || undefined, 'to begin')

  const ask: Child['ask'] = async (name, ...args) => {
    const id = ++questions
    if (name === 'pauseAt') stage = null
    // One that is gone cannot be told: `until` says so.
    child.send({ id, ask: name, args }, () => {})
    const { value, error } = await until(() => answers.get(id), `to answer ${name}`)
    answers.delete(id)
    if (error !== undefined) throw new Error(error)
    return value as never
  }
  return {
    pid: child.pid as number,
    ask,
    statuses: async (count, path = '/me') => (await ask('call', count, path)).map(({ status }) => status),
    heard,
    forget: () => void heard.splice(0),
    hears: (event) => until(() => heard.find((one) => one.event === event) as never, `to hear ${event}`),
    reaches: (wanted) => until(() => (stage === wanted ? true : undefined), `to reach ${wanted}`).then(() => {}),
    goOn: () => void ask('pauseAt').catch(() => {}),
    stop: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async kill() {
      child.kill('SIGKILL')
      await until(() => isGone || undefined, 'to end').catch(() => {})
    },
  }
}
