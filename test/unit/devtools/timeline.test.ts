// The rows that the devtools draw, made by real sessions on a real server in memory. Nothing here has a DOM.
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Entry } from '../../../src/devtools/entry.ts'
import { record } from '../../../src/devtools/recording.ts'
import { createTimeline, type Timeline } from '../../../src/devtools/timeline.ts'
import {
  type AuthFetch,
  type AuthFetchOptions,
  createAuthFetch,
  memoryStore,
  tokensFromResponse,
} from '../../../src/index.ts'
import { type AuthServer, type AuthServerOptions, createAuthServer } from '../../../src/testing/index.ts'
import { unauthorized } from '../../helpers/answer.ts'
import { exposures, marksIn, NEW, OLD } from '../../helpers/canary.ts'
import { deferred } from '../../helpers/deferred.ts'
import { createMedium } from '../../helpers/medium.ts'
import { clientOf } from '../../helpers/server-client.ts'

interface World {
  server: AuthServer
  api: AuthFetch
  timeline: Timeline
}

const MAX = 200

function recorded(api: AuthFetch, max: number = MAX): Timeline {
  const timeline = createTimeline(max)
  const recording = record(api, timeline, () => {})
  onTestFinished(() => recording.end())
  return timeline
}

/** Somebody signed in before the devtools came. */
async function signedIn(options: AuthFetchOptions = {}, serverOptions: AuthServerOptions = {}): Promise<World> {
  const server = createAuthServer(serverOptions)
  onTestFinished(() => server.close())
  const api = clientOf(server, options)
  await api.signIn({ ...server.signIn('viewer') })
  return { server, api, timeline: recorded(api) }
}

/** Two tabs on one medium, both signed in; the devtools are in the first. */
async function shared() {
  const medium = createMedium()
  const server = createAuthServer()
  onTestFinished(() => server.close())
  const open = (): AuthFetch => clientOf(server, { store: medium.store({ hasLock: true, hasWatch: true }) })
  const [here, there] = [open(), open()]
  await there.signIn({ ...server.signIn('viewer') })
  await here('/me')
  return { medium, server, here, there, timeline: recorded(here) }
}

const entriesOf = ({ bursts }: Timeline): Entry[] => bursts.flatMap(({ entries }) => entries)

/** `GET /me: 401 → 200 [rejected waits replay]`, a line a row. On a busy machine any refresh waits a moment for its lock: left out. */
const sketch = (timeline: Timeline): string[] =>
  entriesOf(timeline).map(({ method, name, outcome, phases }) => {
    const kinds = phases.flatMap(({ kind }) => (kind === 'lock' ? [] : [kind])).join(' ')
    return `${method} ${name}: ${outcome} [${kinds}]`.trim().replace(' []', '')
  })

const factsOf = (timeline: Timeline, name: string): Record<string, string> =>
  Object.fromEntries(entriesOf(timeline).find((entry) => entry.name === name)?.facts ?? [])

