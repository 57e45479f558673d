// L1, L2, R9: one login for everyone who needs it; calls wait for it, within bounds, and go on with the tokens it brings.
import { createHash } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import {
  type AuthFetchOptions,
  authFailureOf,
  isAuthError,
  type LoginNeed,
  type LoginResult,
  memoryStore,
  type TokenResponse,
  type TokenSet,
} from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { deferred } from '../helpers/deferred.ts'
import { fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { distant } from '../helpers/latency.ts'
import { createMedium } from '../helpers/medium.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

fakeTime()

/** A client that nobody is signed in on, and a login that the test brings to its end. */
function awaitingLogin(options: AuthFetchOptions = {}) {
  const server = createAuthServer()
  const needs: LoginNeed[] = []
  const logins: Array<ReturnType<typeof deferred<LoginResult>>> = []
  const api = clientOf(server, {
    onLoginRequired: (need) => {
      needs.push(need)
      const login = deferred<LoginResult>()
      logins.push(login)
      return login.promise
    },
    ...options,
  })
  const login = (index = 0) => logins[index] as ReturnType<typeof deferred<LoginResult>>
  const need = (index = 0) => needs[index] as LoginNeed
  return { server, api, needs, need, login }
}

const tokenSet = ({ access_token, refresh_token }: TokenResponse): TokenSet => ({
  accessToken: access_token,
  refreshToken: String(refresh_token),
})

const all = (status: number, count: number): number[] => Array(count).fill(status)

describe('who is asked', () => {
  it('L1 100 calls at once: the callback is called once, and all of them get their answers', async () => {
    const { server, api, needs, login } = awaitingLogin()
    const calls = statusesOf(100, () => api('/me'))
    await flush()
    login().resolve(server.signIn('viewer'))
    expect(await settled(calls)).toEqual(all(200, 100))
    expect(needs).toHaveLength(1)
  })

  it('L1 a sign-in that comes before the callback could be called makes it needless', async () => {
    const { server, api, needs } = awaitingLogin()
    // An app that signs in by itself as soon as it sees the state.
    api.subscribe(() => {
      if (api.snapshot().status === 'login-required') void api.signIn(server.signIn('viewer'))
    })
    expect(await settled(statusOf(api('/me')))).toBe(200)
    expect(needs).toEqual([])
  })

  it('L1 100 calls one after another, while the user signs in: the callback is called once', async () => {
    const { server, api, needs, login } = awaitingLogin()
    const calls: Promise<unknown>[] = []
    for (let call = 0; call < 100; call++) {
      calls.push(statusOf(api(`/items/${call % 25}`, {})))
      await pass(10)
    }
    login().resolve(server.signIn('viewer'))
    expect((await settled(Promise.all(calls))).filter((status) => status === 401)).toEqual([])
    expect(needs).toHaveLength(1)
  })

  it('L1 R9 100 calls of a session that turns out to be over: one refresh, one login', async () => {
    const { server, api, needs, login } = awaitingLogin()
    await api.signIn(server.signIn('viewer'))
    server.revokeSession()
    const calls = statusesOf(100, () => api('/me'))
    await flush()
    login().resolve(server.signIn('viewer'))
    expect(await settled(calls)).toEqual(all(200, 100))
    expect(needs).toHaveLength(1)
    expect(server.stats.refreshAttempts).toBe(1)
  })

  it.each(['declines', 'goes elsewhere'])(
    'L1 R9 a callback that %s at once is not asked by answers that come later',
    async (how) => {
      const server = createAuthServer()
      let asked = 0
      let latencyMs = 0
      const api = clientOf(server, {
        fetch: distant(server.fetch, () => latencyMs),
        onLoginRequired: () => {
          asked++
          return how === 'declines' ? null : undefined
        },
      })
      await settled(api.signIn(server.signIn('viewer')))
      server.revokeSession()
      const calls = statusesOf(100, () => {
        latencyMs += 10
        return api('/me')
      })
      latencyMs = 0
      expect(await settled(calls)).toEqual(all(401, 100))
      expect(asked).toBe(1)
    },
  )

  it('L1 the event comes once, with what is needed', async () => {
    const { server, api, login } = awaitingLogin()
    const required = eventsOf(api, 'login-required')
    const calls = statusesOf(10, () => api('/me?secret=1'))
    await flush()
    login().resolve(server.signIn('viewer'))
    await settled(calls)
    expect(required).toEqual([{ request: { method: 'GET', url: 'https://auth.test/me' }, reason: 'no-session' }])
  })

  it('L2 after a login that came to nothing, the next call asks again', async () => {
    const { server, api, needs, login } = awaitingLogin()
    const first = statusOf(api('/me'))
    await flush()
    login(0).resolve(null)
    expect(await settled(first)).toBe(401)
    const second = statusOf(api('/me'))
    await flush()
    expect(needs).toHaveLength(2)
    login(1).resolve(server.signIn('viewer'))
    expect(await settled(second)).toBe(200)
  })

  it('L2 after a login that worked, the next end of a session asks again', async () => {
    const { server, api, needs, login } = awaitingLogin()
    for (let round = 0; round < 3; round++) {
      const calls = statusesOf(5, () => api('/me'))
      await flush()
      login(round).resolve(server.signIn('viewer'))
      expect(await settled(calls)).toEqual(all(200, 5))
      server.revokeSession()
    }
    expect(needs.map(({ reason }) => reason)).toEqual(['no-session', 'refresh-refused', 'refresh-refused'])
  })

  it('L2 nobody to ask: the 401 is handed back', async () => {
    const { server, api } = awaitingLogin({ onLoginRequired: undefined })
    const response = await api('/me')
    expect(response.status).toBe(401)
    expect(await response.json()).toEqual({ message: 'Sign in first' })
    expect(server.stats.apiRequests).toBe(1)
  })
})

describe('what the callback is told', () => {
  it('L2 nobody is signed in: no-session, the request without its query, the way back', async () => {
    const { api, need, login } = awaitingLogin()
    const call = statusOf(api('/echo?secret=1#part', { method: 'post', body: 'secret' }))
    await flush()
    const { signal, ...rest } = need()
    expect(rest).toEqual({
      reason: 'no-session',
      request: { method: 'POST', url: 'https://auth.test/echo' },
      challenges: [{ scheme: 'bearer', params: { realm: 'relatch' } }],
      returnTo: '/',
    })
    expect(signal.aborted).toBe(false)
    login().resolve()
    await settled(call)
  })

  it('L2 the session was refused: refresh-refused, with the challenge of the rejected request', async () => {
    const { server, api, need, login } = awaitingLogin()
    await api.signIn(server.signIn('viewer'))
    server.revokeSession()
    const call = statusOf(api('/me'))
    await flush()
    expect(need().reason).toBe('refresh-refused')
    expect(need().challenges[0]?.params.error).toBe('invalid_token')
    login().resolve()
    await settled(call)
  })

  it('L2 there is no way to refresh: session-over', async () => {
    const { server, api, need, login } = awaitingLogin({ refresh: undefined })
    await api.signIn(server.signIn('viewer'))
    server.expireAccessTokens()
    const call = statusOf(api('/me'))
    await flush()
    expect(need().reason).toBe('session-over')
    login().resolve(server.signIn('viewer'))
    expect(await settled(call)).toBe(200)
  })

  it.each([
    ['https://app.test/cart?tab=3#top', '/cart?tab=3#top'],
    ['https://app.test/cart?code=a&tab=3&state=b&error=c&error_description=d&id_token=e', '/cart?tab=3'],
    ['https://app.test/cart#access_token=a&state=b', '/cart'],
  ])('L2 on a page, the way back to it: %s', async (href, returnTo) => {
    const { location } = globalThis
    vi.stubGlobal('location', { href })
    const { api, need, login } = awaitingLogin()
    const call = statusOf(api('/me'))
    await flush()
    vi.stubGlobal('location', location)
    vi.unstubAllGlobals()
    expect(need().returnTo).toBe(returnTo)
    login().resolve()
    await settled(call)
  })

  it('L2 while it lasts the snapshot says so, and subscribers hear of both ends', async () => {
    const { server, api, login } = awaitingLogin()
    const heard: string[] = []
    api.subscribe(() => void heard.push(api.snapshot().status))
    const call = statusOf(api('/me'))
    await flush()
    expect(api.snapshot().status).toBe('login-required')
    login().resolve(server.signIn('viewer'))
    await settled(call)
    expect(api.snapshot().status).toBe('signed-in')
    expect(heard).toContain('login-required')
    expect(heard.at(-1)).toBe('signed-in')
  })

  it('L2 a response that is handed back says why', async () => {
    const { api, login } = awaitingLogin()
    const call = api('/me')
    await flush()
    login().resolve(null)
    const failure = authFailureOf(await settled(call)) as LoginNeed
    expect(failure).toMatchObject({ reason: 'no-session', request: { method: 'GET', url: 'https://auth.test/me' } })
  })
})

describe('where tokens may come from', () => {
  const forms: Array<[string, (tokens: TokenResponse) => LoginResult]> = [
    ['a TokenSet', tokenSet],
    ['a TokenResponse', (tokens) => tokens],
  ]

  it.each(forms)('L2 the callback: %s', async (_form, form) => {
    const { server, api, login } = awaitingLogin()
    const calls = statusesOf(5, () => api('/me'))
    await flush()
    const issued = server.signIn('viewer')
    login().resolve(form(issued))
    expect(await settled(calls)).toEqual(all(200, 5))
    expect(await api.tokens()).toMatchObject(tokenSet(issued))
  })

  it('L2 the callback, at once and without a promise', async () => {
    const server = createAuthServer()
    const api = clientOf(server, { onLoginRequired: () => server.signIn('viewer') })
    expect(await settled(statusesOf(5, () => api('/me')))).toEqual(all(200, 5))
  })

  it('L2 signIn() in the callback, which returns nothing', async () => {
    const server = createAuthServer()
    const api = clientOf(server, { onLoginRequired: () => api.signIn(server.signIn('viewer')) })
    expect(await settled(statusesOf(5, () => api('/me')))).toEqual(all(200, 5))
    expect(server.stats.logins).toBe(1)
  })

  it('L2 signIn() somewhere else, while the callback still waits', async () => {
    const { server, api, need } = awaitingLogin()
    const calls = statusesOf(5, () => api('/me'))
    await flush()
    await api.signIn(server.signIn('viewer'))
    expect(await settled(calls)).toEqual(all(200, 5))
    expect(need().signal.aborted).toBe(true)
  })

  it('L2 another store object on the same medium, through watch', async () => {
    const medium = createMedium()
    const store = () => medium.store({ hasWatch: true, hasLock: true, latencyMs: () => 4 })
    const { server, api, need } = awaitingLogin({ store: store() })
    const elsewhere = clientOf(server, { store: store() })
    const calls = statusesOf(5, () => api('/me'))
    await pass(100)
    expect(need().signal.aborted).toBe(false)
    await settled(elsewhere.signIn(server.signIn('viewer')))
    expect(await settled(calls)).toEqual(all(200, 5))
    expect(need().signal.aborted).toBe(true)
  })

  it('L2 a login that lost against signIn() elsewhere does not take its place', async () => {
    const { server, api, login } = awaitingLogin()
    const call = statusOf(api('/me'))
    await flush()
    await api.signIn(server.signIn('admin'))
    await settled(call)
    login().resolve(server.signIn('viewer'))
    await pass(10)
    expect(await (await api('/me')).json()).toMatchObject({ user: 'admin' })
  })

  it('L2 R12 tokens of another known subject do not carry out what the first user asked for', async () => {
    const server = createAuthServer({ idToken: true })
    const api = clientOf(server, { onLoginRequired: () => server.signIn('admin') })
    await api.signIn(server.signIn('viewer'))
    server.revokeSession('viewer')
    server.reset()
    expect(await settled(statusesOf(5, () => api('/echo', { method: 'POST', body: 'as viewer' })))).toEqual(all(401, 5))
    expect(server.requests.filter(({ session }) => session === 's2')).toEqual([])
    expect(await (await api('/me')).json()).toMatchObject({ user: 'admin' })
  })

  it('L2 tokens of the same known subject do', async () => {
    const server = createAuthServer({ idToken: true })
    const api = clientOf(server, { onLoginRequired: () => server.signIn('viewer') })
    await api.signIn(server.signIn('viewer'))
    server.revokeSession('viewer')
    expect(await settled(statusesOf(5, () => api('/me')))).toEqual(all(200, 5))
  })

  it('L2 tokens that the API rejects are handed back as its 401: one login a call, no loop', async () => {
    const server = createAuthServer()
    let asked = 0
    const api = clientOf(server, {
      onLoginRequired: () => {
        asked++
        return { accessToken: `unknown-${asked}` }
      },
    })
    expect(await settled(statusOf(api('/me')))).toBe(401)
    expect(asked).toBe(1)
    expect(server.stats.apiRequests).toBe(2)
  })

  it('L2 C3 a store where somebody has signed in unheard: nobody is asked', async () => {
    const server = createAuthServer()
    const medium = createMedium()
    let asked = 0
    const api = clientOf(server, {
      store: medium.store({ hasWatch: false }),
      onLoginRequired: () => {
        asked++
      },
    })
    await settled(statusOf(api('/public')))
    const elsewhere = clientOf(server, { store: medium.store() })
    await settled(elsewhere.signIn(server.signIn('viewer')))
    expect(await settled(statusOf(api('/me')))).toBe(200)
    expect(asked).toBe(0)
  })
})

describe('bounds', () => {
  it('L2 beyond parkedLimit a call gets its 401 at once', async () => {
    const { server, api, login } = awaitingLogin({ parkedLimit: 5 })
    const waiting = statusesOf(5, () => api('/me'))
    await flush()
    expect(await settled(statusesOf(3, () => api('/me')))).toEqual([401, 401, 401])
    login().resolve(server.signIn('viewer'))
    expect(await settled(waiting)).toEqual(all(200, 5))
  })

  it('L2 a call that gives up makes room for another', async () => {
    const { server, api, login } = awaitingLogin({ parkedLimit: 2 })
    const impatient = new AbortController()
    const gone = statusOf(api('/me', { signal: impatient.signal }))
    const stayed = statusOf(api('/me'))
    await flush()
    expect(await settled(statusOf(api('/me')))).toBe(401)
    impatient.abort('gone')
    expect(await settled(gone)).toBe('gone')
    const late = statusOf(api('/me'))
    await flush()
    login().resolve(server.signIn('viewer'))
    expect(await settled(Promise.all([stayed, late]))).toEqual([200, 200])
  })

  it('L2 the limit counts anew for each login', async () => {
    const { server, api, login } = awaitingLogin({ parkedLimit: 3 })
    for (let round = 0; round < 3; round++) {
      const calls = statusesOf(3, () => api('/me'))
      await flush()
      login(round).resolve(server.signIn('viewer'))
      expect(await settled(calls)).toEqual(all(200, 3))
      server.revokeSession()
    }
  })

  it('L2 1 000 calls park unless told otherwise', async () => {
    const { server, api, login } = awaitingLogin()
    const calls = statusesOf(1001, () => api('/me'))
    await pass(0)
    login().resolve(server.signIn('viewer'))
    const statuses = await settled(calls)
    expect(statuses.filter((status) => status === 401)).toHaveLength(1)
  })

  it('L2 after loginTimeoutMs every parked call rejects with login-timeout, and the callback is told', async () => {
    const { api, need } = awaitingLogin({ loginTimeoutMs: 60_000 })
    const calls = Promise.all([1, 2, 3].map(() => rejectionOf(api('/me'))))
    await pass(59_990)
    expect(need().signal.aborted).toBe(false)
    const errors = await settled(calls)
    for (const error of errors) expect(error).toMatchObject({ code: 'login-timeout', retryable: true })
    expect(errors.every(isAuthError)).toBe(true)
    expect(need().signal.aborted).toBe(true)
    expect(performance.now()).toBeLessThanOrEqual(60_010)
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('L2 five minutes unless told otherwise', async () => {
    const { api } = awaitingLogin()
    const call = rejectionOf(api('/me'))
    await settled(call)
    expect(performance.now()).toBe(300_000)
  })

  it('L2 Infinity waits for ever, and does not run over', async () => {
    const { server, api, login } = awaitingLogin({ loginTimeoutMs: Number.POSITIVE_INFINITY })
    const call = statusOf(api('/me'))
    for (let leg = 0; leg < 3; leg++) await pass(20 * 24 * 3_600_000)
    login().resolve(server.signIn('viewer'))
    expect(await settled(call)).toBe(200)
  })

  it('L2 tokens that come too late still sign in whoever went through the login', async () => {
    const { server, api, login } = awaitingLogin({ loginTimeoutMs: 1000 })
    await settled(rejectionOf(api('/me')))
    login().resolve(server.signIn('viewer'))
    await pass(0)
    expect(api.snapshot().status).toBe('signed-in')
    expect(await statusOf(api('/me'))).toBe(200)
  })

  it('L2 after a timeout the next call asks again', async () => {
    const { server, api, needs, login } = awaitingLogin({ loginTimeoutMs: 1000 })
    await settled(rejectionOf(api('/me')))
    const call = statusOf(api('/me'))
    await flush()
    expect(needs).toHaveLength(2)
    login(1).resolve(server.signIn('viewer'))
    expect(await settled(call)).toBe(200)
  })

  it('L2 a login that is over leaves no timer behind', async () => {
    const { server, api, login } = awaitingLogin()
    const call = statusOf(api('/me'))
    await flush()
    login().resolve(server.signIn('viewer'))
    await settled(call)
    await pass(5000)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('what ends it', () => {
  it('L2 signOut() while calls wait: they get their 401s, and the callback is told', async () => {
    const { api, need } = awaitingLogin()
    const calls = statusesOf(5, () => api('/me'))
    await flush()
    await api.signOut()
    expect(await settled(calls)).toEqual(all(401, 5))
    expect(need().signal.aborted).toBe(true)
    expect(api.snapshot().status).toBe('signed-out')
  })

  it.each([
    ['an error', () => new Error('redirect')],
    ['what a framework throws', () => ({ digest: 'NEXT_REDIRECT' })],
    ['a Response', () => new Response(null, { status: 302 })],
    ['nothing', () => undefined],
  ])('L2 the callback throws %s: every call that waits rejects with exactly that', async (_what, make) => {
    const thrown = make()
    const { api, login } = awaitingLogin()
    const calls = Promise.all([1, 2, 3].map(() => rejectionOf(api('/me'))))
    await flush()
    login().reject(thrown)
    for (const reason of await settled(calls)) expect(reason).toBe(thrown)
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('L2 the callback throws before its first await: the same', async () => {
    const thrown = new Error('redirect')
    const { api } = awaitingLogin({
      onLoginRequired: () => {
        throw thrown
      },
    })
    expect(await settled(rejectionOf(api('/me')))).toBe(thrown)
    expect(await settled(rejectionOf(api('/me')))).toBe(thrown)
  })

  it.each([
    ['an empty object', {}, 'unusable-token-response'],
    ['a response without a token', { access_token: '' }, 'unusable-token-response'],
    ['a token that would split a header', { accessToken: 'a\r\nb' }, 'invalid-token'],
    ['a string', 'token', 'ERR_TOKENS'],
  ])('L2 the callback gives %s: the calls that wait are told, and nothing is sent', async (_what, given, code) => {
    const { server, api, login } = awaitingLogin()
    const calls = Promise.all([1, 2].map(() => rejectionOf(api('/me'))))
    await flush()
    login().resolve(given as LoginResult)
    for (const reason of await settled(calls)) expect(reason).toMatchObject({ code })
    expect(server.stats.apiRequests).toBe(2)
  })

  it('L2 A1 an abort rejects that call with its own reason, at once, and nobody else', async () => {
    const { server, api, login } = awaitingLogin()
    const leaving = new AbortController()
    const left = statusOf(api('/me', { signal: leaving.signal }))
    const stayed = statusOf(api('/me'))
    await flush()
    const reason = new Error('the user went elsewhere')
    leaving.abort(reason)
    await flush()
    expect(await left).toBe(reason)
    login().resolve(server.signIn('viewer'))
    expect(await settled(stayed)).toBe(200)
  })

  it('L2 A2 when everybody has left, the tokens still count', async () => {
    const { server, api, login } = awaitingLogin()
    const leaving = new AbortController()
    const left = statusOf(api('/me', { signal: leaving.signal }))
    await flush()
    leaving.abort('left')
    expect(await settled(left)).toBe('left')
    login().resolve(server.signIn('viewer'))
    await pass(0)
    expect(await statusOf(api('/me'))).toBe(200)
  })

  it('L2 dispose() lets the calls that wait go', async () => {
    const { api, need } = awaitingLogin()
    const calls = statusesOf(3, () => api('/me'))
    await flush()
    api.dispose()
    expect(await settled(calls)).toEqual(all(401, 3))
    expect(need().signal.aborted).toBe(true)
  })
})

describe('bodies', () => {
  const TEXT = 'what the user wrote before the session ended; '.repeat(100)

  it.each([
    ['a string', () => TEXT],
    ['bytes', () => new TextEncoder().encode(TEXT)],
    ['a stream within the limit', () => new Blob([TEXT]).stream()],
  ])('L2 B1 B2 %s arrives whole after the login', async (_what, make) => {
    const { server, api, login } = awaitingLogin()
    const call = api('/echo', { method: 'POST', body: make(), duplex: 'half' } as RequestInit)
    await flush()
    login().resolve(server.signIn('viewer'))
    const sha256 = createHash('sha256').update(TEXT).digest('hex')
    expect(await (await settled(call)).json()).toMatchObject({ length: TEXT.length, sha256 })
  })

  it('L2 B2 a stream beyond the limit: the 401 is handed back, and the user is signed in', async () => {
    const { server, api, login } = awaitingLogin({ replayLimitBytes: 1000 })
    const notReplayed = eventsOf(api, 'not-replayed')
    const body = new Blob(['x'.repeat(5000)]).stream()
    const call = statusOf(api('/echo/late', { method: 'POST', body, duplex: 'half' } as RequestInit))
    await pass(10)
    login().resolve(server.signIn('viewer'))
    expect(await settled(call)).toBe(401)
    expect(notReplayed).toEqual([{ request: { method: 'POST', url: 'https://auth.test/echo/late' }, limitBytes: 1000 }])
    expect(api.snapshot().status).toBe('signed-in')
  })
})

it('L2 a store that is shared keeps the session that a login brought', async () => {
  const store = memoryStore()
  const { server, api, login } = awaitingLogin({ store })
  const call = statusOf(api('/me'))
  await flush()
  login().resolve(server.signIn('viewer'))
  await settled(call)
  expect(await store.read()).toMatchObject({ tokens: await api.tokens() })
})
