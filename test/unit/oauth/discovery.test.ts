// What a client believes of an authorization server, and what it does not.
import { describe, expect, it } from 'vitest'
import { AuthError } from '../../../src/errors.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { authServer, clientOf, ISSUER, json, METADATA } from './auth-server.ts'

const OPENID = '/.well-known/openid-configuration'
const RFC8414 = '/.well-known/oauth-authorization-server'

describe('discovery', () => {
  it('asks OpenID first', async () => {
    const server = authServer()
    expect(await clientOf(server).metadata()).toEqual(METADATA)
    expect(server.asked.map(({ path }) => path)).toEqual([OPENID])
  })

  it('asks by RFC 8414 where OpenID is not there', async () => {
    const server = authServer()
    server.answers[RFC8414] = server.answers[OPENID] as never
    delete server.answers[OPENID]
    expect(await clientOf(server).metadata()).toEqual(METADATA)
    expect(server.asked.map(({ path }) => path)).toEqual([OPENID, RFC8414])
  })

  it('keeps the path of an issuer', async () => {
    const issuer = `${ISSUER}/tenant`
    const server = authServer()
    server.answers['/.well-known/oauth-authorization-server/tenant'] = () => json({ ...METADATA, issuer })
    await clientOf(server, { issuer }).metadata()
    expect(server.asked.map(({ path }) => path)).toEqual([`/tenant${OPENID}`, `${RFC8414}/tenant`])
  })

  it('is one request for all who ask at once, and for all who ask later', async () => {
    const server = authServer()
    const { metadata, authorizationUrl } = clientOf(server)
    await Promise.all([metadata(), authorizationUrl(), metadata()])
    await metadata()
    expect(server.asked).toHaveLength(1)
  })

  it('is made again after a failure', async () => {
    const server = authServer()
    const good = server.answers[OPENID] as never
    server.answers[OPENID] = () => new Response('', { status: 503 })
    const client = clientOf(server)
    await rejectionOf(client.metadata())
    server.answers[OPENID] = good
    expect(await client.metadata()).toEqual(METADATA)
  })

  it('is skipped where the metadata is given', async () => {
    const server = authServer()
    const client = clientOf(server, { server: METADATA })
    expect((await client.authorizationUrl()).origin).toBe(ISSUER)
    expect(server.asked).toEqual([])
  })

  it('O4: takes nothing from a prototype', async () => {
    const { token_endpoint: _, ...metadata } = METADATA
    const client = clientOf(authServer(metadata))
    Object.assign(Object.prototype, { token_endpoint: 'https://evil.example/token' })
    try {
      const url = await client.authorizationUrl()
      const answer = `?code=a&state=${url.searchParams.get('state')}&iss=${ISSUER}`
      const work = client.handleCallback({} as never, { url: `https://app.example/callback${answer}` })
      expect(await rejectionOf(work)).toMatchObject({ code: 'metadata-refused' })
    } finally {
      delete (Object.prototype as { token_endpoint?: unknown }).token_endpoint
    }
  })
})

describe('a failure that may pass is retryable', () => {
  it.each([500, 502, 503, 408, 429])('%d', async (status) => {
    const server = authServer()
    server.answers[OPENID] = () => new Response('<html>', { status })
    expect(await rejectionOf(clientOf(server).metadata())).toMatchObject({ code: 'metadata-refused', retryable: true })
  })

  it('the network, named by its code and nothing else', async () => {
    const server = authServer()
    server.answers[OPENID] = () => {
      throw new TypeError('fetch failed: secret-in-a-message', {
        cause: Object.assign(new Error('connect secret'), { code: 'ECONNREFUSED' }),
      })
    }
    const error = (await rejectionOf(clientOf(server).metadata())) as AuthError
    expect(error).toBeInstanceOf(AuthError)
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: true })
    expect(error.message).toBe('The authorization server could not be reached (ECONNREFUSED)')
    expect(error.cause).toBeUndefined()
  })

  it('a transport that fails with a code which is none', async () => {
    const server = authServer()
    server.answers[OPENID] = () => {
      throw Object.assign(new TypeError('fetch failed'), { code: 'Bearer secret' })
    }
    const error = (await rejectionOf(clientOf(server).metadata())) as AuthError
    expect(error.message).toBe('The authorization server could not be reached')
  })

  it('a server that never answers', async () => {
    const server = authServer()
    server.answers[OPENID] = () => new Promise(() => {})
    const error = await rejectionOf(clientOf(server, { timeoutMs: 20 }).metadata())
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: true })
  })

  it('a body that never ends', async () => {
    const server = authServer()
    server.answers[OPENID] = () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) }))
    const error = await rejectionOf(clientOf(server, { timeoutMs: 20 }).metadata())
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: true })
  })
})

