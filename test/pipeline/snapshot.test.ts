// snapshot() and subscribe(): what a view shows. Frozen, the same object until something changes, and never a secret (E1).
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  type SessionSnapshot,
  type StoredSession,
  type TokenSet,
  type TokenStore,
} from '../../src/index.ts'
import { accepting, ok, unauthorized } from '../helpers/answer.ts'
import { type Deferred, deferred } from '../helpers/deferred.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'

afterEach(() => {
  vi.useRealTimers()
})

function client(options: AuthFetchOptions = {}, answer: Answering = accepting('fresh')) {
  const { fetch } = recorder(answer)
  return createAuthFetch({ baseUrl: 'https://api.example', ...options, fetch })
}

/** A refresher that waits to be told. */
function heldRefresh() {
  const started = deferred<void>()
  const answer: Deferred<TokenSet | null> = deferred()
  const refresh = (): Promise<TokenSet | null> => {
    started.resolve()
    return answer.promise
  }
  return { refresh, started: started.promise, answer: answer.resolve, fail: answer.reject }
}

/** The statuses that a view would have shown, repeats left out. */
function shown(api: ReturnType<typeof client>): string[] {
  const statuses: string[] = [api.snapshot().status]
  api.subscribe(() => {
    const { status } = api.snapshot()
    if (statuses.at(-1) !== status) statuses.push(status)
  })
  return statuses
}

describe('snapshot()', () => {
  it('E1 of nobody', () => {
    expect(client().snapshot()).toEqual({ status: 'signed-out' })
  })

  it('E1 holds status, expiry, scope and subject, and no token', async () => {
    const api = client()
    await api.signIn({
      accessToken: 'at',
      refreshToken: 'rt',
      idToken: 'it',
      tokenType: 'Bearer',
      expiresAt: 1_900_000_000_000,
      scope: 'a b',
      subject: 'ann',
    })
    expect(api.snapshot()).toEqual({ status: 'signed-in', expiresAt: 1_900_000_000_000, scope: 'a b', subject: 'ann' })
  })

  it('E1 leaves out what is unknown, rather than holding undefined', async () => {
    const api = client()
    await api.signIn({ accessToken: 'at' })
    expect(Object.keys(api.snapshot())).toEqual(['status'])
  })

  it('E1 of a cookie session: signed in, and nothing else is known', async () => {
    const api = client()
    await api.signIn(true)
    expect(api.snapshot()).toEqual({ status: 'signed-in' })
    expect(await api.tokens()).toBe(null)
  })

  it('E1 knows a session of the store from the start where that is synchronous', () => {
    expect(client({ store: memoryStore({ accessToken: 'a', scope: 's' }) }).snapshot()).toEqual({
      status: 'signed-in',
      scope: 's',
    })
  })

  it('E1 learns of one as soon as a slow store has answered, and tells', async () => {
    const stored = deferred<StoredSession | null>()
    const store: TokenStore = { read: () => stored.promise, write: () => true }
    const api = client({ store })
    const statuses = shown(api)
    expect(api.snapshot().status).toBe('signed-out')
    stored.resolve({ sessionId: 's', version: 1, tokens: { accessToken: 'a' } })
    await vi.waitFor(() => expect(statuses).toEqual(['signed-out', 'signed-in']))
  })

  it('E1 is frozen', async () => {
    const api = client()
    expect(Object.isFrozen(api.snapshot())).toBe(true)
    await api.signIn({ accessToken: 'a' })
    expect(Object.isFrozen(api.snapshot())).toBe(true)
  })

  it('E1 is the same object until something changes, whatever is asked and sent in between', async () => {
    const api = client({}, () => ok())
    expect(api.snapshot()).toBe(api.snapshot())
    await api.signIn({ accessToken: 'a', scope: 's' })
    const before = api.snapshot()
    await api('/x')
    await api.tokens()
    await api('https://stranger.example/')
    expect(api.snapshot()).toBe(before)
  })

  it('E1 is another object once something has changed', async () => {
    const api = client()
    const seen = new Set<SessionSnapshot>()
    seen.add(api.snapshot())
    await api.signIn({ accessToken: 'a' })
    seen.add(api.snapshot())
    await api.signIn({ accessToken: 'a', scope: 's' })
    seen.add(api.snapshot())
    await api.signOut()
    seen.add(api.snapshot())
    expect([...seen].map(({ status, scope }) => [status, scope])).toEqual([
      ['signed-out', undefined],
      ['signed-in', undefined],
      ['signed-in', 's'],
      ['signed-out', undefined],
    ])
  })

  it('E1 is shared by the instances on one store', async () => {
    const store = memoryStore()
    const [one, two] = [client({ store }), client({ store })]
    await one.signIn({ accessToken: 'a' })
    expect(two.snapshot()).toBe(one.snapshot())
  })

  it('E1 follows a refresh: expiry and scope of the new tokens', async () => {
    const api = client({ refresh: async () => ({ accessToken: 'fresh', expiresAt: 2_000_000_000_000, scope: 'less' }) })
    await api.signIn({ accessToken: 'old', expiresAt: 1_900_000_000_000, scope: 'a b', subject: 'ann' })
    await api.refresh()
    expect(api.snapshot()).toEqual({ status: 'signed-in', expiresAt: 2_000_000_000_000, scope: 'less', subject: 'ann' })
  })

  it('E1 forgets the expiry where the new tokens have none', async () => {
    const api = client({ refresh: async () => ({ accessToken: 'fresh' }) })
    await api.signIn({ accessToken: 'old', expiresAt: 1_900_000_000_000 })
    await api.refresh()
    expect(api.snapshot()).toEqual({ status: 'signed-in' })
  })
})

