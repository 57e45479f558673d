import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AuthError, type AuthErrorCode } from '../../src/errors.ts'
import { retryUnlessAuth } from '../../src/retry-unless-auth.ts'

const error = (members: object): Error => Object.assign(new Error('failed'), members)
const authError = (code: AuthErrorCode, retryable: boolean): AuthError => new AuthError(code, 'failed', { retryable })

/** By the clients whose errors have this shape, for a status. */
const shapes: Array<[string, (status: number) => unknown]> = [
  ['a Response that was thrown', (status) => new Response(null, { status })],
  ['status: openai, octokit, better-fetch', (status) => error({ status })],
  ['statusCode: Apollo, Azure, stripe', (status) => error({ statusCode: status })],
  ['code: MCP, feathers, eventsource', (status) => error({ code: status })],
  ['response.status: ky, axios, gaxios, urql', (status) => error({ response: { status } })],
  ['data.httpStatus: tRPC', (status) => error({ data: { httpStatus: status, code: 'FORBIDDEN' } })],
  ['$metadata.httpStatusCode: the AWS SDK', (status) => error({ $metadata: { httpStatusCode: status } })],
  ['cause.status', (status) => new Error('failed', { cause: error({ status }) })],
  ['meta.response.status: tRPC', (status) => error({ meta: { response: { status } } })],
  ['detail.status: stripe', (status) => error({ detail: error({ status }) })],
  ['networkError.statusCode', (status) => error({ networkError: error({ statusCode: status }) })],
  [
    'originalStatus: RTK Query, where the body is no JSON',
    (status) => ({ status: 'PARSING_ERROR', originalStatus: status }),
  ],
  ['context: functions of Supabase', (status) => error({ context: new Response(null, { status }) })],
  ['originalError.status', (status) => error({ originalError: error({ status }) })],
  ['a plain object: RTK Query', (status) => ({ status, data: 'no' })],
]

describe('an error of a client', () => {
  it.each(shapes)('D1 %s: 401 and 403 are final, nothing else is', (_, make) => {
    for (const status of [401, 403]) expect(retryUnlessAuth(make(status))).toBe(false)
    for (const status of [400, 404, 408, 419, 429, 500, 503]) expect(retryUnlessAuth(make(status))).toBe(true)
  })

  it('D1 the codes of gRPC, as Connect has them and nobody else', () => {
    expect([7, 16].map((code) => retryUnlessAuth(error({ name: 'ConnectError', code })))).toEqual([false, false])
    expect([7, 16].map((code) => retryUnlessAuth(error({ code })))).toEqual([true, true])
    expect(retryUnlessAuth(error({ name: 'ConnectError', code: 14 }))).toBe(true)
  })

  it('D1 the codes of PostgREST, whose errors do not say the status', () => {
    for (const code of ['42501', 'PGRST301', 'PGRST302', 'PGRST303'])
      expect(retryUnlessAuth({ code, message: 'no' })).toBe(false)
    for (const code of ['PGRST116', '23505']) expect(retryUnlessAuth({ code, message: 'no' })).toBe(true)
  })

  it('D1 what GraphQL says in its errors, under whatever status: Apollo, graphql-request, urql', () => {
    const errorsOf = (code: string): object[] => [{ message: 'a' }, { message: 'b', extensions: { code } }]
    for (const code of ['FORBIDDEN', 'UNAUTHENTICATED', 'UNAUTHORIZED']) {
      expect(retryUnlessAuth(error({ errors: errorsOf(code) }))).toBe(false)
      expect(retryUnlessAuth(error({ graphQLErrors: errorsOf(code) }))).toBe(false)
      expect(retryUnlessAuth(error({ response: { status: 200, errors: errorsOf(code) } }))).toBe(false)
    }
    expect(retryUnlessAuth(error({ errors: errorsOf('BAD_USER_INPUT') }))).toBe(true)
  })

  it('D1 the answer’s status goes before what its body says', () => {
    expect(retryUnlessAuth(error({ response: { status: 502 }, data: { code: 401 } }))).toBe(true)
    expect(retryUnlessAuth(error({ response: { status: 502 }, data: { code: 'FORBIDDEN' } }))).toBe(true)
    expect(retryUnlessAuth(error({ response: { status: 403 }, data: { status: 500 } }))).toBe(false)
  })

  it('A1 who has left does not come again', () => {
    for (const name of ['AbortError', 'CanceledError']) expect(retryUnlessAuth(error({ name }))).toBe(false)
    expect(retryUnlessAuth(error({ name: 'TimeoutError' }))).toBe(true)
  })

  it('A1 nor does one that another client calls so: Anthropic, Connect, TanStack Query', () => {
    expect(retryUnlessAuth(error({ name: 'APIUserAbortError' }))).toBe(false)
    expect(retryUnlessAuth(error({ name: 'ConnectError', code: 1 }))).toBe(false)
    expect(retryUnlessAuth(error({ revert: undefined, silent: true }))).toBe(false)
  })

  it('D1 what an API says of itself does not make it ours', () => {
    const said = { code: 'FORBIDDEN', retryable: true }
    expect(retryUnlessAuth(error({ response: { status: 403, data: said } }))).toBe(false)
    expect(retryUnlessAuth(error({ statusCode: 403, code: 'ExpiredToken', retryable: true }))).toBe(false)
    expect(retryUnlessAuth(error({ response: { status: 503, data: { code: 'signed-out', retryable: false } } }))).toBe(
      true,
    )
    expect(retryUnlessAuth(error({ response: { status: 503 }, data: { code: 'X', retryable: false } }))).toBe(true)
  })

  it('D1 a status in the three-hundreds is one of an answer, not a code of an API', () => {
    expect(retryUnlessAuth(error({ code: 368 }))).toBe(true)
  })

  it('D1 errors that hold many others are read as far as needed', () => {
    const many = Array.from({ length: 200_000 }, () => ({ message: 'a' }))
    expect(retryUnlessAuth(error({ errors: many, response: { status: 403 } }))).toBe(false)
    expect(retryUnlessAuth(error({ errors: many.slice(0, 30), cause: authError('signed-out', false) }))).toBe(false)
  })

  it('what a callback throws to go elsewhere is not tried again', () => {
    expect(retryUnlessAuth(Response.redirect('https://app.example/login'))).toBe(false)
    expect(retryUnlessAuth(error({ digest: 'NEXT_HTTP_ERROR_FALLBACK;403' }))).toBe(false)
    expect(retryUnlessAuth(error({ digest: '1234' }))).toBe(true)
  })

  it('a number in words is no status', () => {
    expect(retryUnlessAuth(error({ status: '401' }))).toBe(true)
  })

  it.each([undefined, null, 401, 'Unauthorized', () => {}, new TypeError('fetch failed')])(
    '%o is tried again',
    (value) => {
      expect(retryUnlessAuth(value)).toBe(true)
    },
  )
})

