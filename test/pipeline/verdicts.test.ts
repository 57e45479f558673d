// R7: what a failed refresh means. Each row of the table, in each shape in which it reaches us.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthEvents,
  type AuthFetchOptions,
  createAuthFetch,
  type LoginNeed,
  memoryStore,
  type Refresher,
  type TokenStore,
} from '../../src/index.ts'
import { errorsWithoutStatus, errorsWithStatus } from '../helpers/client-errors.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { rotatingWorld } from '../helpers/rotating-world.ts'

const MISCONFIGURED = [
  'invalid_client',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_request',
  'invalid_scope',
]

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

describe('over', () => {
  it('R7 null: over', async () => {
    await expectOver(async () => null)
  })

  it.each(Object.entries({ ...errorsWithStatus, ...errorsWithoutStatus }))(
    'R7 invalid_grant from %s: over',
    async (_, make) => {
      await expectOver(async () => {
        throw await make({ status: 400, body: { error: 'invalid_grant', error_description: 'gone' } })
      })
    },
  )

  it.each(Object.entries(errorsWithStatus))('R7 a 401 without an OAuth error from %s: over', async (_, make) => {
    await expectOver(async () => {
      throw await make({ status: 401, body: { message: 'Unauthorized', statusCode: 401 } })
    })
  })

  it.each(Object.entries(errorsWithStatus))('R7 a 400 without an OAuth error from %s: over', async (_, make) => {
    await expectOver(async () => {
      throw await make({ status: 400, body: { error: 'Bad Request', message: 'token unknown' } })
    })
  })

  it.each([
    ['{ status: 401 }', { status: 401 }],
    ['{ status: 400 }', { status: 400 }],
    ['{ response: { status: 401 } }', { response: { status: 401 } }],
    ['{ response: { status: 400 } }', { response: { status: 400 } }],
    ['{ error: "invalid_grant" }', { error: 'invalid_grant' }],
  ])('R7 %s thrown as it is: over', async (_, thrown) => {
    await expectOver(async () => {
      throw thrown
    })
  })

  it('R7 an error body handed back in place of being thrown: over', async () => {
    await expectOver(async () => ({ error: 'invalid_grant', error_description: 'gone' }) as never)
  })

  it('R7 a 401 Response handed back in place of being thrown: over', async () => {
    await expectOver(async () => new Response('no', { status: 401 }) as never)
  })

  it('R7 invalid_grant in a body that is handed back unread: over', async () => {
    await expectOver(async () => Response.json({ error: 'invalid_grant' }, { status: 400 }) as never)
  })
})

describe('misconfigured', () => {
  const shapes = Object.entries({ ...errorsWithStatus, ...errorsWithoutStatus })

  it.each(MISCONFIGURED)('R7 %s: not retried, the session stays, the error names it', async (error) => {
    await expectMisconfigured(error, async () => {
      throw Object.assign(new Error('Response status 400'), { status: 400, data: { error } })
    })
  })

  it.each(shapes)('R7 invalid_client from %s: misconfigured', async (_, make) => {
    await expectMisconfigured('invalid_client', async () => {
      throw await make({ status: 401, body: { error: 'invalid_client', error_description: 'who?' } })
    })
  })

  it.each(shapes)('R7 unsupported_grant_type from %s: misconfigured', async (_, make) => {
    await expectMisconfigured('unsupported_grant_type', async () => {
      throw await make({ status: 400, body: { error: 'unsupported_grant_type' } })
    })
  })

  it('R7 an error body handed back in place of being thrown: misconfigured', async () => {
    await expectMisconfigured('invalid_scope', async () => ({ error: 'invalid_scope' }) as never)
  })

  it('R7 everyone who waits is told, and the next call tries again', async () => {
    const world = rotatingWorld()
    const refresh = vi
      .fn<Refresher>()
      .mockRejectedValueOnce(Object.assign(new Error(), { error: 'invalid_client' }))
      .mockImplementation(world.refresh)
    const api = createAuthFetch({ ...world.options(), refresh })
    world.expire()
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => api('/orders')))
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true)
    expect(refresh).toHaveBeenCalledTimes(1)
    // Somebody has corrected the deployment.
    expect((await api('/orders')).status).toBe(200)
  })
})

