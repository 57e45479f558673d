/** S1, `lock`: an optional saver of calls. It may let two tasks run where a holder is lost; it must never let nobody run. */
import type { TokenStore } from '../index.ts'
import { expect, expectEqual, pause, type Signal, signal, soon } from './expectations.ts'
import type { Case, Medium } from './store-case.ts'

/** What a lock may take beyond the time it was given: a timer, a round trip, a busy machine. */
const SLACK_MS = 1_000
/** How long to watch that a task does not start. */
const WATCH_MS = 50
const PATIENT = { waitMs: 30_000, holdMs: 30_000 }

type Lock = NonNullable<TokenStore['lock']>

export const lockCases: Case[] = [
  {
    title: 'lock, where there is one, runs the task and hands back its value',
    run: (medium) =>
      locking(medium, async (lock) => {
        expectEqual(
          await soon(
            lock(async () => 'value', PATIENT),
            'lock() to settle',
          ),
          'value',
          'what lock() gives',
        )
      }),
  },
  {
    title: 'lock, where there is one, passes on what the task throws, and is free again',
    run: (medium) =>
      locking(medium, async (lock, other) => {
        const failure = new Error('Thrown on purpose by the contract suite')
        const reason = await soon(
          lock(() => Promise.reject(failure), PATIENT).then(
            () => 'nothing',
            (error: unknown) => error,
          ),
          'lock() to settle',
        )
        expect(reason === failure, 'lock() to reject with exactly what the task threw')
        await soon(
          other(async () => {}, PATIENT),
          'the lock to be free after a task that threw',
        )
      }),
  },
  {
    title: 'lock, where there is one, runs one task at a time',
    run: (medium) =>
      locking(medium, async (lock, other) => {
        let running = 0
        let most = 0
        const task = async (): Promise<void> => {
          most = Math.max(most, ++running)
          await pause(5)
          running--
        }
        const tasks = Array.from({ length: 6 }, (_, index) => (index % 2 ? other : lock)(task, PATIENT))
        await soon(Promise.all(tasks), 'six tasks in a row to end')
        expectEqual(most, 1, 'the most tasks that ran at one time')
      }),
  },
  {
    title: 'lock, where there is one, waits for a holder no longer than waitMs',
    run: (medium) =>
      locking(medium, async (lock, other) => {
        const waitMs = 100
        const holder = await hold(lock, PATIENT.holdMs)
        try {
          const second = other(async () => {}, { waitMs, holdMs: PATIENT.holdMs })
          await soon(second, 'a task behind a holder that never ends to run', waitMs + SLACK_MS)
        } finally {
          await holder.end()
        }
      }),
  },
  {
    title: 'lock, where there is one, outlives a holder that dies by no more than holdMs',
    run: (medium) =>
      locking(medium, async (lock, other) => {
        const holdMs = 100
        const dead = await hold(lock, holdMs)
        try {
          await soon(
            other(async () => {}, PATIENT),
            'a task behind a dead holder to run',
            holdMs + SLACK_MS,
          )
        } finally {
          await dead.end()
        }
      }),
  },
  {
    title: 'lock, where there is one, is not taken from its next holder by a late one that ends',
    run: (medium) =>
      locking(medium, async (lock, other) => {
        const late = await hold(lock, 100)
        const next = await soon(hold(other, PATIENT.holdMs), 'a task behind a late holder to run', 100 + SLACK_MS)
        await late.end()
        const third = tryToRun(lock)
        await pause(WATCH_MS)
        const isOverlapping = third.hasRun()
        await next.end()
        await soon(third.done, 'a third task to run once the second has ended')
        expect(!isOverlapping, 'a third task to wait for the second, when only the first has ended')
      }),
  },
  {
    title: 'lock, where there is one, lets a waiting task go when its signal aborts',
    run: (medium) =>
      locking(medium, async (lock, other) => {
        const holder = await hold(lock, PATIENT.holdMs)
        const leaving = new AbortController()
        const reason = new Error('Aborted on purpose by the contract suite')
        const waiter = tryToRun(other, leaving.signal)
        try {
          await pause(WATCH_MS)
          leaving.abort(reason)
          const rejected = await soon(waiter.rejection, 'lock() to reject once its signal aborted')
          expect(rejected === reason, 'lock() to reject with the reason of its signal')
        } finally {
          await holder.end()
        }
        await soon(
          other(async () => {}, PATIENT),
          'the lock to be free after a waiter left',
        )
        expect(!waiter.hasRun(), 'the task of a waiter that left never to run')
      }),
  },
  {
    title: 'lock, where there is one, runs nothing for a signal that has aborted already',
    run: (medium) =>
      locking(medium, async (lock) => {
        const waiter = tryToRun(lock, AbortSignal.abort(new Error('Aborted on purpose by the contract suite')))
        await soon(waiter.rejection, 'lock() to reject')
        expect(!waiter.hasRun(), 'the task not to run')
      }),
  },
]

/** Runs a test with the locks of two stores on one medium. */
async function locking({ store, sibling }: Medium, run: (lock: Lock, other: Lock) => Promise<void>): Promise<void> {
  if (!store.lock) return
  const other = await sibling()
  const bind =
    (owner: TokenStore): Lock =>
    (task, options) =>
      (owner.lock as Lock).call(owner, task, options) as never
  await run(bind(store), bind(other))
}

interface Holder {
  end(): Promise<void>
}

/** Takes the lock, and keeps it until it is told to end. */
async function hold(lock: Lock, holdMs: number): Promise<Holder> {
  const [started, ended]: [Signal, Signal] = [signal(), signal()]
  const task = async (): Promise<void> => {
    started.fire()
    await ended.promise
  }
  const held = lock(task, { waitMs: PATIENT.waitMs, holdMs })
  // A lock may tell a holder that was too late so by rejecting.
  const settled = held.then(
    () => {},
    () => {},
  )
  await soon(Promise.race([started.promise, settled]), 'a task to get the lock')
  return {
    end() {
      ended.fire()
      return soon(settled, 'lock() to settle once its task has')
    },
  }
}

interface Attempt {
  /** Whether the task has begun. */
  hasRun(): boolean
  done: Promise<unknown>
  /** What lock() rejected with; stays pending where it did not. */
  rejection: Promise<unknown>
}

function tryToRun(lock: Lock, aborts?: AbortSignal): Attempt {
  let hasBegun = false
  const done = lock(
    async () => {
      hasBegun = true
    },
    aborts ? { ...PATIENT, signal: aborts } : PATIENT,
  )
  const rejection = new Promise<unknown>((resolve) => done.catch(resolve))
  return { hasRun: () => hasBegun, done, rejection }
}
