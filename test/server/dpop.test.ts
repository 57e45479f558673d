// RFC 9449 over real HTTP: proofs through redirects and refreshes, and nonces that change faster than answers come.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import {
  type AuthFetch,
  type AuthFetchOptions,
  authFailureOf,
  createAuthFetch,
  memoryStore,
  refreshEndpoint,
} from '../../src/index.ts'
import { dpop } from '../../src/schemes/dpop.ts'
import { exposures, marksIn, NEW, OLD } from '../helpers/canary.ts'
import { type DpopAnswer, type DpopApi, type DpopApiOptions, dpopApi, type ProvenRequest } from '../helpers/dpop-api.ts'
import { recordingServer } from '../helpers/recording-server.ts'
import { watch } from '../helpers/watch.ts'

const client = (url: string, options: AuthFetchOptions = {}): AuthFetch =>
  createAuthFetch({ baseUrl: url, scheme: dpop(), store: memoryStore(OLD), ...options })

const told = ({ requests }: DpopApi): Array<[string, string, string | null]> =>
  requests.map(({ method, path, refusal }) => [method, path, refusal])
const idsOf = (requests: readonly ProvenRequest[]): Set<unknown> => new Set(requests.map(({ claims }) => claims?.jti))

/** The token endpoint gives out new tokens; some paths redirect. */
const withTokens =
  (redirectOf: (path: string) => [status: number, location: string] | undefined = () => undefined): DpopAnswer =>
  ({ path }, response) => {
    const [status, location] = redirectOf(path) ?? []
    if (status !== undefined) response.writeHead(status, { location }).end()
    else if (path === '/token') response.setHeader('content-type', 'application/json').end(JSON.stringify(NEW))
    else response.end()
  }

describe('one request after another', () => {
  it('one replay learns the nonce, and no other request needs any', async () => {
    await using api = await dpopApi({ rotateEvery: 1 })
    const fetch = client(api.url)
    for (let request = 0; request < 30; request++) expect((await fetch(`/orders/${request}?page=1`)).status).toBe(200)
    expect(api.requests).toHaveLength(31)
    expect(idsOf(api.requests).size).toBe(31)
  })

  it('a server without nonces is asked once', async () => {
    await using api = await dpopApi({ asksForNonce: false })
    expect((await client(api.url)('/orders', { method: 'PATCH', body: '{}' })).status).toBe(200)
    expect(told(api)).toEqual([['PATCH', '/orders', null]])
  })

  it.each(['delete', 'PATCH', 'PROPFIND'])('htm is what arrives for the method %s', async (method) => {
    await using api = await dpopApi()
    expect((await client(api.url)('/orders', { method })).status).toBe(200)
  })

  it('R1: a server that never takes a nonce is not asked for ever', async () => {
    await using api = await dpopApi({ rotateEvery: 1, grace: -1 })
    expect((await client(api.url)('/orders')).status).toBe(401)
    expect(api.requests).toHaveLength(2)
  })
})

describe('refreshes', () => {
  const refreshing = (url: string, scheme = dpop()): AuthFetchOptions => ({
    scheme,
    refresh: refreshEndpoint({ url: `${url}/token`, clientId: 'web' }),
  })

  it('prove the same key to the token endpoint, answer its nonce once, and replay with a new proof', async () => {
    await using api = await dpopApi({ token: NEW.access_token as string, rotateEvery: 3 }, withTokens())
    const response = await client(api.url, refreshing(api.url))('/orders', { method: 'POST', body: 'item=1' })
    expect(response.status).toBe(200)
    expect(told(api)).toEqual([
      ['POST', '/orders', 'use_dpop_nonce'],
      ['POST', '/orders', 'invalid_token'],
      ['POST', '/token', null],
      ['POST', '/orders', null],
    ])
    const [first, , refresh, last] = api.requests as [ProvenRequest, ProvenRequest, ProvenRequest, ProvenRequest]
    expect(idsOf(api.requests).size).toBe(4)
    expect(new Set(api.requests.map(({ thumbprint }) => thumbprint)).size).toBe(1)
    expect(refresh.authorization).toBeUndefined()
    expect(refresh.claims).not.toHaveProperty('ath')
    expect(first.claims?.ath).not.toBe(last.claims?.ath)
    expect(last.body).toBe('item=1')
  })

  it('learn the nonce of another token endpoint by one refusal', async () => {
    await using api = await dpopApi({ token: NEW.access_token as string })
    await using auth = await dpopApi({}, withTokens())
    expect((await client(api.url, refreshing(auth.url))('/orders')).status).toBe(200)
    expect(told(auth)).toEqual([
      ['POST', '/token', 'use_dpop_nonce'],
      ['POST', '/token', null],
    ])
    expect(auth.requests[0]?.body).toBe(auth.requests[1]?.body)
  })

  it('P6: a Bearer challenge never makes a Bearer token of it', async () => {
    await using server = await recordingServer((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token", Basic realm="x"' }).end()
    })
    const scheme = dpop()
    const api = client(server.url, { scheme, refresh: async () => ({ accessToken: 'new' }) })
    expect((await api('/orders')).status).toBe(401)
    const sent = server.arrivals.map(({ headers }) => [
      headers.authorization?.split(' ')[0],
      headers.dpop !== undefined,
    ])
    expect(sent).toEqual([
      ['DPoP', true],
      ['DPoP', true],
    ])
  })
})

