// The event `request`: the life of every call, stage by stage, for traces and devtools; and nothing where nobody listens.
import { expect, it, vi } from 'vitest'
import { type AuthEvents, type AuthFetchOptions, createAuthFetch } from '../../src/index.ts'
import { accepting, forbidden, ok, unauthorized } from '../helpers/answer.ts'
import { eventsOf } from '../helpers/next-event.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'

async function client(options: AuthFetchOptions = {}, answer: Answering = accepting('fresh')) {
  const { fetch } = recorder(answer)
  const refresh = async () => ({ accessToken: 'fresh' })
  const api = createAuthFetch({ baseUrl: 'https://api.example', refresh, ...options, fetch })
  await api.signIn({ accessToken: 'old', refreshToken: 'rt' })
  const told = eventsOf(api, 'request')
  return { api, told }
}

/** The stages as one line each, in order: `waiting refresh`, `answered 401`. */
const stagesOf = (told: AuthEvents['request'][]): string[] =>
  told.map(({ requestId: _, request: __, ...stage }) => Object.values(stage).join(' '))

it('E1 a call that simply passes', async () => {
  const { api, told } = await client({}, () => ok())
  await api('/x?secret=1#hash', { method: 'put' })
  expect(told).toEqual([
    expect.objectContaining({ stage: 'sent', sends: 1 }),
    expect.objectContaining({ stage: 'answered', status: 200 }),
    expect.objectContaining({ stage: 'ended', status: 200 }),
  ])
  const id = expect.stringMatching(/^[0-9a-f]{32}$/)
  for (const { requestId, request } of told) {
    expect(requestId).toEqual(id)
    expect(request).toEqual({ method: 'PUT', url: 'https://api.example/x' })
  }
  expect(new Set(told.map(({ requestId }) => requestId)).size).toBe(1)
})

it('E1 a call that is recovered', async () => {
  const { api, told } = await client()
  await api('/x')
  expect(stagesOf(told)).toEqual([
    ...['sent 1', 'answered 401', 'waiting refresh', 'resumed'],
    ...['sent 2', 'answered 200', 'ended 200'],
  ])
})

it('E1 a call that waits for a refresh before it is sent', async () => {
  const { api, told } = await client()
  await api.signIn({ accessToken: 'old', expiresAt: Date.now() - 1 })
  await api('/x')
  expect(stagesOf(told)).toEqual(['waiting refresh', 'resumed', 'sent 1', 'answered 200', 'ended 200'])
})

it('E1 a call that waits for a login, for a permission callback, for a step-up', async () => {
  const login = await client({ refresh: undefined, onLoginRequired: () => ({ accessToken: 'fresh' }) })
  await login.api('/x')
  expect(stagesOf(login.told)).toContain('waiting login')
  expect(stagesOf(login.told).at(-1)).toBe('ended 200')

  const denied = await client({ onPermissionDenied: () => {} }, () => forbidden())
  await denied.api('/x')
  expect(stagesOf(denied.told)).toEqual(['sent 1', 'answered 403', 'waiting permission', 'resumed', 'ended 403'])

  const weak = 'Bearer error="insufficient_user_authentication", acr_values="mfa"'
  const stepUp = await client({ onStepUp: () => null }, () => unauthorized(weak))
  await stepUp.api('/x')
  expect(stagesOf(stepUp.told)).toEqual(['sent 1', 'answered 401', 'waiting step-up', 'resumed', 'ended 401'])
})

it('E1 R4 a call that does not wait for a slow refresh any longer is resumed before it is sent', async () => {
  vi.useFakeTimers()
  const slow = (): Promise<{ accessToken: string }> =>
    new Promise((resolve) => setTimeout(resolve, 5_000, { accessToken: 'fresh' }))
  const { api, told } = await client({ refresh: slow }, () => ok())
  await api.signIn({ accessToken: 'old', expiresAt: Date.now() + 10_000 })
  const call = api('/x')
  await vi.advanceTimersByTimeAsync(10_000)
  await call
  expect(stagesOf(told)).toEqual(['waiting refresh', 'resumed', 'sent 1', 'answered 200', 'ended 200'])
  vi.useRealTimers()
})

it('E1 R5 a call of the refresher tells its send as well', async () => {
  const { api, told } = await client({ refresh: async () => (await api('/token')) && { accessToken: 'fresh' } })
  await api('/x')
  const stages = stagesOf(told.filter(({ request }) => request.url.endsWith('/token')))
  expect(stages).toEqual(['sent 1', 'answered 401', 'ended 401'])
})

it('E1 a call that fails, with our code or with none', async () => {
  const outage = await client({ refreshRetries: 0, refresh: () => Promise.reject(new TypeError('fetch failed')) })
  await rejectionOf(outage.api('/x'))
  expect(stagesOf(outage.told)).toEqual([
    ...['sent 1', 'answered 401', 'waiting refresh', 'resumed'],
    'failed refresh-unavailable',
  ])

  const offline = await client({}, () => Promise.reject(new TypeError('fetch failed')))
  await rejectionOf(offline.api('/x'))
  expect(stagesOf(offline.told)).toEqual(['sent 1', 'failed'])
})

it('A1 E1 a call that its caller has ended says so, and whether it was for the time that it took', async () => {
  const never = ({ init }: { init: RequestInit | undefined }): Promise<Response> =>
    new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason)))
  const { api, told } = await client({}, never)
  const left = new AbortController()
  const call = rejectionOf(api('/x', { signal: left.signal }))
  left.abort(new Error('The user went elsewhere'))
  await call
  await rejectionOf(api('/x', { signal: AbortSignal.timeout(1) }))
  expect(stagesOf(told)).toEqual(['sent 1', 'failed caller', 'sent 1', 'failed timeout'])
})

it('E1 every event of a call holds the same request', async () => {
  const { api, told } = await client({ onPermissionDenied: () => {} }, ({ credential }) =>
    credential === 'Bearer old' ? unauthorized() : forbidden(),
  )
  const others = (['denied', 'recovered'] as const).map((event) => eventsOf(api, event))
  await Promise.all([api('/x'), api('/x')])
  const requests = new Set(told.map(({ request }) => request))
  expect(requests.size).toBe(2)
  for (const payloads of others) expect(new Set(payloads.map(({ request }) => request))).toEqual(requests)
})

it('E1 calls that are none of our business, and those that were aborted before, have no stages', async () => {
  const { api, told } = await client({}, () => ok())
  await api('https://other.example/')
  await api('/x', { headers: { authorization: 'Basic mine' } })
  await rejectionOf(api('/x', { signal: AbortSignal.abort() }))
  expect(told).toEqual([])
})

it('E3 a listener that throws changes nothing', async () => {
  const { api } = await client()
  api.on('request', () => {
    throw new Error('Thrown on purpose')
  })
  expect((await api('/x')).status).toBe(200)
})

it('E1 each of many calls tells its own story', async () => {
  const refresh = vi.fn(async () => ({ accessToken: 'fresh' }))
  const { api, told } = await client({ refresh })
  await Promise.all(Array.from({ length: 50 }, () => api('/x')))
  const ids = new Set(told.map(({ requestId }) => requestId))
  expect(ids.size).toBe(50)
  for (const id of ids) expect(stagesOf(told.filter(({ requestId }) => requestId === id)).at(-1)).toBe('ended 200')
  expect(refresh).toHaveBeenCalledTimes(1)
})
