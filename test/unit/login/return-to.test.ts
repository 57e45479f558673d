import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { safeReturnTo } from '../../../src/login/return-to.ts'
import { howOften } from '../../helpers/extent.ts'
import vectors from '../../vectors/returnTo.json' with { type: 'json' }

const base = 'https://app.example'
/** No input below resolves to it, so it tells a refusal from `/`. */
const REFUSED = '/refused'

const check = (value: unknown, at: string | URL = base): string => safeReturnTo(value, { base: at, fallback: REFUSED })

/** Decodes once, as servers do that keep what they cannot decode. */
const decoded = (text: string): string =>
  text.replace(/(?:%[\da-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run.replace(/%[0-7][\da-f]/gi, decodeURIComponent)
    }
  })

/** Throws where an answer, used in any of the ways people use one, leaves the origin. */
function expectToStay(answer: string, origin: string = base): void {
  if (!/^\/(?![/\\])/.test(answer)) throw new Error(`${answer} does not begin with exactly one slash`)
  if (/[^\x20-\x7e]/.test(answer)) throw new Error(`${answer} cannot stand in a Location header`)
  const url = new URL(answer, origin)
  if (url.pathname + url.search + url.hash !== answer) throw new Error(`${answer} is read back as ${url.href}`)
  for (const [use, text, against] of [
    ['URL', answer, origin],
    ['Location', answer, `${origin}/login/callback?x=1`],
    ['concatenation', origin + answer, origin],
    ['after one more decode', decoded(answer), origin],
    ['after two more decodes', decoded(decoded(answer)), origin],
    ['path after one more decode', decoded(url.pathname), origin],
    ['path after two more parses', new URL(decoded(url.pathname), origin).pathname, origin],
  ] as const) {
    if (new URL(text, against).origin !== origin) throw new Error(`${answer} leaves as ${use}`)
  }
}

afterEach(() => vi.unstubAllGlobals())

describe('vectors', () => {
  it.each(
    vectors.map((vector, index) => ({
      ...vector,
      title: `${index}: ${vector.expected} ${JSON.stringify(vector.input)} at ${vector.base}`,
    })),
  )('L4 $title', ({ input, base: at, expected, ...vector }) => {
    const answer = check(input, at)
    if (expected === 'deny') return expect(answer).toBe(REFUSED)
    expect(answer).not.toBe(REFUSED)
    expectToStay(answer, new URL(at).origin)
    const { pathname, search, hash } = new URL(input as string, at)
    expect(answer).toBe('output' in vector ? vector.output : pathname + search + hash)
  })
})

