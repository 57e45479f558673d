// createAuthServer over HTTP: what only a network can show. What it answers is tested in test/unit/testing, in memory.
import { Agent, get as httpGet, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import {
  type AuthServer,
  type AuthServerOptions,
  createAuthServer,
  type ListeningServer,
} from '../../src/testing/index.ts'

const servers: AuthServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function listening(options?: AuthServerOptions): Promise<{ server: AuthServer; http: ListeningServer }> {
  const server = createAuthServer(options)
  servers.push(server)
  return { server, http: await server.listen() }
}

const bearer = (server: AuthServer, user = 'viewer'): { authorization: string } => ({
  authorization: `Bearer ${server.signIn(user).access_token}`,
})

const refresh = (token = ''): RequestInit => ({
  method: 'POST',
  body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }),
})

describe('listen', () => {
  it('is the same server as in memory', async () => {
    const { server, http } = await listening()
    const { access_token, refresh_token } = server.signIn('admin')
    const headers = { authorization: `Bearer ${access_token}` }
    expect(await (await fetch(`${http.url}/admin`, { headers })).json()).toMatchObject({ user: 'admin' })
    const next = (await (await fetch(`${http.url}/token`, refresh(refresh_token))).json()) as { refresh_token: string }
    expect((await server.fetch('/token', refresh(next.refresh_token))).status).toBe(200)
    expect(server.requests.map(({ origin }) => origin)).toEqual([http.url, http.url, server.url])
  })

  it('is on loopback only, at the port that is asked for', async () => {
    const { http } = await listening()
    expect(http.url).toBe(`http://127.0.0.1:${http.port}`)
    const { port } = http
    await http.close()
    const again = await createAuthServer().listen(port)
    expect(again.url).toBe(http.url)
    await expect(createAuthServer().listen(port)).rejects.toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    await again.close()
  })

  it.each([-1, 65_536, 1.5, '80'])('refuses the port %o', async (port) => {
    const misuse = expect.objectContaining({ name: 'TypeError', code: 'ERR_PORT' })
    await expect(createAuthServer().listen(port as number)).rejects.toThrow(misuse)
  })

  it('answers HEAD without a body, and a Host that is no host with 400', async () => {
    const { http } = await listening()
    const head = await fetch(`${http.url}/public`, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const status = await new Promise((resolve) => {
      httpGet(`${http.url}/public`, { headers: { host: '[' } }, (response) => resolve(response.statusCode))
    })
    expect(status).toBe(400)
  })
})

describe('sockets', () => {
  it('are counted, and kept alive over answers of all kinds', async () => {
    const { server, http } = await listening()
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ask = (path: string, method = 'GET', body?: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const request = httpRequest(http.url + path, { agent, method, headers: bearer(server) }, (response) => {
          response.resume().on('end', () => resolve(response.statusCode))
        })
        request.on('error', reject).end(body)
      })
    expect(await ask('/me')).toBe(200)
    expect(await ask('/admin')).toBe(403)
    // Nobody reads this body: it must not stand in front of the next request.
    expect(await ask('/payments', 'POST', 'x'.repeat(1_000_000))).toBe(401)
    expect(await ask('/status/204')).toBe(204)
    expect(await ask('/echo', 'POST', 'x')).toBe(200)
    expect(http.sockets).toEqual({ open: 1, total: 1 })
    agent.destroy()
  })

  it('are all gone after close(): idle, busy, hanging and half-open ones', async () => {
    const { server, http } = await listening()
    const { refresh_token } = server.signIn('viewer')
    await (await fetch(`${http.url}/public`)).text()
    const halfOpen = connect(http.port, '127.0.0.1').on('error', () => {})
    halfOpen.write('POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ngrant')
    server.failRefresh('hang')
    const hanging = expect(fetch(`${http.url}/token`, refresh(refresh_token))).rejects.toThrow('fetch failed')
    const slow = expect(fetch(`${http.url}/slow?ms=60000`, { headers: bearer(server) })).rejects.toThrow('fetch failed')
    await server.seen(1, { fault: 'hang' })
    await server.seen(1, { path: '/slow' })
    await http.close()
    expect(http.sockets.open).toBe(0)
    await Promise.all([hanging, slow])
    await server.seen(2, { status: 0 })
    await expect(fetch(`${http.url}/public`)).rejects.toThrow('fetch failed')
    // In memory it goes on.
    expect((await server.fetch('/public')).status).toBe(200)
  })

  it('close with `await using`, and twice is fine', async () => {
    const { server, http } = await listening()
    await Promise.all([http.close(), http[Symbol.asyncDispose](), server.close(), server[Symbol.asyncDispose]()])
    await expect(server.listen()).rejects.toThrow(expect.objectContaining({ code: 'ERR_SERVER_CLOSED' }))
  })
})