describe('a request', () => {
  it('that is answered is one bar, from its sending to its answer', async () => {
    const { api, timeline } = await signedIn()
    const before = performance.now()
    await api('/me?secret=1')
    expect(sketch(timeline)).toEqual(['GET /me: 200 [sent]'])
    const [entry] = entriesOf(timeline)
    expect(entry).toMatchObject({ url: 'https://auth.test/me', tone: 'good', endedAt: expect.any(Number) })
    expect(entry?.startedAt).toBeGreaterThanOrEqual(before)
    expect(factsOf(timeline, '/me')).toEqual({ 'request id': expect.stringMatching(/^\S+$/) })
  })

  it('R1 with a 401 shows the wait, the refresh and the replay', async () => {
    const { server, api, timeline } = await signedIn()
    server.expireAccessTokens()
    await api('/me')
    expect(sketch(timeline)).toEqual(['GET /me: 401 → 200 [rejected waits replay]', 'refresh: by this tab [refresh]'])
    expect(factsOf(timeline, 'refresh')).toMatchObject({ reason: 'rejected', attempts: '1' })
    expect(entriesOf(timeline).map(({ tone }) => tone)).toEqual(['recovered', 'recovered'])
    expect(timeline.counts).toEqual({ requests: 1, refreshes: 1, failed: 0 })
    expect(timeline.isOpen()).toBe(false)
  })

  it('R4 with an expiring token waits before it is sent', async () => {
    const { server, api, timeline } = await signedIn()
    await api.signIn({ ...tokensFromResponse(server.signIn('viewer')), expiresAt: Date.now() - 1000 })
    await api('/me')
    expect(sketch(timeline).slice(1)).toEqual(['refresh: by this tab [refresh]', 'GET /me: 200 [waits sent]'])
  })

  it('R1 that stays a 401 says so', async () => {
    const { server, api, timeline } = await signedIn()
    server.rejectAll = true
    await api('/me')
    expect(sketch(timeline)[0]).toBe('GET /me: 401 [rejected waits rejected]')
    expect(entriesOf(timeline)[0]?.tone).toBe('bad')
  })

  it('D1 with a 403 shows the callback, and D2 what the server asks for', async () => {
    const { api, timeline } = await signedIn({ onPermissionDenied: () => {} })
    await Promise.all([api('/reports'), api('/admin')])
    expect(sketch(timeline)).toEqual(['GET /reports: 403 [denied permission]', 'GET /admin: 403 [denied permission]'])
    expect(factsOf(timeline, '/reports')).toMatchObject({
      denied: 'insufficient-scope',
      'needs scopes': 'reports:read',
    })
    expect(factsOf(timeline, '/admin')).toMatchObject({ denied: 'forbidden' })
    expect(entriesOf(timeline)[0]?.tone).toBe('denied')
  })

  it('D1 with a 403 and nobody to ask is one bar', async () => {
    const { api, timeline } = await signedIn()
    await Promise.all([api('/admin'), api('/admin')])
    expect(sketch(timeline)).toEqual(['GET /admin: 403 [denied]', 'GET /admin: 403 [denied]'])
    expect(entriesOf(timeline).map(({ facts }) => facts.get('denied'))).toEqual(['forbidden', 'forbidden'])
  })

  it('D3 is rejected where `classify` says so, whatever its status', async () => {
    const classify = ({ status }: Response) => (status === 419 ? 'recover' : 'pass')
    const { api, timeline } = await signedIn({ classify })
    await api('/status/419')
    expect(sketch(timeline)[0]).toBe('GET /status/419: 419 [rejected waits replay]')
  })

  it('D3 the same where it is sent again at once', () => {
    const timeline = createTimeline(MAX)
    const call = { requestId: 'a', request: { method: 'GET', url: 'https://api.test/me' } }
    timeline.take('request', { ...call, stage: 'sent', sends: 1 }, 0)
    timeline.take('request', { ...call, stage: 'answered', status: 440 }, 1)
    timeline.take('request', { ...call, stage: 'sent', sends: 2 }, 2)
    expect(sketch(timeline)).toEqual(['GET /me: replaying [rejected replay]'])
  })

  it('L2 parked for a login stays open until somebody signs in', async () => {
    const asked = deferred<void>()
    const login = deferred<void>()
    const onLoginRequired = async () => {
      asked.resolve()
      await login.promise
      return { ...server.signIn('viewer') }
    }
    const { server, api, timeline } = await signedIn({ onLoginRequired })
    server.revokeSession()
    const answer = api('/items', { method: 'GET' })
    await asked.promise
    expect(sketch(timeline)[0]).toBe('GET /items: parked [rejected waits login]')
    expect(timeline.isOpen()).toBe(true)
    login.resolve()
    await answer
    expect(sketch(timeline)).toEqual([
      'GET /items: 401 → 200 [rejected waits login replay]',
      'refresh: over [failed]',
      'signed out: over',
      'login required: refresh-refused',
      'signed in: here',
    ])
    expect(timeline.isOpen()).toBe(false)
  })

  it('L5 shows a step-up', async () => {
    const onStepUp = () => ({ ...server.signIn('viewer', { acr: 'mfa' }) })
    const { server, api, timeline } = await signedIn({ onStepUp })
    await api('/payments', { method: 'POST', body: '{}' })
    expect(sketch(timeline)[0]).toMatch(/^POST \/payments: 401 → 201 \[rejected step-up( step-up)? replay\]$/)
    expect(sketch(timeline)[1]).toBe('step-up required: mfa')
  })

  it('that never got through has failed, with the code where it is ours', async () => {
    const { server, api, timeline } = await signedIn({ refreshRetries: 0 })
    server.expireAccessTokens()
    server.failRefresh(503)
    await expect(api('/me')).rejects.toThrow()
    await server.close()
    await expect(api('/items')).rejects.toThrow()
    expect(sketch(timeline)).toEqual([
      'GET /me: failed [rejected waits]',
      'refresh: transient [failed]',
      'GET /items: failed [failed]',
    ])
    expect(factsOf(timeline, '/me')).toMatchObject({ code: 'refresh-unavailable' })
    expect(timeline.counts.failed).toBe(2)
  })

  it('A1 that was aborted has failed where it was', async () => {
    const { api, timeline } = await signedIn()
    const abort = new AbortController()
    const answer = api('/slow?ms=60000', { signal: abort.signal })
    abort.abort()
    await expect(answer).rejects.toThrow()
    expect(sketch(timeline)).toEqual(['GET /slow: failed [failed]'])
  })
})

