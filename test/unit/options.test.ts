// A caller's mistake is a TypeError with an ERR_ code when the object is made: it says what was expected, never what was given.
import { describe, expect, it } from 'vitest'
import { type AuthFetchOptions, createAuthFetch, memoryStore, refreshEndpoint } from '../../src/index.ts'
import { DEFAULTS, readOptions } from '../../src/options.ts'

const baseUrl = 'https://api.example'

function mistakeOf(make: () => unknown): TypeError & { code: string } {
  try {
    make()
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError)
    return error as TypeError & { code: string }
  }
  throw new Error('Expected a TypeError')
}

const mistakeIn = (options: unknown): TypeError & { code: string } =>
  mistakeOf(() => createAuthFetch(options as AuthFetchOptions))

describe('each option, wrong in several ways', () => {
  const notFunctions = [null, true, 'refresh', 1, {}, [], new URL(baseUrl)]
  const notNumbers = [null, '5000', Number.NaN, -1, -0.1, Number.NEGATIVE_INFINITY, true, {}, [], [5], () => 5, 5n]
  const cases: Array<[keyof AuthFetchOptions, unknown[], RegExp]> = [
    ['baseUrl', [null, '', '/v1', 'api.example', 5, {}, true, 'https://', '//api.example'], /URL/],
    ['origins', [null, 'https://api.example', {}, 5, true, new Set([baseUrl])], /array.*function/],
    ['allowInsecure', [null, 'true', 1, 0, {}], /true or false/],
    ['refresh', notFunctions, /function/],
    ['onPermissionDenied', notFunctions, /function/],
    ['onLoginRequired', notFunctions, /function/],
    ['onStepUp', notFunctions, /function/],
    ['classify', notFunctions, /function/],
    ['fetch', notFunctions, /function/],
    [
      'store',
      [null, 'memory', {}, [], () => memoryStore(), { read: () => null }, { write: () => true }, { read: 1, write: 2 }],
      /read.*write/,
    ],
    [
      'scheme',
      [
        null,
        'bearer',
        {},
        { attach: () => {} },
        { headers: [] },
        { attach: 1, headers: [] },
        { attach: () => {}, headers: 'authorization' },
      ],
      /attach.*headers/,
    ],
    ['refreshMarginMs', notNumbers, /number/],
    ['refreshTimeoutMs', notNumbers, /number/],
    ['refreshRetries', [...notNumbers, 1.5, Number.POSITIVE_INFINITY], /number/],
    ['replayLimitBytes', notNumbers, /number/],
    ['loginTimeoutMs', notNumbers, /number/],
    ['parkedLimit', notNumbers, /number/],
  ]
  const table = cases.flatMap(([option, values, expected]) => values.map((value) => ({ option, value, expected })))

  it.each(table)('$option: $value', ({ option, value, expected }) => {
    const mistake = mistakeIn({ baseUrl, [option]: value })
    expect(mistake.code).toBe('ERR_INVALID_OPTION')
    expect(mistake.message).toMatch(/^Expected/)
    expect(mistake.message).toContain(`\`${option}\``)
    expect(mistake.message).toMatch(option === 'refreshRetries' ? /number/ : expected)
  })

  it.each([
    'ftp://api.example',
    'ws://api.example',
    'data:,x',
    'file:///srv',
    'mailto:a@b.example',
    'https://u:p@api.example',
  ])('baseUrl: %s cannot be an origin', (value) => {
    expect(mistakeIn({ baseUrl: value }).code).toBe('ERR_ORIGIN')
  })

  it.each([null, 5, 'https://api.example', true, Symbol('x'), () => ({})])('no object at all: %s', (options) => {
    expect(mistakeIn(options).code).toBe('ERR_INVALID_OPTION')
  })

  it.each([
    ['refreshMarginMs', [0, 1, 1e12, Number.POSITIVE_INFINITY]],
    ['refreshTimeoutMs', [1, 0.5, 2 ** 40, Number.POSITIVE_INFINITY]],
    ['refreshRetries', [0, 1, 100]],
    ['replayLimitBytes', [0, Number.POSITIVE_INFINITY]],
    ['loginTimeoutMs', [1, Number.POSITIVE_INFINITY]],
    ['parkedLimit', [0, Number.POSITIVE_INFINITY]],
  ])('%s takes %o', (option, values) => {
    for (const value of values) expect(() => createAuthFetch({ baseUrl, [option]: value })).not.toThrow()
  })
})

