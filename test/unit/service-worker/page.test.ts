// The page's half without a browser: what it asks of whoever holds the session, and what it leaves as it is.
import { describe, expect, it, vi } from 'vitest'
import type { SessionSnapshot, StepUpNeed } from '../../../src/index.ts'
import type { Connection } from '../../../src/service-worker/connection.ts'
import { heldSession } from '../../../src/service-worker/held-session.ts'
import { createWorkerAuthFetch } from '../../../src/service-worker/worker-auth-fetch.ts'

const BASE = 'https://api.example'

/** A line to a worker that holds this session. */
function lineTo(snapshot: SessionSnapshot): Connection & { ask: ReturnType<typeof vi.fn> } {
  const state = {
    snapshot: Object.freeze(snapshot),
    sessionId: 'session-1',
    ended: null,
    canRefresh: true,
    mark: 'mark',
  }
  return {
    isMark: () => false,
    state: () => state,
    ask: vi.fn(async () => {}),
    look: async () => {},
    control: () => null,
    listen: () => () => {},
    close() {},
  }
}

describe('over a worker', () => {
  it('L5 a step-up is asked for with the scopes that the session has', async () => {
    const needs: StepUpNeed[] = []
    const challenge = 'Bearer error="insufficient_user_authentication", acr_values="strong"'
    const api = heldSession(lineTo({ status: 'signed-in', scope: 'openid orders', subject: 'ann' }), {
      baseUrl: BASE,
      fetch: async () => new Response(null, { status: 401, headers: { 'www-authenticate': challenge } }),
      onStepUp: async (need) => {
        needs.push(need)
        return null
      },
    })
    expect((await api('/transfer')).status).toBe(401)
    expect(needs).toMatchObject([{ acrValues: ['strong'], grantedScope: 'openid orders' }])
  })

  it.each([
    [
      { held_by: 'service-worker', held: 'id-1', scope: 'orders' },
      { ask: 'confirm', held: 'id-1', scope: 'orders' },
    ],
    [{ held_by: 'service-worker' }, { ask: 'state' }],
    [{ access_token: 'at-1' }, { ask: 'sign-in', tokens: { accessToken: 'at-1' } }],
  ])('signs in with %j', async (answer, question) => {
    const line = lineTo({ status: 'signed-in' })
    await heldSession(line, { baseUrl: BASE }).signIn(answer as never)
    expect(line.ask.mock.calls).toEqual([[expect.objectContaining(question)]])
  })
})

describe('A1 a signal that null takes away', () => {
  const transport = async (): Promise<Response> => new Response('done')
  const request = (): Request => new Request(`${BASE}/orders`, { signal: AbortSignal.abort() })

  it('ends no call, over a worker', async () => {
    const api = heldSession(lineTo({ status: 'signed-in' }), { baseUrl: BASE, fetch: transport })
    expect((await api(request(), { signal: null })).status).toBe(200)
  })

  it('ends no call that waits until it is known who holds the session', async () => {
    const api = createWorkerAuthFetch({ worker: '/worker.js', baseUrl: BASE, fetch: transport })
    const early = api(request(), { signal: null })
    expect((await early).status).toBe(200)
    expect(await api.ready).toBe('page')
    await expect(
      createWorkerAuthFetch({ worker: '/worker.js', baseUrl: BASE, fetch: transport })(request()),
    ).rejects.toThrow()
  })
})
