// D1, D2: a 403 is explained and handed back: never refreshed, never sent again, never read.
import { describe, expect, it, vi } from 'vitest'
import { type AuthFetchOptions, authFailureOf, createAuthFetch, type Denial } from '../../src/index.ts'
import { accepting, forbidden, json, ok, unauthorized } from '../helpers/answer.ts'
import { deferred } from '../helpers/deferred.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'

async function client(options: AuthFetchOptions = {}, answer: Answering = () => forbidden()) {
  const { fetch, sent } = recorder(answer)
  const refresh = vi.fn(async () => ({ accessToken: 'fresh' }))
  const api = createAuthFetch({ baseUrl: 'https://api.example', refresh, ...options, fetch })
  await api.signIn({ accessToken: 'old' })
  return { api, sent, refresh }
}

/** The denial that the callback gets for this answer. */
async function denialOf(answer: Response): Promise<Denial> {
  const { promise, resolve } = deferred<Denial>()
  const { api } = await client({ onPermissionDenied: resolve }, () => answer)
  await api('/reports')
  return promise
}

const asDenial = (response: Response): Denial => authFailureOf(response) as Denial

const scopeChallenge = 'Bearer error="insufficient_scope", scope="reports:read reports:write"'
const problem = { type: 'https://api.example/problems/role', title: 'Wrong role', status: 403, detail: 'Ask an admin' }
const problemResponse = (): Response =>
  json(problem, { status: 403, headers: { 'content-type': 'application/problem+json' } })

describe('a 403', () => {
  it('D1 100 times: 100 requests, no refresh, 100 callbacks', async () => {
    const onPermissionDenied = vi.fn()
    const { api, sent, refresh } = await client({ onPermissionDenied })
    const responses = await Promise.all(Array.from({ length: 100 }, (_, index) => api(`/items/${index}`)))
    expect(responses.map(({ status }) => status)).toEqual(Array(100).fill(403))
    expect(sent).toHaveLength(100)
    expect(refresh).not.toHaveBeenCalled()
    expect(onPermissionDenied).toHaveBeenCalledTimes(100)
    expect(new Set(onPermissionDenied.mock.calls.map(([denial]) => denial.request.url)).size).toBe(100)
  })

  it('D1 is the very response of the transport', async () => {
    const response = forbidden()
    const { api } = await client({ onPermissionDenied: () => {} }, () => response)
    expect(await api('/x')).toBe(response)
  })

  it('D1 without a callback is handed back as it is', async () => {
    const { api, sent, refresh } = await client()
    const response = await api('/x')
    expect(response.status).toBe(403)
    expect(await response.text()).toBe('no')
    expect(sent).toHaveLength(1)
    expect(refresh).not.toHaveBeenCalled()
  })

  it('D1 after a recovered 401 is a 403: one refresh, one callback', async () => {
    const onPermissionDenied = vi.fn()
    const { api, sent, refresh } = await client({ onPermissionDenied }, ({ credential }) =>
      credential === 'Bearer fresh' ? forbidden() : unauthorized(),
    )
    expect((await api('/x')).status).toBe(403)
    expect(sent).toHaveLength(2)
    expect(refresh).toHaveBeenCalledTimes(1)
    expect(onPermissionDenied).toHaveBeenCalledTimes(1)
  })

  it('D1 of somebody who is not signed in is denied as well', async () => {
    const onPermissionDenied = vi.fn()
    const { fetch } = recorder(() => forbidden())
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch, onPermissionDenied })
    expect((await api('/x')).status).toBe(403)
    expect(onPermissionDenied).toHaveBeenCalledTimes(1)
  })

  it('D1 says which request it was, without query, fragment and userinfo, and with the method in capitals', async () => {
    const { promise, resolve } = deferred<Denial>()
    const { api } = await client({ onPermissionDenied: resolve })
    await api('/reports/7?secret=1#part', { method: 'patch' })
    expect((await promise).request).toEqual({ method: 'PATCH', url: 'https://api.example/reports/7' })
  })

  it('D1 tells the event `denied` once, with no body in it', async () => {
    const { api } = await client({}, () => forbidden('body', { 'www-authenticate': scopeChallenge }))
    const denied = vi.fn()
    api.on('denied', denied)
    await api('/x?q=1')
    expect(denied.mock.calls).toEqual([
      [
        {
          request: { method: 'GET', url: 'https://api.example/x' },
          reason: 'insufficient-scope',
          requiredScopes: ['reports:read', 'reports:write'],
        },
      ],
    ])
  })

  it.each([400, 402, 404, 405, 407, 409, 418, 419, 422, 429, 451, 500, 503])('D1 a %i is no denial', async (status) => {
    const onPermissionDenied = vi.fn()
    const { api, sent, refresh } = await client({ onPermissionDenied }, () => new Response(null, { status }))
    const response = await api('/x')
    expect(response.status).toBe(status)
    expect(authFailureOf(response)).toBe(null)
    expect(sent).toHaveLength(1)
    expect(onPermissionDenied).not.toHaveBeenCalled()
    expect(refresh).not.toHaveBeenCalled()
  })

  it('D1 a challenge on a 200 means nothing', async () => {
    const onPermissionDenied = vi.fn()
    const answer = (): Response => new Response('ok', { headers: { 'www-authenticate': scopeChallenge } })
    const { api, refresh } = await client({ onPermissionDenied }, answer)
    expect(authFailureOf(await api('/x'))).toBe(null)
    expect(onPermissionDenied).not.toHaveBeenCalled()
    expect(refresh).not.toHaveBeenCalled()
  })
})

