import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Challenge, parseChallenges } from '../../../src/http/challenge.ts'
import stress from '../../vectors/challengeStress.json' with { type: 'json' }
import vectors from '../../vectors/challenges.json' with { type: 'json' }

type Expected = { scheme: string; params?: Record<string, string>; token68?: string }

/** A challenge as the tests spell it: `params` may be left out, and never has a prototype. */
const challenge = ({ params = {}, ...rest }: Expected): Challenge => ({
  ...rest,
  params: Object.assign(Object.create(null), params),
})

/** Short enough for a line of the report, controls visible. */
const titled = (header: string): string => JSON.stringify(header.length > 90 ? `${header.slice(0, 87)}...` : header)

describe('vectors', () => {
  it.each(vectors.map((vector) => ({ ...vector, title: titled(vector.header) })))(
    'E4 $title',
    ({ header, expected }) => {
      expect(parseChallenges(header)).toStrictEqual(
        expected === 'invalid' ? null : (expected as Expected[]).map(challenge),
      )
    },
  )

  it.each(
    stress.map((vector) => ({
      ...vector,
      title: `${titled(vector.prefix)} + ${vector.count} × ${titled(vector.repeat)}`,
    })),
  )('E4 ends in time: $title', ({ prefix, repeat, count, suffix, maxMs }) => {
    const header = prefix + repeat.repeat(count) + suffix
    // What a bound turns away costs nothing, so the longest that none does is tried too.
    for (const value of [header, header.slice(0, 16_384)]) {
      const startedAt = performance.now()
      parseChallenges(value)
      expect(performance.now() - startedAt).toBeLessThanOrEqual(maxMs)
    }
  })
})

