// RFC 7617: what the credentials become, and what cannot be sent at all.
import { describe, expect, it } from 'vitest'
import { basic, basicCredentials } from '../../../src/schemes/basic.ts'
import { receiveTokens } from '../../../src/tokens.ts'

describe('basicCredentials()', () => {
  it.each([
    ['RFC 7617 §2', 'Aladdin', 'open sesame', 'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='],
    ['RFC 7617 §2.1', 'test', '123£', 'dGVzdDoxMjPCow=='],
    ['colons in the password', 'user', 'a:b:c', 'dXNlcjphOmI6Yw=='],
    ['no password', 'user', '', 'dXNlcjo='],
    ['no name', '', 'pass', 'OnBhc3M='],
    ['beyond the basic plane', 'u', '🔑', 'dTrwn5SR'],
  ])('%s', (_, username, password, expected) => {
    expect(basicCredentials(username, password)).toEqual({
      accessToken: expected,
      tokenType: 'Basic',
      subject: username,
    })
  })

  it('is in Normalization Form C, as RFC 7617 §2.1 says, however the keyboard composed it', () => {
    expect(basicCredentials('u', 'cafe\u0301').accessToken).toBe(basicCredentials('u', 'caf\u00e9').accessToken)
  })

  it('R14 is a token set like any other, whatever the password', () => {
    for (const password of ['', '?', '>>>???', 'ÿ'.repeat(10), 'x'.repeat(200_000)]) {
      const credentials = basicCredentials('user', password)
      expect(receiveTokens(credentials).tokens).toEqual(credentials)
      expect(Buffer.from(credentials.accessToken, 'base64').toString()).toBe(`user:${password}`)
    }
  })

  it.each<[string, unknown, unknown]>([
    ['a colon in the name', 'hunter2:x', 'p'],
    ['a line break in the name', 'hunter2\n', 'p'],
    ['NUL in the password', 'u', 'hunter2\0'],
    ['a tab in the password', 'u', 'hunter2\t'],
    ['DEL in the password', 'u', 'hunter2\x7f'],
    ['half a surrogate pair', 'u', 'hunter2\ud83d'],
    ['no text', 'u', undefined],
    ['a number', 12_345, 'hunter2'],
  ])('E1 %s is refused, and not shown', (_, username, password) => {
    const make = basicCredentials as (...args: unknown[]) => unknown
    let error: unknown
    try {
      make(username, password)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ code: 'ERR_CREDENTIALS' })
    expect(String((error as Error).stack)).not.toMatch(/hunter2|12345/)
  })
})

describe('basic()', () => {
  it('sets one header, and asks for a login at a 401', () => {
    const headers = new Headers()
    const scheme = basic()
    scheme.attach(headers, basicCredentials('Aladdin', 'open sesame'), {
      method: 'GET',
      url: new URL('https://a.test'),
    })
    expect([...headers]).toEqual([['authorization', 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==']])
    expect(scheme.headers).toEqual(['authorization'])
    expect(scheme.cure?.([])).toBe('login')
  })
})
