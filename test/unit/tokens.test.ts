import { describe, expect, it } from 'vitest'
import { createId } from '../../src/id.ts'
import { createAuthFetch, memoryStore, type TokenSet, tokensFromResponse } from '../../src/index.ts'
import { carryOver, isTokenValue, readStoredSession, readTokenSet, receiveTokens } from '../../src/tokens.ts'
import { unauthorized } from '../helpers/answer.ts'
import { exposures } from '../helpers/canary.ts'
import { recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import vectors from '../vectors/tokenValues.json' with { type: 'json' }

const NOW = Date.UTC(2026, 0, 1)
const LAST_INSTANT = 8.64e15

const accepted = vectors.filter(({ expected }) => expected === 'accept').map(({ value }) => value)
const rejected = [
  ...vectors.filter(({ expected }) => expected === 'reject').map(({ value }) => value),
  ...[
    'a\r\nX-Evil: 1',
    'a,b',
    'a;b',
    '=',
    '==',
    'a=b=',
    '\u00a0abc',
    'abc\u2028',
    'Ⓐbc',
    '{"a":1}',
    '<a>',
    'a%20b',
    'a\\b',
    '\x7f',
  ],
]
/** Refusals may not quote. One letter is in every message, so the shortest vectors prove nothing there. */
const mentions = (error: unknown, value: string): boolean => value.length > 3 && exposures(error).includes(value)

function client(answer: unknown = null) {
  const { fetch, sent } = recorder(() => unauthorized())
  const api = createAuthFetch({
    baseUrl: 'https://api.example',
    fetch,
    refresh: async () => answer as never,
    refreshRetries: 0,
  })
  return { api, sent }
}

describe('token values', () => {
  it.each(accepted)('R14 %j goes out as it is', async (value) => {
    for (const tokens of [{ accessToken: value }, { access_token: value }]) {
      const { api, sent } = client()
      await api.signIn(tokens as TokenSet)
      await api('/x')
      expect(sent[0]?.credential).toBe(`Bearer ${value}`)
    }
    expect(isTokenValue(value)).toBe(true)
  })

  it.each(rejected)('R14 signIn refuses %j, and its error does not hold it', async (value) => {
    const { api, sent } = client()
    await api.signIn({ accessToken: 'before' })
    for (const tokens of [{ accessToken: value }, { access_token: value }]) {
      const error = await rejectionOf(api.signIn(tokens as TokenSet))
      expect(error).toMatchObject({ code: expect.stringMatching(/^(invalid-token|unusable-token-response)$/) })
      expect(mentions(error, value)).toBe(false)
    }
    // And the session that was there is still there.
    expect(await api.tokens()).toEqual({ accessToken: 'before' })
    expect(sent).toEqual([])
    expect(isTokenValue(value)).toBe(false)
  })

  it.each(rejected)('R14 memoryStore refuses %j, and its error does not hold it', (value) => {
    const make = (): unknown => memoryStore({ accessToken: value })
    expect(make).toThrow(expect.objectContaining({ name: 'TypeError', code: 'ERR_TOKENS' }))
    try {
      make()
    } catch (error) {
      expect(mentions(error, value)).toBe(false)
    }
  })

  it.each(rejected)(
    'R14 a refresh that brings %j has failed for now: nothing is stored, nothing like it is sent',
    async (value) => {
      for (const answer of [{ accessToken: value }, { access_token: value }]) {
        const { api, sent } = client(answer)
        await api.signIn({ accessToken: 'old', refreshToken: 'rt' })
        const error = await rejectionOf(api('/x'))
        expect(error).toMatchObject({ code: 'refresh-unavailable' })
        expect(mentions(error, value)).toBe(false)
        expect(sent.map(({ credential }) => credential)).toEqual(['Bearer old'])
        expect(await api.tokens()).toEqual({ accessToken: 'old', refreshToken: 'rt' })
      }
    },
  )

  it.each(rejected)('R14 a stored %j counts as nothing stored', async (value) => {
    const { fetch, sent } = recorder()
    const store = { read: () => ({ sessionId: 's', version: 1, tokens: { accessToken: value } }), write: () => true }
    const api = createAuthFetch({ baseUrl: 'https://api.example', fetch, store })
    expect(api.snapshot()).toEqual({ status: 'signed-out' })
    await api('/x')
    expect(sent.map(({ credential }) => credential)).toEqual([null])
  })

  it.each([undefined, null, 0, 1, true, {}, [], ['abc'], () => 'abc', Symbol('abc'), Object('abc')])(
    'R14 %o is no token, whatever it turns into: no `Bearer undefined` ever leaves',
    async (value) => {
      expect(isTokenValue(value)).toBe(false)
      const { api, sent } = client({ access_token: value })
      for (const tokens of [{ accessToken: value }, { access_token: value }]) {
        expect(await rejectionOf(api.signIn(tokens as TokenSet))).toMatchObject({ code: expect.any(String) })
      }
      await api('/x').catch(() => {})
      expect(sent.filter(({ credential }) => credential !== null)).toEqual([])
    },
  )
})

describe('tokensFromResponse', () => {
  it('R10 takes every member of RFC 6749 §5.1', () => {
    const answer = {
      access_token: 'at',
      refresh_token: 'rt',
      expires_in: 3600,
      token_type: 'Bearer',
      scope: 'a b',
      id_token: 'opaque',
      more: 'ignored',
    }
    expect(tokensFromResponse(answer, NOW)).toEqual({
      accessToken: 'at',
      refreshToken: 'rt',
      expiresAt: NOW + 3_600_000,
      tokenType: 'Bearer',
      scope: 'a b',
      idToken: 'opaque',
    })
  })

  it('R10 leaves out what is not there', () => {
    expect(tokensFromResponse({ access_token: 'at' }, NOW)).toStrictEqual({ accessToken: 'at' })
  })

  it('T1 counts from now unless told when the answer came', () => {
    const before = Date.now()
    const { expiresAt } = tokensFromResponse({ access_token: 'at', expires_in: 60 })
    expect(expiresAt).toBeGreaterThanOrEqual(before + 60_000)
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + 60_000)
  })

  it.each<[unknown, number | undefined]>([
    [3600, 3_600_000],
    ['3600', 3_600_000],
    [0, 0],
    [-1, 0],
    [5, 5000],
    [0.5, 500],
    [2_592_000, 2_592_000_000],
    ['0', 0],
    [1e20, undefined],
    [1e308, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    [Number.NEGATIVE_INFINITY, 0],
    [Number.NaN, undefined],
    [null, undefined],
    [undefined, undefined],
    ['', undefined],
    ['abc', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    [' 60', undefined],
    ['9'.repeat(400), undefined],
    [true, undefined],
    [[60], undefined],
    [{}, undefined],
    [{ valueOf: () => 60 }, undefined],
  ])('T2 expires_in %o is %o ms from receipt', (expiresIn, ms) => {
    const tokens = tokensFromResponse({ access_token: 'at', expires_in: expiresIn }, NOW)
    expect(tokens.expiresAt).toBe(ms === undefined ? undefined : NOW + ms)
    expect('expiresAt' in tokens).toBe(ms !== undefined)
  })

  it.each([null, '', 0, false, {}, [], 5])('R10 members that are %o count as missing', (value) => {
    const answer = { access_token: 'at', refresh_token: value, token_type: value, scope: value, id_token: value }
    expect(tokensFromResponse(answer)).toStrictEqual({ accessToken: 'at' })
  })

  it.each([
    undefined,
    null,
    '',
    'at',
    5,
    true,
    [],
    {},
    { access_token: '' },
    { access_token: null },
    { accessToken: 'at' },
    { access_token: 5 },
    [{ access_token: 'at' }],
  ])('R10 %o is no token response', (answer) => {
    expect(() => tokensFromResponse(answer)).toThrow(
      expect.objectContaining({ name: 'AuthError', code: 'unusable-token-response', retryable: false }),
    )
  })

  it('R14 an access token of the wrong characters is another mistake', () => {
    expect(() => tokensFromResponse({ access_token: 'a b' })).toThrow(
      expect.objectContaining({ code: 'invalid-token' }),
    )
  })

  it('O4 takes nothing from a prototype', () => {
    const inherited = Object.create({ access_token: 'inherited' })
    expect(() => tokensFromResponse(inherited)).toThrow(expect.objectContaining({ code: 'unusable-token-response' }))
    const answer = Object.assign(Object.create({ refresh_token: 'inherited', expires_in: 5 }), { access_token: 'own' })
    expect(tokensFromResponse(answer)).toStrictEqual({ accessToken: 'own' })
  })

  it('R10 takes a null-prototype answer, and one with `__proto__` in its JSON', () => {
    expect(tokensFromResponse(Object.assign(Object.create(null), { access_token: 'at' }))).toEqual({
      accessToken: 'at',
    })
    const tokens = tokensFromResponse(JSON.parse('{"access_token":"at","__proto__":{"refreshToken":"evil"}}'))
    expect((tokens as { refreshToken?: string }).refreshToken).toBe(undefined)
  })

  describe('subject', () => {
    const idToken = (claims: unknown): string =>
      `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`
    it('L2 is the `sub` of the ID token', () => {
      expect(tokensFromResponse({ access_token: 'at', id_token: idToken({ sub: 'änn' }) }).subject).toBe('änn')
    })

    it.each([idToken({}), idToken({ sub: '' }), idToken({ sub: 5 }), idToken(null), 'opaque', 'a.b.c', '..', ''])(
      'L2 is unknown with the ID token %j',
      (id_token) => {
        expect('subject' in tokensFromResponse({ access_token: 'at', id_token })).toBe(false)
      },
    )
  })
})

describe('readTokenSet', () => {
  it('S1 keeps what is usable of a medium, and nothing else', () => {
    const stored = {
      accessToken: 'at',
      refreshToken: '',
      expiresAt: '5',
      tokenType: null,
      scope: 5,
      idToken: 'it',
      subject: 'ann',
      admin: true,
    }
    expect(readTokenSet(stored)).toStrictEqual({ accessToken: 'at', idToken: 'it', subject: 'ann' })
  })

  it.each([
    [LAST_INSTANT, LAST_INSTANT],
    [-LAST_INSTANT, -LAST_INSTANT],
    [0, 0],
    [LAST_INSTANT + 1, undefined],
    [Number.NaN, undefined],
    [Number.POSITIVE_INFINITY, undefined],
    ['1900000000000', undefined],
    [new Date(5), undefined],
  ])('T2 an expiresAt of %o is %o', (expiresAt, expected) => {
    expect(readTokenSet({ accessToken: 'at', expiresAt })?.expiresAt).toBe(expected)
  })

  it.each([undefined, null, 'at', 5, [], {}, { accessToken: '' }])('S1 %o is none', (value) => {
    expect(readTokenSet(value)).toBe(null)
  })
})

describe('readStoredSession', () => {
  const good = { sessionId: 's', version: 1, tokens: { accessToken: 'at' } }
  it('S1 reads back what was written, cookie sessions too', () => {
    expect(readStoredSession(structuredClone(good))).toEqual(good)
    expect(readStoredSession({ ...good, tokens: null })).toEqual({ ...good, tokens: null })
  })

  it.each([
    undefined,
    null,
    'text',
    5,
    [],
    {},
    { ...good, sessionId: '' },
    { ...good, sessionId: 5 },
    { ...good, version: '1' },
    { ...good, version: 1.5 },
    { ...good, version: Number.NaN },
    { ...good, version: 2 ** 53 },
    { ...good, tokens: undefined },
    { ...good, tokens: {} },
    { ...good, tokens: 'at' },
    { ...good, tokens: { accessToken: 'a b' } },
    { sessionId: 's', version: 1 },
    Object.create(good),
  ])('S1 %o counts as nothing stored', (value) => {
    expect(readStoredSession(value)).toBe(null)
  })
})

describe('receiveTokens', () => {
  it('R10 takes a TokenSet for what is left of it, and a response for a whole lifetime', () => {
    expect(receiveTokens({ accessToken: 'at' })).toEqual({ tokens: { accessToken: 'at' }, isFresh: false })
    expect(receiveTokens({ access_token: 'at' })).toEqual({ tokens: { accessToken: 'at' }, isFresh: true })
    expect(receiveTokens(true)).toEqual({ tokens: null, isFresh: true })
  })

  it.each([undefined, null, false, 0, 5, '', 'at', Symbol('x'), () => ({ accessToken: 'at' })])(
    'R10 %o is a caller’s mistake',
    (value) => {
      expect(() => receiveTokens(value)).toThrow(expect.objectContaining({ name: 'TypeError', code: 'ERR_TOKENS' }))
    },
  )
})

describe('carryOver', () => {
  const before: TokenSet = {
    accessToken: 'old',
    refreshToken: 'rt',
    expiresAt: 5,
    scope: 'a',
    idToken: 'it',
    subject: 'ann',
    tokenType: 'Bearer',
  }
  it('R10 keeps what the new answer leaves out, but neither the old access token nor its expiry', () => {
    expect(carryOver(before, { accessToken: 'new' })).toStrictEqual({
      accessToken: 'new',
      refreshToken: 'rt',
      scope: 'a',
      idToken: 'it',
      subject: 'ann',
      tokenType: 'Bearer',
    })
  })

  it('R10 takes what the new answer brings', () => {
    const next: TokenSet = {
      accessToken: 'new',
      refreshToken: 'rt2',
      expiresAt: 9,
      scope: 'b',
      idToken: 'it2',
      subject: 'bob',
      tokenType: 'DPoP',
    }
    expect(carryOver(before, next)).toStrictEqual(next)
  })

  it('R10 has nothing to keep where nobody was signed in', () => {
    expect(carryOver(null, { accessToken: 'new' })).toStrictEqual({ accessToken: 'new' })
  })

  it('R10 changes neither', () => {
    const next = Object.freeze({ accessToken: 'new' })
    carryOver(Object.freeze({ ...before }), next)
    expect(next).toEqual({ accessToken: 'new' })
  })
})

describe('createId', () => {
  it('R12 is 128 bits in hex, never the same twice', () => {
    const ids = new Set(Array.from({ length: 1000 }, () => createId()))
    expect(ids.size).toBe(1000)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/)
  })
})
