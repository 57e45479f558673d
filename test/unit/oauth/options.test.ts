// What oauthClient refuses when it is made, and that it does nothing else.
import { describe, expect, it, vi } from 'vitest'
import { oauthClient } from '../../../src/oauth/client.ts'
import { clientOf, ISSUER, METADATA } from './auth-server.ts'

const good = { issuer: ISSUER, clientId: 'web' }

function refusal(options: unknown): unknown {
  try {
    oauthClient(options as never)
  } catch (error) {
    return error
  }
  return null
}

describe('refuses', () => {
  const wrong: Record<string, unknown[]> = {
    issuer: [
      ...[undefined, '', 'id.example', 'http://id.example', 'ftp://id.example', `${ISSUER}?a=b`, `${ISSUER}#a`],
      ...['https://a:b@id.example', 1],
    ],
    clientId: [undefined, '', 1],
    clientSecret: ['', 1],
    clientAuth: ['secret'],
    server: [
      ...[{}, { ...METADATA, issuer: 'https://evil.example' }, { ...METADATA, issuer: 'id' }, 'metadata'],
      { ...METADATA, token_endpoint: 'http://id.example/token' },
      { ...METADATA, code_challenge_methods_supported: ['plain'] },
    ],
    redirectUri: ['http://app.example/', 'https://a:b@app.example/', 'https://app.example/#a', 'javascript:0', 1, ''],
    postLogoutRedirectUri: ['http://app.example/', 1],
    scope: [['openid'], ''],
    resource: ['api', 'https://api.example/#a', [1], ''],
    parameters: ['a=b', { a: 1 }, null],
    interaction: ['iframe'],
    dpop: [true, {}],
    fetch: ['fetch'],
    storage: [{}, { getItem() {}, setItem() {} }, { removeItem() {} }],
    navigate: ['/'],
    maxRedirects: [0, 1.5],
    windowMs: [0, Number.NaN],
    timeoutMs: [0, -1, Number.POSITIVE_INFINITY, '1'],
  }
  const cases = Object.entries(wrong).flatMap(([name, values]) => values.map((value) => [name, value] as const))

  it.each(cases)('%s: %j', (name, value) => {
    expect(refusal({ ...good, [name]: value })).toMatchObject({
      name: 'TypeError',
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining(`\`${name}\``),
    })
  })

  it('an option that it does not know', () => {
    expect(refusal({ ...good, redirectUrl: '/callback' })).toMatchObject({
      code: 'ERR_UNKNOWN_OPTION',
      message: expect.stringContaining('`redirectUri`'),
    })
  })

  it.each([[undefined], [null], ['options']])('options that are %j', (options) => {
    expect(refusal(options)).toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })
})

describe('takes', () => {
  it.each([
    ['http on loopback', { issuer: 'http://localhost:3000', redirectUri: 'http://127.0.0.1/callback' }],
    ['URLs', { issuer: new URL(ISSUER), redirectUri: new URL('https://app.example/'), resource: new URL(ISSUER) }],
    ['metadata', { server: METADATA }],
    ['a relative redirect URI where there is no page yet', { redirectUri: '/callback' }],
    ['undefined for every option', Object.fromEntries(['scope', 'dpop', 'storage', 'server'].map((name) => [name]))],
  ])('%s', (_, options) => {
    expect(refusal({ ...good, ...options })).toBeNull()
  })
})

it('asks nobody until it is used', () => {
  const fetch = vi.fn()
  clientOf({ fetch } as never)
  expect(fetch).not.toHaveBeenCalled()
})

it('O4: a polluted prototype changes nothing', () => {
  Object.assign(Object.prototype, { scope: 'evil', interaction: 'evil', redirectUri: 'evil:' })
  try {
    expect(refusal(good)).toBeNull()
  } finally {
    for (const name of ['scope', 'interaction', 'redirectUri']) delete (Object.prototype as never)[name]
  }
})
