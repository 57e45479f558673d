import { inspect } from 'node:util'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { misuse } from '../../src/errors.ts'
import { AuthError, type AuthErrorCode, isAuthError } from '../../src/index.ts'

/** A second copy of the package in one program, as two versions of a dependency bring it. */
const copy: { AuthError: typeof AuthError; isAuthError: typeof isAuthError } = await import(
  '../../src/errors.ts?copy' as string
)

describe('AuthError', () => {
  it('E1 has a code, a message, and says whether it is worth another try', () => {
    const error = new AuthError('refresh-unavailable', 'The refresh failed', { retryable: true, retryAfterMs: 5000 })
    expect(error).toMatchObject({
      code: 'refresh-unavailable',
      message: 'The refresh failed',
      retryable: true,
      retryAfterMs: 5000,
    })
    expect(error).toBeInstanceOf(AuthError)
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe('AuthError')
  })

  it('E1 is by default not retryable, and holds no member that was not given', () => {
    const error = new AuthError('signed-out', 'x')
    expect(error.retryable).toBe(false)
    expect('retryAfterMs' in error).toBe(false)
    expect('cause' in error).toBe(false)
  })

  it('E1 keeps its cause, which is not enumerable, as the platform has it', () => {
    const cause = new Error('inner')
    const error = new AuthError('store-failed', 'outer', { cause })
    expect(error.cause).toBe(cause)
    expect(Object.keys(error)).not.toContain('cause')
  })

  it('E1 says its name and its code when it is shown', () => {
    const error = new AuthError('login-timeout', 'Nobody signed in')
    expect(String(error)).toBe('AuthError: Nobody signed in')
    expect(error.stack).toMatch(/^(Auth)?Error: Nobody signed in\n/)
    expect(inspect(error)).toContain('login-timeout')
    expect(JSON.parse(JSON.stringify(error))).toEqual({ code: 'login-timeout', retryable: false })
  })

  it('E1 can be told apart by its code in a switch', () => {
    expectTypeOf<AuthError['code']>().toEqualTypeOf<AuthErrorCode>()
    expectTypeOf(new AuthError('signed-out', 'x').retryAfterMs).toEqualTypeOf<number | undefined>()
  })
})

describe('isAuthError', () => {
  it('E1 knows its own, and its subclasses', () => {
    class Mine extends AuthError {}
    expect(isAuthError(new AuthError('signed-out', 'x'))).toBe(true)
    expect(isAuthError(new Mine('signed-out', 'x'))).toBe(true)
  })

  it('E1 two copies of the package agree, where instanceof does not', () => {
    const theirs = new copy.AuthError('signed-out', 'x')
    expect(copy.AuthError).not.toBe(AuthError)
    expect(theirs).not.toBeInstanceOf(AuthError)
    expect(isAuthError(theirs)).toBe(true)
    expect(copy.isAuthError(new AuthError('signed-out', 'x'))).toBe(true)
  })

  it.each([
    ['an Error', new Error('x')],
    [
      'an error that looks like one',
      Object.assign(new Error('x'), { name: 'AuthError', code: 'signed-out', retryable: true }),
    ],
    ['its JSON', JSON.parse(JSON.stringify(new AuthError('signed-out', 'x')))],
    ['undefined', undefined],
    ['null', null],
    ['a string', 'signed-out'],
    ['a number', 0],
    ['a function', () => {}],
    ['an object', {}],
    ['a null-prototype object', Object.create(null)],
  ])('E1 is false for %s', (_, value) => {
    expect(isAuthError(value)).toBe(false)
  })
})

describe('misuse', () => {
  it('E1 is a TypeError with a code', () => {
    const error = misuse('ERR_EXAMPLE', 'Expected something else')
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_EXAMPLE', message: 'Expected something else' })
    expect(isAuthError(error)).toBe(false)
  })
})