describe('a session', () => {
  it('in a burst: fifty requests share one refresh, and one axis', async () => {
    const { server, api, timeline } = await signedIn()
    server.expireAccessTokens()
    await Promise.all(Array.from({ length: 50 }, () => api('/items')))
    expect(timeline.bursts).toHaveLength(1)
    expect(timeline.counts).toEqual({ requests: 50, refreshes: 1, failed: 0 })
  })

  it('whose refresh waited for the lock shows for how long', () => {
    const timeline = createTimeline(MAX)
    timeline.status('refreshing', 100)
    timeline.status('signed-in', 200)
    timeline.take('refreshed', { refreshId: 'a', reason: 'rejected', durationMs: 60, attempts: 1 }, 200)
    expect(entriesOf(timeline).map(({ startedAt, endedAt, phases }) => ({ startedAt, endedAt, phases }))).toEqual([
      {
        startedAt: 100,
        endedAt: 200,
        phases: [
          { kind: 'lock', startedAt: 100, endedAt: 140, status: null },
          { kind: 'refresh', startedAt: 140, endedAt: 200, status: null },
        ],
      },
    ])
  })

  it('signed in and out here', async () => {
    const { server, api, timeline } = await signedIn()
    await api.signOut()
    await api.signIn({ ...server.signIn('admin') })
    expect(sketch(timeline)).toEqual(['signed out: requested', 'signed in: here'])
  })

  it('C3 refreshed by another tab, and by which one as soon as it says so', async () => {
    const { medium, there, timeline } = await shared()
    await there.refresh()
    medium.tell()
    await expect.poll(() => sketch(timeline)).toEqual(['newer tokens taken over: by another tab'])
    timeline.hear({ type: 'refreshed', tab: 'B' }, performance.now())
    expect(sketch(timeline)).toEqual(['newer tokens taken over: by tab B'])
  })

  it('C3 signed out by a tab that has said so before', async () => {
    const { medium, there, timeline } = await shared()
    timeline.hear({ type: 'signed-out', tab: 'C' }, performance.now())
    await there.signOut()
    medium.tell()
    await expect.poll(() => sketch(timeline)).toEqual(['signed out: by tab C'])
  })

  it('C4 says nothing of who it was where that was said long ago', async () => {
    const { medium, there, timeline } = await shared()
    timeline.hear({ type: 'signed-out', tab: 'C' }, performance.now() - 60_000)
    await there.signOut()
    medium.tell()
    await expect.poll(() => sketch(timeline)).toEqual(['signed out: by another tab'])
  })

  it('C1 a refresh that waited for the lock and found it done is one row', async () => {
    const { server, here, there, timeline } = await shared()
    server.expireAccessTokens()
    await Promise.all([there('/me'), here('/me')])
    expect(sketch(timeline)).toEqual([
      'GET /me: 401 → 200 [rejected waits replay]',
      'refresh: by another tab [refresh]',
    ])
  })

  it('S2 whose store fails', async () => {
    const store = { read: () => null, write: () => Promise.reject(new Error('full')) }
    const api = createAuthFetch({ baseUrl: 'https://api.test', store })
    const timeline = recorded(api)
    await api.signIn({ accessToken: 'at-1' })
    await expect.poll(() => sketch(timeline)).toEqual(['signed in: here', 'store failed: write threw'])
  })

  it('which another user has taken over', async () => {
    const api = createAuthFetch({ baseUrl: 'https://api.test' })
    const timeline = recorded(api)
    for (const subject of ['ada', 'bob']) await api.signIn({ accessToken: 'at-1', subject })
    expect(sketch(timeline).map((row) => row.split(':')[0])).toEqual(['signed in', 'signed in', 'another user'])
    expect(JSON.stringify(sketch(timeline))).not.toMatch(/ada|bob/)
  })
})