describe('the callback', () => {
  it('D1 is awaited before the caller gets the response', async () => {
    const gate = deferred<void>()
    const { api } = await client({ onPermissionDenied: () => gate.promise })
    let isDone = false
    const call = api('/x').then(() => {
      isDone = true
    })
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
    expect(isDone).toBe(false)
    gate.resolve()
    await call
    expect(isDone).toBe(true)
  })

  it('D1 does not change the response by what it returns', async () => {
    const { api } = await client({ onPermissionDenied: () => ok('instead') })
    expect((await api('/x')).status).toBe(403)
  })

  it('D1 does not make the caller wait past an abort', async () => {
    const controller = new AbortController()
    const reason = { why: 'navigated away' }
    const { api } = await client({ onPermissionDenied: () => new Promise(() => controller.abort(reason)) })
    expect(await rejectionOf(api('/x', { signal: controller.signal }))).toBe(reason)
  })

  it('D1 may fetch with the same client', async () => {
    const answer: Answering = ({ url }) => (url.endsWith('/me') ? json({ role: 'viewer' }) : forbidden())
    const roles: unknown[] = []
    const { api } = await client(
      { onPermissionDenied: async () => roles.push(await (await api('/me')).json()) },
      answer,
    )
    await api('/x')
    expect(roles).toEqual([{ role: 'viewer' }])
  })

  class Redirect extends Error {
    readonly to = '/forbidden'
  }
  const frozen = Object.freeze({ digest: 'NEXT_HTTP_ERROR_FALLBACK;403' })
  const thrown: Array<[string, unknown]> = [
    ['an Error', new Redirect('see there')],
    ['a frozen object', frozen],
    ['a Response, as Remix does', new Response(null, { status: 302 })],
    ['a string', 'denied'],
    ['a number', 0],
    ['undefined', undefined],
    ['null', null],
    ['a symbol', Symbol('denied')],
    ['a function', () => {}],
  ]
  it.each(thrown)('D1 rejects the call with exactly what it throws: %s', async (_, value) => {
    const { api } = await client({
      onPermissionDenied() {
        throw value
      },
    })
    expect(await rejectionOf(api('/x'))).toBe(value)
  })

  it.each(thrown)('D1 rejects the call with exactly what it rejects with: %s', async (_, value) => {
    const { api } = await client({ onPermissionDenied: () => Promise.reject(value) })
    expect(await rejectionOf(api('/x'))).toBe(value)
  })

  it('D1 leaves no unread body behind when it throws: nobody can free that connection any more', async () => {
    const freed = deferred<void>()
    let chunks = 3
    const body = new ReadableStream(
      {
        pull(controller) {
          if (chunks-- > 0) return controller.enqueue(new Uint8Array(1024))
          controller.close()
          freed.resolve()
        },
        cancel: () => freed.resolve(),
      },
      { highWaterMark: 0 },
    )
    const { api } = await client(
      {
        onPermissionDenied() {
          throw new Error('forbidden()')
        },
      },
      () => forbidden(body),
    )
    await rejectionOf(api('/x'))
    await freed.promise
  })
})

