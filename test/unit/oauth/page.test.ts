// A client on a page: where it goes, when it stays, and what becomes of those who wait.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LoginNeed, StepUpNeed } from '../../../src/index.ts'
import { deferred } from '../../helpers/deferred.ts'
import { mapStorage } from '../../helpers/map-storage.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { answerTo, authServer, clientOf, grantTokens, json, sessionOf } from './auth-server.ts'

const request = { method: 'GET', url: 'https://api.example/me' }

function loginNeed(signal: AbortSignal = new AbortController().signal): LoginNeed {
  return { reason: 'no-session', request, challenges: [], returnTo: '/orders', signal }
}

function stepUpNeed(more: Partial<StepUpNeed> = {}): StepUpNeed {
  return { acrValues: [], scopes: [], request, challenges: [], signal: new AbortController().signal, ...more }
}

let visited: URL[] = []
let arrived = deferred<URL>()

function visit(url: string): void {
  visited.push(new URL(url))
  arrived.resolve(new URL(url))
}

beforeEach(() => {
  visited = []
  arrived = deferred<URL>()
  vi.stubGlobal('sessionStorage', mapStorage())
  vi.stubGlobal('location', { href: 'https://app.example/orders', origin: 'https://app.example', assign: visit })
})
afterEach(() => vi.unstubAllGlobals())

describe('signIn by redirect', () => {
  it('leaves the page, to come back to it', async () => {
    const server = authServer()
    const client = clientOf(server, { redirectUri: '/callback', scope: 'openid' })
    await client.signIn(sessionOf())
    const [url] = visited
    expect(url?.searchParams.get('redirect_uri')).toBe('https://app.example/callback')
    grantTokens(server, () => url ?? null)
    const api = sessionOf()
    expect(await client.handleCallback(api, { url: answerTo(url as URL) })).toEqual({ returnTo: '/orders' })
    expect(api.snapshot().subject).toBe('ann')
  })

  it('navigates as it is told', async () => {
    const navigate = vi.fn()
    await clientOf(authServer(), { navigate }).signIn(sessionOf())
    expect(navigate).toHaveBeenCalledWith(expect.stringMatching(/^https:\/\/id\.example\/authorize\?/))
    expect(visited).toEqual([])
  })

  it('needs a page', async () => {
    vi.stubGlobal('location', undefined)
    const error = await rejectionOf(clientOf(authServer()).signIn(sessionOf()))
    expect(error).toMatchObject({ code: 'ERR_NO_PAGE' })
  })

  it('requestScopes asks for what was granted, what the client asks for, and what is new', async () => {
    const api = sessionOf()
    await api.signIn({ access_token: 'at', scope: 'openid admin' })
    await clientOf(authServer(), { scope: 'openid orders' }).requestScopes(api, ['transfer'])
    expect(visited[0]?.searchParams.get('scope')?.split(' ').sort()).toEqual(['admin', 'openid', 'orders', 'transfer'])
  })
})