describe('refused', () => {
  const TAB = '\t'
  it.each<[group: string, values: string[]]>([
    [
      'another host without a scheme',
      ['////evil.example', '//app@evil.example', '//app.example', '//', '//?', '//#', '///app.example/x'],
    ],
    [
      'backslashes',
      [
        '/\\evil.example',
        '/\\/evil.example',
        '\\/\\/evil.example',
        '/x\\y',
        '/x/..\\..\\evil.example',
        '/\\?x',
        'https://app.example\\x',
        'https://evil.example\\@app.example',
        'https://app.example\\@evil.example',
        '/a\\b?c',
      ],
    ],
    [
      'controls',
      [
        `/${TAB}/evil.example`,
        `/${TAB}\\evil.example`,
        `/${TAB}/${TAB}\\evil.example`,
        `/${TAB}${TAB}/${TAB}/evil.example`,
        '/\x00/evil.example',
        '\x00//evil.example',
        '/x\n',
        '/x\r\nLocation: https://evil.example',
        '/x?y=\r\nz',
        '/x#\x7f',
        '/x\x85',
        '/x\x9f',
        '/x?\x80',
        '\x01javascript:alert(1)',
        'java\x00script:alert(1)',
      ],
    ],
    [
      'white space at the edges',
      [' /x', '/x ', '\u00a0/x', '/x\u2003', '\u3000//evil.example', '/x#y ', '/x\ufeff', '\u2028/x'],
    ],
    [
      'blanks between slashes',
      [
        '/ /evil.example',
        '/ \\evil.example',
        '/%20/evil.example',
        '/%2520/evil.example',
        '/\u2003/evil.example',
        '/%EF%BB%BF/evil.example',
      ],
    ],
    [
      'a path that resolves to //',
      [
        '/%2e//evil.example',
        '/./%2e//evil.example',
        '/%2E%2e//evil.example',
        '/.%2e//evil.example',
        '/a/b/../..//evil.example',
        '/a/%2e%2e//evil.example',
        '/./\\evil.example',
        'https://app.example/a/..//evil.example',
        'https://app.example//',
        '/..///evil.example',
        '/.//',
        '/..//',
      ],
    ],
    [
      'a path that resolves to // once decoded',
      [
        '/a/..%2f/evil.example',
        '/a/%2e%2e%2f/evil.example',
        '/a/b/..%2f..%2f/evil.example',
        '/a/.%252e//evil.example',
        '/.%2f/evil.example',
        '/%252e%252e//evil.example',
        '/a/%252e%252e%252f/evil.example',
        '/..%252f/evil.example',
      ],
    ],
    [
      'a scheme without slashes',
      [
        'https:app.example',
        'https:x',
        'https:/app.example/x',
        'http:evil.example',
        'https:',
        'https:///app.example/x',
        'https:////app.example/x',
        'https:\\\\app.example',
        'https:/\\app.example',
        'https:\\/\\/app.example',
        'https://',
        'https:///',
        'https://?',
        'https://#@app.example',
      ],
    ],
    [
      'other schemes',
      [
        'javascript:alert(1)',
        'javascript://app.example/%0aalert(1)',
        'javascript://%250Aalert(1)',
        'vbscript:msgbox(1)',
        'data:,x',
        'mailto:a@b',
        'tel:1',
        'view-source:https://app.example/',
        'blob:https://app.example/x',
        'wss://app.example/',
        'ftp://app.example/',
        'x-app://app.example/',
        'httpss://app.example/',
        'hxxps://app.example/',
        'chrome://settings',
      ],
    ],
    [
      'userinfo',
      [
        'https://app.example@evil.example',
        'https://app.example:pw@evil.example/',
        'https://@app.example/',
        'https://:@app.example/',
        'https://user@app.example/',
        'https://app.example%40evil.example/',
        '@evil.example',
        'https://app.example:443@evil.example/',
        'https://app.example:80%40evil.example/',
      ],
    ],
    [
      'hosts that look alike',
      [
        'https://app.example.evil.example',
        'https://evilapp.example',
        'https://evil.example/https://app.example/',
        'https://app.example.',
        'https://app.examplE.evil.example',
        'https://app',
        'https://xn--app-.example',
        'https://app.example:444/x',
        'https://app.example:80/x',
        'https://app.example:x/',
        'https://[::1]/',
        'https://127.0.0.1/',
        'https://0x7f.1/',
        'https://evil.example?app.example',
        'https://evil.example#app.example',
        'https://amazon\\.app.example',
        'https://app.example,evil.example/',
        'https://app.example%2f.evil.example/',
        'https://app.example%23.evil.example/',
        'https://app%00.example/',
        'http://app.example',
        'http://app.example:443/x',
      ],
    ],
    [
      'one decode from another host',
      [
        '/%2f%2fevil.example',
        '/%2Fevil.example',
        '/%2f%5cevil.example',
        '/%5cevil.example',
        '/%09/evil.example',
        '/%0a/evil.example',
        '/%00/evil.example',
        '/x%00',
        '/x%0d%0ay',
        '/%0d%0aX:y',
        '/..%2f..%2fevil.example',
        '/.%2fx',
        '/%c2%85',
        '/%7f',
        '/x%5cy',
        '/%2f%2fevil.example?x=%zz',
        '/%2f%2fevil.example/%zz',
        '/%2f/evil.example/%ff',
        '/%2f%2fevil.example&x+y',
      ],
    ],
    [
      'two or three decodes from another host',
      [
        '/%252f%252fevil.example',
        '/%25252fevil.example',
        '/%25255cevil.example',
        '/%250a/evil.example',
        '/%25%32%66evil.example',
      ],
    ],
    [
      'a path that begins with a scheme',
      [
        '/https://evil.example',
        '/http:/evil.example',
        '/http:evil.example',
        '/HTTPS:evil.example',
        '/javascript:alert(1)',
        '/JavaScript:alert(1)',
        '/javascript%3aalert(1)',
        '/%6aavascript:alert(1)',
        '/%2568ttp://evil.example',
        '/data:text/html,x',
        '/vbscript:x',
        '/ftp://evil.example',
        '/x-app://evil',
        '/file:///etc/passwd',
        '/blob:https://app.example/x',
        '/%20javascript:alert(1)',
        '/x:1/:///%01javascript:alert(1)/',
        'https://app.example/https://evil.example/',
        'https://app.example/javascript:alert(1)',
      ],
    ],
    [
      'what NFKC turns into any of these',
      [
        '/\uff0fevil.example',
        '/%ef%bc%8fevil.example',
        '/%25ef%25bc%258fevil.example',
        '/\uff3cevil.example',
        '/\ufe68evil.example',
        '/\u2025/evil.example',
        '/\u2024\u2024//evil.example',
        '/\uff0e//evil.example',
        '/\uff05\uff12\uff46evil.example',
        '/https\uff1a//evil.example',
        '/javascript\uff1aalert(1)',
        '/\uff4aavascript:alert(1)',
        '//evil\u3002example',
        '/\uff0f\uff0fevil.example',
      ],
    ],
    [
      'what only a lenient parser takes for a place here',
      [
        'x',
        'x/y',
        './x',
        '../x',
        '.',
        '..',
        '?x',
        '#x',
        '?',
        '#',
        '.evil.example',
        ':80',
        ':80@evil.example',
        '.....///.../x',
        '%2fx',
        '%2e/x',
        '<>//evil.example',
        ';/x',
        '&/x',
        '=/x',
        '"/x"',
        'app.example/x',
        'www.app.example',
        'null',
        'undefined',
        '[object Object]',
        'about:blank',
        'about:srcdoc',
        '*',
        '~/x',
        '$2f/x',
      ],
    ],
    [
      'what URL parsers throw on',
      [
        'https://[',
        'https://[::1',
        'http://[2001:db8::1/',
        'https://%',
        'https://%zz/',
        'https://a b/',
        'https://<>/',
        'https://app.example:99999/',
        'https://app.example:-1/',
        'https://\ud800/',
      ],
    ],
  ])('L4 %s', (_, values) => {
    for (const value of values) expect(check(value), JSON.stringify(value)).toBe(REFUSED)
  })

  it('L4 at an http origin too, where `https:x` and `http:x` change sides', () => {
    for (const value of [
      'https:evil.example',
      'http:evil.example',
      'http:/evil.example',
      'http:x',
      'http:/x',
      'http:///x',
      'https://app.example/x',
    ])
      expect(check(value, 'http://app.example'), value).toBe(REFUSED)
    expect(check('http://app.example/x', 'http://app.example')).toBe('/x')
  })

  it('L4 what is not a string, without converting it', () => {
    const disguised = { toString: () => '/x', trim: () => '/x', length: 2 }
    const touchy = new Proxy(
      {},
      {
        get: () => {
          throw new Error('touched')
        },
      },
    )
    for (const value of [
      undefined,
      null,
      0,
      42,
      true,
      Symbol('x'),
      1n,
      [],
      ['/x'],
      {},
      disguised,
      new String('/x'),
      new URL('/x', base),
      () => '/x',
      touchy,
    ])
      expect(check(value)).toBe(REFUSED)
  })

  it('L4 more than 2048 characters, before and after percent-encoding', () => {
    expect(check(`/${'x'.repeat(2047)}`)).toHaveLength(2048)
    expect(check(`/${'x'.repeat(2048)}`)).toBe(REFUSED)
    expect(check(`/${'é'.repeat(341)}`)).toHaveLength(2047)
    expect(check(`/${'é'.repeat(342)}`)).toBe(REFUSED)
    expect(check(`/x/${'../'.repeat(1000)}`)).toBe(REFUSED)
  })
})

