/** T: lifetimes, clocks and timers. */
import { memoryStore, tokensFromResponse } from 'relatch'
import type { Case } from './case.ts'
import { SERVERS } from './case.ts'
import { equal, ok, rejection, statuses } from './check.ts'
import type { World } from './world.ts'

const HOUR = 3_600_000

/** Runs `task` while the wall clock is wrong by so much. */
async function withClockOff<T>(byMs: number, task: () => Promise<T>): Promise<T> {
  const { now } = Date
  Date.now = () => now.call(Date) + byMs
  try {
    return await task()
  } finally {
    Date.now = now
  }
}

async function expiring(world: World, leftMs: number): Promise<ReturnType<typeof memoryStore>> {
  const { access_token: accessToken, refresh_token: refreshToken } = await world.signIn()
  return memoryStore({ accessToken, refreshToken, expiresAt: Date.now() + leftMs })
}

export const TIME: readonly Case[] = [
  ...[2, -2].map(
    (hours): Case => ({
      id: 'T1',
      title: `a wall clock that is ${Math.abs(hours)} hours ${hours > 0 ? 'fast' : 'slow'} costs no refresh, one that jumps one at most`,
      async run({ world: open }) {
        const world = await open()
        await withClockOff(hours * HOUR, async () => {
          const api = await world.api()
          for (let n = 0; n < 3; n++) equal((await api('me')).status, 200, 'the status')
          equal((await world.stats()).refreshAttempts, 0, 'the refreshes')
          await withClockOff(hours * HOUR, async () => {
            for (let n = 0; n < 3; n++) equal((await api('me')).status, 200, 'the status after the jump')
          })
        })
        ok((await world.stats()).refreshAttempts <= 1, 'one refresh at most')
      },
    }),
  ),
  {
    id: 'T1',
    title: "the server's 401 beats our opinion of the clock",
    async run({ world: open }) {
      const world = await open()
      const api = world.anonymous({ store: await expiring(world, HOUR) })
      await world.expire()
      equal((await api('me')).status, 200, 'the status')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  {
    id: 'T1',
    title: 'a lifetime ends while nothing but time passes, and the next request refreshes first',
    async run({ world: open }) {
      const world = await open()
      const api = world.anonymous()
      await api.signIn(await world.signIn('viewer', { ttlMs: 400 }))
      equal((await api('me')).status, 200, 'the status')
      await world.sleep(500)
      equal((await api('me')).status, 200, 'the status after that')
      equal(
        (await world.arrivals({ path: '/me' })).map(({ status }) => status),
        [200, 200],
        'the answers',
      )
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
  },
  ...[30 * 86_400, 0, -1, 5, null, '3600', 'soon', 1e300, 9e12].map(
    (expiresIn): Case => ({
      id: 'T2',
      title: `expires_in ${JSON.stringify(expiresIn)}: no timer overflows, nothing goes round in circles`,
      async run({ world: open }) {
        const world = await open({ server: { expiresIn } })
        const api = await world.api()
        for (let n = 0; n < 4; n++) equal((await api('me')).status, 200, 'the status')
        await world.expire()
        for (let n = 0; n < 4; n++) equal((await api('me')).status, 200, 'the status after the expiry')
        equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
        const { expiresAt } = tokensFromResponse({ access_token: 'a', expires_in: expiresIn })
        ok(expiresAt === undefined || Number.isFinite(new Date(expiresAt).getTime()), 'an instant, or none')
      },
    }),
  ),
  {
    id: 'T3',
    title: 'after a sleep of ten minutes the next request refreshes first',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      equal((await api('me')).status, 200, 'the status')
      await world.expire()
      await withClockOff(HOUR / 6, async () => equal((await api('me')).status, 200, 'the status after that'))
      equal(
        (await world.arrivals({ path: '/me' })).map(({ status }) => status),
        [200, 200],
        'the answers',
      )
    },
  },
  {
    id: 'T3',
    title: 'back online, nobody waits for a pause to end',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.set({ down: true })
      await rejection(api('me'))
      await rejection(api('me'))
      await world.heal()
      dispatchEvent(new Event('online'))
      equal((await api('me')).status, 200, 'the status')
    },
    differs: [
      {
        note: 'online',
        on: SERVERS,
        async instead({ world: open }) {
          const world = await open()
          const api = await world.api()
          await world.expire()
          await world.set({ down: true })
          await rejection(api('me'))
          await rejection(api('me'))
          await world.heal()
          const error = (await rejection(api('me'))) as { code: string; retryAfterMs: number }
          equal(error.code, 'refresh-unavailable', 'the outcome')
          ok(error.retryAfterMs > 0 && error.retryAfterMs <= 6000, 'a pause of six seconds at most')
        },
      },
    ],
  },
  {
    id: 'T4',
    title: 'of thirty clients with one expiry some refresh early, and some do not yet',
    async run({ world: open }) {
      const world = await open()
      const stores = await Promise.all(Array.from({ length: 30 }, () => expiring(world, 1_000_000)))
      const calls = stores.map(async (store) => {
        const api = world.anonymous({ store, refreshMarginMs: 100_000 })
        await api('me')
        return api
      })
      const apis = await Promise.all(calls)
      equal((await world.stats()).refreshAttempts, 0, 'the refreshes at first')
      // In the middle of the tenth before the margin, within which each has drawn its own moment.
      await withClockOff(855_000, () => Promise.all(apis.map((api) => api('me'))))
      const { refreshAttempts } = await world.stats()
      ok(refreshAttempts > 0 && refreshAttempts < 30, `some of thirty, not ${refreshAttempts}`)
    },
  },
  {
    id: 'T4',
    title: 'with an expired token all of them refresh, each session once',
    async run({ world: open }) {
      const world = await open()
      const stores = await Promise.all(Array.from({ length: 5 }, () => expiring(world, -1)))
      const apis = stores.map((store) => world.anonymous({ store }))
      equal(await statuses(apis.flatMap((api) => [api('me'), api('items')])), Array(10).fill(200), 'the statuses')
      equal((await world.stats()).refreshAttempts, 5, 'the refreshes')
    },
  },
]