describe('what RFC 9110 §11.6.1 produces', () => {
  it.each<[header: string, expected: Expected[]]>([
    // greenbytes tc/httpauth
    ['BASIC REALM="foo"', [{ scheme: 'basic', params: { realm: 'foo' } }]],
    ['Basic , realm="foo"', [{ scheme: 'basic', params: { realm: 'foo' } }]],
    ['Basic realm="\\"foo\\""', [{ scheme: 'basic', params: { realm: '"foo"' } }]],
    ['Basic realm="foo-\xe4"', [{ scheme: 'basic', params: { realm: 'foo-\xe4' } }]],
    ['Basic realm="foo", bar="xyz"', [{ scheme: 'basic', params: { realm: 'foo', bar: 'xyz' } }]],
    ['Newauth realm="apps", type=1', [{ scheme: 'newauth', params: { realm: 'apps', type: '1' } }]],
    [
      'Basic realm="basic", Newauth realm="newauth"',
      [
        { scheme: 'basic', params: { realm: 'basic' } },
        { scheme: 'newauth', params: { realm: 'newauth' } },
      ],
    ],
    ['Newauth, Basic realm="basic"', [{ scheme: 'newauth' }, { scheme: 'basic', params: { realm: 'basic' } }]],
    ['A, B', [{ scheme: 'a' }, { scheme: 'b' }]],
    [
      'Newauth realm="apps", type=1, title="Login to \\"apps\\"", Basic realm="simple" ',
      [
        { scheme: 'newauth', params: { realm: 'apps', type: '1', title: 'Login to "apps"' } },
        { scheme: 'basic', params: { realm: 'simple' } },
      ],
    ],
    // RFC 7617 §2, RFC 9449 §7.1 and §9, RFC 9470 §3, RFC 9728 §5.1
    ['Basic realm="WallyWorld"', [{ scheme: 'basic', params: { realm: 'WallyWorld' } }]],
    ['DPoP algs="ES256 PS256"', [{ scheme: 'dpop', params: { algs: 'ES256 PS256' } }]],
    [
      'Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR"',
      [
        {
          scheme: 'bearer',
          params: {
            error: 'insufficient_user_authentication',
            error_description: 'A different authentication level is required',
            acr_values: 'myACR',
          },
        },
      ],
    ],
    [
      'DPoP realm="a", resource_metadata="https://r.example/.well-known/x"',
      [{ scheme: 'dpop', params: { realm: 'a', resource_metadata: 'https://r.example/.well-known/x' } }],
    ],
    // In the wild: curl test1204, Kong, oauth4webapi, IIS
    [
      'NTLM, Basic realm="testing 1", Basic realm="testing 2"',
      [
        { scheme: 'ntlm' },
        { scheme: 'basic', params: { realm: 'testing 1' } },
        { scheme: 'basic', params: { realm: 'testing 2' } },
      ],
    ],
    ['Key realm="kong"', [{ scheme: 'key', params: { realm: 'kong' } }]],
    ['Scheme, DPoP algs="ES256"', [{ scheme: 'scheme' }, { scheme: 'dpop', params: { algs: 'ES256' } }]],
    [
      'Negotiate YIIB/wYJKoZ+hvc-_.~=, Basic realm=x',
      [
        { scheme: 'negotiate', token68: 'YIIB/wYJKoZ+hvc-_.~=' },
        { scheme: 'basic', params: { realm: 'x' } },
      ],
    ],
    // Where one comma parts two lists
    ['A b=c, d', [{ scheme: 'a', params: { b: 'c' } }, { scheme: 'd' }]],
    ['A ,', [{ scheme: 'a' }]],
    ['A , B', [{ scheme: 'a' }, { scheme: 'b' }]],
    ['A , B c', [{ scheme: 'a' }, { scheme: 'b', token68: 'c' }]],
    ['A ,,\t, a=b', [{ scheme: 'a', params: { a: 'b' } }]],
    ['A \t, a=b', [{ scheme: 'a', params: { a: 'b' } }]],
    ['A\t, B', [{ scheme: 'a' }, { scheme: 'b' }]],
    ['A b=c,, B', [{ scheme: 'a', params: { b: 'c' } }, { scheme: 'b' }]],
    ['A b=c, D = e', [{ scheme: 'a', params: { b: 'c', d: 'e' } }]],
    ['A b=c, d\t=\te', [{ scheme: 'a', params: { b: 'c', d: 'e' } }]],
    // Where only the end tells a token68 from a parameter
    ['A b= , C', [{ scheme: 'a', token68: 'b=' }, { scheme: 'c' }]],
    ['A b= c', [{ scheme: 'a', params: { b: 'c' } }]],
    ['A b =c', [{ scheme: 'a', params: { b: 'c' } }]],
    ['A b===', [{ scheme: 'a', token68: 'b===' }]],
    ['A a/b', [{ scheme: 'a', token68: 'a/b' }]],
    // Every character that the grammar allows
    [
      "!#$%&'*+-.^_`|~09azAZ x=!#$%&'*+-.^_`|~09azAZ",
      [{ scheme: "!#$%&'*+-.^_`|~09azaz", params: { x: "!#$%&'*+-.^_`|~09azAZ" } }],
    ],
    ['A a="\t !#[]~\x80\xff\\"\\\\\\\t"', [{ scheme: 'a', params: { a: '\t !#[]~\x80\xff"\\\t' } }]],
    ['\t A a=b \t', [{ scheme: 'a', params: { a: 'b' } }]],
  ])('E4 accepts %j', (header, expected) => {
    expect(parseChallenges(header)).toStrictEqual(expected.map(challenge))
  })

  it.each([
    '',
    ' ',
    '\t',
    'Basic realm=\\f\\o\\o',
    'Basic realm="basic',
    'Basic realm="foo", realm="bar"',
    'Basic realm="foo", REALM="bar"',
    'Basic realm="foo" ; charset="UTF-8"',
    'Bearer error="ok", ???',
    'Bearer error=ok scope="a b"',
    'Negotiate abc123==, realm="ignored"',
    'Negotiate abc123== realm="ignored"',
    'A, b=c',
    'A\t, b=c',
    'A\tb=c',
    'A \tb=c',
    'A\t b=c',
    'A \tb',
    'A b=, c=d',
    'A =b',
    'A = b',
    'A b==c',
    'A b= =',
    'A b =',
    'A b = ',
    'A b=c d',
    'A b="c" d',
    'A b="c"d=e',
    'A b="c""d"',
    'A "b"',
    'A"b"',
    'A=b',
    '=',
    '"',
    '"a" b=c',
    'A:b',
    'A b=c:d',
    'A b=c/d',
    'A b=(c)',
    'A b={c}',
    'A b@c',
    'A é',
    'É a=b',
    'A a="\x00"',
    'A a="\x1f"',
    'A a="\n"',
    'A a="\r"',
    'A a="\\\n"',
    'A a="\\\x7f"',
    'A a="\u2028"',
    'A a="\ud83d\ude00"',
    'A\xa0b=c',
    'A\u2003b=c',
    'A\x0bb=c',
    'A\x0c, B',
    'ſcheme a=b',
    // Okta and others once sent the parameters alone, or a scheme with a colon
    'authorization_uri="https://login.example/", error="invalid_token"',
    'Bearer: error="invalid_token"',
  ])('E4 refuses %j', (header) => {
    expect(parseChallenges(header)).toBeNull()
  })

  it('E4 gives parameters no prototype, so that their names are only names', () => {
    const [parsed] = parseChallenges('Bearer __proto__="x", toString=y') ?? []
    expect(Object.getPrototypeOf(parsed?.params)).toBeNull()
    expect(Object.keys(parsed?.params ?? {})).toStrictEqual(['__proto__', 'tostring'])
    expect(parsed?.params['valueof' as never]).toBeUndefined()
    expect(({} as { x?: string }).x).toBeUndefined()
  })

  it('E4 sees no second parameter in an inherited name', () => {
    expect(parseChallenges('A constructor=a, hasOwnProperty=b')).toHaveLength(1)
  })
})

