// A3, C5, T2: a server that holds a session for each of its users. Measured in processes of their own.
import { describe, expect, it } from 'vitest'
import { runChild } from '../helpers/child-process.ts'
import { startRedis } from '../helpers/redis-server.ts'

const MANY_SESSIONS = new URL('../helpers/programs/many-sessions.ts', import.meta.url).href
const USERS = 10_000

describe.concurrent('10 000 sessions in one process', () => {
  it.each([
    // Bytes each beyond the tokens, what its store keeps among them. With about a seventh to spare.
    ['on one client', 'client', 1550],
    ['signed in here', 'signed-in', 2050],
  ])(
    'A3 C5 T2 %s: each takes little memory and no timer, and leaves nothing',
    async (_, kind, mostBytes) => {
      const { exitCode, stdout, stderr } = await runChild(MANY_SESSIONS, [kind, String(USERS)], 60_000)
      expect([exitCode, stderr]).toEqual([0, ''])
      const { bytes, whileLive, whileRefreshed, onceDisposed } = JSON.parse(stdout)

      expect(bytes.live).toBeLessThan(mostBytes)
      // A refresh is over once it is over.
      expect(bytes.refreshed).toBeLessThan(mostBytes + 200)
      // The table of all stores does not shrink at once.
      expect(bytes.left).toBeLessThan(150)
      const listeners = kind === 'client' ? USERS : 0
      expect([whileLive, whileRefreshed]).toEqual(Array(2).fill({ timers: 0, listeners }))
      expect(onceDisposed).toEqual({ timers: 0, listeners: 0 })
    },
    60_000,
  )

  // Fewer: each is a round trip to a real server.
  it('A3 C5 T2 in Redis: each takes little memory, and all of them as many timers as one', async () => {
    await using redis = await startRedis()
    const { exitCode, stdout, stderr } = await runChild(MANY_SESSIONS, ['redis', '4000', redis.url], 60_000)
    expect([exitCode, stderr]).toEqual([0, ''])
    const { bytes, whileLive, onceDisposed } = JSON.parse(stdout)
    expect(bytes.live).toBeLessThan(1650)
    // 40 on a machine of its own; what the client has not yet let go of shows beside other tests.
    expect(bytes.left).toBeLessThan(400)
    expect(whileLive.timers).toBeLessThanOrEqual(3)
    expect(onceDisposed.timers).toBeLessThanOrEqual(2)
  }, 60_000)
})
