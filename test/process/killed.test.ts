// C2: `kill -9` of whoever refreshes, anywhere in a refresh. The others go on within its hold, and spend no refresh token that has
// been spent, unless its successor died with the process: then the session is over, and everyone is told.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { howOften } from '../helpers/extent.ts'
import { describeProcesses } from './bench/bench.ts'
import type { Child } from './bench/children.ts'
import { firstAt, inLanes, type Lane } from './bench/lanes.ts'
import type { Heard } from './bench/protocol.ts'

/** What a refresh may take, and what its lock may be held for: that, and two seconds for the store. */
const refreshTimeoutMs = 1500
const HOLD_MS = refreshTimeoutMs + 2000

const KILLS = howOften(100, 16)
const LANES = 8
const CALLS = 3

/** Kills at once, in the very step in which it is called. */
type Strike = () => void

/** Where the holder is when it is killed: it waits with the lock in its hands, and goes on where it is told to. */
const POINTS: Record<string, (strike: Strike, lane: Lane, holder: Child) => unknown> = {
  'nothing is sent': (strike) => strike(),
  async 'the request is on the wire'(strike, { server }, holder) {
    server.failRefresh('hang')
    holder.goOn()
    await server.seen(1, { kind: 'refresh' })
    strike()
  },
  // The server tells in the step that rotates, before a byte of the answer is written.
  'the server has rotated': (strike, lane, holder) => rotated(lane, holder, strike),
  'the answer is on its way, or being written': (strike, lane, holder) =>
    rotated(lane, holder, () => setTimeout(strike, Math.random() * 10)),
  async 'the answer is written'(strike, _lane, holder) {
    await holder.ask('pauseAt', 'written')
    await holder.reaches('written')
    strike()
  },
  async 'it is anywhere'(strike, { server }, holder) {
    server.failRefresh({ slowMs: 20 })
    holder.goOn()
    await sleep(Math.random() * 100)
    strike()
  },
}

/** Whether what the server has rotated to is lost with a holder that is killed there; at the other points it depends. */
const LOSES: Record<string, boolean> = {
  'nothing is sent': false,
  'the request is on the wire': false,
  'the server has rotated': true,
  'the answer is written': false,
}

function rotated({ server }: Lane, holder: Child, then: () => unknown): Promise<void> {
  return new Promise((resolve) => {
    const end = server.onRequest(({ kind, status }) => {
      if (kind !== 'refresh' || status !== 200) return
      end()
      then()
      resolve()
    })
    holder.goOn()
  })
}

interface Kill {
  point: string
  /** What the server had rotated to was in the holder's memory, or on its way there, and nowhere else. */
  isLost: boolean
  reuses: number
  recoveryMs: number
}

/** null: the machine was too slow for what is to be seen, and the lane was set up anew. */
async function killHolder(lane: Lane, point: string): Promise<Kill | null> {
  const { server, store } = lane
  lane.forget()
  const before = await store.read()
  await lane.pauseAt('locked')
  server.expireAccessTokens()
  const calls = new Map(lane.children.map((child) => [child, child.statuses(CALLS).catch(() => ['gone'])]))
  const holder = await firstAt('locked', lane.children)
  calls.delete(holder)
  const others = [...calls.keys()]

  const killedAt = await new Promise<number>((resolve, reject) => {
    const strike = (): void => {
      const at = performance.now()
      lane.kill(holder).then(() => resolve(at), reject)
    }
    Promise.resolve(POINTS[point]?.(strike, lane, holder)).catch(reject)
  })
  // Whatever it sent is dealt with before anybody else may go on: what is known now is what they can know.
  await lane.settled()
  const isLost = server.stats.refreshes === 1 && (await store.read())?.version === before?.version
  server.heal()
  const successor = lane.start()
  await lane.pauseAt()
  const statuses = await Promise.all(calls.values())
  const recoveryMs = performance.now() - killedAt

  const { reuses, refreshes } = server.stats
  const told = others.flatMap(({ heard }) => heard)
  const refusals = told.filter((one) => one.event === 'refresh-failed')
  await successor
  // A refresh that takes longer than it may loses its answer as a kill does, and a write that does is not there for the next.
  if (told.some((one) => isTimeout(one))) {
    await lane.signIn(others[0])
    return null
  }
  if (isLost && reuses > 0) {
    expect(statuses, lane.story()).toEqual(others.map(() => Array(CALLS).fill(401)))
    expect(refusals, lane.story()).toMatchObject([{ verdict: 'over', oauthError: 'invalid_grant' }])
    await Promise.all(others.map((child) => child.hears('signed-out')))
    await lane.signIn(others[0])
  } else {
    expect(statuses, lane.story()).toEqual(others.map(() => Array(CALLS).fill(200)))
    expect(told.filter(({ event }) => event !== 'refreshed' && event !== 'adopted')).toEqual([])
    expect(refreshes).toBe(1)
  }
  expect(await Promise.all(lane.children.map((child) => child.statuses(1)))).toEqual(lane.children.map(() => [200]))
  return { point, isLost, reuses, recoveryMs }
}

const isTimeout = (one: Heard): boolean =>
  one.event === 'store-failed'
    ? one.reason === 'timed-out'
    : one.event === 'refresh-failed' && one.verdict === 'transient'

describeProcesses('killed', (bench) => {
  it(`C2 kill -9 of the holder × ${KILLS}: the others recover within its hold, and replay only what died with it`, async ({
    annotate,
  }) => {
    const lanes = await bench.lanes(LANES, { children: 3, refreshTimeoutMs, refreshRetries: 0 })
    const points = Object.keys(POINTS)
    let voids = 0
    const kills = await inLanes(lanes, KILLS, async (lane, kill) => {
      for (;;) {
        const outcome = await killHolder(lane, points[kill % points.length] as string)
        if (outcome !== null) return outcome
        if (++voids > KILLS / 5) throw new Error('Expected a machine that gets a refresh done in time')
      }
    })

    expect(kills.filter(({ isLost, reuses }) => reuses > (isLost ? 1 : 0))).toEqual([])
    expect(kills.filter(({ point, isLost }) => isLost !== (LOSES[point] ?? isLost))).toEqual([])
    // Twice that, for a machine that has other things to do.
    expect(kills.filter(({ recoveryMs }) => recoveryMs > 2 * HOLD_MS)).toEqual([])
    const times = kills.map(({ recoveryMs }) => Math.round(recoveryMs)).sort((a, b) => a - b)
    expect(times[KILLS / 2]).toBeLessThan(HOLD_MS)
    const lost = kills.filter(({ isLost }) => isLost).length
    await annotate(
      `recovered after ${times[KILLS / 2]} ms (median), ${times.at(-1)} ms (longest); ${lost} rotations lost, ${voids} void`,
    )
  })
})