describe('allowed', () => {
  it.each<[value: string, answer?: string]>([
    ['/'],
    ['/orders?page=2#total'],
    ['/a//b'],
    ['/a///'],
    ['/a/./b', '/a/b'],
    ['/a/../b', '/b'],
    ['/..', '/'],
    ['/.', '/'],
    ['/...'],
    ['/.well-known/x'],
    ['/..a/b'],
    ['/.../b'],
    ['/files/a%2Fb/c'],
    ['/files/a%2f%2fb'],
    ['/a/https://b/c'],
    ['/proxy/https:/b'],
    ['/a:b/c'],
    ['/users:batchGet'],
    ['/10:30'],
    ['/users/@me'],
    ['/@user'],
    ['/user@app.example'],
    ['/a;b=c,d'],
    ['/%zz'],
    ['/%'],
    ['/100%'],
    ['/100%25'],
    ['/%ff'],
    ['/%2525252fevil.example'], // it would take a fourth decode
    ['/a&b+c=d'],
    ['/+/a'],
    ['/a b', '/a%20b'],
    ['/caf\u00e9', '/caf%C3%A9'],
    ['/\u4e2d\u6587?q=\u00fc#\u00df', '/%E4%B8%AD%E6%96%87?q=%C3%BC#%C3%9F'],
    ['/\u{1f600}', '/%F0%9F%98%80'],
    ['/\ud800', '/%EF%BF%BD'],
    ['/%E2%9C%93'],
    ['/?next=//evil.example'],
    ['/?next=https://evil.example/'],
    ['/?next=/\\evil.example'],
    ['/?a=%0d%0a%2f%2f'],
    ['/?javascript:alert(1)'],
    ['/#//evil.example'],
    ['/#\\\\evil.example'],
    ['/#javascript:alert(1)'],
    ['/x?', '/x'],
    ['/x#', '/x'],
    ['/?//evil.example'],
    ['https://app.example', '/'],
    ['https://app.example?x', '/?x'],
    ['https://app.example#x', '/#x'],
    ['https://app.example/x?y#z', '/x?y#z'],
    ['https://app.example?@evil.example', '/?@evil.example'],
    ['https://app.example#@evil.example', '/#@evil.example'],
    ['https://app.example/@evil.example', '/@evil.example'],
    ['HTTPS://APP.EXAMPLE/X', '/X'],
    ['hTtPs://app.example:0443/x', '/x'],
    ['https://app.example:/x', '/x'],
  ])('L4 %j', (value, answer = value) => {
    expect(check(value)).toBe(answer)
    expectToStay(answer)
    expect(check(answer)).toBe(answer)
  })
})