describe('statuses', () => {
  it('E1 of a refresh that works', async () => {
    const { refresh, started, answer } = heldRefresh()
    const api = client({ refresh })
    await api.signIn({ accessToken: 'old', subject: 'ann' })
    const statuses = shown(api)
    const call = api('/x')
    await started
    expect(api.snapshot()).toEqual({ status: 'refreshing', subject: 'ann' })
    answer({ accessToken: 'fresh' })
    expect((await call).status).toBe(200)
    expect(statuses).toEqual(['signed-in', 'refreshing', 'signed-in'])
  })

  it('E1 of a refresh that fails for now: still signed in', async () => {
    const api = client({ refresh: () => Promise.reject(new Error('down')), refreshRetries: 0 })
    await api.signIn({ accessToken: 'old' })
    const statuses = shown(api)
    await rejectionOf(api('/x'))
    expect(statuses).toEqual(['signed-in', 'refreshing', 'signed-in'])
  })

  it('E1 of a refresh that is refused', async () => {
    const api = client({ refresh: async () => null })
    await api.signIn({ accessToken: 'old' })
    const statuses = shown(api)
    await api('/x')
    expect(statuses).toEqual(['signed-in', 'refreshing', 'signed-out'])
  })

  it('E1 of a login', async () => {
    const login = deferred<TokenSet | null>()
    const api = client({ onLoginRequired: () => login.promise })
    const statuses = shown(api)
    const call = api('/x')
    await vi.waitFor(() => expect(api.snapshot()).toEqual({ status: 'login-required' }))
    login.resolve({ accessToken: 'fresh' })
    expect((await call).status).toBe(200)
    expect(statuses).toEqual(['signed-out', 'login-required', 'signed-in'])
  })

  it('E1 of a login that is declined, and of one that throws', async () => {
    for (const login of [() => null, () => Promise.reject(new Error('closed'))]) {
      const api = client({ refresh: async () => null, onLoginRequired: login })
      await api.signIn({ accessToken: 'old' })
      const statuses = shown(api)
      await api('/x').catch(() => {})
      expect(statuses).toEqual(['signed-in', 'refreshing', 'signed-out', 'login-required', 'signed-out'])
    }
  })

  it('E1 of a sign-out while a refresh is under way: signed out at once, whatever comes of it', async () => {
    const { refresh, started, answer } = heldRefresh()
    const api = client({ refresh })
    await api.signIn({ accessToken: 'old' })
    const call = api('/x')
    await started
    await api.signOut()
    expect(api.snapshot().status).toBe('signed-out')
    answer({ accessToken: 'fresh' })
    await call
    expect(api.snapshot()).toEqual({ status: 'signed-out' })
  })

  it('E1 of a sign-in while a refresh of the session before is under way: signed in', async () => {
    const { refresh, started, answer } = heldRefresh()
    const api = client({ refresh })
    await api.signIn({ accessToken: 'old' })
    const call = api('/x')
    await started
    await api.signIn({ accessToken: 'fresh', subject: 'bob' })
    expect(api.snapshot()).toEqual({ status: 'signed-in', subject: 'bob' })
    answer({ accessToken: 'late' })
    await call
    expect(api.snapshot()).toEqual({ status: 'signed-in', subject: 'bob' })
  })

  it('E1 of a machine that signs itself in', async () => {
    const api = client({ refresh: async () => ({ accessToken: 'fresh' }) })
    const statuses = shown(api)
    await api('/x')
    expect(statuses).toEqual(['signed-out', 'refreshing', 'signed-in'])
  })
})

