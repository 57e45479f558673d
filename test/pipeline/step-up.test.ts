// L5: a 401 that asks for a stronger or a more recent login (RFC 9470). No refresh cures that, and no request asks twice.
import { describe, expect, it } from 'vitest'
import {
  type AuthFetchOptions,
  authFailureOf,
  createAuthFetch,
  type LoginResult,
  memoryStore,
  type StepUpNeed,
  type TokenSet,
} from '../../src/index.ts'
import { type AuthServerOptions, createAuthServer } from '../../src/testing/index.ts'
import { ok, unauthorized } from '../helpers/answer.ts'
import { deferred } from '../helpers/deferred.ts'
import { fakeTime, flush, settled } from '../helpers/fake-time.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { clientOf, statusesOf, statusOf } from '../helpers/server-client.ts'

fakeTime()

/** Somebody signed in with a password alone, and a payment that takes more. */
async function paying(options: AuthFetchOptions = {}, serverOptions: AuthServerOptions = {}) {
  const server = createAuthServer({ idToken: true, ...serverOptions })
  const needs: StepUpNeed[] = []
  const api = clientOf(server, {
    onStepUp: (need) => {
      needs.push(need)
      if (needs.length > 20) throw new Error('round in circles')
      return server.signIn('viewer', { acr: need.acrValues[0] ?? '' })
    },
    ...options,
  })
  await api.signIn(server.signIn('viewer'))
  const pay = (init: RequestInit = {}): Promise<Response> => api('/payments', { method: 'POST', ...init })
  return { server, api, needs, pay }
}

