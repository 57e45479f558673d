import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { judgeFailure } from '../../../src/pipeline/verdict.ts'
import { errorsWithoutStatus, errorsWithStatus } from '../../helpers/client-errors.ts'

const everyShape = Object.entries({ ...errorsWithStatus, ...errorsWithoutStatus })

describe('the shapes in which clients throw', () => {
  it.each(everyShape)('R7 invalid_grant is over: %s', async (_, make) => {
    const thrown = await make({ status: 400, body: { error: 'invalid_grant' } })
    expect(await judgeFailure(thrown)).toMatchObject({ verdict: 'over', oauthError: 'invalid_grant' })
  })

  it.each(everyShape)('R7 invalid_client is misconfigured: %s', async (_, make) => {
    const thrown = await make({ status: 401, body: { error: 'invalid_client' } })
    expect(await judgeFailure(thrown)).toMatchObject({ verdict: 'misconfigured', oauthError: 'invalid_client' })
  })

  it.each(everyShape)('R7 server_error is transient, whatever the status: %s', async (_, make) => {
    const thrown = await make({ status: 400, body: { error: 'server_error' } })
    expect(await judgeFailure(thrown)).toMatchObject({ verdict: 'transient' })
  })

  it.each(Object.entries(errorsWithStatus))('R7 a status alone tells 401 from 503: %s', async (_, make) => {
    expect(await judgeFailure(await make({ status: 401, body: 'no' }))).toEqual({ verdict: 'over' })
    expect(await judgeFailure(await make({ status: 503, body: 'no' }))).toEqual({ verdict: 'transient' })
  })

  it.each(Object.entries(errorsWithStatus))('R7 Retry-After is found: %s', async (_, make) => {
    const thrown = await make({ status: 429, body: 'no', headers: { 'retry-after': '7' } })
    expect(await judgeFailure(thrown)).toEqual({ verdict: 'transient', retryAfterMs: 7000 })
  })
})

describe('what is not looked at', () => {
  it('R7 a Response that somebody has read already is judged by its status', async () => {
    const response = Response.json({ error: 'invalid_client' }, { status: 401 })
    await response.text()
    expect(await judgeFailure(response)).toEqual({ verdict: 'over' })
  })

  it('R7 the body of a Response stays readable for whoever gets the error', async () => {
    const response = Response.json({ error: 'invalid_grant' }, { status: 400 })
    await judgeFailure({ response })
    expect(await response.json()).toEqual({ error: 'invalid_grant' })
  })

  it('R7 a body of more than 64 KiB says nothing', async () => {
    const body = { pad: 'x'.repeat(70_000), error: 'invalid_client' }
    expect(await judgeFailure(Response.json(body, { status: 503 }))).toEqual({ verdict: 'transient' })
  })

  it('R7 a body that does not come says nothing, and costs a second', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const response = new Response(new ReadableStream({ pull: () => new Promise(() => {}) }), { status: 401 })
    const verdict = judgeFailure(response)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await verdict).toEqual({ verdict: 'over' })
  })

  it.each(['access_denied', 'Unauthorized', 'INVALID_GRANT', 'invalid grant', 'constructor', '__proto__', ''])(
    'R7 an error called %j is none that OAuth knows: the status decides',
    async (error) => {
      expect(await judgeFailure({ status: 401, error })).toEqual({ verdict: 'over' })
      expect(await judgeFailure({ status: 500, error })).toEqual({ verdict: 'transient' })
    },
  )
})

describe('whatever is thrown', () => {
  const cyclic: Record<string, unknown> = { status: 500 }
  cyclic.cause = cyclic
  cyclic.response = cyclic

  it.each([
    undefined,
    null,
    true,
    0,
    401,
    '',
    'invalid',
    Symbol('x'),
    [],
    {},
    () => {},
    new Map([['status', 401]]),
    cyclic,
    Object.create(null),
    { response: null },
    { response: 'x', data: 7, body: null, cause: undefined },
    { response: { headers: null } },
    { headers: { get: 7 } },
    { data: '{"error":' },
    { status: Number.NaN },
  ])('R7 %o is transient, and nothing is thrown', async (thrown) => {
    expect(await judgeFailure(thrown)).toEqual({ verdict: 'transient' })
  })

  it('R7 a Response whose body is locked is judged by its status', async () => {
    const response = new Response('{}', { status: 400 })
    response.body?.getReader()
    expect(await judgeFailure(response)).toEqual({ verdict: 'over' })
  })
})