it('a refresh whose answer is a Bearer token does not end the binding in silence', async () => {
  await using api = await dpopApi({ token: 'nobody-has-it', asksForNonce: false }, (_, response) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ ...NEW, token_type: 'Bearer' })),
  )
  const fetch = client(api.url, { refresh: refreshEndpoint({ url: `${api.url}/token`, clientId: 'web' }) })
  await expect(fetch('/orders')).rejects.toMatchObject({ code: 'invalid-token' })
  expect(told(api)).toEqual([
    ['GET', '/orders', 'invalid_token'],
    ['POST', '/token', null],
  ])
})

describe('redirects', () => {
  it('O2: within the origin each hop has a proof of its own, for its own URL', async () => {
    await using api = await dpopApi(
      {},
      withTokens((path) => {
        const hop = /^\/hop\/(\d)/.exec(path)?.[1]
        return hop === undefined ? undefined : [307, hop === '1' ? '/end?x=1' : `/hop/${Number(hop) - 1}`]
      }),
    )
    const response = await client(api.url)('/hop/3', { method: 'POST', body: 'item=1' })
    expect([response.status, response.redirected]).toEqual([200, true])
    expect(told(api)).toEqual([
      ['POST', '/hop/3', 'use_dpop_nonce'],
      ['POST', '/hop/3', null],
      ['POST', '/hop/2', null],
      ['POST', '/hop/1', null],
      ['POST', '/end?x=1', null],
    ])
    expect(api.requests.map(({ claims }) => claims?.htu)).toEqual(
      ['/hop/3', '/hop/3', '/hop/2', '/hop/1', '/end'].map((path) => api.url + path),
    )
    expect(idsOf(api.requests).size).toBe(5)
    expect(new Set(api.requests.map(({ body }) => body))).toEqual(new Set(['item=1']))
  })

  it('a 303 after a POST has a proof for GET', async () => {
    await using api = await dpopApi(
      {},
      withTokens((path) => (path === '/form' ? [303, '/end'] : undefined)),
    )
    expect((await client(api.url)('/form', { method: 'POST', body: 'item=1' })).status).toBe(200)
    expect(told(api).slice(1)).toEqual([
      ['POST', '/form', null],
      ['GET', '/end', null],
    ])
  })

  it('O2: another origin gets neither proof nor token, and its nonce is never taken for ours', async () => {
    await using foreign = await recordingServer((_, response) => response.setHeader('dpop-nonce', 'foreign').end())
    await using api = await dpopApi(
      {},
      withTokens((path) => (path === '/away' ? [307, `${foreign.url}/x`] : undefined)),
    )
    const fetch = client(api.url)
    await fetch('/away', { method: 'POST', body: 'item=1' })
    expect((await fetch('/orders')).status).toBe(200)
    expect(foreign.arrivals).toHaveLength(1)
    expect(foreign.arrivals[0]?.headers).not.toHaveProperty('dpop')
    expect(foreign.arrivals[0]?.headers).not.toHaveProperty('authorization')
    expect(told(api).map(([, , refusal]) => refusal)).toEqual(['use_dpop_nonce', null, null])
  })
})

