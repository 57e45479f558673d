// C1 where it hurts: real tabs, one session, and a server that revokes everything when a refresh token comes twice.
import { beforeAll, expect, it } from 'vitest'
import type { AuthServer } from '../../src/testing/index.ts'
import { howOften } from '../helpers/extent.ts'
import { describeEveryBrowser, type Tab } from './bench/browsers.ts'
import { openSessions, signIn, together } from './bench/sessions.ts'
import { STORES } from './bench/stores.ts'

const TABS = 8
const CALLS = 20

describeEveryBrowser('rotation', (bench) => {
  let server: AuthServer
  let tabs: [Tab, ...Tab[]]
  beforeAll(async () => {
    const world = await bench.world()
    server = world.server
    tabs = await bench.tabs(TABS, world)
  })

  /** All tabs call at once; what came of it, and what the server says about it. */
  const round = async (): Promise<unknown> => {
    server.reset()
    const statuses = await together(tabs, () => statusesOf(20))
    const { refreshes, reuses } = server.stats
    return { refreshes, reuses, answers: statuses.flat().filter((status) => status === 200).length }
  }
  const perfect = { refreshes: 1, reuses: 0, answers: TABS * CALLS }

  // The third engine is asked for fewer: its driver takes the time of both others together.
  const count = bench.name === 'webkit' ? 2 : howOften(20, 5)
  // A round that failed is a session that was lost: no second try, but where the driver may hang.
  const retry = bench.name === 'webkit' ? 1 : 0
  it.each(STORES)(
    `C1 %s: 8 tabs × 20 requests with a token that the server has expired, ${count} rounds`,
    { retry },
    async (store) => {
      await signIn(tabs, store, server)
      const rounds: unknown[] = []
      while (rounds.length < count) {
        server.expireAccessTokens()
        rounds.push(await round())
      }
      expect(rounds).toEqual(Array(count).fill(perfect))
    },
  )

  it.each(STORES)(
    'C1 %s: 8 tabs × 20 requests, 7 tabs opened when the token had expired, 3 rounds',
    { retry },
    async (store) => {
      const [first, ...others] = tabs
      await openSessions([first], store)
      const rounds: unknown[] = []
      while (rounds.length < 3) {
        await first.evaluate((tokens) => api.signIn(tokens), server.signIn('viewer', { ttlMs: 100 }))
        await first.evaluate(() => expiry())
        await openSessions(others, store)
        rounds.push(await round())
        expect(server.stats.rejected).toBe(0)
      }
      expect(rounds).toEqual(Array(3).fill(perfect))
    },
  )
})