describe('a stronger login', () => {
  it('L5 lets the request through, without a refresh and without a login', async () => {
    const { server, needs, pay } = await paying()
    expect(await settled(statusOf(pay()))).toBe(201)
    expect(needs).toHaveLength(1)
    expect(server.stats).toMatchObject({ refreshAttempts: 0, apiRequests: 2 })
  })

  it('L5 is asked for with everything that the server said', async () => {
    const { needs, pay } = await paying({}, { stepUp: { acrValues: ['mfa', 'hwk', 'pwd'], maxAgeSeconds: 60 } })
    await settled(pay())
    const { signal, challenges, ...rest } = needs[0] as StepUpNeed
    expect(rest).toEqual({
      acrValues: ['mfa', 'hwk', 'pwd'],
      grantedScope: 'items:read',
      maxAgeSeconds: 60,
      scopes: [],
      request: { method: 'POST', url: 'https://auth.test/payments' },
    })
    expect(challenges[0]?.params.error).toBe('insufficient_user_authentication')
    expect(signal).toBeInstanceOf(AbortSignal)
  })

  it.each([
    ['max_age="300"', { maxAgeSeconds: 300 }],
    ['max_age=300', { maxAgeSeconds: 300 }],
    ['max_age=0', { maxAgeSeconds: 0 }],
    ['max_age="-1"', {}],
    ['max_age="5 minutes"', {}],
    ['max_age="1e3"', {}],
    ['max_age="99999999999999999999"', {}],
    ['acr_values="  a   b "', { acrValues: ['a', 'b'] }],
    ['acr_values=gold', { acrValues: ['gold'] }],
    ['scope="pay refund"', { scopes: ['pay', 'refund'] }],
    ['realm="x"', { acrValues: [], scopes: [] }],
  ])('L5 reads %s', async (parameter, expected) => {
    const needs: StepUpNeed[] = []
    const { fetch } = recorder(() => unauthorized(`Bearer error="insufficient_user_authentication", ${parameter}`))
    const api = createAuthFetch({
      baseUrl: 'https://api.test',
      fetch,
      store: memoryStore({ accessToken: 'weak' }),
      onStepUp: (need) => void needs.push(need),
    })
    await api('/pay')
    expect(needs).toHaveLength(1)
    expect(needs[0]).toMatchObject(expected)
    if (!('maxAgeSeconds' in expected)) expect(needs[0]).not.toHaveProperty('maxAgeSeconds')
  })

  it('L5 is found among other challenges', async () => {
    const needs: StepUpNeed[] = []
    const { fetch } = recorder(() =>
      unauthorized('Basic realm="old", Bearer error="insufficient_user_authentication", acr_values="mfa"'),
    )
    const api = createAuthFetch({
      baseUrl: 'https://api.test',
      fetch,
      store: memoryStore({ accessToken: 'weak' }),
      onStepUp: (need) => void needs.push(need),
    })
    await api('/pay')
    expect(needs[0]).toMatchObject({ acrValues: ['mfa'], challenges: [{ scheme: 'basic' }, { scheme: 'bearer' }] })
  })

  const forms: Array<[string, (tokens: { access_token: string; refresh_token?: string }) => LoginResult]> = [
    ['a TokenResponse', (tokens) => tokens],
    [
      'a TokenSet',
      ({ access_token, refresh_token = '' }): TokenSet => ({ accessToken: access_token, refreshToken: refresh_token }),
    ],
  ]
  it.each(forms)('L5 may be handed over as %s', async (_form, form) => {
    const { server, api, pay } = await paying({ onStepUp: async () => form(server.signIn('viewer', { acr: 'mfa' })) })
    expect(await settled(statusOf(pay()))).toBe(201)
    expect((await api.tokens())?.accessToken).toMatch(/^at_/)
  })

  it('L5 R12 signIn() in the callback is another session: this request gets its 401, the next one goes with it', async () => {
    const { server, api, pay } = await paying({
      onStepUp: () => api.signIn(server.signIn('viewer', { acr: 'mfa' })),
    })
    expect(await settled(statusOf(pay()))).toBe(401)
    expect(await settled(statusOf(pay()))).toBe(201)
  })

  it('L5 is the same session: whoever listens hears of no sign-in', async () => {
    const { api, pay } = await paying()
    const signedIn = eventsOf(api, 'signed-in')
    await settled(pay())
    expect(signedIn).toEqual([])
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('L5 is for the other requests of the session, too', async () => {
    const { api, server, needs, pay } = await paying()
    await settled(pay())
    expect(await settled(statusesOf(5, () => pay()))).toEqual([201, 201, 201, 201, 201])
    expect(await settled(statusOf(api('/me')))).toBe(200)
    expect(needs).toHaveLength(1)
    expect(server.stats.refreshAttempts).toBe(0)
  })

  it('L5 keeps the refresh token where the stronger tokens bring none', async () => {
    const { server, api, pay } = await paying({
      onStepUp: () => {
        const { refresh_token: _, ...stronger } = server.signIn('viewer', { acr: 'mfa' })
        return stronger
      },
    })
    const before = await api.tokens()
    expect(await settled(statusOf(pay()))).toBe(201)
    expect((await api.tokens())?.refreshToken).toBe(before?.refreshToken)
  })

  it('L5 the event comes once a request', async () => {
    const { api, pay } = await paying()
    const events = eventsOf(api, 'step-up')
    await settled(pay())
    expect(events).toEqual([
      { request: { method: 'POST', url: 'https://auth.test/payments' }, acrValues: ['mfa'], maxAgeSeconds: 300 },
    ])
  })

  it('L5 B1 the body goes along', async () => {
    const { fetch, sent } = recorder(({ credential }) =>
      credential === 'Bearer strong' ? ok() : unauthorized('Bearer error="insufficient_user_authentication"'),
    )
    const api = createAuthFetch({
      baseUrl: 'https://api.test',
      fetch,
      store: memoryStore({ accessToken: 'weak' }),
      onStepUp: () => ({ accessToken: 'strong' }),
    })
    expect((await api('/pay', { method: 'POST', body: 'amount=7' })).status).toBe(200)
    expect(sent.map(({ init }) => init?.body)).toEqual(['amount=7', 'amount=7'])
  })
})

describe('no stronger login', () => {
  it.each([
    ['null', () => null],
    ['nothing', () => undefined],
    ['a promise of nothing', async () => {}],
  ])('L5 the callback gives %s: the 401 is handed back, and the session goes on', async (_what, onStepUp) => {
    const { server, api, pay } = await paying({ onStepUp })
    const response = await settled(pay())
    expect(response.status).toBe(401)
    expect(await response.json()).toMatchObject({ error: 'insufficient_user_authentication' })
    expect(await settled(statusOf(api('/me')))).toBe(200)
    expect(server.stats).toMatchObject({ refreshAttempts: 0, apiRequests: 2 })
  })

  it('L5 nobody to ask: the 401 is handed back, with neither a refresh nor a login', async () => {
    let logins = 0
    const { server, pay } = await paying({ onStepUp: undefined, onLoginRequired: () => void logins++ })
    expect(await settled(statusOf(pay()))).toBe(401)
    expect(server.stats).toMatchObject({ refreshAttempts: 0, apiRequests: 1 })
    expect(logins).toBe(0)
  })

  it('L5 the callback throws: the call rejects with exactly that, the others go on', async () => {
    const thrown = { digest: 'NEXT_REDIRECT' }
    const { api, pay } = await paying({ onStepUp: () => Promise.reject(thrown) })
    const payment = rejectionOf(pay())
    expect(await settled(statusOf(api('/me')))).toBe(200)
    expect(await settled(payment)).toBe(thrown)
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('L5 the callback throws before its first await: the same', async () => {
    const thrown = new Error('redirect')
    const { pay } = await paying({
      onStepUp: () => {
        throw thrown
      },
    })
    expect(await settled(rejectionOf(pay()))).toBe(thrown)
  })

  it('L5 the server ignores the new acr: asked once, sent twice, and the 401 is handed back', async () => {
    const { server, needs, pay } = await paying({}, { stepUp: { isNeverMet: true } })
    expect(await settled(statusOf(pay()))).toBe(401)
    expect(needs).toHaveLength(1)
    expect(server.stats).toMatchObject({ refreshAttempts: 0, apiRequests: 2 })
  })

  it('L5 once per request, and again for the next one', async () => {
    const { server, needs, pay } = await paying({}, { stepUp: { isNeverMet: true } })
    for (let payment = 1; payment <= 3; payment++) {
      expect(await settled(statusOf(pay()))).toBe(401)
      expect(needs).toHaveLength(payment)
    }
    expect(server.stats.refreshAttempts).toBe(0)
  })

  it('L5 the response that is handed back says why', async () => {
    const { pay } = await paying({ onStepUp: () => null })
    expect(authFailureOf(await settled(pay()))).toMatchObject({
      acrValues: ['mfa'],
      maxAgeSeconds: 300,
      scopes: [],
      request: { method: 'POST', url: 'https://auth.test/payments' },
    })
  })

  it('L5 an abort ends the wait with its own reason, and the callback is told', async () => {
    const needs: StepUpNeed[] = []
    const { api, pay } = await paying({
      onStepUp: (need) => {
        needs.push(need)
        return new Promise(() => {})
      },
    })
    const leaving = new AbortController()
    const call = rejectionOf(pay({ signal: leaving.signal }))
    await flush()
    expect(needs[0]?.signal.aborted).toBe(false)
    leaving.abort('left')
    expect(await settled(call)).toBe('left')
    expect(needs[0]?.signal.aborted).toBe(true)
    expect(await settled(statusOf(api('/me')))).toBe(200)
  })
})

describe('meanwhile', () => {
  it('L5 ten payments at once: each asks at most once, all get through', async () => {
    const { server, needs, pay } = await paying()
    expect(await settled(statusesOf(10, () => pay()))).toEqual(Array(10).fill(201))
    expect(needs.length).toBeLessThanOrEqual(10)
    expect(server.stats.refreshAttempts).toBe(0)
  })

  it('L5 R3 a payment whose 401 comes after another has stepped up goes again without asking', async () => {
    const held = deferred<void>()
    const needs: StepUpNeed[] = []
    const { fetch } = recorder(async ({ url, credential }) => {
      if (credential === 'Bearer strong') return ok()
      if (url.endsWith('/late')) await held.promise
      return unauthorized('Bearer error="insufficient_user_authentication"')
    })
    const api = createAuthFetch({
      baseUrl: 'https://api.test',
      fetch,
      store: memoryStore({ accessToken: 'weak' }),
      onStepUp: (need) => {
        needs.push(need)
        return { accessToken: 'strong' }
      },
    })
    const late = api('/late')
    await api('/pay')
    held.resolve()
    expect((await settled(late)).status).toBe(200)
    expect(needs).toHaveLength(1)
  })

  it('L5 other requests of the session do not wait for it', async () => {
    const stepUp = deferred<LoginResult>()
    const { server, api, pay } = await paying({ onStepUp: () => stepUp.promise })
    const payment = statusOf(pay())
    expect(await settled(statusesOf(5, () => api('/me')))).toEqual([200, 200, 200, 200, 200])
    server.expireAccessTokens()
    expect(await settled(statusOf(api('/me')))).toBe(200)
    stepUp.resolve(server.signIn('viewer', { acr: 'mfa' }))
    expect(await settled(payment)).toBe(201)
  })

  it('R1 L5 an expired token is refreshed first, and then the stronger login asked for', async () => {
    const { server, needs, pay } = await paying()
    server.expireAccessTokens()
    expect(await settled(statusOf(pay()))).toBe(201)
    expect(needs).toHaveLength(1)
    expect(server.stats).toMatchObject({ refreshAttempts: 1, apiRequests: 3 })
  })

  it('R12 L5 signOut() wins: what the step-up brings afterwards signs nobody in', async () => {
    const stepUp = deferred<LoginResult>()
    const { server, api, pay } = await paying({ onStepUp: () => stepUp.promise })
    const payment = statusOf(pay())
    await flush()
    await api.signOut()
    stepUp.resolve(server.signIn('viewer', { acr: 'mfa' }))
    expect(await settled(payment)).toBe(401)
    expect(api.snapshot().status).toBe('signed-out')
    expect(await api.tokens()).toBeNull()
  })

  it.each([
    ['known', true],
    ['unknown', false],
  ])('R12 L5 signIn() of somebody else wins, where subjects are %s', async (_what, idToken) => {
    const stepUp = deferred<LoginResult>()
    const { server, api, pay } = await paying({ onStepUp: () => stepUp.promise }, { idToken })
    const payment = statusOf(pay())
    await flush()
    await api.signIn(server.signIn('admin'))
    stepUp.resolve(server.signIn('viewer', { acr: 'mfa' }))
    expect(await settled(payment)).toBe(401)
    expect(await (await api('/me')).json()).toMatchObject({ user: 'admin' })
  })

  it('R12 L5 a step-up as somebody else does not carry out what the first user asked for', async () => {
    const { server, api, pay } = await paying({ onStepUp: () => server.signIn('admin', { acr: 'mfa' }) })
    const signedIn = eventsOf(api, 'signed-in')
    expect(await settled(statusOf(pay()))).toBe(401)
    expect(signedIn).toHaveLength(1)
    expect(server.requests.filter(({ path, session }) => path === '/payments' && session !== 's1')).toEqual([])
  })

  it('L5 classify may call a 403 a step-up’s 401', async () => {
    const needs: StepUpNeed[] = []
    const { fetch } = recorder(({ credential }) =>
      credential === 'Bearer strong'
        ? ok()
        : new Response(null, {
            status: 403,
            headers: { 'www-authenticate': 'Bearer error="insufficient_user_authentication"' },
          }),
    )
    const api = createAuthFetch({
      baseUrl: 'https://api.test',
      fetch,
      store: memoryStore({ accessToken: 'weak' }),
      classify: ({ status }) => (status === 403 ? 'recover' : undefined),
      onStepUp: (need) => {
        needs.push(need)
        return { accessToken: 'strong' }
      },
    })
    expect((await api('/pay')).status).toBe(200)
    expect(needs).toHaveLength(1)
  })
})
