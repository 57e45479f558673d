// E1: which URLs lead to a token endpoint, however they are spelled, and what a page gets of its answers.
import { describe, expect, it } from 'vitest'
import { jwtClaims } from '../../../src/http/jwt.ts'
import { placeOf, unsigned, withoutTokens } from '../../../src/service-worker/token-endpoint.ts'
import { KEPT } from '../../../src/tokens.ts'
import { idToken } from '../oauth/auth-server.ts'

const place = (url: string): string => placeOf(new URL(url, 'https://auth.example'))

describe('the place of a URL', () => {
  it.each([
    '/TOKEN',
    'https://auth.example//token',
    '/token/',
    '/token/.',
    '/token?x=1',
    '/%74oken',
    '/%2574oken',
    '/token;a=b',
    '/;a/token',
    '/token%3Ba=b',
    '/%74oken;%ff',
    '/x%2f..%2ftoken',
    '/%2e%2ftoken',
    '/x/..%5ctoken',
    '/token.json',
    '/token%20',
    '/token.',
    'https://auth.example./token',
  ])('is the same for %s', (spelling) => {
    expect(place(spelling)).toBe(place('/token'))
  })

  it.each([
    '/tokens',
    '/token/info',
    '/',
    '/api/token',
    'https://auth.example:8443/token',
    'http://auth.example/token',
  ])('is another for %s', (other) => {
    expect(place(other)).not.toBe(place('/token'))
  })

  it('E5 never throws and comes to an end, whatever the path', () => {
    for (const path of ['/%', '/%2', '/%ff%fe', `/${'%25'.repeat(200)}41`, '/..;/../;', `/${'a;'.repeat(5000)}`]) {
      expect(() => place(path), path).not.toThrow()
    }
  })
})

describe('an answer without its tokens', () => {
  const SECRETS = /at-1|rt-1|it-1/
  const seen = async (
    body: string | null,
    init: ResponseInit = {},
  ): Promise<{ received: object[]; text: string; all: string }> => {
    const received: object[] = []
    const response = await withoutTokens(new Response(body, init), async (answer) => {
      received.push(answer)
      return KEPT
    })
    const text = await response.text()
    return { received, text, all: text + JSON.stringify([...response.headers]) + response.status }
  }

  it('keeps what is no token, and hands the answer on as it came', async () => {
    const answer = {
      access_token: 'at-1',
      refresh_token: 'rt-1',
      id_token: 'it-1',
      expires_in: 5,
      user: { name: 'ada' },
    }
    const { received, text } = await seen(JSON.stringify(answer), {
      headers: { 'content-length': '99', 'content-encoding': 'gzip' },
    })
    expect(received).toEqual([answer])
    expect(JSON.parse(text)).toEqual({ expires_in: 5, user: { name: 'ada' }, held_by: 'service-worker' })
  })

  it.each([
    ['as a form', 'access_token=at-1&refresh_token=rt-1'],
    ['behind a prefix', `)]}'\n{"access_token":"at-1"}`],
    ['in a list', '[{"access_token":"at-1"}]'],
    ['deeper', '{"data":{"accessToken":"at-1","list":[{"RefreshToken":"rt-1"}]}}'],
    ['as XML', '<access_token>at-1</access_token>'],
    ['in other letters', '{"Access_Token":"at-1","id-token":"it-1"}'],
    ['in two values', '{"access_token":"at-1"}{"access_token":"at-1"}'],
  ])('shows none %s', async (_how, body) => {
    expect((await seen(body)).all).not.toMatch(SECRETS)
  })

  it('shows none in a header, and none of a refusal', async () => {
    const headers = { authorization: 'Bearer at-1', 'x-access-token': 'at-1' }
    const { all, received } = await seen('{"error":"no","access_token":"at-1"}', { status: 400, headers })
    expect(all).not.toMatch(SECRETS)
    expect(received).toEqual([])
  })

  it('leaves the words of a refusal, an answer without tokens, and one without a body', async () => {
    expect((await seen('wrong password', { status: 401 })).text).toBe('wrong password')
    expect(await seen('{"mfa":"needed"}')).toMatchObject({ text: '{"mfa":"needed"}', received: [] })
    const { all } = await seen(null, { status: 204, headers: { authorization: 'Bearer at-1' } })
    expect(all).toContain('204')
    expect(all).not.toMatch(SECRETS)
  })
})

describe('an ID token without its signature', () => {
  it('says what it is checked by, and nothing else', () => {
    const said = { sub: 'ä', aud: ['web'], nonce: 'n' }
    const shown = unsigned(idToken({ ...said, idp_access_token: 'at-1', deep: { aud: 'x' } }))
    expect(shown).toMatch(/^[\w-]+\.[\w-]+\.$/)
    expect({ ...jwtClaims(shown as string) }).toEqual(said)
  })

  it.each([
    ['that is none', 'opaque'],
    ['that has a part too few', 'a.b'],
    ['that holds no claims', 'a.b.c'],
    ['that is encrypted', 'a.b.c.d.e'],
    ['that had none, and needs none to be believed', idToken({ sub: 'ann' }).replace(/[^.]*$/, '')],
    ['that is no text', { toString: () => idToken({ sub: 'ann' }) }],
  ])('is none %s', (_what, token) => expect(unsigned(token)).toBeUndefined())
})