describe('bounds', () => {
  const lengthOf = (header: string): number | undefined => parseChallenges(header)?.length
  const params = (count: number): string => Array.from({ length: count }, (_, index) => `p${index}=v`).join(',')

  it('E4 reads 16 KiB and not a character more', () => {
    const header = (length: number): string => `A a="${'x'.repeat(length - 6)}"`
    expect(header(16_384)).toHaveLength(16_384)
    expect(lengthOf(header(16_384))).toBe(1)
    expect(lengthOf(header(16_385))).toBeUndefined()
  })

  it('E4 reads 32 challenges and not one more', () => {
    expect(lengthOf(Array(32).fill('A').join())).toBe(32)
    expect(lengthOf(Array(33).fill('A').join())).toBeUndefined()
    expect(lengthOf(Array(32).fill('A b=c').join())).toBe(32)
    expect(lengthOf(Array(33).fill('A b=c').join())).toBeUndefined()
  })

  it('E4 reads 64 parameters of a challenge and not one more', () => {
    expect(Object.keys(parseChallenges(`A ${params(64)}`)?.[0]?.params ?? {})).toHaveLength(64)
    expect(lengthOf(`A ${params(65)}`)).toBeUndefined()
  })

  it('E4 counts parameters for each challenge anew', () => {
    expect(lengthOf(`A ${params(64)}, B ${params(64)}`)).toBe(2)
    expect(lengthOf(`A ${params(64)}, B ${params(65)}`)).toBeUndefined()
  })

  it.each([
    ['before', (commas: string) => `${commas}A`],
    ['after', (commas: string) => `A${commas}`],
    ['between challenges', (commas: string) => `A,${commas}B`],
    ['between parameters', (commas: string) => `A a=b,${commas}c=d`],
    ['behind blanks', (commas: string) => `${commas.replaceAll(',', ' ,\t')}A`],
  ])('E4 skips 128 empty elements %s and not one more', (_, header) => {
    expect(lengthOf(header(','.repeat(128)))).toBeGreaterThan(0)
    expect(lengthOf(header(','.repeat(129)))).toBeUndefined()
  })
})