describe('bounds', () => {
  it('the oldest rows go, and what is told of them later does not bring them back', async () => {
    const { server, api, timeline } = await signedIn()
    timeline.limit(3)
    server.expireAccessTokens()
    await Promise.all(['/me', '/items', '/items/1', '/items/2', '/items/3'].map((path) => api(path)))
    expect(timeline.size).toBe(3)
    expect(sketch(timeline)).toEqual([
      'GET /items/2: 401 → 200 [rejected waits replay]',
      'GET /items/3: 401 → 200 [rejected waits replay]',
      'refresh: by this tab [refresh]',
    ])
    expect(timeline.counts.requests).toBe(5)
    timeline.limit(1)
    expect(timeline.size).toBe(1)
    expect(timeline.isOpen()).toBe(false)
  })

  it('clearing forgets what has ended, and keeps what is under way', async () => {
    const { api, timeline } = await signedIn()
    await api('/me')
    const abort = new AbortController()
    const slow = api('/slow?ms=60000', { signal: abort.signal })
    timeline.clear()
    expect(sketch(timeline)).toEqual(['GET /slow: pending [sent]'])
    abort.abort()
    await expect(slow).rejects.toThrow()
    expect(timeline.size).toBe(1)
    timeline.clear()
    expect(timeline).toMatchObject({ size: 0, bursts: [] })
  })

  it('a recording that ends leaves nothing open, and no listener; the next one goes on with what it still hears of', async () => {
    const { api } = await signedIn()
    const timeline = createTimeline(MAX)
    const first = record(api, timeline, () => {})
    const [seen, unseen] = [new AbortController(), new AbortController()]
    const answers = [seen, unseen].map(({ signal }) => api('/slow?ms=60000', { signal }))
    first.end()
    expect(sketch(timeline)).toEqual(['GET /slow: not seen [sent]', 'GET /slow: not seen [sent]'])
    unseen.abort()
    await expect(answers[1]).rejects.toThrow()
    const second = record(api, timeline, () => {})
    onTestFinished(() => second.end())
    seen.abort()
    await expect(answers[0]).rejects.toThrow()
    expect(sketch(timeline)).toEqual(['GET /slow: failed [sent]', 'GET /slow: not seen [sent]'])
    expect(timeline.isOpen()).toBe(false)
  })

  it('a row that was left is open again as soon as something is heard of it', () => {
    const timeline = createTimeline(MAX)
    const call = { requestId: 'a', request: { method: 'GET', url: 'https://api.test/' } }
    timeline.take('request', { ...call, stage: 'sent', sends: 1 }, 0)
    timeline.leave(1)
    expect(timeline.isOpen()).toBe(false)
    timeline.take('request', { ...call, stage: 'answered', status: 200 }, 2)
    expect(timeline.isOpen()).toBe(true)
  })

  it('a new axis begins after a pause, and after ten seconds however busy it is', () => {
    const timeline = createTimeline(MAX)
    const at = (requestId: string, time: number): void => {
      const call = { requestId, request: { method: 'GET', url: 'https://api.test/' } }
      timeline.take('request', { ...call, stage: 'sent', sends: 1 }, time)
      timeline.take('request', { ...call, stage: 'answered', status: 200 }, time + 100)
      timeline.take('request', { ...call, stage: 'ended', status: 200 }, time + 100)
    }
    at('a', 0)
    at('b', 1099)
    at('c', 2200)
    expect(timeline.bursts.map(({ entries }) => entries.length)).toEqual([2, 1])
    for (let time = 2300; time <= 12_300; time += 500) at(`d${time}`, time)
    expect(timeline.bursts.map(({ entries }) => entries.length)).toEqual([2, 21, 1])
  })

  it('there is no pause while a request is under way', () => {
    const timeline = createTimeline(MAX)
    const send = (requestId: string, time: number): void => {
      const request = { method: 'GET', url: 'https://api.test/' }
      timeline.take('request', { requestId, request, stage: 'sent', sends: 1 }, time)
    }
    send('a', 0)
    send('b', 5000)
    expect(timeline.bursts).toHaveLength(1)
  })
})

it('E1 no token gets in, whatever happens', async () => {
  const store = memoryStore(OLD)
  let rejections = 1
  const api = createAuthFetch({
    baseUrl: 'https://api.test',
    store,
    refresh: async () => NEW,
    fetch: async () => (rejections-- > 0 ? unauthorized() : new Response()),
  })
  const timeline = recorded(api)
  await api(`/me?token=${OLD.accessToken}`)
  await api.refresh()
  await api.signOut()
  expect(sketch(timeline)[0]).toBe('GET /me: 401 → 200 [rejected waits replay]')
  expect(entriesOf(timeline).length).toBeGreaterThan(3)
  const text = exposures(timeline.bursts) + exposures(entriesOf(timeline).map(({ facts }) => [...facts]))
  expect(marksIn(text)).toEqual([])
})
