import { describe, expect, it } from 'vitest'
import { secretsOf, withoutSecrets } from '../../../src/pipeline/secrets.ts'
import { exposures, marksIn, NEW, OLD } from '../../helpers/canary.ts'

const secrets = secretsOf(OLD)
const shown = (value: unknown): string[] => marksIn(exposures(withoutSecrets(value, secrets)))

const failed = (members: object): Error => Object.assign(new Error('Request failed with status code 400'), members)

/** Not seen when it is listed, only when it is asked for. */
function hidden(name: string, value: unknown): Error {
  return Object.defineProperty(new Error('no'), name, { value, enumerable: false })
}

describe('secretsOf', () => {
  it('E1 names every token of a session, and none where there is none', () => {
    expect(secretsOf(OLD)).toEqual([OLD.accessToken, OLD.refreshToken, OLD.idToken])
    expect(secretsOf({ accessToken: 'a' })).toEqual(['a'])
    expect(secretsOf(null)).toEqual([])
    expect(secretsOf(undefined)).toEqual([])
  })
})

describe('withoutSecrets', () => {
  it.each([
    ['a network error', new TypeError('fetch failed', { cause: failed({ code: 'ECONNREFUSED', port: 443 }) })],
    ['an error with a status', failed({ status: 503 })],
    ['a timeout', new DOMException('The operation timed out', 'TimeoutError')],
    ['several at once', new AggregateError([new Error('::1'), new Error('127.0.0.1')])],
    ['a status alone', { status: 401 }],
    ['a text', 'offline'],
    ['a number', 7],
    ['null', null],
    ['undefined', undefined],
  ])('E1 %s passes as it is', (_, value) => {
    expect(withoutSecrets(value, secrets)).toBe(value)
  })

  const sent = `grant_type=refresh_token&refresh_token=${encodeURIComponent(OLD.refreshToken)}`
  it.each([
    ['the message', new Error(`${OLD.refreshToken} is unknown`)],
    ['a part of the message', new Error(`token ${OLD.refreshToken.slice(0, 12)}… is unknown`)],
    ['the name', failed({ name: `Error for ${OLD.accessToken}` })],
    ['the code', failed({ code: OLD.accessToken })],
    ['the stack', hidden('stack', `Error: ${OLD.refreshToken}\n    at refresh`)],
    ['the cause', new Error('no', { cause: new Error(OLD.idToken) })],
    ['the cause of the cause', new Error('no', { cause: new Error('no', { cause: { token: OLD.idToken } }) })],
    ['one of several errors', new AggregateError([new Error('no'), new Error(OLD.accessToken)])],
    ['the body that was sent', failed({ config: { data: sent } })],
    ['the options as JSON', failed({ body: JSON.stringify(OLD) })],
    ['a header object', failed({ config: { headers: { authorization: `Bearer ${OLD.accessToken}` } } })],
    ['Headers', failed({ headers: new Headers({ authorization: `Bearer ${OLD.accessToken}` }) })],
    ['a form', failed({ body: new URLSearchParams(sent) })],
    ['a Request', failed({ request: new Request('https://a.example', { headers: { x: OLD.accessToken } }) })],
    ['a URL', failed({ url: new URL(`https://a.example/?${sent}`) })],
    ['a Map', failed({ sent: new Map([['token', OLD.refreshToken]]) })],
    ['a Set', failed({ sent: new Set([OLD.refreshToken]) })],
    ['bytes', failed({ sent: new TextEncoder().encode(OLD.refreshToken) })],
    ['a member that is a symbol', failed({ [Symbol('sent')]: OLD.refreshToken })],
    ['the name of a member', failed({ [OLD.refreshToken]: true })],
    ['a member that is not listed', hidden('sent', OLD.refreshToken)],
    ['a plain object', { status: 400, sent: OLD.refreshToken }],
    ['an array', [OLD.refreshToken]],
    ['a text', `refused: ${OLD.refreshToken}`],
  ])('E1 a token of the session does not show: %s', (_, value) => {
    expect(shown(value)).toEqual([])
  })

  it.each([
    ['the answer of axios', failed({ response: { status: 200, data: NEW } })],
    ['the data of ofetch', failed({ data: NEW })],
    ['a Response', Response.json(NEW)],
    ['a cause', new Error('no access token', { cause: NEW })],
    ['a cause within an object', new Error('no access token', { cause: { answer: { ...NEW } } })],
    ['a list of errors', new AggregateError([NEW])],
    ['what JSON.parse quotes', parseError(`{"access_token":"${NEW.access_token}","x":`)],
    ['what JSON.parse quotes whole', parseError(`"${NEW.access_token}`)],
    ['the answer itself', NEW],
  ])('E1 a token that nobody has seen before does not show: %s', (_, value) => {
    expect(shown(value)).toEqual([])
  })

  it('E1 what is left of an error still says which error it was', () => {
    const error = failed({
      name: 'AxiosError',
      code: 'ERR_BAD_REQUEST',
      status: 400,
      config: { data: OLD.refreshToken },
    })
    const left = withoutSecrets(error, secrets)
    expect(left).toBeInstanceOf(Error)
    expect(left).toMatchObject({
      name: 'AxiosError',
      message: 'Request failed with status code 400',
      code: 'ERR_BAD_REQUEST',
      status: 400,
    })
  })

  it.each([
    [
      'members that throw',
      {
        get message(): string {
          throw new Error(OLD.accessToken)
        },
      },
    ],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error(OLD.accessToken)
          },
          getOwnPropertyDescriptor() {
            throw new Error(OLD.accessToken)
          },
        },
      ),
    ],
    ['a proxy that is revoked', revoked()],
    ['a cycle', cyclic()],
    ['something deep', deep(10_000)],
    ['something large', failed({ errors: Array.from({ length: 100_000 }, () => ({ a: 1 })) })],
    ['no prototype', Object.assign(Object.create(null), { token: OLD.accessToken })],
  ])('E1 %s neither throws nor shows a token', (_, value) => {
    expect(marksIn(safely(() => exposures(withoutSecrets(value, secrets))))).toEqual([])
  })
})

function parseError(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return error
  }
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

function cyclic(): unknown {
  const error = failed({})
  error.cause = { cause: error, sent: OLD.refreshToken }
  return error
}

function deep(depth: number): unknown {
  let value: unknown = OLD.refreshToken
  for (let count = 0; count < depth; count++) value = { cause: value }
  return value
}

/** A value that inspect itself cannot take shows nothing. */
function safely(expose: () => string): string {
  try {
    return expose()
  } catch (error) {
    return error instanceof RangeError ? '' : String(error)
  }
}