describe('O2: a document is refused', () => {
  const hostile: Record<string, () => Response> = {
    'of another issuer': () => json({ ...METADATA, issuer: 'https://evil.example' }),
    'of another path of the issuer': () => json({ ...METADATA, issuer: `${ISSUER}/other` }),
    'without an issuer': () => json({ ...METADATA, issuer: undefined }),
    'whose issuer is no URL': () => json({ ...METADATA, issuer: 'id' }),
    'that is a page': () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
    'that is a list': () => json([METADATA]),
    'that is empty': () => new Response(''),
    'with a token endpoint over http': () => json({ ...METADATA, token_endpoint: 'http://id.example/token' }),
    'with userinfo in an endpoint': () => json({ ...METADATA, authorization_endpoint: 'https://a:b@id.example/a' }),
    'with a name in an endpoint': () => json({ ...METADATA, token_endpoint: 'https://a@id.example/token' }),
    'with a script as the authorization endpoint': () =>
      json({ ...METADATA, authorization_endpoint: 'javascript:alert(1)' }),
    'with data as the sign-out page': () => json({ ...METADATA, end_session_endpoint: 'data:text/html,x' }),
    'with a relative endpoint': () => json({ ...METADATA, revocation_endpoint: '/revoke' }),
    'with an endpoint that is a list': () => json({ ...METADATA, token_endpoint: [`${ISSUER}/token`] }),
    'with a device endpoint on a private host over http': () =>
      json({ ...METADATA, device_authorization_endpoint: 'http://192.168.0.1/d' }),
    'without S256': () => json({ ...METADATA, code_challenge_methods_supported: ['plain'] }),
    'with no list of challenge methods where one belongs': () =>
      json({ ...METADATA, code_challenge_methods_supported: 'S256' }),
    'that is a 403': () => new Response('no', { status: 403 }),
  }
  it.each(Object.entries(hostile))('%s', async (_, answer) => {
    const server = authServer()
    server.answers[OPENID] = answer
    const error = await rejectionOf(clientOf(server).authorizationUrl())
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: false })
    expect(server.asked).toHaveLength(1)
  })

  it.each([301, 302, 303, 307, 308])('that is behind a redirect (%d), which is not followed', async (status) => {
    const server = authServer()
    server.answers[OPENID] = () => new Response(null, { status, headers: { location: `${ISSUER}/elsewhere` } })
    expect(await rejectionOf(clientOf(server).metadata())).toMatchObject({ code: 'metadata-refused' })
    expect(server.asked).toHaveLength(1)
  })

  it('that is longer than 256 KiB', async () => {
    const server = authServer()
    server.answers[OPENID] = () => json({ ...METADATA, filler: 'x'.repeat(262_144) })
    expect(await rejectionOf(clientOf(server).metadata())).toMatchObject({ code: 'metadata-refused' })
  })

  it('that names no endpoint for what is asked', async () => {
    const error = await rejectionOf(clientOf(authServer({ issuer: ISSUER })).authorizationUrl())
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: false })
  })
})