describe('an AuthError', () => {
  it.each([
    ['refresh-unavailable', true],
    ['refresh-timeout', true],
    ['store-failed', true],
    ['login-timeout', false],
    ['login-loop', false],
  ] as Array<[AuthErrorCode, boolean]>)('R7 %s, which may pass: %s', (code, isTriedAgain) => {
    expect(retryUnlessAuth(authError(code, true))).toBe(isTriedAgain)
    expect(retryUnlessAuth(error({ cause: authError(code, true) }))).toBe(isTriedAgain)
  })

  it('R7 that no other try cures is final, also inside the error of a client', () => {
    expect(retryUnlessAuth(authError('refresh-unavailable', false))).toBe(false)
    expect(retryUnlessAuth(error({ cause: error({ cause: authError('signed-out', false) }) }))).toBe(false)
  })

  it('R7 is known where a client has made an error of its own of it: Feathers copies the members', () => {
    const copyOf = (original: AuthError): Error => Object.assign(new Error(original.message), original)
    expect(retryUnlessAuth(copyOf(authError('signed-out', false)))).toBe(false)
    expect(retryUnlessAuth(copyOf(authError('login-timeout', true)))).toBe(false)
    expect(retryUnlessAuth(copyOf(authError('refresh-timeout', true)))).toBe(true)
  })

  it('R7 that may pass is not judged by the status of the auth server', () => {
    const outage = Object.assign(authError('refresh-unavailable', true), { status: 403 })
    expect(retryUnlessAuth(outage)).toBe(true)
  })
})

describe('TanStack Query’s signature', () => {
  it('three retries, then no more', () => {
    const outage = new TypeError('fetch failed')
    expect([0, 1, 2, 3, 4].map((count) => retryUnlessAuth(count, outage))).toEqual([true, true, true, false, false])
    expect(retryUnlessAuth(0, error({ status: 403 }))).toBe(false)
  })

  it('R7 an AuthError inside an error goes before a status that the client made up: Octokit', () => {
    const made = error({ status: 500, cause: authError('signed-out', false) })
    expect(retryUnlessAuth(0, made)).toBe(false)
  })

  it('an error that is undefined is one all the same', () => {
    expect([0, 3].map((count) => retryUnlessAuth(count, undefined))).toEqual([true, false])
  })
})

it('layers without a count may hand over more than the error: RTK Query, urql', () => {
  expect(retryUnlessAuth(...([error({ status: 500 }), 'args', { attempt: 9 }] as unknown as [unknown]))).toBe(true)
  expect(retryUnlessAuth(...([error({ status: 403 }), 'args', { attempt: 1 }] as unknown as [unknown]))).toBe(false)
})

describe('hostile errors', () => {
  it('E5 getters that throw, proxies and circles do no harm', () => {
    const thrower = (): never => {
      throw new Error('no')
    }
    const circle: { cause?: unknown } = {}
    circle.cause = circle
    const proxy = new Proxy({}, { get: thrower, has: thrower })
    expect(retryUnlessAuth(circle)).toBe(true)
    expect(retryUnlessAuth(Object.defineProperty({}, 'status', { get: thrower }))).toBe(true)
    expect(retryUnlessAuth(proxy)).toBe(true)
  })

  it('E5 whatever is thrown, the answer is a boolean', () => {
    fc.assert(fc.property(fc.anything(), (value) => typeof retryUnlessAuth(value) === 'boolean'))
  })
})
