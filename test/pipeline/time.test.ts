// T: lifetimes are measured from receipt on a clock that nobody can set; nonsense loops nowhere; what slept comes back by itself.
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  refreshEndpoint,
  type TokenResponse,
  type TokenSet,
} from '../../src/index.ts'
import { accepting, ok, unauthorized } from '../helpers/answer.ts'
import { fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'

const OK = ok()
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

fakeTime()
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

/** The wall clock jumps; the monotonic one knows nothing of it. */
const setWallClock = (byMs: number): void => void vi.setSystemTime(Date.now() + byMs)

/**
 * A client and a server that does not share its wall clock: tokens live an hour by the server's clock, which is the true one.
 *
 * @param form how tokens are handed over: with a lifetime, or with an instant of the server's clock
 */
function world(form: 'lifetime' | 'instant', skewMs = 0) {
  // The middle of the jitter, every time: what differs between two runs is the clock alone.
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  const trueStart = Date.now() - performance.now()
  const trueNow = (): number => trueStart + performance.now()
  if (skewMs !== 0) setWallClock(skewMs)
  const expiries = new Map<string, number>()
  const issue = (): TokenSet | TokenResponse => {
    const accessToken = `at-${expiries.size}`
    expiries.set(`Bearer ${accessToken}`, trueNow() + HOUR)
    return form === 'instant'
      ? { accessToken, expiresAt: trueNow() + HOUR }
      : { access_token: accessToken, expires_in: 3600 }
  }
  const rejected: number[] = []
  const { fetch } = recorder(({ credential }) => {
    if ((expiries.get(credential ?? '') ?? 0) > trueNow()) return ok()
    rejected.push(performance.now())
    return unauthorized()
  })
  const refresh = vi.fn(async () => issue())
  const api = createAuthFetch({ baseUrl: 'https://api.example', fetch, refresh })
  return {
    api,
    refresh,
    rejected,
    signIn: () => api.signIn(issue()),
    /** A request every two minutes; says how many did not succeed. */
    async work(durationMs: number): Promise<number> {
      let failures = 0
      for (let left = durationMs; left > 0; left -= 2 * MINUTE) {
        vi.advanceTimersByTime(2 * MINUTE)
        if ((await api('/x')).status !== 200) failures++
      }
      return failures
    },
  }
}

/** How many refreshes ten hours take; `disturb` happens in the middle. */
async function refreshesInTenHours(
  form: 'lifetime' | 'instant',
  skewMs = 0,
  disturb: () => void = () => {},
): Promise<number> {
  const { signIn, work, refresh } = world(form, skewMs)
  await signIn()
  let failures = await work(5 * HOUR)
  disturb()
  failures += await work(5 * HOUR)
  expect(failures).toBe(0)
  return refresh.mock.calls.length
}

describe('a wall clock that is wrong', () => {
  for (const form of ['lifetime', 'instant'] as const) {
    it.each([
      ['two hours ahead', 2 * HOUR],
      ['two hours behind', -2 * HOUR],
      ['an hour ahead', HOUR],
      ['an hour behind', -HOUR],
      ['a minute ahead', MINUTE],
      ['a year ahead', 365 * DAY],
      ['at the epoch', -Date.UTC(2026, 2, 1, 12)],
    ])(`T1 tokens with their ${form}: %s costs at most one refresh in ten hours`, async (_, skewMs) => {
      // Fewer are fine: then the server's 401 said when.
      expect(await refreshesInTenHours(form, skewMs)).toBeLessThanOrEqual(10 + 1)
    })

    it(`T1 tokens with their ${form}: a right one takes ten refreshes in ten hours`, async () => {
      expect(await refreshesInTenHours(form)).toBe(10)
    })
  }
})

describe('a wall clock that jumps', () => {
  const jumps: Array<[string, () => void]> = [
    ['two hours ahead', () => setWallClock(2 * HOUR)],
    ['two hours back', () => setWallClock(-2 * HOUR)],
    ['an hour ahead, as daylight saving does on a badly kept machine', () => setWallClock(HOUR)],
    ['an hour back', () => setWallClock(-HOUR)],
    ['a second back', () => setWallClock(-SECOND)],
    [
      'ahead and back again',
      () => {
        setWallClock(2 * HOUR)
        setWallClock(-2 * HOUR)
      },
    ],
  ]
  for (const form of ['lifetime', 'instant'] as const) {
    it.each(jumps)(`T1 tokens with their ${form}: %s costs at most one refresh`, async (_, jump) => {
      expect(await refreshesInTenHours(form, 0, jump)).toBeLessThanOrEqual(11)
    })
  }

  it('T1 that jumps again and again costs at most one refresh each time', async () => {
    const { signIn, work, refresh } = world('lifetime')
    await signIn()
    for (const byMs of [2 * HOUR, -2 * HOUR, 2 * HOUR, -2 * HOUR]) {
      setWallClock(byMs)
      expect(await work(10 * MINUTE)).toBe(0)
    }
    expect(refresh.mock.calls.length).toBeLessThanOrEqual(4)
  })

  it('T1 backwards does not make a token live longer: it is refreshed in time, without a 401', async () => {
    const { signIn, work, refresh, rejected } = world('lifetime')
    await signIn()
    await work(30 * MINUTE)
    setWallClock(-2 * HOUR)
    await work(40 * MINUTE)
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(rejected).toEqual([])
  })

  it('T1 eight hours of sleep, in which the monotonic clock stood still: one refresh, and no 401 first', async () => {
    const { api, signIn, refresh, rejected } = world('lifetime')
    await signIn()
    await api('/x')
    setWallClock(8 * HOUR)
    await Promise.all(Array.from({ length: 20 }, () => api('/x')))
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(rejected).toEqual([])
  })

  it('T1 eight hours of sleep, in which the monotonic clock went on: the same', async () => {
    const { api, signIn, refresh, rejected } = world('lifetime')
    await signIn()
    vi.advanceTimersByTime(8 * HOUR)
    await Promise.all(Array.from({ length: 20 }, () => api('/x')))
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(rejected).toEqual([])
  })
})

describe('the server', () => {
  it('T1 has the last word: a token that we think good for 30 days is refreshed when it is refused', async () => {
    const { fetch } = recorder(accepting('fresh'))
    const refresh = vi.fn(async () => ({ accessToken: 'fresh' }))
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch, refresh })
    await api.signIn({ access_token: 'old', expires_in: 30 * 86_400 })
    expect((await api('/x')).status).toBe(200)
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('T1 has the last word: a token that we think expired is sent where nothing can refresh it', async () => {
    const { fetch, credentials } = recorder()
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      fetch,
      store: memoryStore({ accessToken: 'old', expiresAt: 1 }),
    })
    expect((await api('/x')).status).toBe(200)
    expect(credentials()).toEqual(['Bearer old'])
  })

  it('T1 has the last word: what a JWT says of its expiry starts nothing', async () => {
    const payload = Buffer.from(JSON.stringify({ exp: 1 })).toString('base64url')
    const { fetch } = recorder()
    const refresh = vi.fn()
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch, refresh })
    await api.signIn({ accessToken: `eyJhbGciOiJub25lIn0.${payload}.x` })
    expect((await api('/x')).status).toBe(200)
    expect(refresh).not.toHaveBeenCalled()
  })
})

