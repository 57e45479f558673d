// C2: SIGSTOP in the middle of a write or of a refresh, and SIGCONT when others have gone on without it. What it does then comes
// too late, and does no harm.
import { expect, it } from 'vitest'
import type { StoredSession } from '../../src/index.ts'
import { howOften } from '../helpers/extent.ts'
import { describeSideBySide } from './bench/bench.ts'
import type { Child } from './bench/children.ts'
import { firstAt, inLanes, type Lane } from './bench/lanes.ts'
import type { Stage } from './bench/protocol.ts'

/** Of two processes each, for both stores at once. More of them stand in each other's way, and a second is gone (S2). */
const LANES = 6
const PAIR = { children: 2, refreshTimeoutMs: 1500, refreshRetries: 0 }
const GOOD = [200, 200]
/** How often each is stopped. */
const [REFUSALS, UNSENT, UNWRITTEN] = [howOften(25, 8), howOften(50, 12), howOften(20, 6)]

/** A timer is too coarse: to Redis a write is one message. */
function idle(ms: number): void {
  const endsAt = performance.now() + ms
  while (performance.now() < endsAt);
}

const successor = (stored: StoredSession, accessToken: string): StoredSession => ({
  ...stored,
  version: stored.version + 1,
  tokens: { accessToken },
})

/** Everybody calls with a token that has expired; the first to come by that stage is stopped there, and the others let go. */
async function stopAt(
  stage: Stage,
  lane: Lane,
): Promise<{ holder: Child; late: Promise<unknown>; answers: unknown[] }> {
  lane.forget()
  await lane.pauseAt(stage)
  lane.server.expireAccessTokens()
  const calls = lane.children.map((child) => ({ child, statuses: child.statuses(GOOD.length) }))
  const holder = await firstAt(stage, lane.children)
  holder.stop()
  const [held, ...others] = calls.sort((a, b) => Number(b.child === holder) - Number(a.child === holder))
  for (const { child } of others) child.goOn()
  const answers = await Promise.all(others.map(({ statuses }) => statuses))
  return { holder, answers, late: held?.statuses ?? Promise.resolve() }
}

describeSideBySide('stopped', (bench) => {
  it(`C2 a write that was stopped, before or inside, is refused if somebody else has written: ${2 * REFUSALS} of ${2 * REFUSALS}`, async () => {
    const { children, store } = await bench.lane({ children: 1 })
    const [child] = children as [Child]
    const refused = { before: 0, inside: 0 }
    for (let round = 0; refused.before + refused.inside < 2 * REFUSALS && round < 20 * REFUSALS; round++) {
      const stored = (await child.ask('readStore')) as StoredSession
      const [early, late] = [successor(stored, `early-${round}`), successor(stored, `late-${round}`)]
      await child.ask('pauseAt', 'writing')
      const answer = child.ask('writeStore', late, stored.version)
      await child.reaches('writing')
      const where = refused.before < REFUSALS ? 'before' : 'inside'
      if (where === 'inside') {
        child.goOn()
        idle(3 * Math.random() ** 2)
      }
      child.stop()
      const hasWritten = await store.write(early, stored.version)
      child.resume()
      child.goOn()
      // One of the two has won, and both know which.
      expect(await answer).toBe(!hasWritten)
      expect(await store.read()).toEqual(hasWritten ? early : late)
      if (hasWritten) refused[where]++
    }
    expect(refused).toEqual({ before: REFUSALS, inside: REFUSALS })
  })

  it(`C2 a holder that was stopped before it sent its refresh token sends none, and takes over what others got: ${UNSENT} of ${UNSENT}`, async () => {
    // Of its own: what failed leaves processes that stand still, and a second try would wait for them.
    const lanes = await bench.lanes(LANES, PAIR)
    const STAGES: Stage[] = ['locked', 'read', 'asking']
    const perfect = { all: [GOOD, GOOD], differentTokens: 1, refreshAttempts: 1, refreshes: 1, reuses: 0 }
    await inLanes(lanes, UNSENT, async (lane, round) => {
      const stage = STAGES[round % STAGES.length] as Stage
      const { holder, late, answers } = await stopAt(stage, lane)
      // It wakes up with this in its ears, before any of its timers.
      holder.goOn()
      holder.resume()
      const all = [await late, ...answers]
      const tokens = await Promise.all(lane.children.map((child) => child.ask('accessToken')))
      tokens.push((await lane.store.read())?.tokens?.accessToken ?? null)
      const { refreshAttempts, refreshes, reuses } = lane.server.stats
      const differentTokens = new Set(tokens).size
      expect({ stage, all, differentTokens, refreshAttempts, refreshes, reuses }, lane.story()).toEqual({
        stage,
        ...perfect,
      })
    })
  })

  it(`C2 a holder that was stopped before it wrote what it got does not undo what others did: ${UNWRITTEN} of ${UNWRITTEN}`, async () => {
    const lanes = await bench.lanes(LANES, PAIR)
    await inLanes(lanes, UNWRITTEN, async (lane) => {
      const { holder, late, answers } = await stopAt('writing', lane)
      // What the server had rotated to is nowhere but in the memory of a process that does not run.
      expect(answers).toEqual([[401, 401]])
      expect(lane.server.stats, lane.story()).toMatchObject({ refreshes: 1, reuses: 1 })
      const [other] = lane.children.filter((child) => child !== holder) as [Child]
      await other.ask('signIn', lane.server.signIn('viewer'))
      const stored = await lane.store.read()
      holder.forget()
      holder.goOn()
      holder.resume()
      await late
      await holder.hears('signed-in')
      expect(await holder.statuses(GOOD.length)).toEqual(GOOD)
      expect((await holder.ask('writes')).at(-1)).toBe(false)
      expect(await lane.store.read()).toEqual(stored)
      expect(lane.server.stats).toMatchObject({ refreshes: 1, reuses: 1, logins: 1 })
    })
  })
})