describe('subscribe()', () => {
  it('E3 tells once for each change, and not for what changes nothing', async () => {
    const api = client({}, () => ok())
    const heard = vi.fn()
    api.subscribe(heard)
    await api('/x')
    expect(heard).not.toHaveBeenCalled()
    await api.signIn({ accessToken: 'a' })
    expect(heard).toHaveBeenCalledTimes(1)
    await api('/x')
    await api.signIn({ accessToken: 'b' })
    await api.tokens()
    expect(heard).toHaveBeenCalledTimes(1)
    await api.signOut()
    expect(heard).toHaveBeenCalledTimes(2)
  })

  it('E3 a listener always finds another snapshot than before', async () => {
    const api = client({ refresh: async () => ({ accessToken: 'fresh', scope: 's' }), onLoginRequired: () => null })
    const seen = [api.snapshot()]
    api.subscribe(() => seen.push(api.snapshot()))
    await api.signIn({ accessToken: 'old' })
    await api('/x')
    await api.refresh()
    await api.signOut()
    await api('/x')
    expect(seen.length).toBeGreaterThan(5)
    for (const [index, snapshot] of seen.entries()) expect(snapshot).not.toBe(seen[index - 1])
  })

  it('E3 ends when its end is called, once for each registration', async () => {
    const api = client()
    const heard = vi.fn()
    const end = api.subscribe(heard)
    api.subscribe(heard)
    end()
    end()
    await api.signIn({ accessToken: 'a' })
    expect(heard).toHaveBeenCalledTimes(1)
  })

  it('E3 may be ended from within', async () => {
    const api = client()
    const heard = vi.fn(() => end())
    const end = api.subscribe(heard)
    const other = vi.fn()
    api.subscribe(other)
    await api.signIn({ accessToken: 'a' })
    await api.signOut()
    expect(heard).toHaveBeenCalledTimes(1)
    expect(other).toHaveBeenCalledTimes(2)
  })

  it('E3 StrictMode: mounted, unmounted, mounted again', async () => {
    const api = client()
    const { subscribe, snapshot } = api
    const rendered: string[] = []
    const mount = (): (() => void) => subscribe(() => rendered.push(snapshot().status))
    mount()()
    const unmount = mount()
    await api.signIn({ accessToken: 'a' })
    unmount()
    await api.signOut()
    expect(rendered).toEqual(['signed-in'])
  })

  it('E3 thousands of views leave nothing behind', async () => {
    const api = client()
    const heard = vi.fn()
    for (let count = 0; count < 5000; count++) api.subscribe(heard)()
    await api.signIn({ accessToken: 'a' })
    expect(heard).not.toHaveBeenCalled()
  })

  it('E3 hears of what another instance on the same store does, and not of dispose()', async () => {
    const store = memoryStore()
    const [one, two] = [client({ store }), client({ store })]
    const heard = vi.fn()
    two.subscribe(heard)
    await one.signIn({ accessToken: 'a' })
    expect(heard).toHaveBeenCalledTimes(1)
    one.dispose()
    expect(heard).toHaveBeenCalledTimes(1)
    await two.signOut()
    expect(heard).toHaveBeenCalledTimes(2)
  })

  it('E3 has nothing to tell after dispose(); snapshot() stays true, requests go on', async () => {
    const api = client({}, ({ credential }) => (credential === 'Bearer a' ? ok() : unauthorized()))
    const heard = vi.fn()
    api.subscribe(heard)
    api.dispose()
    api.dispose()
    await api.signIn({ accessToken: 'a' })
    expect(heard).not.toHaveBeenCalled()
    expect(api.snapshot().status).toBe('signed-in')
    expect((await api('/x')).status).toBe(200)
  })

  it('E3 `using` disposes', async () => {
    const heard = vi.fn()
    let kept: ReturnType<typeof client>
    {
      using api = client()
      api.subscribe(heard)
      kept = api
    }
    await kept.signIn({ accessToken: 'a' })
    expect(heard).not.toHaveBeenCalled()
  })
})

describe('tokens()', () => {
  it('E1 hands out a copy: what a caller does to it is its own', async () => {
    const api = client()
    await api.signIn({ accessToken: 'a', refreshToken: 'r' })
    const mine = (await api.tokens()) as TokenSet
    mine.accessToken = 'changed'
    expect(await api.tokens()).toEqual({ accessToken: 'a', refreshToken: 'r' })
  })

  it('E1 signIn takes a copy as well', async () => {
    const api = client()
    const mine = { accessToken: 'a' }
    await api.signIn(mine)
    mine.accessToken = 'changed'
    expect(await api.tokens()).toEqual({ accessToken: 'a' })
  })
})
