// L2, L5, R5: a login callback may use the very fetch that waits for it. Such a call never waits for itself.
import { expect, it } from 'vitest'
import { type AuthFetch, createAuthFetch, type TokenResponse } from '../../src/index.ts'
import { createAuthServer } from '../../src/testing/index.ts'
import { durationOf, fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

fakeTime()

const credentials = (password: string): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ username: 'viewer', password }),
})

it('L2 the callback signs in through the wrapped fetch', async () => {
  const server = createAuthServer()
  const api = clientOf(server, {
    onLoginRequired: async () => (await api('/login', credentials('viewer'))).json() as Promise<TokenResponse>,
  })
  expect(await settled(statusesOf(5, () => api('/me')))).toEqual([200, 200, 200, 200, 200])
  expect(server.stats.logins).toBe(1)
})

it('L2 R5 a wrong password there is a 401 for the callback, at once, and not a login to wait for', async () => {
  const server = createAuthServer()
  const attempts: number[] = []
  const api = clientOf(server, {
    onLoginRequired: async () => {
      for (const password of ['wrong', 'wrong again', 'viewer']) {
        const response = await api('/login', credentials(password))
        attempts.push(response.status)
        if (response.ok) return (await response.json()) as TokenResponse
      }
      return null
    },
  })
  const calls = statusesOf(5, () => api('/me'))
  expect(await durationOf(calls)).toBeLessThanOrEqual(50)
  expect(await calls).toEqual([200, 200, 200, 200, 200])
  expect(attempts).toEqual([401, 401, 200])
})

it('L2 R5 with a signal of its own, and after a pause: the same', async () => {
  const server = createAuthServer()
  const inside: unknown[] = []
  const api = clientOf(server, {
    onLoginRequired: async () => {
      await new Promise((resolve) => setTimeout(resolve, 5000))
      inside.push(await statusOf(api('/me', { signal: AbortSignal.timeout(100_000) })))
      return server.signIn('viewer')
    },
  })
  const call = statusOf(api('/me'))
  expect(await durationOf(call)).toBeLessThanOrEqual(5050)
  expect(await call).toBe(200)
  expect(inside).toEqual([401])
})

it('L2 R5 while a call from inside is on its way, calls from outside still wait', async () => {
  const server = createAuthServer()
  const api: AuthFetch = clientOf(server, {
    onLoginRequired: async () => {
      await api('/slow?ms=1000')
      return server.signIn('viewer')
    },
  })
  const first = statusOf(api('/me'))
  await pass(500)
  const second = statusOf(api('/me'))
  expect(await settled(Promise.all([first, second]))).toEqual([200, 200])
})

it('L2 the callback may ask for tokens, refresh and sign out without waiting for itself', async () => {
  const server = createAuthServer()
  const found: unknown[] = []
  const api = clientOf(server, {
    onLoginRequired: async () => {
      found.push(await api.tokens(), await api.refresh().catch((error: unknown) => error))
      await api.signOut()
    },
  })
  const call = statusOf(api('/me'))
  expect(await durationOf(call)).toBeLessThanOrEqual(50)
  expect(await call).toBe(401)
  expect(found).toEqual([null, null])
})

it('L2 what the callback has started may go on after it: such calls are like any other again', async () => {
  const server = createAuthServer()
  const late: unknown[] = []
  let asked = 0
  const api = clientOf(server, {
    onLoginRequired: () => {
      if (asked++ === 0) setTimeout(async () => late.push(await statusOf(api('/me'))), 1000)
      return server.signIn('viewer')
    },
  })
  expect(await settled(statusOf(api('/me')))).toBe(200)
  server.revokeSession()
  await pass(2000)
  expect(late).toEqual([200])
  expect(asked).toBe(2)
})

it('L5 R5 a step-up callback may call what would need a step-up: it gets the 401', async () => {
  const server = createAuthServer()
  let asked = 0
  const inside: unknown[] = []
  const api = clientOf(server, {
    onStepUp: async () => {
      if (++asked > 20) throw new Error('round in circles')
      inside.push(await statusOf(api('/payments', { method: 'POST' })))
      return server.signIn('viewer', { acr: 'mfa' })
    },
  })
  await api.signIn(server.signIn('viewer'))
  expect(await settled(statusOf(api('/payments', { method: 'POST' })))).toBe(201)
  expect(inside).toEqual([401])
})

it('L5 R5 a step-up callback whose session ends meanwhile gets its 401, and no login to wait for', async () => {
  const server = createAuthServer()
  const inside: unknown[] = []
  const api = clientOf(server, {
    onStepUp: async () => {
      server.revokeSession()
      inside.push(await statusOf(api('/me')))
      return null
    },
    onLoginRequired: () => new Promise(() => {}),
  })
  await api.signIn(server.signIn('viewer'))
  const call = statusOf(api('/payments', { method: 'POST' }))
  expect(await durationOf(call)).toBeLessThanOrEqual(50)
  expect(await call).toBe(401)
  expect(inside).toEqual([401])
})

it('D1 R5 a permission callback may use the fetch: a refresh there is a refresh like any other', async () => {
  const server = createAuthServer()
  const inside: unknown[] = []
  const api: AuthFetch = clientOf(server, {
    onPermissionDenied: async () => {
      server.expireAccessTokens()
      inside.push(await statusOf(api('/me')))
    },
  })
  await api.signIn(server.signIn('viewer'))
  expect(await settled(statusOf(api('/admin')))).toBe(403)
  expect(inside).toEqual([200])
})

it('L2 R5 two clients that sign each other in do not wait for each other when one of them is the other’s way in', async () => {
  const server = createAuthServer()
  const portal = clientOf(server, { onLoginRequired: () => server.signIn('viewer') })
  const api = createAuthFetch({
    baseUrl: 'https://api.test',
    fetch: server.fetch,
    onLoginRequired: async () => {
      await portal('https://auth.test/me')
      return portal.tokens()
    },
  })
  expect(await settled(statusesOf(3, () => api('/me')))).toEqual([200, 200, 200])
})

it('L2 the callback throws what an inner call rejected with: everyone gets exactly that', async () => {
  const server = createAuthServer()
  const api: AuthFetch = clientOf(server, {
    fetch: async (input, init) => {
      if (String(input).endsWith('/login')) throw new TypeError('fetch failed')
      return server.fetch(input, init)
    },
    onLoginRequired: async () => void (await api('/login', credentials('viewer'))),
  })
  const calls = Promise.all([1, 2].map(() => rejectionOf(api('/me'))))
  await flush()
  for (const reason of await settled(calls))
    expect(reason).toMatchObject({ name: 'TypeError', message: 'fetch failed' })
})
