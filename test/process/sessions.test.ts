// C3, L2, R8, R12: what one process does to the session that it shares is done for all of them.
import { expect, it } from 'vitest'
import { describeProcesses } from './bench/bench.ts'
import type { Child } from './bench/children.ts'

/** Seen: 10 to 30 ms, on a machine that does nothing else. */
const SOON_MS = 2000

type Three = [Child, Child, Child]

describeProcesses('sessions', (bench) => {
  it('C3 a sign-out in one process signs out all of them, soon', async () => {
    const lane = await bench.lane({ children: 3 })
    const [first, ...others] = lane.children as Three
    const at = Date.now()
    await first.ask('signOut')
    for (const child of others) {
      const { at: heardAt, reason } = await child.hears('signed-out')
      expect(reason).toBe('elsewhere')
      expect(heardAt - at).toBeLessThan(SOON_MS)
      expect(await child.statuses(1)).toEqual([401])
    }
    expect(await lane.store.read()).toBeNull()
    expect(lane.server.stats.refreshAttempts).toBe(0)
  })

  it('C3 L2 calls that wait for a login in two processes resume when somebody signs in in a third', async () => {
    const lane = await bench.lane({ children: 3, hasDialog: true })
    const [one, two, three] = lane.children as Three
    lane.forget()
    lane.server.revokeSession('viewer')
    const parked = [one.statuses(2)]
    await one.hears('login-required')
    // A call that it sends before it has heard of the end is answered with its 401.
    await two.hears('signed-out')
    parked.push(two.statuses(2))
    await two.hears('login-required')
    const at = Date.now()
    await three.ask('signIn', lane.server.signIn('viewer'))
    expect(await Promise.all(parked)).toEqual([
      [200, 200],
      [200, 200],
    ])
    for (const child of [one, two]) expect((await child.hears('signed-in')).at - at).toBeLessThan(SOON_MS)
  })

  it.each([
    ['and it finds out when it writes', true],
    ['and it has heard of it', false],
  ])('R12 a sign-out wins over the refresh of another process, %s', async (_title, isDeaf) => {
    const lane = await bench.lane({ children: 1 })
    const [other] = lane.children as Three
    const child = await lane.start({ isDeaf })
    lane.server.failRefresh('hang')
    lane.server.expireAccessTokens()
    const calls = child.statuses(2)
    await lane.server.seen(1, { kind: 'refresh' })
    await other.ask('signOut')
    if (!isDeaf) await expect.poll(() => child.ask('accessToken')).toBeNull()
    lane.server.release()
    expect(await calls).toEqual([401, 401])
    expect(await lane.store.read()).toBeNull()
    expect(await child.ask('accessToken')).toBeNull()
    expect((await child.hears('signed-out')).reason).toBe('elsewhere')
    expect(lane.server.stats).toMatchObject({ refreshes: 1, reuses: 0 })
  })

  it('R8 a refusal ends nothing where the store meanwhile holds newer tokens: they are taken over', async () => {
    const lane = await bench.lane({ children: 1 })
    const { server, store } = lane
    const child = await lane.start({ isDeaf: true })
    lane.forget()
    await lane.pauseAt('asking')
    server.expireAccessTokens()
    const calls = child.statuses(3)
    await child.reaches('asking')
    // Somebody who knows nothing of the lock has refreshed.
    const stored = await store.read()
    const newer = server.signIn('viewer')
    const tokens = { accessToken: newer.access_token, refreshToken: newer.refresh_token ?? '' }
    expect(stored && (await store.write({ ...stored, version: stored.version + 1, tokens }, stored.version))).toBe(true)
    server.failRefresh({ error: 'invalid_grant' })
    child.goOn()
    expect(await calls).toEqual([200, 200, 200])
    expect(await child.ask('accessToken')).toBe(newer.access_token)
    expect((await store.read())?.tokens).toEqual(tokens)
    expect(child.heard.map(({ event }) => event)).toEqual(['refresh-failed', 'adopted'])
    expect(server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 0, reuses: 0 })
  })
})
