// D3: what an answer means is the app's to say: a 403 for expiry, a 419, a GraphQL error under 200.
import { describe, expect, it, vi } from 'vitest'
import { type AuthFetchOptions, authFailureOf, createAuthFetch, type Verdict } from '../../src/index.ts'
import { accepting, forbidden, json, ok, unauthorized } from '../helpers/answer.ts'
import { deferred } from '../helpers/deferred.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'

type Classify = NonNullable<AuthFetchOptions['classify']>

async function client(classify: Classify, answer: Answering, options: AuthFetchOptions = {}) {
  const { fetch, sent, credentials } = recorder(answer)
  const refresh = vi.fn(async () => ({ accessToken: 'fresh' }))
  const onPermissionDenied = vi.fn()
  const all = { baseUrl: 'https://api.example', refresh, onPermissionDenied, ...options, fetch, classify }
  const api = createAuthFetch(all)
  await api.signIn({ accessToken: 'old' })
  return { api, sent, credentials, refresh, onPermissionDenied }
}

/** An API that is fine with the fresh token, and says no in this way to any other. */
const unless =
  (no: () => Response): Answering =>
  ({ credential }) =>
    credential === 'Bearer fresh' ? ok() : no()

describe('other ways to say 401', () => {
  it.each([401, 403, 419, 440, 498, 200])('D3 a %i can mean expiry', async (status) => {
    const classify: Classify = (response) =>
      response.status === status && response.headers.has('x-expired') ? 'recover' : 'pass'
    const no = (): Response => new Response(null, { status, headers: { 'x-expired': '1' } })
    const { api, credentials, refresh } = await client(classify, unless(no))
    const response = await api('/x')
    expect(await response.text()).toBe('ok')
    expect(credentials()).toEqual(['Bearer old', 'Bearer fresh'])
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('D3 GraphQL errors under 200: the body is looked at in a clone, and the caller’s stays unread', async () => {
    const classify: Classify = async (response) => {
      const { errors } = await response.clone().json()
      return errors?.[0]?.extensions.code === 'UNAUTHENTICATED' ? 'recover' : 'pass'
    }
    const no = { data: null, errors: [{ message: 'no', extensions: { code: 'UNAUTHENTICATED' } }] }
    const { api, sent } = await client(classify, ({ credential }) =>
      json(credential === 'Bearer fresh' ? { data: { me: 'ann' } } : no),
    )
    const response = await api('/graphql', { method: 'POST', body: '{me}' })
    expect(await response.json()).toEqual({ data: { me: 'ann' } })
    expect(sent.map(({ init }) => init?.body)).toEqual(['{me}', '{me}'])
  })

  it('D3 a 403 that means expiry is no denial: nobody is told until it still is one', async () => {
    const classify: Classify = async (response) =>
      response.status === 403 && (await response.clone().text()) === 'expired' ? 'recover' : undefined
    const { api, onPermissionDenied } = await client(
      classify,
      unless(() => forbidden('expired')),
    )
    expect((await api('/x')).status).toBe(200)
    expect(onPermissionDenied).not.toHaveBeenCalled()
  })

  it('D3 the second `recover` in a row is handed back: two sends, one refresh', async () => {
    const { api, sent, refresh } = await client(
      () => 'recover',
      () => new Response('later', { status: 419 }),
    )
    const response = await api('/x')
    expect(response.status).toBe(419)
    expect(await response.text()).toBe('later')
    expect(authFailureOf(response)).not.toBe(null)
    expect(sent).toHaveLength(2)
    expect(refresh).toHaveBeenCalledTimes(1)
  })

  it('D3 a login is asked for a 419 as for a 401', async () => {
    const onLoginRequired = vi.fn(() => ({ accessToken: 'fresh' }))
    const classify: Classify = ({ status }) => (status === 419 ? 'recover' : undefined)
    const no = (): Response => new Response(null, { status: 419 })
    const { api } = await client(classify, unless(no), { onLoginRequired, refresh: undefined })
    expect((await api('/x')).status).toBe(200)
    expect(onLoginRequired).toHaveBeenCalledTimes(1)
  })
})

describe('other ways to say 403', () => {
  it.each([200, 404, 401])('D3 a %i can be a denial', async (status) => {
    const { api, sent, refresh, onPermissionDenied } = await client(
      () => 'deny',
      () => new Response('b', { status }),
    )
    const response = await api('/x')
    expect(response.status).toBe(status)
    expect(await response.text()).toBe('b')
    expect(authFailureOf(response)).toBe(onPermissionDenied.mock.calls[0]?.[0])
    expect(sent).toHaveLength(1)
    expect(refresh).not.toHaveBeenCalled()
    expect(onPermissionDenied).toHaveBeenCalledTimes(1)
  })
})

describe('pass', () => {
  it.each([401, 403])('D3 a %i can be nobody’s business', async (status) => {
    const { api, sent, refresh, onPermissionDenied } = await client(
      () => 'pass',
      () => new Response(null, { status }),
    )
    const response = await api('/x')
    expect(response.status).toBe(status)
    expect(authFailureOf(response)).toBe(null)
    expect(sent).toHaveLength(1)
    expect(refresh).not.toHaveBeenCalled()
    expect(onPermissionDenied).not.toHaveBeenCalled()
  })
})

describe('the function', () => {
  it('D3 undefined leaves the default', async () => {
    const classify = vi.fn()
    const answer: Answering = (sent) => (sent.url.endsWith('/denied') ? forbidden() : accepting('fresh')(sent, 0))
    const { api, refresh, onPermissionDenied } = await client(classify, answer)
    expect((await api('/denied')).status).toBe(403)
    expect((await api('/x')).status).toBe(200)
    expect(onPermissionDenied).toHaveBeenCalledTimes(1)
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(classify).toHaveBeenCalledTimes(3)
  })

  it('D3 gets the response itself, and the request with its whole URL', async () => {
    const response = ok()
    const classify = vi.fn<Classify>(() => 'pass')
    const { api } = await client(classify, () => response)
    await api('/search?q=1#top', { method: 'post' })
    expect(classify.mock.calls).toEqual([[response, { method: 'POST', url: 'https://api.example/search?q=1#top' }]])
    expect(classify.mock.calls[0]?.[0]).toBe(response)
  })

  it('D3 may be async, and nothing happens before it has answered', async () => {
    const verdict = deferred<Verdict>()
    const { api, sent } = await client(({ status }) => (status === 401 ? verdict.promise : 'pass'), accepting('fresh'))
    const call = api('/x')
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    expect(sent).toHaveLength(1)
    verdict.resolve('recover')
    expect((await call).status).toBe(200)
    expect(sent).toHaveLength(2)
  })

  it.each([
    ['an Error', new Error('mine')],
    ['undefined', undefined],
    ['a string', 'mine'],
  ])('D3 rejects the call with exactly what it throws: %s', async (_, value) => {
    const throwing: Classify = () => {
      throw value
    }
    const { api, refresh } = await client(throwing, () => unauthorized())
    expect(await rejectionOf(api('/x'))).toBe(value)
    const rejecting = await client(
      () => Promise.reject(value),
      () => unauthorized(),
    )
    expect(await rejectionOf(rejecting.api('/x'))).toBe(value)
    expect(refresh).not.toHaveBeenCalled()
  })

  it.each(['retry', '', 'RECOVER', true, false, 401, {}])('D3 %j is no verdict: the call says so', async (verdict) => {
    const { api, sent, refresh } = await client((() => verdict) as never, () => unauthorized())
    const error = await rejectionOf(api('/x'))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ code: 'ERR_VERDICT', message: expect.stringMatching(/pass.*recover.*deny/) })
    expect(sent).toHaveLength(1)
    expect(refresh).not.toHaveBeenCalled()
  })

  it('D3 is asked about the replay too', async () => {
    const classify = vi.fn<Classify>(({ status }) => (status === 401 ? 'recover' : 'pass'))
    const { api } = await client(classify, accepting('fresh'))
    await api('/x')
    expect(classify.mock.calls.map(([{ status }]) => status)).toEqual([401, 200])
  })
})
