// The compare-and-swap on a file, in all the orders in which processes can do their steps, on a disk in memory: stopped for any
// time, killed anywhere, swept by others. With real processes: test/process/file-judge.test.ts.
import { afterEach, expect, it, vi } from 'vitest'
import { fileJudge } from '../../../src/coordination/file-judge.ts'
import type { Stamped } from '../../../src/coordination/judge.ts'
import { createId } from '../../../src/id.ts'
import { freshDisk, goOn, kill, namesOnDisk, removeByHand, runAs, waiting } from './memory-disk.ts'

vi.mock('node:fs/promises', async () => (await import('./memory-disk.ts')).fs)

// Hundreds of thousands of steps, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000 })
afterEach(() => freshDisk('/home', 0))

const PATH = '/home/session.json'

/** A number below `limit`; the same ones for the same seed. */
type Dice = (limit: number) => number

/** mulberry32 */
function diceOf(seed: number): Dice {
  let state = seed
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
}

/** What somebody did, between which two instants, and what they were told. Stamps stand for records; '' is none. */
interface Deed {
  kind: 'read' | 'swap'
  next: string
  expected: string
  /** What was read, or whether it swapped; undefined where it threw or was killed, and may have happened or not. */
  result: string | boolean | undefined
  from: number
  to: number
}

interface World {
  deeds: Deed[]
  failures: unknown[]
}

interface Plan {
  actors: number
  swaps: number
  /** Of a hundred steps. */
  kills: number
  /** What everything on the disk is old by: where it is an hour, whatever may be swept is swept at once. */
  ageMs: number
  isRemovedByHand?: boolean
}

async function play(dice: Dice, plan: Plan): Promise<World> {
  freshDisk('/home', plan.ageMs)
  const world: World = { deeds: [], failures: [] }
  let now = 0
  const record = async (deed: Pick<Deed, 'kind' | 'next' | 'expected'>, act: () => Promise<string | boolean>) => {
    const entry: Deed = { ...deed, result: undefined, from: now++, to: Number.POSITIVE_INFINITY }
    world.deeds.push(entry)
    try {
      entry.result = await act()
      entry.to = now++
    } catch (error) {
      world.failures.push(error)
    }
    return entry.result
  }
  const live = async (): Promise<void> => {
    for (let done = 0; done < plan.swaps; done++) {
      // A process of its own each time: it knows nothing, and sweeps after its first write.
      const judge = fileJudge<Stamped>(PATH, { isDurable: false })
      let found: Stamped | undefined
      await record({ kind: 'read', next: '', expected: '' }, async () => {
        found = await judge.read()
        return found?.stamp ?? ''
      })
      const next = dice(4) === 0 ? undefined : { stamp: createId() }
      await record({ kind: 'swap', next: next?.stamp ?? '', expected: found?.stamp ?? '' }, () =>
        judge.swap(next, found),
      )
    }
  }
  const lives = Array.from({ length: plan.actors }, (_, index) => runAs(`${index}`, live))
  void Promise.all(lives)
  let favourite = '0'
  for (;;) {
    await new Promise(setImmediate)
    const actors = waiting()
    if (actors.length === 0) break
    // In long runs of one, and now and then of another: that is where stopped processes hurt.
    if (!actors.includes(favourite) || dice(6) === 0) favourite = actors[dice(actors.length)] as string
    if (dice(100) < plan.kills && actors.length > 1) kill(favourite)
    else if (plan.isRemovedByHand && dice(40) === 0) removeByHand(PATH)
    else goOn(favourite)
  }
  // Whoever comes last sees what became of it all: what the dead had claimed, too, for nothing comes between this and a write.
  const judge = fileJudge<Stamped>(PATH, { isDurable: false })
  let found: Stamped | undefined
  await record({ kind: 'read', next: '', expected: '' }, async () => {
    found = await judge.read()
    return found?.stamp ?? ''
  })
  const last = { stamp: createId() }
  await record({ kind: 'swap', next: last.stamp, expected: found?.stamp ?? '' }, () => judge.swap(last, found))
  return world
}

/** Whether there is an order of what happened, each deed between its two instants, in which everybody was told the truth. */
function isLinearizable(deeds: readonly Deed[]): boolean {
  const seen = new Set<string>()
  const search = (left: readonly Deed[], state: string): boolean => {
    if (left.every(({ to }) => to === Number.POSITIVE_INFINITY)) return true
    const key = `${left.map(({ from }) => from).join()} ${state}`
    if (seen.has(key)) return false
    seen.add(key)
    const firstEnd = Math.min(...left.map(({ to }) => to))
    return left.some((deed) => {
      if (deed.from > firstEnd) return false
      const rest = left.filter((each) => each !== deed)
      const isMatch = deed.expected === state
      if (deed.kind === 'read') return (deed.result === undefined || deed.result === state) && search(rest, state)
      if (deed.result === undefined) return search(rest, isMatch ? deed.next : state)
      return deed.result === isMatch && search(rest, isMatch ? deed.next : state)
    })
  }
  return search(deeds, '')
}

const show = (seed: number, { deeds, failures }: World): string =>
  [`seed ${seed}`, ...deeds.map((deed) => JSON.stringify(deed)), ...failures.map(String)].join('\n')

async function playAll(runs: number, plan: Plan, isGood: (world: World) => boolean): Promise<World[]> {
  const worlds: World[] = []
  for (let seed = 1; seed <= runs; seed++) {
    const world = await play(diceOf(seed), plan)
    if (!isGood(world)) expect.fail(show(seed, world))
    worlds.push(world)
  }
  return worlds
}

const wins = (worlds: readonly World[]): number =>
  worlds.flatMap(({ deeds }) => deeds).filter(({ kind, result }) => kind === 'swap' && result === true).length

it('S4 processes that are stopped anywhere see one history, and nobody is told the wrong thing', async () => {
  const worlds = await playAll(600, { actors: 3, swaps: 3, kills: 0, ageMs: 0 }, (world) => {
    const litter = namesOnDisk().filter((name) => name !== '/home' && name !== PATH)
    return isLinearizable(world.deeds) && world.failures.length === 0 && litter.length === 0
  })
  expect(wins(worlds)).toBeGreaterThan(600)
})

it('S4 a process that is killed anywhere leaves old or new, and the others go on', async () => {
  const worlds = await playAll(600, { actors: 4, swaps: 2, kills: 3, ageMs: 0 }, (world) => {
    return isLinearizable(world.deeds) && world.failures.length === 0 && world.deeds.at(-1)?.result === true
  })
  expect(wins(worlds)).toBeGreaterThan(600)
})

it('S4 somebody who sweeps at the worst moment takes no session away, and lets nobody believe what is not so', async () => {
  const worlds = await playAll(600, { actors: 4, swaps: 2, kills: 2, ageMs: 3_600_000 }, ({ deeds }) =>
    isLinearizable(deeds),
  )
  expect(wins(worlds)).toBeGreaterThan(600)
  // What was swept before it was claimed had to be given up.
  const failures = worlds.flatMap((world) => world.failures)
  expect(failures.length).toBeLessThan(wins(worlds) / 5)
})

it('S4 where somebody removes the file by hand, there are still no two who follow on one session', async () => {
  await playAll(600, { actors: 3, swaps: 3, kills: 1, ageMs: 0, isRemovedByHand: true }, ({ deeds }) => {
    const followed = deeds.filter(({ kind, result, expected }) => kind === 'swap' && result === true && expected !== '')
    return new Set(followed.map(({ expected }) => expected)).size === followed.length
  })
})