describe('time', () => {
  const families: Array<[name: string, header: (length: number) => string]> = [
    ['a long quoted value', (n) => `A a="${'x'.repeat(n)}"`],
    ['a quoted value full of escapes', (n) => `A a="${'\\"'.repeat(n / 2)}"`],
    ['a quoted value that does not end', (n) => `A a="${'x'.repeat(n)}`],
    ['an escaped one that does not end', (n) => `A a="${'\\a'.repeat(n / 2)}`],
    ['a quoted value that ends in junk', (n) => `A a="${'x'.repeat(n)}"x`],
    ['a long token', (n) => `A a=${'x'.repeat(n)}`],
    ['a long token68', (n) => `A ${'x'.repeat(n)}`],
    ['a token68 that turns out to be none', (n) => `A ${'x'.repeat(n)} !`],
    ['a token68 with a tail of =', (n) => `A x${'='.repeat(n)}!`],
    ['blanks behind a scheme', (n) => `A${' '.repeat(n)}`],
    ['blanks behind a scheme, then junk', (n) => `A${' '.repeat(n)}"`],
    ['tabs around =', (n) => `A a${'\t'.repeat(n / 2)}=${'\t'.repeat(n / 2)}b`],
    ['tabs behind =, then junk', (n) => `A a=${'\t'.repeat(n)}/`],
    ['blanks between parameters', (n) => `A a=b${' ,'.padStart(n / 2)}${'c=d'.padStart(n / 2)}`],
    ['blanks between 100 commas', (n) => `A${','.padEnd(n / 100).repeat(100)}`],
    [
      '64 parameters',
      (n) =>
        `A ${Array.from({ length: 64 }, (_, i) => `${`n${i}`.padEnd(n / 128, 'x')}=${'v'.repeat(n / 128)}`).join()}`,
    ],
    ['32 challenges', (n) => Array.from({ length: 32 }, () => `A a="${'x'.repeat(n / 32 - 8)}"`).join()],
  ]

  /** The least of several runs: whatever else the machine does only ever adds. */
  const millisecondsFor = (header: string): number => {
    let least = Number.POSITIVE_INFINITY
    for (let sample = 0; sample < 15; sample++) {
      const startedAt = performance.now()
      for (let run = 0; run < 40; run++) parseChallenges(header)
      least = Math.min(least, performance.now() - startedAt)
    }
    return least
  }

  it.each(families)('E4 is linear in %s', (_, header) => {
    for (const length of [4000, 8000]) {
      const ratios: number[] = []
      // A machine under load may spoil one measurement, not five.
      while (ratios.length < 5 && !ratios.some((ratio) => ratio <= 2.3))
        ratios.push(millisecondsFor(header(2 * length)) / millisecondsFor(header(length)))
      expect(Math.min(...ratios)).toBeLessThanOrEqual(2.3)
    }
  })
})

// A parser by the book: each rule of the ABNF gives every way in which it can match, and nothing is decided before the end.
type Rule<T> = (at: number) => Array<[value: T, end: number]>