describe('options', () => {
  it('L4 the base may be a deep URL, a URL object, with userinfo; only its origin counts', () => {
    for (const at of [
      'https://app.example/deep/page?q=1#x',
      new URL('https://app.example/deep/'),
      'https://u:p@app.example/',
    ]) {
      expect(check('/x', at)).toBe('/x')
      expect(check('https://app.example/x', at)).toBe('/x')
      expect(check('x', at)).toBe(REFUSED)
    }
  })

  it.each([
    '',
    'app.example',
    '/x',
    '//app.example',
    'https://',
    'about:blank',
    'data:,x',
    'file:///srv/app/',
    'ftp://app.example/',
    'ws://app.example/',
  ])('L4 the base %j is no place to be at home: everything is refused', (at) => {
    for (const value of ['/x', 'https://app.example/x', 'ftp://app.example/x', 'file:///x'])
      expect(check(value, at)).toBe(REFUSED)
  })

  it('L4 a base of the wrong type refuses, and does not throw', () => {
    for (const at of [null, 42, {}, [], Symbol('x')]) expect(check('/x', at as never)).toBe(REFUSED)
  })

  it('L4 without a base the page is home', () => {
    vi.stubGlobal('location', new URL('https://page.example/deep/page'))
    expect(safeReturnTo('/x', { fallback: REFUSED })).toBe('/x')
    expect(safeReturnTo('https://page.example/x', { fallback: REFUSED })).toBe('/x')
    expect(safeReturnTo('https://app.example/x', { fallback: REFUSED })).toBe(REFUSED)
    expect(safeReturnTo('https://app.example/x', { base, fallback: REFUSED })).toBe('/x')
  })

  it('L4 without a base and a page, paths are fine and whole URLs are not', () => {
    for (const location of [undefined, {}]) {
      vi.stubGlobal('location', location)
      expect(safeReturnTo('/a/../x?y#z')).toBe('/x?y#z')
      for (const value of ['https://app.example/x', 'http://localhost/x', '//evil.example', '/.//evil.example', 'x'])
        expect(safeReturnTo(value, { fallback: REFUSED })).toBe(REFUSED)
    }
  })

  it('L4 a page without an origin (a sandboxed frame, a file) sends everyone to the fallback', () => {
    vi.stubGlobal('location', { origin: 'null' })
    expect(safeReturnTo('/x', { fallback: REFUSED })).toBe(REFUSED)
  })

  it("L4 the fallback is '/' unless given, and given it is the program's own", () => {
    expect(safeReturnTo('//evil.example')).toBe('/')
    expect(safeReturnTo('//evil.example', {})).toBe('/')
    expect(safeReturnTo('//evil.example', { fallback: '' })).toBe('')
    expect(safeReturnTo('//evil.example', { fallback: 'https://home.example/' })).toBe('https://home.example/')
    expect(safeReturnTo('//evil.example', { fallback: undefined } as never)).toBe('/')
    expect(safeReturnTo('//evil.example', null as never)).toBe('/')
  })

  it('L4 a polluted prototype names neither fallback nor base', () => {
    const prototype = Object.prototype as { fallback?: string; base?: string }
    prototype.fallback = 'https://evil.example/'
    prototype.base = 'https://evil.example/'
    try {
      for (const options of [undefined, {}]) {
        expect(safeReturnTo('//evil.example', options)).toBe('/')
        expect(safeReturnTo('https://evil.example/x', options)).toBe('/')
      }
    } finally {
      delete prototype.fallback
      delete prototype.base
    }
  })
})

