// Every event: when it is told, and with what. A payload is a frozen object of ids, reasons, durations, counts and query-less URLs.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthEvents,
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  type TokenStore,
} from '../../src/index.ts'
import { accepting, forbidden, ok, unauthorized } from '../helpers/answer.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { watch } from '../helpers/watch.ts'

const id = expect.stringMatching(/^[0-9a-f]{32}$/)
const request = { method: 'GET', url: 'https://api.example/x' }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

async function client(options: AuthFetchOptions = {}, answer: Answering = accepting('fresh')) {
  const { fetch } = recorder(answer)
  const api = createAuthFetch({
    baseUrl: 'https://api.example',
    refresh: async () => ({ accessToken: 'fresh' }),
    ...options,
    fetch,
  })
  await api.signIn({ accessToken: 'old', refreshToken: 'rt' })
  return { api, ...watch(api) }
}

/** Lets retries and timeouts come. */
async function passing<T>(call: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [[outcome]] = await Promise.all([Promise.allSettled([call]), vi.advanceTimersByTimeAsync(60_000)])
  return outcome as PromiseSettledResult<T>
}

describe('refreshed', () => {
  it('E1 says why, how long and in how many attempts', async () => {
    const refresh = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 250))
      return { accessToken: 'fresh' }
    })
    const { api, of } = await client({ refresh })
    await passing(api('/x'))
    expect(of('refreshed')).toEqual([{ refreshId: id, reason: 'rejected', durationMs: 250, attempts: 1 }])
  })

  it('E1 counts the attempts that failed before', async () => {
    let attempts = 0
    const refresh = async () => {
      if (++attempts < 3) throw new TypeError('fetch failed')
      return { accessToken: 'fresh' }
    }
    const { api, of } = await client({ refresh })
    await passing(api('/x'))
    expect(of('refreshed')).toEqual([
      { refreshId: id, reason: 'rejected', durationMs: expect.any(Number), attempts: 3 },
    ])
    expect(of('refresh-failed')).toEqual([])
  })

  it('E1 knows the reasons `requested` and `expiring`', async () => {
    const { api, of } = await client({ refresh: async () => ({ access_token: 'fresh', expires_in: 100 }) })
    await api.refresh()
    await vi.advanceTimersByTimeAsync(99_000)
    await api('/x')
    expect(of('refreshed').map(({ reason }) => reason)).toEqual(['requested', 'expiring'])
  })

  it('E1 is told once, with another id each time', async () => {
    const { api, of } = await client()
    await Promise.all(Array.from({ length: 20 }, () => api('/x')))
    await api.refresh()
    const ids = of('refreshed').map(({ refreshId }) => refreshId)
    expect(ids).toHaveLength(2)
    expect(new Set(ids).size).toBe(2)
  })
})

describe('refresh-failed', () => {
  const failing: Array<[string, () => unknown, Partial<AuthEvents['refresh-failed']>]> = [
    ['a network error', () => new TypeError('fetch failed'), { verdict: 'transient', attempts: 3 }],
    [
      'invalid_grant',
      () => ({ error: 'invalid_grant' }),
      { verdict: 'over', oauthError: 'invalid_grant', attempts: 1 },
    ],
    [
      'invalid_client',
      () => ({ error: 'invalid_client' }),
      { verdict: 'misconfigured', oauthError: 'invalid_client', attempts: 1 },
    ],
    ['a 401', () => ({ status: 401 }), { verdict: 'over', attempts: 1 }],
    ['an OAuth error of nobody’s', () => ({ error: 'rt-8d1' }), { verdict: 'transient', attempts: 3 }],
    [
      'a 503 that says when',
      () => ({ status: 503, retryAfterMs: 120_000 }),
      { verdict: 'transient', retryAfterMs: 120_000, attempts: 1 },
    ],
  ]
  it.each(failing)('E1 after %s', async (_, thrown, expected) => {
    const { api, of } = await client({ refresh: () => Promise.reject(thrown()) })
    await passing(api('/x'))
    expect(of('refresh-failed')).toEqual([
      { refreshId: id, reason: 'rejected', durationMs: expect.any(Number), ...expected },
    ])
  })

  it('E1 after a null: over, and no error to name', async () => {
    const { api, of } = await client({ refresh: async () => null })
    await api('/x')
    expect(of('refresh-failed')).toEqual([
      { refreshId: id, reason: 'rejected', durationMs: 0, attempts: 1, verdict: 'over' },
    ])
  })

  it('E1 after a timeout', async () => {
    const { api, of } = await client({ refresh: () => new Promise(() => {}), refreshTimeoutMs: 5000 })
    await passing(api('/x'))
    expect(of('refresh-failed')).toEqual([
      { refreshId: id, reason: 'rejected', durationMs: 5000, attempts: 1, verdict: 'transient' },
    ])
  })
})

