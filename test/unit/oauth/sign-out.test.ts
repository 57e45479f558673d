// The end of a session: here first, whatever the server does.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type DpopScheme, dpop } from '../../../src/schemes/dpop.ts'
import { durationOf, fakeTime, pass } from '../../helpers/fake-time.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { authServer, clientOf, ISSUER, json, METADATA, sessionOf } from './auth-server.ts'

afterEach(() => vi.unstubAllGlobals())

async function signedIn(more: object = {}) {
  const api = sessionOf()
  await api.signIn({ access_token: 'at-1', refresh_token: 'rt-1', id_token: 'the.id.token', ...more })
  const server = authServer()
  server.answers['/revoke'] = () => new Response(null, { status: 200 })
  return { api, server }
}

describe('signOut', () => {
  it('ends the session here, then the tokens, refresh token first (RFC 7009)', async () => {
    const { api, server } = await signedIn()
    const seen: string[] = []
    server.answers['/revoke'] = () => {
      seen.push(api.snapshot().status)
      return new Response(null, { status: 200 })
    }
    expect(await clientOf(server).signOut(api)).toMatchObject({ isRevoked: true })
    expect(seen).toEqual(['signed-out', 'signed-out'])
    expect(server.to('/revoke').map(({ form }) => Object.fromEntries(form))).toEqual([
      { token: 'rt-1', token_type_hint: 'refresh_token', client_id: 'web' },
      { token: 'at-1', token_type_hint: 'access_token', client_id: 'web' },
    ])
  })

  it('revokes tokens of a session that has ended elsewhere', async () => {
    const { server } = await signedIn()
    const { revoke } = clientOf(server)
    expect(await revoke({ accessToken: 'at-1', refreshToken: 'rt-1' })).toBe(true)
    expect(server.to('/revoke').map(({ form }) => form.get('token'))).toEqual(['rt-1', 'at-1'])
    server.answers['/revoke'] = () => new Response(null, { status: 503 })
    expect(await revoke({ accessToken: 'at-1' })).toBe(false)
  })

  it('says where the session of the server ends', async () => {
    const { api, server } = await signedIn()
    const client = clientOf(server, { postLogoutRedirectUri: 'https://app.example/bye' })
    const { logoutUrl } = await client.signOut(api, { state: 'x' })
    const url = new URL(logoutUrl ?? '')
    expect(url.origin + url.pathname).toBe(`${ISSUER}/end`)
    expect(Object.fromEntries(url.searchParams)).toEqual({
      id_token_hint: 'the.id.token',
      client_id: 'web',
      post_logout_redirect_uri: 'https://app.example/bye',
      state: 'x',
    })
  })

  it('goes there where there is a page, unless told otherwise', async () => {
    const assign = vi.fn()
    vi.stubGlobal('location', { href: 'https://app.example/', origin: 'https://app.example', assign })
    const { api, server } = await signedIn()
    const client = clientOf(server)
    await client.signOut(api, { navigate: false })
    expect(assign).not.toHaveBeenCalled()
    const { logoutUrl } = await client.signOut(api)
    expect(assign.mock.calls).toEqual([[logoutUrl]])
  })

  it('starts no refresh of a token that has expired', async () => {
    const refresh = vi.fn()
    const api = sessionOf({ refresh })
    await api.signIn({ accessToken: 'at-1', refreshToken: 'rt-1', expiresAt: Date.now() - 1000 })
    const { server } = await signedIn()
    await clientOf(server).signOut(api)
    expect(refresh).not.toHaveBeenCalled()
    expect(server.to('/revoke')).toHaveLength(2)
  })

  it('forgets the key of DPoP', async () => {
    const { api, server } = await signedIn()
    const forget = vi.fn(async () => {
      throw new Error('no storage')
    })
    const dpop = { refresherFetch: (transport: unknown) => transport, forget } as unknown as DpopScheme
    await clientOf(server, { dpop }).signOut(api)
    expect(forget).toHaveBeenCalledOnce()
  })

  it('R12: forgets it before anything is sent: a sign-in that comes meanwhile keeps its key', async () => {
    const { api, server } = await signedIn({ token_type: 'DPoP' })
    const scheme = dpop({ name: 'signed-out' })
    const client = clientOf(server, { dpop: scheme })
    const old = await scheme.thumbprint()
    const seen: unknown[] = []
    server.answers['/revoke'] = async ({ headers }) => {
      seen.push(await scheme.thumbprint(), headers.get('dpop'))
      return new Response()
    }
    expect(await client.signOut(api)).toMatchObject({ isRevoked: true })
    const next = await scheme.thumbprint()
    expect(next).not.toBe(old)
    // RFC 7009: a revocation asks for no proof, so that the key is not missed.
    expect(seen).toEqual([next, null, next, null])
  })

  it('revokes nothing where nobody is signed in', async () => {
    const { server } = await signedIn()
    expect(await clientOf(server).signOut(sessionOf())).toMatchObject({ isRevoked: false })
    expect(server.to('/revoke')).toEqual([])
  })

  it('is confirmed by the access token where there is no refresh token', async () => {
    const { api, server } = await signedIn({ refresh_token: undefined })
    expect(await clientOf(server).signOut(api)).toMatchObject({ isRevoked: true })
    expect(server.to('/revoke')).toHaveLength(1)
  })

  it('is confirmed by any success', async () => {
    const { api, server } = await signedIn()
    server.answers['/revoke'] = () => new Response(null, { status: 204 })
    expect(await clientOf(server).signOut(api)).toMatchObject({ isRevoked: true })
  })

  it('is confirmed by the refresh token where access tokens cannot be revoked', async () => {
    const { api, server } = await signedIn()
    server.answers['/revoke'] = ({ form }) =>
      form.get('token') === 'rt-1' ? new Response() : json({ error: 'unsupported_token_type' }, 400)
    expect(await clientOf(server).signOut(api)).toMatchObject({ isRevoked: true })
  })
})