describe('properties', () => {
  const string = (units: string[], maxLength: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom(...units), maxLength })

  /** What everybody may do with an answer, and what it is when given back in. */
  const holds = (value: string): boolean => {
    const answer = safeReturnTo(value, { base })
    expectToStay(answer)
    return safeReturnTo(answer, { base, fallback: REFUSED }) === answer
  }

  it('L4 no string over / \\ . % : @ ? # tab newline a leaves the origin', () => {
    const raw = string([...'/\\.%:@?#\t\na'], 14)
    fc.assert(fc.property(raw, holds), { numRuns: howOften(50_000, 10_000) })
    fc.assert(
      fc.property(
        raw.map((rest) => `/${rest}`),
        holds,
      ),
      { numRuns: howOften(60_000, 12_000) },
    )
  }, 60_000)

  it('L4 nor does one made of what the bypasses are made of', () => {
    const parts = [
      '/',
      '/',
      '\\',
      '.',
      '..',
      '%2f',
      '%5c',
      '%2e',
      '%25',
      '%',
      '2f',
      '%09',
      '%0a',
      '%ff',
      '%ef%bc%8f',
      '\uff0f',
      '\u2025',
      '\uff05',
      '\uff0e',
      ' ',
      '+',
      '&',
      '=',
      '?',
      '#',
      ':',
      '@',
      'a',
      'evil.example',
      'app.example',
      'https:',
      'javascript:',
      '\t',
      '\u00a0',
      '\ud800',
    ]
    const starts = fc.constantFrom(
      '',
      '/',
      '/',
      '/a',
      'https://app.example',
      'https://app.example/',
      'https:',
      'https://',
    )
    fc.assert(
      fc.property(
        fc.tuple(starts, string(parts, 9)).map((both) => both.join('')),
        holds,
      ),
      { numRuns: howOften(60_000, 12_000) },
    )
  }, 60_000)

  it('E5 never throws, whatever it is given', () => {
    const values = fc.oneof(
      fc.anything({ withBigInt: true, withDate: true, withNullPrototype: true }),
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.string({ unit: 'grapheme', maxLength: 100 }).map((rest) => `/${rest}`),
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
    )
    const options = fc.oneof(
      fc.constant({ base }),
      fc.record({ base: fc.oneof(fc.webUrl(), fc.anything()), fallback: fc.constant(REFUSED) }),
      fc.anything().filter((given) => !Object.hasOwn(Object(given), 'fallback')),
    )
    fc.assert(
      fc.property(values, options, (value, given) => {
        expect(safeReturnTo(value, given as never)).toMatch(/^\/(?![/\\])/)
        expect(safeReturnTo(value)).toMatch(/^\/(?![/\\])/)
      }),
      { numRuns: howOften(20_000, 5_000) },
    )
  })
})