describe('signed-in, signed-out', () => {
  it('E1 signIn here, signOut on request, of one session', async () => {
    const { api, of } = await client()
    await api.signIn({ accessToken: 'next' })
    await api.signOut()
    const [{ sessionId } = { sessionId: '' }] = of('signed-in')
    expect(sessionId).toEqual(id)
    expect(of('signed-in')).toEqual([{ sessionId, where: 'here' }])
    expect(of('signed-out')).toEqual([{ sessionId, reason: 'requested' }])
  })

  it('E1 a session that is over', async () => {
    const { api, of } = await client({ refresh: async () => null })
    await api('/x')
    expect(of('signed-out')).toEqual([{ sessionId: id, reason: 'over' }])
  })

  it('E1 signOut of nobody is no event', async () => {
    const { api, of } = await client()
    await api.signOut()
    await api.signOut()
    expect(of('signed-out')).toHaveLength(1)
  })

  it('E1 a refresh is no sign-in', async () => {
    const { api, of } = await client()
    await api('/x')
    expect(of('signed-in')).toEqual([])
    expect(of('signed-out')).toEqual([])
  })

  it('E1 what another process does is told as done elsewhere', async () => {
    const { store, elsewhere } = sharedStore()
    const { api, of } = await client({ store })
    const mine = store.read() as { sessionId: string; version: number }
    elsewhere({ ...mine, version: mine.version + 1, tokens: { accessToken: 'newer' } })
    await vi.waitFor(() => expect(of('adopted')).toEqual([{ sessionId: mine.sessionId, version: mine.version + 1 }]))
    elsewhere({ sessionId: 'theirs', version: mine.version + 9, tokens: { accessToken: 'theirs' } })
    await vi.waitFor(() => expect(of('signed-in')).toEqual([{ sessionId: 'theirs', where: 'elsewhere' }]))
    elsewhere(null)
    await vi.waitFor(() => expect(of('signed-out')).toEqual([{ sessionId: 'theirs', reason: 'elsewhere' }]))
    expect(await api.tokens()).toBe(null)
  })
})

describe('recovered', () => {
  it('E1 says which request, its status, its sends and how long it took', async () => {
    const refresh = async () => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return { accessToken: 'fresh' }
    }
    const { api, of } = await client({ refresh })
    await passing(api('/x?secret#hash'))
    expect(of('recovered')).toEqual([{ request, status: 200, sends: 2, durationMs: 300 }])
  })

  it('E1 is told for each request, also where the answer is a 403 or a 500, and not for a 401 that stays', async () => {
    const answers: Answering = ({ url, credential }) => {
      if (credential !== 'Bearer fresh') return unauthorized()
      const status = Number(new URL(url).pathname.slice(1))
      return new Response(null, { status })
    }
    const { api, of } = await client({}, answers)
    await Promise.all([api('/204'), api('/403'), api('/500'), api('/401')])
    expect(
      of('recovered')
        .map(({ status }) => status)
        .sort(),
    ).toEqual([204, 403, 500])
  })

  it('E1 is not told where nothing had to be recovered', async () => {
    const { api, of } = await client({}, () => ok())
    await api('/x')
    expect(of('recovered')).toEqual([])
  })

  it('E1 is told after a login as well', async () => {
    const { api, of } = await client({ refresh: undefined, onLoginRequired: () => ({ accessToken: 'fresh' }) })
    await api('/x')
    expect(of('recovered')).toEqual([{ request, status: 200, sends: 2, durationMs: 0 }])
  })
})