describe('the reason', () => {
  it.each<[string, string | undefined, Denial['reason'], string[]]>([
    ['no challenge', undefined, 'forbidden', []],
    ['a bare scheme', 'Bearer', 'forbidden', []],
    ['another error', 'Bearer error="invalid_token"', 'forbidden', []],
    ['a malformed header', 'Bearer error="insufficient_scope', 'forbidden', []],
    ['insufficient_scope alone', 'Bearer error="insufficient_scope"', 'insufficient-scope', []],
    ['one scope', 'Bearer error="insufficient_scope", scope="a"', 'insufficient-scope', ['a']],
    ['two scopes', scopeChallenge, 'insufficient-scope', ['reports:read', 'reports:write']],
    ['spaces in plenty', 'Bearer error=insufficient_scope, scope="  a   b  "', 'insufficient-scope', ['a', 'b']],
    ['an empty scope', 'Bearer error="insufficient_scope", scope=""', 'insufficient-scope', []],
    ['DPoP', 'DPoP error="insufficient_scope", scope="a"', 'insufficient-scope', ['a']],
    [
      'two challenges: each scope once, in order',
      'Bearer error="insufficient_scope", scope="a b", DPoP error="insufficient_scope", scope="b c"',
      'insufficient-scope',
      ['a', 'b', 'c'],
    ],
    ['names in capitals', 'BEARER ERROR="insufficient_scope", SCOPE="a"', 'insufficient-scope', ['a']],
  ])('D2 from %s', async (_, challenge, reason, requiredScopes) => {
    const denial = await denialOf(forbidden('no', challenge === undefined ? {} : { 'www-authenticate': challenge }))
    expect(denial).toMatchObject({ reason, requiredScopes })
  })

  it('D2 comes with the challenges, parsed', async () => {
    const denial = await denialOf(forbidden('no', { 'www-authenticate': `${scopeChallenge}, Basic realm="x"` }))
    expect(denial.challenges.map(({ scheme, params }) => [scheme, { ...params }])).toEqual([
      ['bearer', { error: 'insufficient_scope', scope: 'reports:read reports:write' }],
      ['basic', { realm: 'x' }],
    ])
  })
})