describe('faults', () => {
  it('end connections, before and after the refresh was processed', async () => {
    const { server, http } = await listening()
    const { refresh_token } = server.signIn('viewer')
    for (const fault of ['drop', 'lost'] as const) {
      server.failRefresh(fault)
      await expect(fetch(`${http.url}/token`, refresh(refresh_token))).rejects.toThrow('fetch failed')
    }
    server.down = 'refused'
    await expect(fetch(`${http.url}/token`, refresh(refresh_token))).rejects.toThrow('fetch failed')
    expect(server.stats).toMatchObject({ refreshAttempts: 3, refreshes: 1 })
  })

  it('hang until released; a caller that leaves is noticed', async () => {
    const { server, http } = await listening()
    server.failRefresh('hang', 2)
    const leaving = new AbortController()
    const abandoned = fetch(`${http.url}/token`, { ...refresh('x'), signal: leaving.signal })
    const patient = fetch(`${http.url}/token`, refresh(server.signIn('viewer').refresh_token))
    await server.seen(2, { fault: 'hang' })
    leaving.abort()
    await expect(abandoned).rejects.toThrow('aborted')
    await server.seen(1, { status: 0 })
    server.release()
    expect((await patient).status).toBe(200)
  })
})

describe('bodies', () => {
  const CHUNK = new Uint8Array(64 * 1024).fill(7)

  it('stream through /echo: 20 MB and never more than a few chunks of it in memory', async () => {
    const { server, http } = await listening()
    const headers = { ...bearer(server), 'content-type': 'application/octet-stream' }
    globalThis.gc?.()
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    // node:http, because Node's fetch keeps what it streams.
    const answer = await new Promise<{ length: number }>((resolve, reject) => {
      const request = httpRequest(`${http.url}/echo`, { method: 'POST', headers }, async (response) => {
        resolve(JSON.parse(Buffer.concat(await response.toArray()).toString()))
      }).on('error', reject)
      const send = async (): Promise<void> => {
        for (let sent = 0; sent < 320; sent++) {
          if (!request.write(CHUNK)) await new Promise((drained) => request.once('drain', drained))
          if (sent % 32 === 0) globalThis.gc?.()
          most = Math.max(most, process.memoryUsage().arrayBuffers - before)
        }
        request.end()
      }
      send().catch(reject)
    })
    expect(answer.length).toBe(320 * CHUNK.length)
    expect(most).toBeLessThan(8 * 1024 * 1024)
  })

  it('are judged before they are read, or after their last byte', async () => {
    const { http } = await listening()
    const body = new Uint8Array(3_000_000)
    expect((await fetch(`${http.url}/echo`, { method: 'POST', body })).status).toBe(401)
    expect((await fetch(`${http.url}/echo/late`, { method: 'POST', body })).status).toBe(401)
  })

  it('may break off', async () => {
    const { server, http } = await listening()
    const request = httpRequest(`${http.url}/echo`, { method: 'POST', headers: bearer(server) }).on('error', () => {})
    request.write(CHUNK)
    await server.seen(1, { path: '/echo' })
    request.destroy()
    await server.seen(1, { path: '/echo', status: 0 })
    expect((await fetch(`${http.url}/public`)).status).toBe(200)
  })
})

it('cookies are HttpOnly, sent to /refresh alone, and removed when the session is over', async () => {
  const { server, http } = await listening({ cookies: true, cors: true })
  const login = await fetch(`${http.url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: 'http://localhost:5173' },
    body: JSON.stringify({ username: 'viewer', password: 'viewer' }),
  })
  expect(login.headers.get('access-control-allow-origin')).toBe('http://localhost:5173')
  const [line = ''] = login.headers.getSetCookie()
  expect(line).toMatch(/^refresh=rt_[\w-]+; Path=\/refresh; Max-Age=2592000; HttpOnly; SameSite=Strict$/)
  const cookie = line.split(';')[0] ?? ''
  const rotated = await fetch(`${http.url}/refresh`, { method: 'POST', headers: { cookie } })
  expect(rotated.headers.getSetCookie()).toHaveLength(1)
  const reused = await fetch(`${http.url}/refresh`, { method: 'POST', headers: { cookie } })
  expect(reused.status).toBe(401)
  expect(reused.headers.getSetCookie()[0]).toMatch(/^refresh=; Path=\/refresh; Max-Age=0;/)
  expect(server.stats.reuses).toBe(1)
})