describe('denied', () => {
  it('E1 says which request, why, and what it would have taken', async () => {
    const challenge = 'Bearer error="insufficient_scope", scope="a b"'
    const { api, of } = await client({}, () => forbidden('no', { 'www-authenticate': challenge }))
    await api('/x?secret')
    expect(of('denied')).toEqual([{ request, reason: 'insufficient-scope', requiredScopes: ['a', 'b'] }])
  })

  it('E1 is told before the callback, and even where that throws', async () => {
    const order: string[] = []
    const { fetch } = recorder(() => forbidden())
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      fetch,
      onPermissionDenied() {
        order.push('callback')
        throw new Error('no')
      },
    })
    api.on('denied', () => order.push('event'))
    await api('/x').catch(() => order.push('rejected'))
    expect(order).toEqual(['event', 'callback', 'rejected'])
  })
})

describe('login-required, step-up', () => {
  it('E1 one for everyone who waits', async () => {
    const { api, of } = await client({ refresh: async () => null, onLoginRequired: () => ({ accessToken: 'fresh' }) })
    await Promise.all(Array.from({ length: 10 }, () => api('/x?secret')))
    expect(of('login-required')).toEqual([{ request, reason: 'refresh-refused' }])
  })

  it('E1 none where nobody is asked', async () => {
    const { api, of } = await client({ refresh: async () => null })
    await api('/x')
    expect(of('login-required')).toEqual([])
  })

  it.each<[string, object]>([
    ['acr_values="mfa hwk", max_age="60"', { acrValues: ['mfa', 'hwk'], maxAgeSeconds: 60 }],
    ['scope="pay"', { acrValues: [] }],
  ])('E1 a step-up with %s', async (params, expected) => {
    const challenge = `Bearer error="insufficient_user_authentication", ${params}`
    const { api, of } = await client({ onStepUp: () => null }, () => unauthorized(challenge))
    await api('/x?secret')
    expect(of('step-up')).toEqual([{ request, ...expected }])
  })
})

describe('not-replayed', () => {
  it('E1 says which request, and the bound', async () => {
    const stream = new Blob(['x'.repeat(100)]).stream()
    const { api, of } = await client({ replayLimitBytes: 10 }, async ({ init }) => {
      await new Response(init?.body).text()
      return unauthorized()
    })
    await api('/x', { method: 'POST', body: stream, duplex: 'half' } as RequestInit)
    expect(of('not-replayed')).toEqual([{ request: { ...request, method: 'POST' }, limitBytes: 10 }])
  })
})

describe('store-failed', () => {
  const broken: Array<[string, Partial<TokenStore>, AuthEvents['store-failed']]> = [
    [
      'write throws',
      {
        write: () => {
          throw new Error('full')
        },
      },
      { operation: 'write', reason: 'threw' },
    ],
    ['write rejects', { write: () => Promise.reject(new Error('full')) }, { operation: 'write', reason: 'threw' }],
    ['write never settles', { write: () => new Promise(() => {}) }, { operation: 'write', reason: 'timed-out' }],
    [
      'lock throws',
      {
        lock: () => {
          throw new Error('no')
        },
      },
      { operation: 'lock', reason: 'threw' },
    ],
  ]
  it.each(broken)('E1 once, when %s', async (_, members, expected) => {
    const { fetch } = recorder(accepting('fresh'))
    const store = { ...memoryStore({ accessToken: 'old' }), ...members }
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      fetch,
      store,
      refresh: async () => ({ accessToken: 'fresh' }),
    })
    const { of } = watch(api)
    await passing(api('/x'))
    await passing(api('/x'))
    api.dispose()
    expect(of('store-failed')).toEqual([expected])
  })
})

