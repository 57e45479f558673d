// C2: a lock that is lost, late or not needed any more costs time at most. Two processes: two stores on one medium.
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type AuthFetch, refreshEndpoint, type TokenStore } from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { createMedium, type Fault } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { clientOf, statusesOf } from '../helpers/server-client.ts'

fakeTime()

/** A lock that somebody else holds for good: who waits for it can only leave. */
const neverGranted: NonNullable<TokenStore['lock']> = (_task, { signal }) =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))

describe('who stands in line for the lock', () => {
  it('C2 leaves it when it hears of the tokens that the holder has got, and no store has failed', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const other = clientOf(server, { store: medium.store({ hasWatch: true }) })
    await other.signIn(server.signIn('viewer'))
    const api = clientOf(server, { store: { ...medium.store({ hasWatch: true }), lock: neverGranted } })
    const [failures, adopted] = [eventsOf(api, 'store-failed'), eventsOf(api, 'adopted')]
    await api.tokens()

    server.expireAccessTokens()
    const startedAt = performance.now()
    const waiting = statusesOf(5, () => api('/me'))
    await flush()
    expect(server.stats.refreshAttempts).toBe(0)
    await other.refresh()

    expect(await settled(waiting)).toEqual([200, 200, 200, 200, 200])
    expect(performance.now() - startedAt).toBeLessThan(100)
    expect(server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
    expect(adopted).toHaveLength(1)
    expect(failures).toEqual([])
  })

  it('C3 leaves it when somebody else signs out', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const other = clientOf(server, { store: medium.store({ hasWatch: true }) })
    await other.signIn(server.signIn('viewer'))
    const api = clientOf(server, { store: { ...medium.store({ hasWatch: true }), lock: neverGranted } })
    await api.tokens()

    server.expireAccessTokens()
    const waiting = statusesOf(3, () => api('/me'))
    await flush()
    await other.signOut()

    expect(await settled(waiting)).toEqual([401, 401, 401])
    expect(server.stats.refreshAttempts).toBe(0)
  })

  it('C2 is not sent away by a hint that brings nothing', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const turn = deferred<void>()
    const store: TokenStore = {
      ...medium.store({ hasWatch: true }),
      lock: async (task, { signal }) => {
        await Promise.race([turn.promise, new Promise((_, reject) => signal?.addEventListener('abort', reject))])
        return task()
      },
    }
    const api = clientOf(server, { store })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    const waiting = statusesOf(2, () => api('/me'))
    await flush()
    for (let hint = 0; hint < 3; hint++) {
      medium.tell()
      await pass(1500)
    }
    expect(server.stats.refreshAttempts).toBe(0)
    turn.resolve()
    expect(await settled(waiting)).toEqual([200, 200])
  })
})

describe('a lock of a store that does not answer', () => {
  const hanging = (): Promise<never> => new Promise(() => {})

  it('S2 is waited for no longer than the store: the request goes on within a second', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const api = clientOf(server, { store: { ...medium.store(), lock: hanging } })
    const failures = eventsOf(api, 'store-failed')
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    medium.faults = { read: hanging, write: hanging }
    const startedAt = performance.now()
    expect(await settled(statusesOf(5, () => api('/me')))).toEqual([200, 200, 200, 200, 200])
    expect(performance.now() - startedAt).toBeLessThanOrEqual(1000)
    expect(server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
    expect(failures).toHaveLength(1)
  })

  it('C2 is stood in line for where the store can be read, whatever it failed at before', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const api = clientOf(server, { store: { ...medium.store(), lock: hanging } })
    await api.signIn(server.signIn('viewer'))
    medium.faults = { write: hanging }
    await settled(api.signIn(server.signIn('viewer')))
    server.expireAccessTokens()
    const waiting = statusesOf(1, () => api('/me'))
    await pass(20_000)
    expect(server.stats.refreshAttempts).toBe(0)
    expect(await settled(waiting)).toEqual([200])
  })

  it('C2 is not waited for where others are done and their hint was lost', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const other = clientOf(server, { store: medium.store() })
    await other.signIn(server.signIn('viewer'))
    // No watch: nobody tells it anything.
    const api = clientOf(server, { store: { ...medium.store(), lock: hanging } })
    await api.tokens()
    server.expireAccessTokens()
    const waiting = statusesOf(1, () => api('/me'))
    await flush()
    await other.refresh()
    const startedAt = performance.now()
    expect(await settled(waiting)).toEqual([200])
    expect(performance.now() - startedAt).toBeLessThan(1000)
    expect(server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
  })
})