describe('no value is ever shown', () => {
  const secret = 'hunter2-s3cr3t'
  const names = [
    'baseUrl',
    'origins',
    'allowInsecure',
    'refresh',
    'store',
    'scheme',
    'onLoginRequired',
    'fetch',
    'refreshTimeoutMs',
  ]
  it.each(names)('E1 of %s', (option) => {
    for (const value of [secret, { toString: () => secret, secret }, [secret]]) {
      // A function or a valid shape among them is no mistake, and then there is nothing to show.
      try {
        createAuthFetch({ baseUrl, [option]: value } as never)
      } catch (error) {
        expect(String(error)).not.toContain(secret)
        expect(JSON.stringify(error)).not.toContain(secret)
      }
    }
  })

  it.each([`https://${secret}@api.example`, `https://u:${secret}@api.example`, `http://${secret}.example`])(
    'E1 of a URL',
    (url) => {
      expect(mistakeIn({ baseUrl: url }).message).not.toContain(secret)
      expect(mistakeIn({ origins: [url] }).message).not.toContain(secret)
    },
  )

  it('E1 of an unknown option: its name alone', () => {
    const mistake = mistakeIn({ baseUrl, refreshToken: secret })
    expect(mistake.message).toContain('refreshToken')
    expect(mistake.message).not.toContain(secret)
  })
})

describe('unknown options', () => {
  it.each([
    ['baseURL', 'baseUrl'],
    ['base', 'baseUrl'],
    ['origin', 'origins'],
    ['refreshTimeout', 'refreshTimeoutMs'],
    ['refreshRetry', 'refreshRetries'],
    ['onPermisionDenied', 'onPermissionDenied'],
    ['onpermissiondenied', 'onPermissionDenied'],
    ['onLoginRequire', 'onLoginRequired'],
    ['onStepup', 'onStepUp'],
    ['classifier', 'classify'],
    ['schema', 'scheme'],
    ['storage', 'store'],
    ['refresher', 'refresh'],
    ['fetcher', 'fetch'],
    ['Fetch', 'fetch'],
    ['allow_insecure', 'allowInsecure'],
    ['replayLimit', 'replayLimitBytes'],
    ['loginTimeout', 'loginTimeoutMs'],
    ['parkLimit', 'parkedLimit'],
  ])('%s: did you mean %s?', (name, nearest) => {
    const mistake = mistakeIn({ baseUrl, [name]: 1 })
    expect(mistake.code).toBe('ERR_UNKNOWN_OPTION')
    expect(mistake.message).toContain(`\`${name}\``)
    expect(mistake.message).toContain(`\`${nearest}\``)
  })

  it.each(['', '__proto__', 'constructor', 'toString', 'hasOwnProperty', 'x'.repeat(10_000)])(
    '%s is one too',
    (name) => {
      const options = { baseUrl }
      Object.defineProperty(options, name, { value: 1, enumerable: true })
      expect(mistakeIn(options).code).toBe('ERR_UNKNOWN_OPTION')
    },
  )

  it('a list is no options', () => {
    expect(mistakeIn(['https://api.example']).code).toMatch(/^ERR_/)
  })
})