describe('transient', () => {
  it.each(Object.entries(errorsWithStatus))('R7 503 from %s: transient', async (_, make) => {
    await expectTransient(async () => {
      throw await make({ status: 503, body: 'down' })
    })
  })

  it.each([403, 404, 405, 408, 409, 410, 413, 422, 425, 429, 451, 500, 501, 502, 503, 504, 520, 530, 599])(
    'R7 status %i: transient',
    async (status) => {
      await expectTransient(async () => {
        throw Object.assign(new Error(`status ${status}`), { status })
      })
    },
  )

  it.each(Object.entries(errorsWithStatus))('R7 a firewall’s 403 page from %s: transient', async (_, make) => {
    await expectTransient(async () => {
      throw await make({ status: 403, body: '<!doctype html><title>Blocked</title>' })
    })
  })

  it.each([
    ['the network', new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNREFUSED' }) })],
    ['the name server', Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })],
    ['a timeout', new DOMException('The operation timed out.', 'TimeoutError')],
    ['an abort', new DOMException('This operation was aborted', 'AbortError')],
    ['a body that is no JSON', new SyntaxError('Unexpected token < in JSON at position 0')],
    ['a bug in the refresher', new ReferenceError('tokenz is not defined')],
    ['nothing at all', undefined],
    ['null', null],
    ['a string', 'offline'],
    ['a number', 503],
    ['an array', [401]],
    ['a status as text', { status: '401' }],
    ['an unknown OAuth error under 503', { status: 503, error: 'server_error' }],
    ['temporarily_unavailable', { status: 400, data: { error: 'temporarily_unavailable' } }],
    ['server_error', { status: 400, data: { error: 'server_error' } }],
    ['slow_down', { status: 400, data: { error: 'slow_down' } }],
    ['a wanted nonce', { status: 400, data: { error: 'use_dpop_nonce' } }],
  ])('R7 thrown by %s: transient', async (_, thrown) => {
    await expectTransient(async () => {
      throw thrown
    })
  })

  it.each([
    ['nothing', undefined],
    ['an empty string', ''],
    ['an HTML page', '<!doctype html><title>Welcome to the airport</title>'],
    ['a number', 42],
    ['false', false],
    ['an empty object', {}],
    ['an array', []],
    ['an empty access_token', { access_token: '' }],
    ['an access_token of null', { access_token: null }],
    ['an access_token that is a number', { access_token: 7 }],
    ['an access_token with a line break', { access_token: 'a\r\nx-admin: 1' }],
    ['an empty accessToken', { accessToken: '' }],
    ['an accessToken of undefined', { accessToken: undefined }],
    ['the Response in place of its body', new Response('{"access_token":"at-2"}')],
    ['an unknown error under 200', { error: 'try_again' }],
  ])('R7 the refresher hands back %s: transient', async (_, answer) => {
    await expectTransient(async () => answer as never)
  })

  it('R7 a refresher that throws before it returns a promise: transient', async () => {
    await expectTransient(() => {
      throw new Error('synchronously')
    })
  })

  it('R7 an error whose members throw when they are read: transient', async () => {
    const trap = new Proxy(new Error('trap'), {
      get() {
        throw new Error('do not look')
      },
    })
    const { error, logins, status } = await refreshOnce(async () => {
      throw trap
    })
    expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(logins).toEqual([])
    expect(status).toBe('signed-in')
  })

  it('R7 the cause is what the refresher threw', async () => {
    const cause = Object.assign(new Error('Bad Gateway'), { status: 502 })
    const { error } = await refreshOnce(async () => {
      throw cause
    })
    expect(error).toMatchObject({ cause })
  })

  it('R7 a refresh that fails for some time and then works costs the calls nothing but time', async () => {
    const world = rotatingWorld()
    const refresh = vi
      .fn<Refresher>()
      .mockRejectedValueOnce(new TypeError('fetch failed'))
      .mockRejectedValueOnce(Object.assign(new Error(), { status: 503 }))
      .mockImplementation(world.refresh)
    const api = createAuthFetch({ ...world.options(), refresh })
    const failed = eventsOf(api, 'refresh-failed')
    const refreshed = eventsOf(api, 'refreshed')
    world.expire()
    const calls = Promise.all(Array.from({ length: 10 }, () => api('/orders')))
    await vi.advanceTimersByTimeAsync(3000)
    expect((await calls).map(({ status }) => status)).toEqual(Array(10).fill(200))
    expect(world.refreshes).toEqual(['rt-1'])
    expect(failed).toEqual([])
    expect(refreshed).toMatchObject([{ attempts: 3 }])
  })
})