describe('100 requests at once, with a nonce that changes every 10 answers', () => {
  /** All of them at once. Returns the statuses, and the most sends that one request took. */
  async function burst(url: string, isNonceKnown: boolean): Promise<[statuses: Set<number>, mostSends: number]> {
    const sends = new Map<string, number>()
    const api = client(url, {
      fetch(input, init) {
        const target = String(input)
        sends.set(target, (sends.get(target) ?? 0) + 1)
        return fetch(input, init)
      },
    })
    if (isNonceKnown) await api('/first')
    const responses = await Promise.all(Array.from({ length: 100 }, (_, index) => api(`/orders/${index}`)))
    return [new Set(responses.map(({ status }) => status)), Math.max(...sends.values())]
  }

  const CASES = [1, 2].flatMap((grace) => [false, true].map((isNonceKnown) => ({ grace, isNonceKnown })))

  it.each(CASES)(
    'all succeed with at most one replay each: $grace older nonces count, one known: $isNonceKnown',
    async ({ grace, isNonceKnown }) => {
      await using api = await dpopApi({ rotateEvery: 10, grace })
      expect(await burst(api.url, isNonceKnown)).toEqual([new Set([200]), 2])
      expect(idsOf(api.requests).size).toBe(api.requests.length)
    },
  )

  it('and where the server has a process of its own', async () => {
    await using api = await apiProcess({ rotateEvery: 10, grace: 1 })
    expect(await burst(api.url, false)).toEqual([new Set([200]), 2])
  })

  it('and where each answer takes a while, with a server that takes the newest nonce only', async () => {
    await using api = await dpopApi({ rotateEvery: 10, delayMs: 100 })
    const startedAt = performance.now()
    expect(await burst(api.url, false)).toEqual([new Set([200]), 2])
    // In batches: one after the other they would take ten seconds.
    expect(performance.now() - startedAt).toBeLessThan(5000)
  })

  it('who was refused the same nonce does not stand in line', async () => {
    await using api = await dpopApi({ delayMs: 50 })
    const startedAt = performance.now()
    expect(await burst(api.url, false)).toEqual([new Set([200]), 2])
    // One after the other they would take five seconds.
    expect(performance.now() - startedAt).toBeLessThan(2000)
  })

  it('an answer that does not come keeps nobody waiting', async () => {
    const held: Array<() => void> = []
    await using api = await dpopApi({}, ({ path }, response) => {
      if (path === '/slow') held.push(() => response.end())
      else response.end()
    })
    const fetch = client(api.url)
    expect((await fetch('/first')).status).toBe(200)
    const slow = fetch('/slow')
    const leaving = new AbortController()
    const left = fetch('/slow?left', { signal: leaving.signal }).catch(() => {})
    await expect.poll(() => api.requests.length).toBe(4)
    leaving.abort()
    await left
    api.forgetNonces()
    const startedAt = performance.now()
    expect((await fetch('/orders')).status).toBe(200)
    expect(performance.now() - startedAt).toBeLessThan(1000)
    for (const answer of held) answer()
    expect((await slow).status).toBe(200)
  })
})

it('sends whose answers never come are not kept in memory', async () => {
  const scheme = dpop()
  const send = async (): Promise<WeakRef<URL>> => {
    const url = new URL('https://api.example/')
    await scheme.attach(new Headers(), { accessToken: 'at-1' }, { method: 'GET', url })
    return new WeakRef(url)
  }
  const first = await send()
  const isGone = async (): Promise<boolean> => {
    await send()
    globalThis.gc?.()
    return first.deref() === undefined
  }
  await expect.poll(isGone, { timeout: 4000 }).toBe(true)
})

it('E1: no token, proof or key in any event, error or inspection', async () => {
  await using api = await dpopApi({ token: 'nobody-has-it' }, withTokens())
  await using broken = await dpopApi({ grace: -1 })
  const scheme = dpop()
  const seen: unknown[] = [scheme]
  for (const token of [`${api.url}/token`, `${broken.url}/token`]) {
    const fetch = client(api.url, {
      scheme,
      refresh: refreshEndpoint({ url: token }),
      refreshRetries: 0,
      onPermissionDenied: (denial) => void seen.push(denial),
    })
    const { events, snapshots } = watch(fetch)
    const outcome = await fetch('/orders').catch((error: unknown) => error)
    seen.push(events, snapshots, fetch, fetch.snapshot(), outcome)
    if (outcome instanceof Response) seen.push(authFailureOf(outcome), [...outcome.headers])
    expect(events.length).toBeGreaterThan(0)
  }
  const text = seen.map(exposures).join('\n')
  expect(marksIn(text)).toEqual([])
  const proofs = [...api.requests, ...broken.requests].map(({ proof }) => proof as string)
  expect(proofs.length).toBeGreaterThan(4)
  // Every part of every proof: header, claims and signature.
  for (const part of proofs.flatMap((proof) => proof.split('.'))) expect(text).not.toContain(part.slice(0, 20))
  expect(text).not.toContain('CryptoKey')
})

/** The same API in a process of its own, as a server has it. */
async function apiProcess(options: DpopApiOptions): Promise<{ url: string } & AsyncDisposable> {
  const program = fileURLToPath(new URL('../helpers/dpop-api.ts', import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return {
    url: String(line).trim(),
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}