function parsesByTheBook(field: string): Challenge[][] {
  // The white space at the edges of a field belongs to no grammar (RFC 9110 §5.5).
  const text = field.replace(/^[ \t]+|[ \t]+$/g, '')

  const oneOrMore =
    (character: RegExp): Rule<string> =>
    (at) => {
      const ways: Array<[string, number]> = []
      for (let end = at; end < text.length && character.test(text[end] as string); end++)
        ways.push([text.slice(at, end + 1), end + 1])
      return ways
    }
  const optional =
    <T>(rule: Rule<T>, none: T): Rule<T> =>
    (at) => [[none, at], ...rule(at)]
  const literal =
    (character: string): Rule<string> =>
    (at) =>
      text[at] === character ? [[character, at + 1]] : []
  const either =
    <T>(...rules: Array<Rule<T>>): Rule<T> =>
    (at) =>
      rules.flatMap((rule) => rule(at))
  const sequence =
    <T>(...rules: Array<Rule<T>>): Rule<T[]> =>
    (at) =>
      rules.reduce<Array<[T[], number]>>(
        (ways, rule) =>
          ways.flatMap(([values, end]) => rule(end).map(([value, next]): [T[], number] => [[...values, value], next])),
        [[[], at]],
      )
  const map =
    <T, U>(rule: Rule<T>, change: (value: T) => U): Rule<U> =>
    (at) =>
      rule(at).map(([value, end]) => [change(value), end])

  const whitespace = optional(oneOrMore(/^[ \t]$/), '') // OWS, BWS
  const spaces = oneOrMore(/^ $/) // 1*SP
  const token = oneOrMore(/^[!#$%&'*+.^_`|~0-9A-Za-z-]$/)
  const token68 = map(sequence(oneOrMore(/^[A-Za-z0-9._~+/-]$/), optional(oneOrMore(/^=$/), '')), (parts) =>
    parts.join(''),
  )

  const quotedString: Rule<string> = (at) => {
    if (text[at] !== '"') return []
    let value = ''
    for (let end = at + 1; end < text.length; end++) {
      const character = text[end] as string
      if (character === '"') return [[value, end + 1]]
      if (character === '\\') {
        end++
        if (!/^[\t\x20-\x7e\x80-\xff]$/.test(text[end] ?? '')) return []
        value += text[end]
      } else if (/^[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]$/.test(character)) value += character
      else return []
    }
    return []
  }

  // #element => [ element ] *( OWS "," OWS [ element ] )
  const list = <T>(element: Rule<T>): Rule<T[]> => {
    const maybe: Rule<T[]> = optional(
      map(element, (value) => [value]),
      [],
    )
    const tail = map(sequence<string | T[]>(whitespace, literal(','), whitespace, maybe), (parts) => parts[3] as T[])
    return (at) => {
      const ways: Array<[T[], number]> = []
      let open = maybe(at)
      while (open.length > 0) {
        ways.push(...open)
        open = open.flatMap(([values, end]) =>
          tail(end).map(([more, next]): [T[], number] => [[...values, ...more], next]),
        )
      }
      return ways
    }
  }

  const authParam = map(
    sequence(token, whitespace, literal('='), whitespace, either(token, quotedString)),
    (parts): [string, string] => [(parts[0] as string).toLowerCase(), parts[4] as string],
  )
  type Credentials = string | Array<[string, string]>
  const credentials = map(
    sequence<string | Credentials>(spaces, either<Credentials>(token68, list(authParam))),
    (parts) => parts[1] as Credentials,
  )
  const challengeRule: Rule<[string, Credentials]> = map(
    sequence<string | Credentials>(token, optional<Credentials>(credentials, [])),
    (parts) => [(parts[0] as string).toLowerCase(), parts[1] as Credentials],
  )

  const found = new Map<string, Challenge[]>()
  for (const [challenges, end] of list(challengeRule)(0)) {
    if (end !== text.length || challenges.length === 0) continue
    // §11.2: each name must only occur once.
    if (challenges.some(([, of]) => typeof of !== 'string' && new Set(of.map(([name]) => name)).size < of.length))
      continue
    const result = challenges.map(([scheme, of]) =>
      challenge(typeof of === 'string' ? { scheme, token68: of } : { scheme, params: Object.fromEntries(of) }),
    )
    found.set(JSON.stringify(result), result)
  }
  return [...found.values()]
}

describe('properties', () => {
  const tchars = "!#$%&'*+-.^_`|~0123456789abcXYZ"
  const token = fc.string({ unit: fc.constantFrom(...tchars), minLength: 1, maxLength: 8 })
  const latin1 = fc.string({
    unit: fc.oneof(
      fc.constantFrom('"', '\\', ',', '=', ' ', '\t'),
      fc
        .integer({ min: 0x21, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map((code) => String.fromCharCode(code)),
    ),
    maxLength: 12,
  })
  const token68 = fc
    .tuple(fc.string({ unit: fc.constantFrom(...'abcXYZ019-._~+/'), minLength: 1, maxLength: 12 }), fc.nat(3))
    .map(([text, padding]) => text + '='.repeat(padding))
  const parameters = fc.uniqueArray(
    fc.tuple(fc.oneof(token, fc.constantFrom('__proto__', 'constructor')), fc.oneof(token, latin1)),
    {
      maxLength: 6,
      selector: ([name]) => name.toLowerCase(),
    },
  )
  const challenges = fc.array(
    fc.oneof(
      fc.record({ scheme: token, params: parameters }),
      fc.record({ scheme: token, params: fc.constant([] as Array<[string, string]>), token68 }),
    ),
    { minLength: 1, maxLength: 6 },
  )

  it('E4 reads back whatever is written by the grammar, however it is spaced, quoted and cased', () => {
    fc.assert(
      fc.property(challenges, fc.infiniteStream(fc.nat(999)), (written, dice) => {
        const roll = (sides: number): number => (dice.next().value as number) % sides
        const repeat = (choices: string, most: number): string =>
          Array.from({ length: roll(most + 1) }, () => choices[roll(choices.length)]).join('')
        const ows = (): string => repeat(' \t', 2)
        const cased = (text: string): string =>
          [...text].map((character) => (roll(2) ? character.toUpperCase() : character.toLowerCase())).join('')
        const comma = (): string => Array.from({ length: 1 + roll(3) }, () => `${ows()},${ows()}`).join('')
        const valued = (value: string): string =>
          /^[!#$%&'*+.^_`|~\w-]+$/.test(value) && roll(2)
            ? value
            : `"${[...value].map((character) => (/["\\]/.test(character) || roll(4) === 0 ? `\\${character}` : character)).join('')}"`

        const header = written
          .map(({ scheme, params, ...rest }) => {
            const list = params.map(([name, value]) => `${cased(name)}${ows()}=${ows()}${valued(value)}`).join(comma())
            const gap = ' '.repeat(1 + roll(3))
            if ('token68' in rest) return `${cased(scheme)}${gap}${rest.token68}`
            return list ? `${cased(scheme)}${gap}${roll(4) ? '' : comma().trimStart()}${list}` : cased(scheme)
          })
          .reduce((all, one) => `${all}${comma()}${one}`)

        expect(
          parseChallenges(`${roll(4) ? '' : comma()}${ows()}${header}${ows()}${roll(4) ? '' : comma()}`),
        ).toStrictEqual(
          written.map(({ scheme, params, ...rest }) =>
            challenge({
              ...rest,
              scheme: scheme.toLowerCase(),
              params: Object.fromEntries(params.map(([name, value]) => [name.toLowerCase(), value])),
            }),
          ),
        )
      }),
      { numRuns: 3000 },
    )
  })

  const soup = fc
    .array(
      fc.constantFrom(' ', ' ', '\t', ',', ',', '=', '"', '\\', 'a', 'B', '/', '~', '!', '@', '\xe9', '\x7f', '\n'),
      { maxLength: 16 },
    )
    .map((parts) => parts.join(''))
  const words = fc
    .array(fc.constantFrom(' ', '\t', ',', ', ', ' , ', 'A ', 'B', 'a=b', 'c=', '=d', '"q"', 'e="\\"', 'x==', 'y/z'), {
      maxLength: 7,
    })
    .map((parts) => parts.join(''))

  it('E4 agrees with a slow parser that follows the grammar rule by rule', () => {
    let accepted = 0
    fc.assert(
      fc.property(fc.oneof(soup, words), (header) => {
        const parses = parsesByTheBook(header)
        expect(parses.length).toBeLessThanOrEqual(1) // the grammar itself is unambiguous
        expect(parseChallenges(header)).toStrictEqual(parses[0] ?? null)
        accepted += parses.length
      }),
      { numRuns: 8000 },
    )
    expect(accepted).toBeGreaterThan(400) // or the inputs say nothing
  })

  it('E5 never throws, whatever it is given', () => {
    const anything = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true }),
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.string({ unit: 'grapheme', maxLength: 200 }),
      soup,
    )
    fc.assert(
      fc.property(anything, (value) => {
        const parsed = parseChallenges(value as string)
        expect(parsed === null || parsed.length > 0).toBe(true)
        if (typeof value !== 'string') expect(parsed).toBeNull()
      }),
      { numRuns: 5000 },
    )
    expect(parseChallenges(Symbol('x') as never)).toBeNull()
    expect(parseChallenges(new String('Basic') as never)).toBeNull()
    expect((parseChallenges as () => unknown)()).toBeNull()
  })
})
