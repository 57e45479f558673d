import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { originTest, pageUrl } from '../../../src/http/origins.ts'

const isOurs = (origins: Parameters<typeof originTest>[0], url: string, allowInsecure = false): boolean =>
  originTest(origins, undefined, allowInsecure)(new URL(url))

afterEach(() => vi.unstubAllGlobals())

describe('originTest', () => {
  it.each([
    ['https://api.example', 'https://api.example/x?q#h', true],
    ['https://api.example', 'https://api.example:443/x', true],
    ['https://api.example:443', 'https://api.example/x', true],
    ['https://api.example:8443', 'https://api.example:8443/x', true],
    ['https://api.example:8443', 'https://api.example/x', false],
    ['https://api.example', 'https://api.example.evil.example/x', false],
    ['https://api.example', 'https://sub.api.example/x', false],
    ['https://api.example', 'http://api.example/x', false],
    ['https://api.example', 'https://u@api.example/x', false],
    ['https://api.example', 'blob:https://api.example/x', false],
    ['https://bücher.example', 'https://xn--bcher-kva.example/x', true],
    ['https://[2001:db8::1]', 'https://[2001:db8:0:0:0:0:0:1]/x', true],
  ])('O1 with %s, is %s ours? %s', (origin, url, expected) => {
    expect(isOurs([origin], url)).toBe(expected)
  })

  it('O1 agrees with the platform about the origin of every URL that has no userinfo', () => {
    const origins = ['https://api.example', 'http://localhost:3000']
    fc.assert(
      fc.property(homeLike(), (text) => {
        fc.pre(URL.canParse(text))
        const url = new URL(text)
        const expected =
          origins.includes(url.origin) && url.username + url.password === '' && /^http/.test(url.protocol)
        expect(originTest(origins, undefined, false)(url)).toBe(expected)
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    'api.example',
    '/v1',
    '',
    '*',
    'https://*.example',
    'https://',
    'https://u:p@api.example',
    'https://u@api.example',
    'ws://api.example',
    'data:,x',
    'blob:https://api.example/1',
    'file:///srv',
    'null',
  ])('O1 refuses %j as an origin', (origin) => {
    const refusal = expect.objectContaining({ name: 'TypeError', code: 'ERR_ORIGIN' })
    expect(() => originTest([origin], undefined, false)).toThrow(refusal)
    expect(() => originTest(['https://api.example', origin], undefined, true)).toThrow(refusal)
  })

  it.each([undefined, null, 5, true, {}])('O1 refuses %o in the list', (entry) => {
    expect(() => originTest([entry as string], undefined, false)).toThrow(
      expect.objectContaining({ code: 'ERR_ORIGIN' }),
    )
  })

  it('O1 does not show userinfo in its refusal', () => {
    expect(() => originTest(['https://admin:hunter2@api.example'], undefined, false)).toThrow(
      expect.objectContaining({ message: expect.not.stringMatching(/hunter2|admin/) }),
    )
  })

  it('O1 falls back to baseUrl, then to the page', () => {
    expect(originTest(undefined, 'https://api.example/v1/', false)(new URL('https://api.example/'))).toBe(true)
    vi.stubGlobal('location', new URL('https://app.example/page'))
    expect(originTest(undefined, undefined, false)(new URL('https://app.example/'))).toBe(true)
    expect(originTest(undefined, 'https://api.example/', false)(new URL('https://app.example/'))).toBe(false)
  })

  it('O1 has nothing to fall back to outside a page', () => {
    expect(() => originTest(undefined, undefined, false)).toThrow(
      expect.objectContaining({ code: 'ERR_ORIGINS_REQUIRED', message: expect.stringMatching(/baseUrl.*origins/) }),
    )
  })
})

describe('pageUrl', () => {
  it('is undefined in Node', () => {
    expect(pageUrl()).toBe(undefined)
  })

  it('is the base of the document, which <base> may change, and the location of a worker', () => {
    vi.stubGlobal('location', new URL('https://app.example/worker.js'))
    expect(pageUrl()).toBe('https://app.example/worker.js')
    vi.stubGlobal('document', { baseURI: 'https://app.example/base/' })
    expect(pageUrl()).toBe('https://app.example/base/')
  })
})

/** URLs that have everything of an origin of ours but, mostly, the place. */
function homeLike(): fc.Arbitrary<string> {
  const part = fc.constantFrom(
    'api.example',
    'localhost',
    'evil.example',
    '@',
    ':',
    '/',
    '.',
    '\\',
    ':443',
    ':3000',
    '%2e',
    'u',
  )
  return fc
    .tuple(fc.constantFrom('https://', 'http://', 'https:', 'blob:https://'), fc.array(part, { maxLength: 6 }))
    .map(([scheme, parts]) => scheme + parts.join(''))
}