describe('problem()', () => {
  it('D2 gives the RFC 9457 body', async () => {
    expect(await (await denialOf(problemResponse())).problem()).toEqual(problem)
  })

  it.each([
    ['application/problem+json; charset=utf-8', { title: 'x' }, { title: 'x' }],
    ['APPLICATION/PROBLEM+JSON', { title: 'x' }, { title: 'x' }],
    ['application/problem+json', { title: 'x', extra: [1] }, { title: 'x', extra: [1] }],
    ['application/json', { title: 'x' }, null],
    ['application/problem+xml', { title: 'x' }, null],
    ['text/plain', { title: 'x' }, null],
    ['application/problem+json', ['a list'], null],
    ['application/problem+json', 'a string', null],
    ['application/problem+json', 403, null],
    ['application/problem+json', null, null],
  ])('D2 of %s %j is %j', async (type, body, expected) => {
    const denial = await denialOf(json(body, { status: 403, headers: { 'content-type': type } }))
    expect(await denial.problem()).toEqual(expected)
  })

  it.each([
    ['nothing', null],
    ['an empty body', ''],
    ['half an object', '{"title":"x"'],
    ['HTML', '<html>forbidden</html>'],
    ['bytes that are no UTF-8', new Uint8Array([0xff, 0xfe, 0x00])],
  ])('D2 is null for %s', async (_, body) => {
    const denial = await denialOf(forbidden(body, { 'content-type': 'application/problem+json' }))
    expect(await denial.problem()).toBe(null)
  })

  it('D2 is null for a huge body, of which only a bounded part is read', async () => {
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled += 16_384
        controller.enqueue(new Uint8Array(16_384).fill(32))
      },
    })
    const denial = await denialOf(forbidden(endless, { 'content-type': 'application/problem+json' }))
    expect(await denial.problem()).toBe(null)
    expect(pulled).toBeLessThan(1_048_576)
  })

  it('D2 is null for a body that breaks off, and never rejects', async () => {
    const broken = new ReadableStream({ pull: (controller) => controller.error(new Error('connection reset')) })
    const denial = await denialOf(forbidden(broken, { 'content-type': 'application/problem+json' }))
    expect(await denial.problem()).toBe(null)
  })

  it('D2 does not let a body name its prototype', async () => {
    const body = '{"__proto__":{"isAdmin":true},"title":"x"}'
    const denial = await denialOf(forbidden(body, { 'content-type': 'application/problem+json' }))
    const answer = await denial.problem()
    expect(answer?.title).toBe('x')
    expect((answer as { isAdmin?: unknown }).isAdmin).toBe(undefined)
  })

  it('D2 may be asked twice, and gives the same', async () => {
    const denial = await denialOf(problemResponse())
    expect(await denial.problem()).toBe(await denial.problem())
  })

  it('D2 may be taken off the denial: callbacks destructure', async () => {
    const { promise, resolve } = deferred<unknown>()
    const { api } = await client(
      { onPermissionDenied: async ({ problem: read, reason }) => resolve([reason, await read()]) },
      problemResponse,
    )
    await api('/x')
    expect(await promise).toEqual(['forbidden', problem])
  })
})

describe('bodies', () => {
  const body = JSON.stringify(problem)

  it('D2 nobody has read the caller’s response', async () => {
    const { api } = await client(
      { onPermissionDenied: async (denial) => void (await denial.problem()) },
      problemResponse,
    )
    const response = await api('/x')
    expect(response.bodyUsed).toBe(false)
    expect(await response.text()).toBe(body)
  })

  it('D2 the callback reads its clone, and the caller still reads the original', async () => {
    const read: string[] = []
    const { api } = await client(
      { onPermissionDenied: async ({ response }) => read.push(await response.text()) },
      problemResponse,
    )
    expect(await (await api('/x')).text()).toBe(body)
    expect(read).toEqual([body])
  })

  it('D2 denial.response has the status and the headers of the original, and is another object', async () => {
    const original = problemResponse()
    const { response } = await denialOf(original)
    expect(response).not.toBe(original)
    expect(response.status).toBe(403)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
  })

  it('D2 in the order response, problem, caller', async () => {
    const original = problemResponse()
    const denial = await denialOf(original)
    expect(await denial.response.text()).toBe(body)
    expect(await denial.problem()).toEqual(problem)
    expect(await original.text()).toBe(body)
  })

  it('D2 in the order problem, response, caller', async () => {
    const original = problemResponse()
    const denial = await denialOf(original)
    expect(await denial.problem()).toEqual(problem)
    expect(await denial.response.text()).toBe(body)
    expect(await original.text()).toBe(body)
  })

  it('D2 in the order caller, problem, response: a callback that keeps the denial may look later', async () => {
    const original = problemResponse()
    const denial = await denialOf(original)
    expect(await original.text()).toBe(body)
    expect(await denial.problem()).toEqual(problem)
    expect(await denial.response.text()).toBe(body)
  })

  it('D2 both at once', async () => {
    const original = problemResponse()
    const denial = await denialOf(original)
    const [first, second, third] = await Promise.all([denial.problem(), denial.response.text(), original.text()])
    expect([first, second, third]).toEqual([problem, body, body])
  })
})