describe('what counts as given', () => {
  const names = [
    ...['origins', 'allowInsecure', 'refresh', 'store', 'scheme', 'onPermissionDenied', 'onLoginRequired', 'onStepUp'],
    ...['classify', 'fetch', 'refreshMarginMs', 'refreshTimeoutMs', 'refreshRetries', 'replayLimitBytes'],
    ...['loginTimeoutMs', 'parkedLimit'],
  ]
  it.each(names)('undefined is not: %s', (name) => {
    expect(() => createAuthFetch({ baseUrl, [name]: undefined })).not.toThrow()
  })

  it('undefined is not: the defaults hold', () => {
    const { settings } = readOptions({
      baseUrl,
      ...Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, undefined])),
    })
    const { allowInsecure, ...limits } = DEFAULTS
    expect(allowInsecure).toBe(false)
    expect(settings).toMatchObject(limits)
  })

  it('undefined is not: origins fall back to baseUrl', () => {
    expect(readOptions({ baseUrl, origins: undefined }).settings.isOurs(new URL(baseUrl))).toBe(true)
    expect(mistakeIn({ baseUrl: undefined, origins: undefined }).code).toBe('ERR_ORIGINS_REQUIRED')
  })

  it('nothing at all is, in Node, not enough', () => {
    expect(mistakeOf(() => createAuthFetch()).code).toBe('ERR_ORIGINS_REQUIRED')
    expect(mistakeIn({}).message).toMatch(/`baseUrl`.*`origins`/)
  })

  it('O4 frozen options, null-prototype options and instances of a class are options', () => {
    class Options {
      baseUrl = baseUrl
    }
    expect(() =>
      createAuthFetch(Object.freeze({ baseUrl, origins: Object.freeze([baseUrl]) as string[] })),
    ).not.toThrow()
    expect(() => createAuthFetch(Object.assign(Object.create(null), { baseUrl }))).not.toThrow()
    expect(() => createAuthFetch(new Options())).not.toThrow()
  })

  it('O4 inherited options are not: they may be anybody’s', () => {
    expect(mistakeIn(Object.create({ baseUrl })).code).toBe('ERR_ORIGINS_REQUIRED')
    const { refresh } = readOptions(Object.assign(Object.create({ refresh: () => null }), { baseUrl })).settings
    expect(refresh).toBe(undefined)
  })

  it('O4 each is read once, when the object is made', () => {
    let reads = 0
    const options = {
      get baseUrl() {
        reads++
        return baseUrl
      },
    }
    const api = createAuthFetch({ ...options, fetch: async () => new Response() })
    expect(reads).toBe(1)
    createAuthFetch(options)
    expect(reads).toBe(2)
    return api('/x').then(() => expect(reads).toBe(2))
  })

  it('O4 what changes later changes nothing', async () => {
    const sent: string[] = []
    const options: AuthFetchOptions = {
      baseUrl,
      fetch: async (input) => {
        sent.push(String(input))
        return new Response()
      },
    }
    const api = createAuthFetch(options)
    options.baseUrl = 'https://evil.example'
    options.fetch = async () => new Response('evil')
    await api('/x')
    expect(sent).toEqual(['https://api.example/x'])
  })

  it('O4 a baseUrl that is a URL object is copied', async () => {
    const url = new URL('https://api.example/v1/')
    const { base } = readOptions({ baseUrl: url }).settings
    url.hostname = 'evil.example'
    expect(base()).toBe('https://api.example/v1/')
  })

  it('a store may be a class instance, and so may a scheme', () => {
    class Store {
      read() {
        return null
      }
      write() {
        return true
      }
    }
    class Scheme {
      name = 'mine'
      headers = ['x-mine']
      attach() {}
    }
    expect(() => createAuthFetch({ baseUrl, store: new Store(), scheme: new Scheme() })).not.toThrow()
  })
})

describe('refreshEndpoint', () => {
  it.each([
    undefined,
    null,
    {},
    'https://auth.example/token',
    { url: 5 },
    { url: null },
    { url: 'https://auth.example/token', format: 'xml' },
    { url: 'https://auth.example/token', format: null },
    { url: 'https://auth.example/token', body: 'x' },
    { url: 'https://auth.example/token', clientId: 5 },
    { url: 'https://auth.example/token', headers: { 'not a name': 'x' } },
    { url: 'https://auth.example/token', credentials: 'yes' },
    { url: 'http://' },
  ])('%o is a mistake when it is made', (options) => {
    expect(mistakeOf(() => refreshEndpoint(options as never)).code).toMatch(/^ERR_/)
  })

  it('an option that it does not know names the nearest', () => {
    const mistake = mistakeOf(() => refreshEndpoint({ url: 'https://auth.example/token', clientID: 'web' } as never))
    expect(mistake.code).toBe('ERR_UNKNOWN_OPTION')
    expect(mistake.message).toContain('`clientId`')
  })

  it('undefined is not given', () => {
    const options = { url: '/token', clientId: undefined, format: undefined, headers: undefined, body: undefined }
    expect(() => refreshEndpoint(options as never)).not.toThrow()
  })
})