describe('retries', () => {
  /** When the refresher was asked, in milliseconds from the first time. */
  async function attemptsAt(options: AuthFetchOptions, thrown: unknown): Promise<number[]> {
    const times: number[] = []
    await refreshOnce(async () => {
      times.push(performance.now())
      throw thrown
    }, options)
    return times.map((time) => time - (times[0] ?? 0))
  }

  it.each([0, 1, 2, 5])('R7 refreshRetries: %i', async (refreshRetries) => {
    const times = await attemptsAt({ refreshRetries, refreshTimeoutMs: 60_000 }, new TypeError('fetch failed'))
    expect(times).toHaveLength(refreshRetries + 1)
  })

  it('R7 the waits between them grow', async () => {
    const [, first = 0, second = 0] = await attemptsAt({}, new TypeError('fetch failed'))
    expect(first).toBeGreaterThanOrEqual(100)
    expect(second - first).toBeGreaterThan(first)
    expect(second).toBeLessThan(5000)
  })

  it('R7 the waits are jittered', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0)
    const early = await attemptsAt({}, new TypeError('fetch failed'))
    random.mockReturnValue(0.999)
    const late = await attemptsAt({}, new TypeError('fetch failed'))
    expect(late[1]).toBeGreaterThan((early[1] ?? 0) * 1.2)
    expect(late[2]).toBeGreaterThan((early[2] ?? 0) * 1.2)
  })

  it.each(Object.entries(errorsWithStatus))('R7 Retry-After from %s is waited for', async (_, make) => {
    const thrown = async () => make({ status: 429, body: 'slow down', headers: { 'retry-after': '4' } })
    const times: number[] = []
    await refreshOnce(async () => {
      times.push(performance.now())
      throw await thrown()
    })
    const [first = 0, second = 0, third = 0] = times
    expect(times).toHaveLength(3)
    expect(second - first).toBeGreaterThanOrEqual(4000)
    expect(third - second).toBeGreaterThanOrEqual(4000)
  })

  it('R7 a Retry-After that is a date is waited for', async () => {
    vi.setSystemTime(new Date('2026-03-01T12:00:00Z'))
    const headers = { 'retry-after': 'Sun, 01 Mar 2026 12:00:05 GMT' }
    const [, second = 0] = await attemptsAt({}, { status: 503, response: { status: 503, headers } })
    expect(second).toBeGreaterThanOrEqual(5000)
    expect(second).toBeLessThan(6500)
  })

  it('R7 a Retry-After beyond the time that is left ends the refresh at once, and is passed on', async () => {
    const world = rotatingWorld()
    const refresh = vi.fn<Refresher>(async () => {
      throw new Response('', { status: 429, headers: { 'retry-after': '60' } })
    })
    const api = createAuthFetch({ ...world.options(), refresh })
    world.expire()
    const told = expect(api('/orders')).rejects.toMatchObject({
      code: 'refresh-unavailable',
      retryable: true,
      retryAfterMs: 60_000,
    })
    await vi.advanceTimersByTimeAsync(100)
    await told
    expect(refresh).toHaveBeenCalledTimes(1)
  })
})

interface Seen {
  error: unknown
  /** What the waiting call got, where it was not rejected. */
  response: Response | undefined
  attempts: number
  failed: AuthEvents['refresh-failed'][]
  logins: LoginNeed[]
  status: string
  store: TokenStore
}

/** One call that meets a 401 while the refresher behaves so. */
async function refreshOnce(refresher: Refresher, options: AuthFetchOptions = {}): Promise<Seen> {
  const world = rotatingWorld()
  const store = memoryStore(world.first)
  const logins: LoginNeed[] = []
  const refresh = vi.fn<Refresher>(refresher)
  const onLoginRequired = (need: LoginNeed) => void logins.push(need)
  const api = createAuthFetch({ ...world.options(), store, refresh, onLoginRequired, ...options })
  const failed = eventsOf(api, 'refresh-failed')
  world.expire()
  const call = api('/orders').then(
    (response) => ({ response, error: undefined }),
    (error: unknown) => ({ response: undefined, error }),
  )
  await vi.advanceTimersByTimeAsync(options.refreshTimeoutMs ?? 10_000)
  return {
    ...(await call),
    attempts: refresh.mock.calls.length,
    failed,
    logins,
    status: api.snapshot().status,
    store,
  }
}

async function expectOver(refresher: Refresher): Promise<void> {
  const { error, response, attempts, failed, logins, status, store } = await refreshOnce(refresher)
  expect(error).toBeUndefined()
  expect(response?.status).toBe(401)
  expect(attempts).toBe(1)
  expect(failed).toMatchObject([{ verdict: 'over', attempts: 1 }])
  expect(logins).toMatchObject([{ reason: 'refresh-refused' }])
  expect(status).toBe('signed-out')
  expect(await store.read()).toBeNull()
}

async function expectMisconfigured(oauthError: string, refresher: Refresher): Promise<void> {
  const { error, attempts, failed, logins, status, store } = await refreshOnce(refresher)
  expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: false, oauthError })
  expect((error as Error).message).toContain(oauthError)
  expect(attempts).toBe(1)
  expect(failed).toMatchObject([{ verdict: 'misconfigured', oauthError, attempts: 1 }])
  expect(logins).toEqual([])
  expect(status).toBe('signed-in')
  expect(await store.read()).toMatchObject({ tokens: { accessToken: 'at-1', refreshToken: 'rt-1' } })
}

async function expectTransient(refresher: Refresher): Promise<void> {
  const { error, attempts, failed, logins, status, store } = await refreshOnce(refresher)
  expect(error).toMatchObject({ code: 'refresh-unavailable', retryable: true })
  expect(attempts).toBe(3)
  expect(failed).toMatchObject([{ verdict: 'transient', attempts: 3 }])
  expect(logins).toEqual([])
  expect(status).toBe('signed-in')
  expect(await store.read()).toMatchObject({ tokens: { accessToken: 'at-1', refreshToken: 'rt-1' } })
}
