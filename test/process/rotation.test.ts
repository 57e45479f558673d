// C1 with real processes: one session, and a server that revokes everything when a refresh token comes twice.
import { expect, it } from 'vitest'
import { howOften } from '../helpers/extent.ts'
import { describeProcesses } from './bench/bench.ts'

const PROCESSES = 8
const CALLS = 25
const EXPIRIES = howOften(50, 8)

describeProcesses('rotation', (bench) => {
  it(`C1 ${PROCESSES} processes × ${CALLS} requests × ${EXPIRIES} expiries: one refresh each, nobody is logged out`, async () => {
    const { server, children, forget } = await bench.lane({ children: PROCESSES })
    const rounds: unknown[] = []
    forget()
    while (rounds.length < EXPIRIES) {
      server.reset()
      server.expireAccessTokens()
      const statuses = await Promise.all(children.map((child) => child.statuses(CALLS)))
      const { refreshAttempts, refreshes, reuses } = server.stats
      rounds.push({
        refreshAttempts,
        refreshes,
        reuses,
        good: statuses.flat().filter((status) => status === 200).length,
      })
    }
    const perfect = { refreshAttempts: 1, refreshes: 1, reuses: 0, good: PROCESSES * CALLS }
    expect(rounds).toEqual(Array(EXPIRIES).fill(perfect))
    const told = children.flatMap(({ heard }) => heard.map(({ event }) => event))
    expect(told.filter((event) => event !== 'refreshed' && event !== 'adopted')).toEqual([])
    expect(told.filter((event) => event === 'refreshed')).toHaveLength(EXPIRIES)
  })
})
