// The authorization request: what is in it, what wins, what it asks for.
import { describe, expect, it } from 'vitest'
import { challengeOf } from '../../../src/oauth/protocol.ts'
import type { DpopScheme } from '../../../src/schemes/dpop.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import pkce from '../../vectors/pkce.json' with { type: 'json' }
import { authServer, clientOf, ISSUER, METADATA, REDIRECT_URI } from './auth-server.ts'

const parametersOf = (url: URL): Record<string, string> => Object.fromEntries(url.searchParams)

describe('PKCE (RFC 7636)', () => {
  /** RFC 7636 §4.1. */
  const LEGAL = /^[\w.~-]{43,128}$/
  const legal = pkce.filter(({ challenge }) => challenge !== undefined)

  it.each(legal)('$source', async ({ verifier, challenge }) => {
    expect(await challengeOf(verifier)).toBe(challenge)
  })

  it('a verifier is as the vectors say', () => {
    expect(pkce.filter(({ verifier }) => LEGAL.test(verifier))).toEqual(legal)
  })

  it('the challenge is that of the verifier which is sent with the code', async () => {
    const server = authServer()
    const client = clientOf(server)
    const url = await client.authorizationUrl()
    const answer = `?code=a&state=${url.searchParams.get('state')}&iss=${ISSUER}`
    await rejectionOf(client.handleCallback({} as never, { url: REDIRECT_URI + answer }))
    const [exchange] = server.to('/token')
    expect(exchange?.form.get('code_verifier')).toMatch(LEGAL)
    expect(await challengeOf(exchange?.form.get('code_verifier') ?? '')).toBe(url.searchParams.get('code_challenge'))
  })
})

describe('an authorization request', () => {
  it('holds a code challenge, a state and, with openid, a nonce', async () => {
    const url = await clientOf(authServer(), { scope: 'openid orders' }).authorizationUrl()
    expect(url.origin + url.pathname).toBe(METADATA.authorization_endpoint)
    expect(parametersOf(url)).toEqual({
      response_type: 'code',
      client_id: 'web',
      redirect_uri: REDIRECT_URI,
      scope: 'openid orders',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })
  })

  it('holds no nonce and no scope where none is asked for', async () => {
    const { nonce, scope, state } = parametersOf(await clientOf(authServer()).authorizationUrl())
    expect([nonce, scope]).toEqual([undefined, undefined])
    expect(state).toBeDefined()
  })

  it('holds nothing twice, and no two are alike', async () => {
    const client = clientOf(authServer(), { scope: 'openid' })
    const urls = [await client.authorizationUrl(), await client.authorizationUrl()]
    for (const name of ['state', 'nonce', 'code_challenge']) {
      expect(new Set(urls.map((url) => url.searchParams.get(name))).size).toBe(2)
    }
  })

  it('keeps the query of the endpoint', async () => {
    const server = authServer({ ...METADATA, authorization_endpoint: `${ISSUER}/authorize?policy=b2c&state=theirs` })
    const { policy, state } = parametersOf(await clientOf(server).authorizationUrl())
    expect(policy).toBe('b2c')
    expect(state).not.toBe('theirs')
  })

  it('O4: lets no parameter of the app take the place of ours, not even of one that is not sent', async () => {
    const ours = ['response_type', 'client_id', 'redirect_uri', 'scope', 'state', 'nonce', 'resource', 'dpop_jkt']
    // By these an answer would come where nobody looks for it.
    const elsewhere = ['response_mode', 'request', 'request_uri']
    const theirs = Object.fromEntries(
      [...ours, ...elsewhere, 'code_challenge', 'code_challenge_method'].map((name) => [name, 'theirs']),
    )
    const url = await clientOf(authServer(), { parameters: { ...theirs, ui_locales: 'de' } }).authorizationUrl({
      parameters: { ...theirs, login_hint: 'ann' },
    })
    expect([...url.searchParams.values()]).not.toContain('theirs')
    expect(parametersOf(url)).toMatchObject({ ui_locales: 'de', login_hint: 'ann', code_challenge_method: 'S256' })
    for (const name of [...elsewhere, 'nonce', 'scope', 'resource', 'dpop_jkt'])
      expect(url.searchParams.has(name)).toBe(false)
  })

  it('names every resource, here and with the code (RFC 8707)', async () => {
    const server = authServer()
    const resource = ['https://api.example/', 'https://other.example/orders']
    const client = clientOf(server, { resource })
    const url = await client.authorizationUrl()
    expect(url.searchParams.getAll('resource')).toEqual(resource)
    const answer = `?code=a&state=${url.searchParams.get('state')}&iss=${ISSUER}`
    await rejectionOf(client.handleCallback({} as never, { url: REDIRECT_URI + answer }))
    expect(server.to('/token')[0]?.form.getAll('resource')).toEqual(resource)
  })

  it('names the key that the tokens will be bound to (RFC 9449 §10)', async () => {
    const dpop = { refresherFetch: (transport: unknown) => transport, thumbprint: async () => 'the-thumbprint' }
    const client = clientOf(authServer(), { dpop: dpop as unknown as DpopScheme })
    expect(parametersOf(await client.authorizationUrl()).dpop_jkt).toBe('the-thumbprint')
  })

  it('asks for what one sign-in needs', async () => {
    const client = clientOf(authServer(), { scope: 'openid orders', parameters: { prompt: 'consent' } })
    const url = await client.authorizationUrl({
      scopes: ['orders', 'admin'],
      acrValues: ['gold', 'silver'],
      maxAgeSeconds: 0,
      prompt: 'login',
    })
    expect(parametersOf(url)).toMatchObject({
      scope: 'openid orders admin',
      acr_values: 'gold silver',
      max_age: '0',
      prompt: 'login',
    })
  })

  it('needs a redirect URI', async () => {
    const error = await rejectionOf(clientOf(authServer(), { redirectUri: undefined }).authorizationUrl())
    expect(error).toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })

  it.each([
    [{ scopes: 'orders' }],
    [{ acrValues: [1] }],
    [{ maxAgeSeconds: -1 }],
    [{ maxAgeSeconds: 1.5 }],
    [{ prompt: 1 }],
    [{ interaction: 'iframe' }],
    [{ parameters: { a: 1 } }],
    [{ returnto: '/' }],
  ])('refuses %o', async (options) => {
    const error = await rejectionOf(clientOf(authServer()).authorizationUrl(options as never))
    expect(error).toMatchObject({ name: 'TypeError', code: expect.stringMatching(/^ERR_(INVALID|UNKNOWN)_OPTION$/) })
  })
})