describe('payloads', () => {
  it('E1 are frozen: no listener can change what the next one hears, or what a callback gets', async () => {
    const requests: unknown[] = []
    const { api, events } = await client(
      { onPermissionDenied: (denial) => requests.push(denial.request, denial.requiredScopes) },
      () => forbidden('no', { 'www-authenticate': 'Bearer error="insufficient_scope", scope="a"' }),
    )
    api.on('denied', ({ request, requiredScopes }) => {
      Object.assign(request, { url: 'elsewhere' })
      Object.assign(requiredScopes, ['z'])
    })
    await api('/x')
    await api.refresh()
    await api.signOut()
    expect(events.map(([event]) => event)).toEqual(['denied', 'refreshed', 'signed-out'])
    for (const [, payload] of events) expect(Object.isFrozen(payload)).toBe(true)
    expect(requests).toEqual([request, ['a']])
  })

  it('E1 hold nothing but plain data: they survive JSON', async () => {
    const { api, events } = await client()
    await api('/x')
    expect(events.length).toBeGreaterThan(1)
    expect(JSON.parse(JSON.stringify(events))).toEqual(events)
  })
})

describe('on()', () => {
  it('E3 returns what ends it, and that may be called twice', async () => {
    const { api } = await client()
    const heard = vi.fn()
    const end = api.on('refreshed', heard)
    await api.refresh()
    end()
    end()
    await api.refresh()
    expect(heard).toHaveBeenCalledTimes(1)
  })

  it('E3 hears the same function once for each time it was given', async () => {
    const { api } = await client()
    const heard = vi.fn()
    const end = api.on('refreshed', heard)
    api.on('refreshed', heard)
    await api.refresh()
    end()
    await api.refresh()
    expect(heard).toHaveBeenCalledTimes(3)
  })

  it('E3 a listener may add and end listeners', async () => {
    const { api } = await client()
    const late = vi.fn()
    const end = api.on('refreshed', () => {
      end()
      api.on('refreshed', late)
    })
    await api.refresh()
    expect(late).not.toHaveBeenCalled()
    await api.refresh()
    expect(late).toHaveBeenCalledTimes(1)
  })

  it('E3 a listener may call the client: what it asks for is not what it is told of', async () => {
    const { api } = await client({}, (sent) => (sent.url.endsWith('/log') ? ok() : accepting('fresh')(sent, 0)))
    const logged: number[] = []
    api.on('refreshed', async () => logged.push((await api('/log')).status))
    expect((await api('/x')).status).toBe(200)
    await vi.waitFor(() => expect(logged).toEqual([200]))
  })

  it('E3 nothing is heard after dispose()', async () => {
    const { api, events, snapshots } = await client()
    const before = snapshots.length
    api.dispose()
    await api('/x')
    await api.signOut()
    expect(events).toEqual([])
    expect(snapshots).toHaveLength(before)
  })

  it('E3 instances on one store hear of the session, and each of its own requests', async () => {
    const store = memoryStore({ accessToken: 'old' })
    const { fetch } = recorder(accepting('fresh'))
    const options = { baseUrl: 'https://api.example', fetch, store, refresh: async () => ({ accessToken: 'fresh' }) }
    const [one, two] = [createAuthFetch(options), createAuthFetch(options)]
    const [first, second] = [watch(one), watch(two)]
    await one('/x')
    expect(first.events.map(([event]) => event)).toEqual(['refreshed', 'recovered'])
    expect(second.events.map(([event]) => event)).toEqual(['refreshed'])
  })
})

/** A store that another process writes to as well. */
function sharedStore() {
  let stored: unknown = null
  const listeners = new Set<() => void>()
  const store: TokenStore = {
    read: () => structuredClone(stored) as never,
    write(next, expectedVersion) {
      if (((stored as { version: number } | null)?.version ?? null) !== expectedVersion) return false
      stored = next
      return true
    },
    watch(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
  const elsewhere = (next: unknown): void => {
    stored = next
    for (const listener of listeners) listener()
  }
  return { store, elsewhere }
}
