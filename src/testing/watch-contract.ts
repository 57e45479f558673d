/** S1, `watch`: an optional courtesy, but one that has to work where it is offered. */
import type { TokenStore } from '../index.ts'
import { expectEqual, signal, soon } from './expectations.ts'
import { type Case, type Medium, session } from './store-case.ts'

export const watchCases: Case[] = [
  {
    title: 'watch, where there is one, tells of a write made elsewhere',
    run: (medium) =>
      watching(medium, async (watch, other) => {
        const arrived = signal()
        watch(async () => (await medium.store.read())?.version === 1 && arrived.fire())
        await other.write(session(1), null)
        await soon(arrived.promise, tellingOf('a write, once it can be read', medium))
      }),
  },
  {
    title: 'watch, where there is one, tells of a removal made elsewhere',
    run: (medium) =>
      watching(medium, async (watch, other) => {
        await other.write(session(1), null)
        const gone = signal()
        watch(async () => (await medium.store.read()) === null && gone.fire())
        await other.write(null, 1)
        await soon(gone.promise, tellingOf('a removal, once nothing can be read', medium))
      }),
  },
  {
    title: 'watch, where there is one, tells each listener until that listener has left',
    run: (medium) =>
      watching(medium, async (watch, other) => {
        let calls = 0
        const told = signal()
        watch(told.fire)
        const stop = watch(() => calls++)
        stop()
        await other.write(session(1), null)
        await soon(told.promise, tellingOf('a write, to the listener that stayed', medium))
        expectEqual(calls, 0, 'the number of calls to a listener that left')
        stop()
      }),
  },
  {
    title: 'watch, where there is one, survives a listener that throws',
    run: (medium) =>
      watching(medium, async (watch, other) => {
        const told = signal()
        watch(() => {
          throw new Error('Thrown on purpose by the contract suite')
        })
        watch(told.fire)
        expectEqual(await other.write(session(1), null), true, 'write() while a listener throws')
        await soon(told.promise, tellingOf('a write, after another listener threw', medium))
      }),
  },
]

type Watch = (listener: () => unknown) => () => void

/** Ends every watch, whatever became of the test. */
async function watching(medium: Medium, run: (watch: Watch, other: TokenStore) => Promise<void>): Promise<void> {
  const { store } = medium
  if (!store.watch) return
  const stops: Array<() => void> = []
  try {
    const watch: Watch = (listener) => {
      const stop = store.watch?.(() => void listener()) ?? (() => {})
      stops.push(stop)
      return stop
    }
    await run(watch, await medium.sibling())
  } finally {
    for (const stop of stops) stop()
  }
}

function tellingOf(change: string, { hasSibling }: Medium): string {
  const hint = ' (a store that tells of other writers only has to be tested with a `sibling`)'
  return `watch to tell of ${change}${hasSibling ? '' : hint}`
}