describe('onLoginRequired by redirect', () => {
  it('leaves the page, and ends when the login is no longer needed', async () => {
    const { onLoginRequired } = clientOf(authServer())
    const unneeded = new AbortController()
    const work = onLoginRequired(loginNeed(unneeded.signal))
    expect((await arrived.promise).searchParams.get('response_type')).toBe('code')
    unneeded.abort()
    expect(await work).toBeNull()
  })

  it('L3: stops after two in a minute', async () => {
    const { onLoginRequired } = clientOf(authServer())
    for (let turn = 0; turn < 2; turn++) {
      arrived = deferred<URL>()
      void onLoginRequired(loginNeed())
      await arrived.promise
    }
    expect(await rejectionOf(Promise.resolve(onLoginRequired(loginNeed())))).toMatchObject({ code: 'login-loop' })
    expect(visited).toHaveLength(2)
  })

  it('L3: counts step-ups apart, and stops them too', async () => {
    const server = authServer()
    /** A page that was loaded anew, each time. */
    const stepUp = (): Promise<unknown> => clientOf(server).onStepUp(stepUpNeed())
    for (const ask of [() => clientOf(server).onLoginRequired(loginNeed()), stepUp, stepUp]) {
      arrived = deferred<URL>()
      void ask()
      await arrived.promise
    }
    expect(await rejectionOf(stepUp())).toMatchObject({ code: 'login-loop' })
    expect(visited).toHaveLength(3)
  })

  it('L1 L5: requests that need the same step-up at once share it, and it ends when none of them waits', async () => {
    const { onStepUp } = clientOf(authServer())
    const leaving = Array.from({ length: 5 }, () => new AbortController())
    arrived = deferred<URL>()
    const answers = leaving.map(({ signal }) => onStepUp({ ...stepUpNeed(), signal }))
    await arrived.promise
    for (const { signal } of leaving) expect(signal.aborted).toBe(false)
    for (const left of leaving) left.abort()
    expect(await Promise.all(answers)).toEqual(Array(5).fill(null))
    expect(visited).toHaveLength(1)
  })

  it('L3: asks for the same scopes once at a time, and not in circles', async () => {
    const server = authServer()
    const allow = (...scopes: string[]): Promise<void> => clientOf(server).requestScopes(sessionOf(), scopes)
    const { requestScopes } = clientOf(server)
    await Promise.all([1, 2, 3].map(() => requestScopes(sessionOf(), ['admin'])))
    expect(visited).toHaveLength(1)
    await allow('admin')
    expect(await rejectionOf(allow('admin'))).toMatchObject({ code: 'login-loop' })
    await allow('reports')
    expect(visited).toHaveLength(3)
  })

  it('waits for an answer that is being traded, and then goes nowhere', async () => {
    const server = authServer()
    const client = clientOf(server)
    const url = await client.authorizationUrl()
    const answer = deferred<Response>()
    server.answers['/token'] = () => answer.promise
    const unneeded = new AbortController()
    const api = sessionOf()
    const callback = client.handleCallback(api, { url: answerTo(url) })
    const login = client.onLoginRequired(loginNeed(unneeded.signal))
    api.on('signed-in', () => unneeded.abort())
    answer.resolve(json({ access_token: 'at', token_type: 'Bearer' }))
    await callback
    expect(await login).toBeNull()
    expect(visited).toEqual([])
  })

  it('goes nowhere where the login is no longer needed by the time the server has said where to', async () => {
    const server = authServer()
    const unneeded = new AbortController()
    const discovery = server.answers['/.well-known/openid-configuration']
    server.answers['/.well-known/openid-configuration'] = (asked) => {
      unneeded.abort()
      return discovery?.(asked) as Response
    }
    expect(await clientOf(server).onLoginRequired(loginNeed(unneeded.signal))).toBeNull()
    expect(visited).toEqual([])
  })

  it('ends with null where the page stays and the server says no', async () => {
    const client = clientOf(authServer())
    const login = client.onLoginRequired(loginNeed())
    const url = answerTo(await arrived.promise, { code: null, error: 'access_denied' })
    expect(await rejectionOf(client.handleCallback(sessionOf(), { url }))).toMatchObject({
      code: 'authorization-failed',
    })
    expect(await login).toBeNull()
  })

  it('is null where there is no page, and asks nobody', async () => {
    vi.stubGlobal('location', undefined)
    const server = authServer()
    const { onLoginRequired, onStepUp } = clientOf(server)
    expect([await onLoginRequired(loginNeed()), await onStepUp(stepUpNeed())]).toEqual([null, null])
    expect(server.asked).toEqual([])
  })
})

describe('onStepUp by redirect (RFC 9470)', () => {
  it('L5: asks for the contexts in their order, the age and the scopes', async () => {
    void clientOf(authServer(), { scope: 'openid' }).onStepUp(
      stepUpNeed({ acrValues: ['gold', 'silver'], maxAgeSeconds: 0, scopes: ['transfer'] }),
    )
    expect(Object.fromEntries((await arrived.promise).searchParams)).toMatchObject({
      acr_values: 'gold silver',
      max_age: '0',
      scope: 'openid transfer',
    })
  })

  it('keeps the scopes that the session has', async () => {
    void clientOf(authServer(), { scope: 'openid' }).onStepUp(stepUpNeed({ grantedScope: 'openid admin' }))
    expect((await arrived.promise).searchParams.get('scope')).toBe('openid admin')
  })

  it('L5: hands the tokens to the request that asked, where the page stays', async () => {
    const server = authServer()
    const client = clientOf(server)
    const work = client.onStepUp(stepUpNeed())
    grantTokens(server, () => null)
    const api = sessionOf()
    await client.handleCallback(api, { url: answerTo(await arrived.promise) })
    expect(await work).toMatchObject({ access_token: 'at-1' })
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('signs in where nobody waits for it any more', async () => {
    const server = authServer()
    const client = clientOf(server)
    const left = new AbortController()
    const work = client.onStepUp(stepUpNeed({ signal: left.signal }))
    const url = await arrived.promise
    left.abort()
    await work
    grantTokens(server, () => null)
    const api = sessionOf()
    await client.handleCallback(api, { url: answerTo(url) })
    expect(api.snapshot().status).toBe('signed-in')
  })
})

it('all members are bound', async () => {
  const { signIn, requestScopes, authorizationUrl, handleCallback, signOut, metadata, deviceLogin } = clientOf(
    authServer(),
  )
  await signIn(sessionOf())
  await requestScopes(sessionOf(), [])
  await authorizationUrl()
  await metadata()
  expect(await handleCallback(sessionOf())).toBeNull()
  expect(await signOut(sessionOf(), { navigate: false })).toMatchObject({ isRevoked: false })
  expect(deviceLogin(() => {})).toBeTypeOf('function')
})
