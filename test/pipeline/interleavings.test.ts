// R1, R2, R3, R8, R11, R12, C5, S2: random stories of requests, expiries, refreshes, sign-ins and sign-outs, with stores and
// servers that are slow or fail. What must never happen is looked for in each. A failure prints its seed and its story.
import fc from 'fast-check'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { startFakeTime } from '../helpers/fake-time.ts'
import { seededRandom } from '../helpers/latency.ts'
import { createWorld, type Topology, type World } from '../helpers/model-world.ts'

/** How long a property may look for a counterexample, and how many stories it may play for that. */
const LIMITS = {
  interruptAfterTimeLimit: Number(process.env.STORIES_MS ?? 2500),
  markInterruptAsFailure: false,
  numRuns: Number(process.env.STORIES ?? 1500),
  ...(process.env.SEED && { seed: Number(process.env.SEED) }),
}
const STORY_MS = 6000
/** The longest pause between two attempts, whether at a store or at a token endpoint, with its jitter. */
const HEALED_AFTER_MS = 140_000

beforeEach(startFakeTime)
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const client = fc.constantFrom<0 | 1>(0, 1)
const at = fc.nat(STORY_MS)

/** Requests are most of what happens. */
const request = fc.record({
  kind: fc.constant('request' as const),
  at,
  client,
  abortAfterMs: fc.option(fc.nat(60), { freq: 6 }),
})
const events = {
  signIn: fc.record({ kind: fc.constant('signIn' as const), at, client }),
  signOut: fc.record({ kind: fc.constant('signOut' as const), at, client }),
  refresh: fc.record({ kind: fc.constant('refresh' as const), at, client }),
  expire: fc.record({ kind: fc.constant('expire' as const), at }),
  revoke: fc.record({ kind: fc.constant('revoke' as const), at }),
  failRefresh: fc.record({
    kind: fc.constant('failRefresh' as const),
    at,
    fault: fc.constantFrom('unavailable' as const, 'slow' as const, 'lost' as const, 'unreadable' as const),
  }),
  failStore: fc.record({
    kind: fc.constant('failStore' as const),
    at,
    fault: fc.constantFrom(
      'read throws' as const,
      'write throws' as const,
      'write hangs' as const,
      'write refuses' as const,
      'all hang' as const,
      null,
    ),
  }),
}

const step = fc.oneof(
  { arbitrary: request, weight: 8 },
  { arbitrary: events.expire, weight: 4 },
  { arbitrary: events.signIn, weight: 2 },
  { arbitrary: events.signOut, weight: 2 },
  { arbitrary: events.refresh, weight: 1 },
  { arbitrary: events.revoke, weight: 1 },
  { arbitrary: events.failRefresh, weight: 2 },
  { arbitrary: events.failStore, weight: 2 },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** Bursts: much of what goes wrong goes wrong within a few milliseconds. */
const story = fc
  .array(fc.record({ startsAt: at, steps: fc.array(step, { minLength: 1, maxLength: 8 }) }), { minLength: 1, maxLength: 4 })
  .map((bursts) =>
    bursts.flatMap(({ startsAt, steps }) => steps.map((step) => ({ ...step, at: startsAt + (step.at % 50) }) as Step)),
  )

const plan = (topology: Topology) =>
  fc.record({
    story,
    delaysMs: fc.array(fc.nat(20), { minLength: 1, maxLength: 12 }),
    lifetimeMs: fc.constantFrom(null, 3000),
    random: fc.nat(),
  })
  .map((rest) => ({ ...rest, topology }))

function play(world: World, step: Step): void {
  switch (step.kind) {
    case 'request':
      return world.request(step.client, step.abortAfterMs)
    case 'failRefresh':
      return world.failRefresh(step.fault)
    case 'failStore':
      return world.failStore(step.fault)
    case 'expire':
    case 'revoke':
      return world[step.kind]()
    default:
      return world[step.kind](step.client)
  }
}

const breathe = (): Promise<void> => new Promise((done) => setImmediate(done))

/** From timer to timer, until nothing is left to happen before that moment. */
async function until(moment: number): Promise<void> {
  await breathe()
  for (;;) {
    const stop = setTimeout(() => {}, moment - performance.now())
    vi.advanceTimersToNextTimer()
    clearTimeout(stop)
    await breathe()
    if (performance.now() >= moment) return
  }
}

/** What is current for each client once both have sent something. */
async function tokensOf(world: World): Promise<Array<string | null>> {
  world.request(0, null)
  world.request(1, null)
  await until(performance.now() + 1000)
  const answers: Array<string | null> = []
  for (const api of world.apis) void api.tokens({ minValidityMs: 0 }).then((all) => answers.push(all?.accessToken ?? null))
  await until(performance.now() + 100)
  return answers
}

it.each(['memory', 'one store object', 'two store objects with a lock'] as const)(
  'R1 R2 R3 R8 R11 R12 C5 S2 hold in every story: %s',
  async (topology) => {
    await fc.assert(
      fc.asyncProperty(plan(topology), async ({ story, random, ...plan }) => {
        vi.spyOn(Math, 'random').mockImplementation(seededRandom(random))
        const startedAt = performance.now()
        const world = createWorld(plan)
        try {
          world.signIn(0)
          for (const step of story) setTimeout(() => play(world, step), 100 + step.at)
          await until(startedAt + STORY_MS + 1000)
          world.heal()
          await until(performance.now() + HEALED_AFTER_MS)
          expect(world.pending(), 'calls that never settled').toBe(0)
          const current = await tokensOf(world)
          const stored = world.stored()
          expect(current, 'memory and store').toEqual([stored, stored])
          expect(stored === null || world.isGood(stored), 'what is left is good').toBe(true)
          expect(world.pending(), 'calls that never settled').toBe(0)
          expect(world.violations).toEqual([])
        } catch (error) {
          throw new Error(`${error instanceof Error ? error.message : error}\n${world.log.join('\n')}`)
        } finally {
          for (const api of world.apis) api.dispose()
          vi.clearAllTimers()
        }
      }),
      LIMITS,
    )
  },
  600_000,
)