describe('authFailureOf', () => {
  it('D2 gives the denial of a 403, the one that the callback had', async () => {
    const seen: Denial[] = []
    const { api } = await client({ onPermissionDenied: (denial) => seen.push(denial) })
    expect(authFailureOf(await api('/x'))).toBe(seen[0])
  })

  it('D2 gives it without a callback too, and the problem as long as the body is unread', async () => {
    const { api } = await client({}, problemResponse)
    const response = await api('/x')
    expect(await asDenial(response).problem()).toEqual(problem)
    expect(await response.json()).toEqual(problem)
  })

  it('D2 once the caller has read the body there is no problem to give, and still no error', async () => {
    const { api } = await client({}, problemResponse)
    const response = await api('/x')
    await response.json()
    expect(await asDenial(response).problem()).toBe(null)
    expect(asDenial(response).response.status).toBe(403)
    expect(asDenial(response).reason).toBe('forbidden')
  })

  it('D2 while the caller is reading the body neither throws', async () => {
    const { api } = await client({}, problemResponse)
    const response = await api('/x')
    response.body?.getReader()
    const denial = asDenial(response)
    await expect((async () => denial.problem())()).resolves.toBe(null)
    expect(denial.response.status).toBe(403)
  })

  it('D2 gives the need of a 401 that was handed back', async () => {
    const { api } = await client({ refresh: async () => null }, () => unauthorized('Bearer realm="x"'))
    expect(authFailureOf(await api('/x?q=1'))).toMatchObject({
      reason: 'refresh-refused',
      request: { method: 'GET', url: 'https://api.example/x' },
      returnTo: '/',
      challenges: [{ scheme: 'bearer', params: { realm: 'x' } }],
    })
  })

  it('D2 says that nobody was signed in', async () => {
    const { fetch } = recorder(() => unauthorized())
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch })
    expect(authFailureOf(await api('/x'))).toMatchObject({ reason: 'no-session' })
  })

  it('D2 says that the session cannot be refreshed', async () => {
    const { api } = await client({ refresh: undefined }, () => unauthorized())
    expect(authFailureOf(await api('/x'))).toMatchObject({ reason: 'session-over' })
  })

  it('D2 gives the need of a step-up', async () => {
    const challenge =
      'Bearer error="insufficient_user_authentication", acr_values="mfa hwk", max_age="300", scope="pay"'
    const { api } = await client({}, () => unauthorized(challenge))
    expect(authFailureOf(await api('/pay'))).toMatchObject({
      acrValues: ['mfa', 'hwk'],
      maxAgeSeconds: 300,
      scopes: ['pay'],
      request: { method: 'GET', url: 'https://api.example/pay' },
    })
  })

  it.each(['', 'x', '-1', '1.5', '1e3', '9'.repeat(30)])('D2 a max_age of %j is none', async (maxAge) => {
    const challenge = `Bearer error="insufficient_user_authentication", max_age="${maxAge}"`
    const { api } = await client({}, () => unauthorized(challenge))
    expect(authFailureOf(await api('/pay'))).not.toHaveProperty('maxAgeSeconds')
  })

  it('D2 is null for what went well, also after a recovery', async () => {
    const { api } = await client({}, accepting('fresh'))
    const response = await api('/x')
    expect(response.status).toBe(200)
    expect(authFailureOf(response)).toBe(null)
  })

  it('D2 is null for responses of other fetches, and for clones', async () => {
    const { api } = await client()
    const response = await api('/x')
    expect(authFailureOf(response.clone())).toBe(null)
    expect(authFailureOf(forbidden())).toBe(null)
  })
})
