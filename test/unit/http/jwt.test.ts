import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { jwtClaims, jwtExpiresAt } from '../../../src/http/jwt.ts'
import vectors from '../../vectors/jwtExp.json' with { type: 'json' }

const base64url = (content: string | Uint8Array): string => Buffer.from(content as string, 'utf8').toString('base64url')

/** A token whose payload is exactly this text (or these bytes). */
const tokenOf = (payload: string | Uint8Array): string => `eyJhbGciOiJub25lIn0.${base64url(payload)}.c2ln`

afterEach(() => vi.unstubAllGlobals())

describe('vectors', () => {
  it.each(vectors)('E5 exp of a token: $why', ({ token, exp }) => {
    expect(jwtExpiresAt(token)).toBe(exp === null ? null : exp * 1000)
  })
})

describe('jwtExpiresAt', () => {
  it.each([
    ['0', 0],
    ['1', 1000],
    ['1.5', 1500],
    ['17e8', 1_700_000_000_000],
    ['8640000000000', 8.64e15], // the last instant
  ])('E5 exp %s is %i ms', (exp, expiresAt) => {
    expect(jwtExpiresAt(tokenOf(`{"exp":${exp}}`))).toBe(expiresAt)
  })

  it.each([
    '8640000000001',
    '1700000000000000',
    '1e308',
    '1e400',
    '-1',
    '-1e400',
    'null',
    'true',
    '""',
    '"1700000000"',
    '[1700000000]',
    '{"valueOf":1700000000}',
  ])('E5 exp %s is none', (exp) => {
    expect(jwtExpiresAt(tokenOf(`{"exp":${exp}}`))).toBeNull()
  })

  it.each(['{"EXP":1}', '{"exp ":1}', '{"nested":{"exp":1}}', '{"__proto__":{"exp":1}}'])(
    'E5 %s has no exp',
    (payload) => {
      expect(jwtExpiresAt(tokenOf(payload))).toBeNull()
    },
  )

  it('E5 takes no exp from a polluted prototype', () => {
    const prototype = Object.prototype as { exp?: number }
    prototype.exp = 1_700_000_000
    try {
      expect(jwtExpiresAt(tokenOf('{}'))).toBeNull()
      expect(jwtClaims(tokenOf('{}'))?.exp).toBeUndefined()
    } finally {
      delete prototype.exp
    }
  })
})

describe('jwtClaims', () => {
  it('E5 reads UTF-8, where atob alone gives garbage', () => {
    expect(jwtClaims(tokenOf('{"name":"Jäsøn ✓ 😀","sub":"42"}'))).toEqual({ name: 'Jäsøn ✓ 😀', sub: '42' })
  })

  it('E5 reads the characters that base64url has of its own', () => {
    const token = tokenOf('{"a":"\xff\xfe?>~~~","b":"???>>>"}')
    expect(token).toMatch(/-.*_|_.*-/)
    expect(jwtClaims(token)).toEqual({ a: '\xff\xfe?>~~~', b: '???>>>' })
  })

  it.each([0, 1, 2, 3])('E5 needs no padding: %i more bytes', (length) => {
    expect(jwtClaims(tokenOf(`{"a":"${'x'.repeat(length)}"}`))).toEqual({ a: 'x'.repeat(length) })
  })

  it('E5 gives claims no prototype, so that what they say the token says', () => {
    const claims = jwtClaims(tokenOf('{"__proto__":{"admin":true},"sub":"42"}'))
    expect(Object.getPrototypeOf(claims)).toBeNull()
    expect(Object.keys(claims ?? {})).toEqual(['__proto__', 'sub'])
    expect(claims?.admin).toBeUndefined()
    expect(claims?.toString).toBeUndefined()
  })

  it('E5 works where there is no Buffer', () => {
    const token = tokenOf('{"name":"ä"}')
    vi.stubGlobal('Buffer', undefined)
    expect(jwtClaims(token)).toEqual({ name: 'ä' })
  })

  it('E5 reads a token without a signature', () => {
    expect(jwtClaims(`eyJhbGciOiJub25lIn0.${base64url('{"a":1}')}.`)).toEqual({ a: 1 })
  })

  it.each([
    ['an array', tokenOf('[{"exp":1}]')],
    ['null', tokenOf('null')],
    ['a number', tokenOf('1')],
    ['a string', tokenOf('"{}"')],
    ['no JSON', tokenOf('exp=1')],
    ['two JSON texts', tokenOf('{}{}')],
    ['JSON cut short', tokenOf('{"exp":1')],
    ['nothing', 'eyJhbGciOiJub25lIn0..c2ln'],
    ['bytes that are not UTF-8', tokenOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))],
    ['half a surrogate pair', tokenOf(Uint8Array.of(0x22, 0xed, 0xa0, 0x80, 0x22))],
    ['nesting without end', tokenOf('[{"a":'.repeat(100_000))],
  ])('E5 a payload of %s has no claims', (_, token) => {
    expect(jwtClaims(token)).toBeNull()
  })

  const payload = base64url('{"exp":1700000000}')
  it.each([
    ['one part', payload],
    ['two parts', `e30.${payload}`],
    ['four parts', `e30.${payload}.c2ln.c2ln`],
    ['five parts, as a JWE has', `e30.${payload}.c2ln.c2ln.c2ln`],
    ['no header', `.${payload}.c2ln`],
    ['padding', `e30.${Buffer.from('{"exp":17}').toString('base64')}.c2ln`],
    ['the + of plain base64', `e30.${Buffer.from('{"exp":1,"a":"~>~~x"}').toString('base64')}.c2ln`],
    ['the / of plain base64', `e30.${Buffer.from('{"exp":1,"a":"??"}').toString('base64')}.c2ln`],
    ['white space', `e30. ${payload}.c2ln`],
    ['a line break at the end', `e30.${payload}.c2ln\n`],
    ['a scheme before it', `Bearer e30.${payload}.c2ln`],
    ['a length that no base64 has', `e30.${payload}AA.c2ln`.replace(/A{2}\./, 'A.')],
  ])('E5 a token with %s is no JWT', (_, token) => {
    expect(jwtExpiresAt(token)).toBeNull()
  })

  it('E5 never throws, whatever it is given', () => {
    const segments = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_=+/. '), maxLength: 12 })
    const values = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }),
      fc.string({ unit: 'grapheme' }),
      fc.array(segments, { minLength: 2, maxLength: 4 }).map((parts) => parts.join('.')),
      fc.json().map(tokenOf),
      fc.uint8Array().map(tokenOf),
    )
    fc.assert(
      fc.property(values, (value) => {
        const claims = jwtClaims(value as string)
        const expiresAt = jwtExpiresAt(value as string)
        if (claims !== null) expect(typeof claims).toBe('object')
        if (expiresAt !== null) expect(expiresAt >= 0 && expiresAt <= 8.64e15).toBe(true)
        if (typeof value !== 'string') expect(claims).toBeNull()
      }),
      { numRuns: 10_000 },
    )
    const disguised = { toString: () => tokenOf('{"exp":1}') }
    for (const value of [disguised, [tokenOf('{"exp":1}')], new String(tokenOf('{"exp":1}')), Symbol('x'), undefined])
      expect(jwtExpiresAt(value as never)).toBeNull()
  })

  it('E5 gives back every claim set there is', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), (claims) => {
        const text = JSON.stringify(claims)
        expect(JSON.stringify(jwtClaims(tokenOf(text)))).toBe(text)
      }),
      { numRuns: 2000 },
    )
  })
})
