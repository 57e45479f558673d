/** Runs one case, within bounds. Nothing that it throws, leaves behind or reports gets past this. */

import type { Case, Context, Result, Runtime } from './case.ts'
import { CASES } from './cases.ts'
import { JOBS } from './jobs.ts'
import { listen } from './reports.ts'
import { openWorld, type Places, type World } from './world.ts'

const LIMIT_MS = 20_000

export interface Surroundings {
  readonly runtime: Runtime
  readonly places: Places
  /** See `Context.ask`; left out: the job is done right here. */
  readonly ask?: Context['ask']
}

export const count = (): number => CASES.length

export async function runCase(index: number, surroundings: Surroundings): Promise<Result> {
  const subject = CASES[index] as Case
  const { id, title } = subject
  const difference = subject.differs?.find(({ on }) => on.includes(surroundings.runtime))
  const run = (task: Case['run'], name: string): Promise<string | null> => attempt(task, surroundings, name)
  const failure = await run(subject.run, `c${index}`)
  if (difference === undefined) return { id, title, failure, note: null }
  const { note, instead } = difference
  if (failure === null) {
    return { id, title, failure: `Passes here: it no longer differs (${note})`, note }
  }
  return { id, title, failure: await run(instead, `d${index}`), note }
}

/** The first thing that went wrong; null: nothing. */
async function attempt(
  task: Case['run'],
  { runtime, places, ask }: Surroundings,
  name: string,
): Promise<string | null> {
  const { reports, end } = listen()
  const worlds: World[] = []
  const context: Context = {
    ...{ runtime, reports },
    async world(options) {
      // Unique to this run: the server may serve several, one after the other.
      const world = await openWorld(places, `${name}w${worlds.length}`, options)
      worlds.push(world)
      return world
    },
    ask: ask ?? ((job, world, signal) => (JOBS[job] as (typeof JOBS)[string])(world.places, world.key, signal)),
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Expected an end within ${LIMIT_MS} ms`)), LIMIT_MS)
  })
  let failure: string | null = null
  try {
    await Promise.race([task(context), late])
  } catch (error) {
    failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  }
  clearTimeout(timer)
  await Promise.all(worlds.map((world) => world.close().catch(() => {})))
  // A rejection that nobody handles is reported a turn later.
  await new Promise((resolve) => setTimeout(resolve, 0))
  end()
  return failure ?? (reports.length > 0 ? `Reported: ${reports.join('; ')}` : null)
}