describe('a lock that is granted to somebody who was blind', () => {
  it('C1 the store is asked again, whatever it failed at while they stood in line', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const other = clientOf(server, { store: medium.store() })
    await other.signIn(server.signIn('viewer'))
    const turn = deferred<void>()
    const lock: TokenStore['lock'] = async (task) => {
      await turn.promise
      return task()
    }
    const api = clientOf(server, { store: { ...medium.store({ hasWatch: true }), lock } })
    await api.tokens()
    server.expireAccessTokens()
    const waiting = statusesOf(2, () => api('/me'))
    await flush()
    medium.faults.read = () => Promise.reject(new Error('Broken for a moment'))
    medium.tell()
    await flush()
    medium.faults = {}
    await other.refresh()
    turn.resolve()
    expect(await settled(waiting)).toEqual([200, 200])
    expect(server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
  })

  it('C2 a process that was stopped in the middle of a look does not take the store for broken', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const other = clientOf(server, { store: medium.store() })
    await other.signIn(server.signIn('viewer'))
    let isStopped = false
    const store = medium.store({ hasLock: true, latencyMs: () => (isStopped ? 1000 : 0) })
    const api = clientOf(server, { store })
    const failures = eventsOf(api, 'store-failed')
    await settled(api.tokens())
    server.expireAccessTokens()
    isStopped = true
    const waiting = statusesOf(2, () => api('/me'))
    await flush()
    const now = performance.now.bind(performance)
    // It wakes: the answer is there, and so is the timer that was set for it.
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 60_000)
    onTestFinished(() => void vi.restoreAllMocks())
    await other.refresh()
    isStopped = false
    expect(await settled(waiting)).toEqual([200, 200])
    expect(server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
    expect(failures).toEqual([])
  })
})

