import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { createAuthServer } from '../../../src/testing/index.ts'
import { bearing, refreshing } from './requests.ts'

describe('server.fetch', () => {
  it('takes what fetch takes, at any origin, detached', async () => {
    const { fetch, signIn } = createAuthServer()
    const { headers } = bearing(signIn('viewer'))
    for (const url of ['/me', 'https://api.example.com/me', new URL('http://localhost:8080/me?x=1#y')]) {
      expect((await fetch(url, { headers })).status).toBe(200)
    }
    const request = new Request('https://api.example.com/me', { headers })
    expect((await fetch(request)).status).toBe(200)
    expect((await fetch(request, { headers: {} })).status).toBe(401)
    expect((await fetch('/me?secret#x')).url).toBe('https://auth.test/me?secret')
  })

  it('rejects a used request, as fetch does', async () => {
    const { fetch } = createAuthServer()
    const request = new Request('https://auth.test/echo', { method: 'POST', body: 'x' })
    await request.text()
    await expect(fetch(request)).rejects.toThrow(TypeError)
  })

  it('hears an abort, with its reason, and sends nothing after one', async () => {
    const server = createAuthServer()
    const { headers } = bearing(server.signIn('viewer'))
    const leaving = new AbortController()
    const response = server.fetch('/slow?ms=60000', { headers, signal: leaving.signal })
    await server.seen(1)
    const reason = new Error('bored')
    leaving.abort(reason)
    await expect(response).rejects.toBe(reason)
    await server.seen(1, { path: '/slow', status: 0 })
    await expect(server.fetch('/me', { signal: leaving.signal })).rejects.toBe(reason)
    await expect(server.fetch(new Request('https://a.test/me', { signal: leaving.signal }))).rejects.toBe(reason)
    expect(server.requests).toHaveLength(1)
  })

  it('leaves no listeners on a signal that lives long', async () => {
    const { fetch } = createAuthServer()
    const { signal } = new AbortController()
    for (let round = 0; round < 100; round++) await fetch('/public', { signal })
    expect(getEventListeners(signal, 'abort')).toHaveLength(0)
  })

  it('rejects when a body breaks off', async () => {
    const server = createAuthServer()
    const { headers } = bearing(server.signIn('viewer'))
    const breaking = (): RequestInit & { duplex: 'half' } => {
      const body = new ReadableStream({ pull: (controller) => controller.error(new Error('disk on fire')) })
      return { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body, duplex: 'half' }
    }
    await expect(server.fetch('/echo', breaking())).rejects.toThrow('fetch failed')
    await expect(server.fetch('/token', breaking())).rejects.toThrow('fetch failed')
  })

  it('follows redirects as it is told, without credentials to another origin', async () => {
    const server = createAuthServer()
    const tokens = server.signIn('viewer')
    const ask = (to: string, init: RequestInit, status: 302 | 307 = 302): Promise<Response> => {
      server.failRefresh({ redirect: to, status })
      return server.fetch('/token', { ...refreshing(tokens), ...bearing(tokens), ...init })
    }
    const here = await ask('https://auth.test/me', {})
    expect([here.status, here.redirected, here.url]).toEqual([200, true, 'https://auth.test/me'])
    expect((await ask('https://elsewhere.test/me', {})).status).toBe(401)
    expect((await ask('https://auth.test/me', { redirect: 'manual' })).headers.get('location')).toBe(
      'https://auth.test/me',
    )
    await expect(ask('https://auth.test/me', { redirect: 'error' })).rejects.toThrow('fetch failed')
    await expect(ask('https://auth.test/me', {}, 307)).rejects.toThrow('fetch failed')
  })
})
