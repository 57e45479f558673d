// L1, L2, L3 together: `loginRedirect` as the callback of a client, on a page that the test plays.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type AuthFetchOptions, type LoginRedirectOptions, loginRedirect, safeReturnTo } from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

fakeTime()
afterEach(() => vi.unstubAllGlobals())

const LOGIN = 'https://app.test/login'
const all = (status: number, count: number): number[] => Array(count).fill(status)

/** A tab: what it shows, where it was sent to, and a storage that lives as long as it does. */
function openTab(href = 'https://app.test/cart?item=3#note') {
  const visited: string[] = []
  const items = new Map<string, string>()
  const assign = (url: string): void => void visited.push(url)
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => items.set(key, value),
  })
  const events = new EventTarget()
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events))
  const show = (url: string): void => {
    vi.stubGlobal('location', { href: url, origin: new URL(url).origin, assign })
  }
  show(href)
  const comeBack = (): boolean => events.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
  return { visited, show, comeBack }
}

/** A page of the app is loaded: a client that knows nothing of the one before. */
function loadPage(server = createAuthServer(), options: AuthFetchOptions & Partial<LoginRedirectOptions> = {}) {
  return { server, api: clientOf(server, { onLoginRequired: loginRedirect({ to: '/login' }), ...options }) }
}

describe('100 calls that need a login', () => {
  it('L1 one navigation, and nobody is answered while the page goes', async () => {
    const tab = openTab()
    const { api } = loadPage()
    const required = eventsOf(api, 'login-required')
    const answered: unknown[] = []
    for (let call = 0; call < 100; call++) void statusOf(api('/me')).then((status) => answered.push(status))
    await flush()
    expect(tab.visited).toEqual([`${LOGIN}?returnTo=${encodeURIComponent('/cart?item=3#note').replaceAll('%20', '+')}`])
    expect(required).toHaveLength(1)
    expect(answered).toEqual([])
    expect(api.snapshot().status).toBe('login-required')
  })

  it('L2 a sign-in that comes after all, from another tab say, resumes them', async () => {
    openTab()
    const { server, api } = loadPage()
    const calls = statusesOf(100, () => api('/me'))
    await flush()
    await api.signIn(server.signIn('viewer'))
    expect(await settled(calls)).toEqual(all(200, 100))
  })

  it('L3 Back without a login: they get their 401, and the next call may navigate again', async () => {
    const tab = openTab()
    const { api } = loadPage()
    const calls = statusesOf(100, () => api('/me'))
    await flush()
    tab.comeBack()
    expect(await settled(calls)).toEqual(all(401, 100))
    expect(api.snapshot().status).toBe('signed-out')
    void statusOf(api('/me'))
    await flush()
    expect(tab.visited).toHaveLength(2)
  })

  it('L2 a page that stays, because the user stops it: they end at loginTimeoutMs', async () => {
    openTab()
    const { api } = loadPage(undefined, { loginTimeoutMs: 1000 })
    const call = statusOf(api('/me'))
    expect(await settled(call)).toMatchObject({ code: 'login-timeout' })
  })
})

describe('the login page', () => {
  it('L3 may ask who is there: 401, and nothing navigates', async () => {
    const tab = openTab(`${LOGIN}?returnTo=%2Fcart`)
    const { api } = loadPage()
    expect(await settled(statusesOf(10, () => api('/me')))).toEqual(all(401, 10))
    expect(tab.visited).toEqual([])
  })

  it('L3 L4 brings the user back to where the redirect began', async () => {
    const tab = openTab()
    const { api } = loadPage()
    void statusOf(api('/me'))
    await flush()
    tab.show(tab.visited[0] ?? '')
    const asked = new URL(location.href).searchParams.get('returnTo')
    expect(safeReturnTo(asked)).toBe('/cart?item=3#note')
  })
})

describe('a login that goes in circles', () => {
  it('L3 an API that never takes the tokens: two redirects, then every call rejects with login-loop', async () => {
    const tab = openTab()
    const { server } = loadPage()
    for (let visit = 0; visit < 2; visit++) {
      const { api } = loadPage(server)
      await api.signIn(server.signIn('viewer'))
      server.revokeSession()
      const calls = statusesOf(20, () => api('/me'))
      await flush()
      expect(tab.visited).toHaveLength(visit + 1)
      void calls
      await pass(2000)
    }
    // The third page of the tab: a new client, a new sign-in, the same 401.
    const { api } = loadPage(server)
    await api.signIn(server.signIn('viewer'))
    server.revokeSession()
    const outcomes = await settled(statusesOf(20, () => api('/me')))
    const loop = { name: 'AuthError', code: 'login-loop', retryable: true, retryAfterMs: 56_000 }
    expect(outcomes).toEqual(Array(20).fill(expect.objectContaining(loop)))
    expect(tab.visited).toHaveLength(2)
    await pass(56_000)
    void statusOf(api('/me'))
    await flush()
    expect(tab.visited).toHaveLength(3)
  })
})