describe('expires_in', () => {
  const values = [
    '2592000',
    '0',
    '-1',
    '5',
    undefined,
    '"3600"',
    '"abc"',
    '1e20',
    'null',
    '1e400',
    '-1e400',
    '1e308',
    '"-1"',
    '""',
    '[]',
    '{}',
    'true',
    '0.001',
    '1e-300',
    '"1e3"',
    '"9".repeat',
  ].map((value) => (value === '"9".repeat' ? '9'.repeat(400) : value))
  /** Answers with this text as `expires_in`; the first token is refused. */
  function endpoint(expiresIn: string | undefined) {
    const member = expiresIn === undefined ? '' : `,"expires_in":${expiresIn}`
    let grants = 0
    const transport = recorder(({ url, credential }) => {
      if (url.endsWith('/token')) return new Response(`{"access_token":"at-${++grants}","refresh_token":"rt"${member}}`)
      return credential === null || credential === 'Bearer old' ? unauthorized() : ok()
    })
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      fetch: transport.fetch,
      store: memoryStore({ accessToken: 'old', refreshToken: 'rt' }),
      refresh: refreshEndpoint({ url: 'https://auth.example/token' }),
    })
    return { api, grants: () => grants }
  }

  it.each(values)('T2 %s: 100 requests at once and one after another cost one refresh', async (value) => {
    const delays = vi.spyOn(globalThis, 'setTimeout')
    const { api, grants } = endpoint(value)
    const responses = await Promise.all(Array.from({ length: 50 }, () => api('/x')))
    for (let count = 0; count < 50; count++) responses.push(await api('/x'))
    expect(responses.every(({ status }) => status === 200)).toBe(true)
    expect(grants()).toBe(1)
    // Beyond 32 bits a timer fires at once.
    expect(delays.mock.calls.filter(([, ms]) => !((ms ?? 0) < 2 ** 31))).toEqual([])
  })

  it.each(values)('T2 %s: no snapshot and no token set holds an instant that is none', async (value) => {
    const { api } = endpoint(value)
    await api('/x')
    for (const { expiresAt } of [api.snapshot(), (await api.tokens()) ?? {}]) {
      if (expiresAt !== undefined) expect(Number.isNaN(new Date(expiresAt).getTime())).toBe(false)
    }
  })

  it.each(['0', '-1', '1e20', '"abc"'])('T2 %s: ten minutes of a request a second cost one refresh', async (value) => {
    const { api, grants } = endpoint(value)
    for (let second = 0; second < 600; second++) {
      vi.advanceTimersByTime(SECOND)
      await api('/x')
    }
    expect(grants()).toBe(1)
  })

  it('T2 30 days: no refresh in 26 of them, one before they are over', async () => {
    const { api, grants } = endpoint('2592000')
    await api('/x')
    for (let hour = 0; hour < 29 * 24; hour++) {
      vi.advanceTimersByTime(HOUR)
      await api('/x')
    }
    expect(grants()).toBe(1)
    vi.advanceTimersByTime(DAY - SECOND)
    await api('/x')
    expect(grants()).toBe(2)
  })

  it('T2 5 s: a refresh every five seconds at most, each before the 401', async () => {
    const { api, grants } = endpoint('5')
    await api('/x')
    for (let tenth = 0; tenth < 600; tenth++) {
      vi.advanceTimersByTime(100)
      expect((await api('/x')).status).toBe(200)
    }
    expect(grants()).toBeGreaterThanOrEqual(12)
    expect(grants()).toBeLessThanOrEqual(1 + 60 / 4)
  })

  it.each(['0', '-1', undefined, '5', '2592000'])('T2 %s: nothing is left running', async (value) => {
    const { api } = endpoint(value)
    await api('/x')
    await pass(200)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('after an outage', () => {
  /** A client whose token has expired, and an authorization server that is down until `recover()`. */
  function outage(options: AuthFetchOptions = {}) {
    let isDown = true
    const refresh = vi.fn(async () => {
      if (isDown) throw new TypeError('fetch failed')
      return { access_token: 'fresh', expires_in: 3600 }
    })
    const { fetch } = recorder(accepting('fresh'))
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      store: memoryStore({ accessToken: 'old' }),
      refresh,
      refreshRetries: 0,
      ...options,
      fetch,
    })
    return {
      api,
      refresh,
      /** Two failures in a row: from now on calls fail fast. */
      async exhaust(): Promise<void> {
        for (let count = 0; count < 3; count++) await settled(rejectionOf(api('/x')))
        expect(refresh).toHaveBeenCalledTimes(2)
      },
      recover(): void {
        isDown = false
      },
    }
  }

  it('T3 the next request after the pause recovers, without a reload', async () => {
    const { api, exhaust, recover } = outage()
    await exhaust()
    recover()
    await pass(90 * SECOND)
    expect((await api('/x')).status).toBe(200)
  })

  it('T3 a long one: the pause never grows beyond what a person would wait', async () => {
    const { api, exhaust, recover } = outage()
    await exhaust()
    for (let minute = 0; minute < 120; minute++) {
      await pass(MINUTE)
      await settled(rejectionOf(api('/x')))
    }
    recover()
    await pass(75 * SECOND)
    expect((await api('/x')).status).toBe(200)
  })

  it('T3 one failure blocks nobody: the very next request recovers', async () => {
    const { api, recover } = outage()
    await settled(rejectionOf(api('/x')))
    recover()
    expect((await api('/x')).status).toBe(200)
  })

  /** As much of a page as is asked for. */
  function page() {
    const onWindow = new EventTarget()
    const document = Object.assign(new EventTarget(), { visibilityState: 'visible', baseURI: 'https://app.example/' })
    const counts = { added: 0, removed: 0 }
    for (const target of [onWindow, document]) {
      const { addEventListener, removeEventListener } = EventTarget.prototype
      target.addEventListener = (...args) => {
        counts.added++
        addEventListener.apply(target, args)
      }
      target.removeEventListener = (...args) => {
        counts.removed++
        removeEventListener.apply(target, args)
      }
    }
    vi.stubGlobal('document', document)
    vi.stubGlobal('addEventListener', onWindow.addEventListener)
    vi.stubGlobal('removeEventListener', onWindow.removeEventListener)
    return {
      document,
      counts,
      online: () => onWindow.dispatchEvent(new Event('online')),
      looked: () => document.dispatchEvent(new Event('visibilitychange')),
    }
  }

  it('T3 `online` ends the pause', async () => {
    const { online } = page()
    const { api, exhaust, recover } = outage()
    await exhaust()
    recover()
    expect(await rejectionOf(api('/x'))).toMatchObject({ code: 'refresh-unavailable' })
    online()
    expect((await api('/x')).status).toBe(200)
  })

  it('T3 a page that is looked at again ends the pause', async () => {
    const { looked } = page()
    const { api, exhaust, recover } = outage()
    await exhaust()
    recover()
    looked()
    expect((await api('/x')).status).toBe(200)
  })

  it('T3 a page that is hidden does not', async () => {
    const { document, looked } = page()
    const { api, exhaust, recover, refresh } = outage()
    await exhaust()
    recover()
    document.visibilityState = 'hidden'
    looked()
    expect(await rejectionOf(api('/x'))).toMatchObject({ code: 'refresh-unavailable' })
    expect(refresh).toHaveBeenCalledTimes(2)
  })

  it('T3 the session is read again then: a tab that slept learns what the others did', async () => {
    const { looked } = page()
    const store = memoryStore({ accessToken: 'old' })
    const { api } = outage({ store: { read: store.read, write: store.write } })
    expect(api.snapshot().status).toBe('signed-in')
    await store.write(null, 1)
    looked()
    await flush()
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('T3 dispose() takes every listener off', async () => {
    const { counts, online } = page()
    const { api, exhaust, recover } = outage()
    await exhaust()
    recover()
    expect(counts.added).toBeGreaterThanOrEqual(2)
    api.dispose()
    expect(counts.removed).toBe(counts.added)
    online()
    expect(await rejectionOf(api('/x'))).toMatchObject({ code: 'refresh-unavailable' })
  })

  it('T3 instances on one store listen once, until the last of them is disposed of', () => {
    const { counts } = page()
    const store = memoryStore()
    const one = outage({ store }).api
    const { added } = counts
    const two = outage({ store }).api
    expect(counts.added).toBe(added)
    one.dispose()
    one.dispose()
    expect(counts.removed).toBe(0)
    two.dispose()
    expect(counts.removed).toBe(added)
  })
})

describe('a fleet', () => {
  it.each([120, 300])(
    'T4 of 1 000 with tokens of %i s: at most a seventh refresh in any one second',
    async (seconds) => {
      const transport = async (): Promise<Response> => OK
      let refreshes = 0
      const refresh = async (): Promise<TokenResponse> => {
        refreshes++
        return { access_token: 'fresh', expires_in: seconds }
      }
      const options = { baseUrl: 'https://api.example', fetch: transport, refresh }
      const fleet = Array.from({ length: 1000 }, () => createAuthFetch(options))
      await Promise.all(fleet.map((api) => api.signIn({ access_token: 'old', expires_in: seconds })))
      // The whole window: the largest margin and the largest jitter before expiry.
      const windowSeconds = Math.min(seconds / 10, 30) + seconds / 10 + 1
      vi.advanceTimersByTime((seconds - windowSeconds) * SECOND)
      await Promise.all(fleet.map((api) => api('/x')))
      expect(refreshes).toBe(0)
      const perSecond: number[] = []
      for (let left = windowSeconds; left > 1; left--) {
        const before = refreshes
        vi.advanceTimersByTime(SECOND)
        await Promise.all(fleet.map((api) => api('/x')))
        perSecond.push(refreshes - before)
      }
      expect(Math.max(...perSecond)).toBeLessThanOrEqual(150)
      // Every one of them once, and in time: before its token has expired.
      expect(refreshes).toBe(1000)
    },
  )
})