describe('a lock whose holder could not store what it got', () => {
  /** Two processes, of which the first has got new tokens that are not in the store yet. */
  async function refreshed(fault: Fault) {
    const server = createAuthServer()
    const medium = createMedium()
    const [first, second] = [0, 1].map(() => {
      return clientOf(server, { store: medium.store({ hasLock: true, hasWatch: true }) })
    }) as [AuthFetch, AuthFetch]
    await first.signIn(server.signIn('viewer'))
    await second.tokens()
    server.expireAccessTokens()
    medium.faults.write = fault
    const startedAt = performance.now()
    const refreshing = statusesOf(2, () => first('/me'))
    await flush()
    const waiting = statusesOf(2, () => second('/me'))
    expect(await settled(refreshing)).toEqual([200, 200])
    expect(performance.now() - startedAt).toBeLessThanOrEqual(1000)
    return { server, medium, first, waiting }
  }
  const late: Fault = (write) => new Promise((answer) => setTimeout(() => answer(write()), 3000))
  const never: Fault = () => new Promise(() => {})

  it('C1 is kept until a late write is through: nobody sends the spent refresh token', async () => {
    const { server, waiting } = await refreshed(late)
    expect(await settled(waiting)).toEqual([200, 200])
    expect(server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
  })

  it('C1 R11 is kept until a write that failed has been made good', async () => {
    const { server, medium, waiting } = await refreshed(() => {
      throw new Error('The connection was lost')
    })
    medium.faults = {}
    expect(await settled(waiting)).toEqual([200, 200])
    expect(server.stats).toMatchObject({ refreshAttempts: 1, reuses: 0 })
  })

  it('C1 is still its own: it refreshes again without standing in line', async () => {
    const { server, medium, first } = await refreshed(never)
    server.expireAccessTokens()
    const startedAt = performance.now()
    expect(await settled(statusesOf(2, () => first('/me')))).toEqual([200, 200])
    expect(performance.now() - startedAt).toBeLessThanOrEqual(1000)
    expect(server.stats).toMatchObject({ refreshAttempts: 2, reuses: 0 })
    expect(medium.calls.lock).toBe(2)
  })

  it('C2 is kept no longer than its hold', async () => {
    const startedAt = performance.now()
    const { waiting } = await refreshed(never)
    await settled(waiting)
    expect(performance.now() - startedAt).toBeGreaterThan(11_000)
    expect(performance.now() - startedAt).toBeLessThan(13_500)
  })
})

describe('a lock that is lost', () => {
  /** A lock that says what `isHeld` says. */
  const leased =
    (isHeld: () => boolean): NonNullable<TokenStore['lock']> =>
    (task) =>
      task(isHeld)

  it('C2 while the store was read again: the lock is asked for anew before anything is sent', async () => {
    const server = createAuthServer()
    const answers = [false, true]
    let locks = 0
    const lock: TokenStore['lock'] = (task, options) => {
      locks++
      return leased(() => answers.shift() ?? true)(task, options)
    }
    const api = clientOf(server, { store: { ...createMedium().store(), lock } })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    expect(await settled(statusesOf(2, () => api('/me')))).toEqual([200, 200])
    expect(locks).toBe(2)
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it('C2 between two attempts: the refresh token is not sent again', async () => {
    const server = createAuthServer()
    let isHeld = true
    const api = clientOf(server, { store: { ...createMedium().store(), lock: leased(() => isHeld) } })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    server.failRefresh(503)
    server.onRequest(({ path }) => {
      if (path === '/token') isHeld = false
    })
    const [error] = await settled(statusesOf(1, () => api('/me')))
    expect(error).toMatchObject({ code: 'refresh-timeout', retryable: true })
    expect(server.stats.refreshAttempts).toBe(1)
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('C2 between two attempts: the tokens that the next holder got are taken over', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const other = clientOf(server, { store: medium.store() })
    await other.signIn(server.signIn('viewer'))
    let isHeld = true
    const api = clientOf(server, { store: { ...medium.store(), lock: leased(() => isHeld) } })
    await api.tokens()
    server.expireAccessTokens()
    server.failRefresh(503)
    const refused = new Promise<void>((resolve) => {
      const end = server.onRequest(({ path }) => {
        if (path !== '/token') return
        end()
        resolve()
      })
    })
    const waiting = statusesOf(1, () => api('/me'))
    await refused
    isHeld = false
    await settled(other.refresh())
    expect(await settled(waiting)).toEqual([200])
    expect(server.stats).toMatchObject({ refreshAttempts: 2, refreshes: 1, reuses: 0 })
  })

  it('C2 while a refresher does something else first: nothing is sent, and what the next holder got is taken over', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    const other = clientOf(server, { store: medium.store() })
    await other.signIn(server.signIn('viewer'))
    const endpoint = refreshEndpoint({ url: '/token', clientId: 'web' })
    let isHeld = true
    const api = clientOf(server, {
      store: { ...medium.store(), lock: leased(() => isHeld) },
      async refresh(context) {
        isHeld = false
        await other.refresh()
        return endpoint(context)
      },
    })
    await api.tokens()
    server.expireAccessTokens()
    expect(await settled(statusesOf(1, () => api('/me')))).toEqual([200])
    expect(server.stats).toMatchObject({ refreshAttempts: 1, refreshes: 1, reuses: 0 })
    expect(await api.tokens()).toEqual(await other.tokens())
  })

  it('C2 what a lock hands to its task is believed only where it is a function', async () => {
    const server = createAuthServer()
    // As with navigator.locks.request(name, task), which hands over the Web Lock.
    const lock: TokenStore['lock'] = (task) => task({ name: 'a lock', mode: 'exclusive' } as never)
    const api = clientOf(server, { store: { ...createMedium().store(), lock } })
    const failures = eventsOf(api, 'store-failed')
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    expect(await settled(statusesOf(1, () => api('/me')))).toEqual([200])
    expect(failures).toEqual([])
  })
})