describe('an outage ends nothing but the revocation', () => {
  const outages: Record<string, () => Response | Promise<Response>> = {
    network: () => {
      throw new TypeError('fetch failed')
    },
    '503': () => new Response('', { status: 503 }),
    '400': () => json({ error: 'invalid_request' }, 400),
    silence: () => new Promise(() => {}),
    'a redirect': () => new Response(null, { status: 302, headers: { location: 'https://evil.example' } }),
  }
  it.each(Object.entries(outages))('%s', async (_, outage) => {
    const { api, server } = await signedIn()
    server.answers['/revoke'] = outage
    const { isRevoked, logoutUrl } = await clientOf(server, { timeoutMs: 30 }).signOut(api)
    expect(isRevoked).toBe(false)
    expect(logoutUrl).toContain(`${ISSUER}/end`)
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('of discovery too', async () => {
    const { api, server } = await signedIn()
    server.answers['/.well-known/openid-configuration'] = () => new Response('', { status: 500 })
    expect(await clientOf(server).signOut(api)).toEqual({ isRevoked: false, logoutUrl: null })
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('nor where the server has no such endpoints', async () => {
    const { api } = await signedIn()
    const { revocation_endpoint: _, end_session_endpoint: __, ...metadata } = METADATA
    expect(await clientOf(authServer(metadata)).signOut(api)).toEqual({ isRevoked: false, logoutUrl: null })
  })
})

describe('time', () => {
  fakeTime()

  it('is lost to a silent server once, not for each token', async () => {
    const { api, server } = await signedIn()
    server.answers['/revoke'] = () => new Promise(() => {})
    expect(await durationOf(clientOf(server, { timeoutMs: 1000 }).signOut(api))).toBe(1000)
  })

  it('is lost to one that does not even say what it has for no longer, and nothing is asked of it afterwards', async () => {
    const { api, server } = await signedIn()
    server.answers['/.well-known/openid-configuration'] = () =>
      new Promise((answer) => setTimeout(() => answer(new Response('', { status: 404 })), 900))
    server.answers['/.well-known/oauth-authorization-server'] = () => new Promise(() => {})
    expect(await durationOf(clientOf(server, { timeoutMs: 1000 }).signOut(api))).toBe(1000)
    await pass(1000)
    expect(server.asked).toHaveLength(2)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('is not taken where the server answers', async () => {
    const { api, server } = await signedIn()
    expect(await clientOf(server).signOut(api)).toMatchObject({ isRevoked: true })
    await pass(1000)
    expect(vi.getTimerCount()).toBe(0)
  })
})

it.each([[{ navigate: 1 }], [{ state: 1 }], [{ redirect: true }]])(
  'refuses %o before it ends anything',
  async (options) => {
    const { api, server } = await signedIn()
    const error = await rejectionOf(clientOf(server).signOut(api, options as never))
    expect(error).toMatchObject({ name: 'TypeError' })
    expect(api.snapshot().status).toBe('signed-in')
  },
)
