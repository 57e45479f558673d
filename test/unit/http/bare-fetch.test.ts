import { afterEach, describe, expect, it, vi } from 'vitest'
import { bareFetch } from '../../../src/http/bare-fetch.ts'

const TOKEN_URL = 'https://auth.example/token'
const timeout = new AbortController().signal

function bare(answer: () => Response = () => new Response('{}'), base?: string) {
  const calls: Array<[RequestInfo | URL, RequestInit]> = []
  const transport = (async (input: RequestInfo | URL, init: RequestInit) => {
    calls.push([input, init])
    return answer()
  }) as typeof fetch
  return { fetch: bareFetch(transport, base, timeout), calls }
}
const redirect = (status: number) => new Response('moved', { status, headers: { location: 'https://evil.example/' } })

afterEach(() => {
  delete (Object.prototype as Record<string, unknown>).redirect
  delete (Object.prototype as Record<string, unknown>).cache
})

describe('bareFetch', () => {
  it('O2 never lets the transport follow, whatever it is asked for', async () => {
    const { fetch, calls } = bare()
    await fetch(TOKEN_URL)
    await fetch(TOKEN_URL, { redirect: 'follow' })
    await fetch(new Request(TOKEN_URL, { redirect: 'follow' }))

    expect(calls.map(([, { redirect }]) => redirect)).toEqual(['manual', 'manual', 'manual'])
  })

  it.each([301, 302, 303, 307, 308])('O2 a %i rejects with a TypeError', async (status) => {
    await expect(bare(() => redirect(status)).fetch(TOKEN_URL)).rejects.toThrow(TypeError)
  })

  it('O2 a redirect that a browser hides rejects with a TypeError', async () => {
    const hidden = () => Object.defineProperty(new Response(null), 'type', { value: 'opaqueredirect' })

    await expect(bare(hidden).fetch(TOKEN_URL)).rejects.toThrow(TypeError)
  })

  it('O2 a redirect without a location rejects as well', async () => {
    await expect(bare(() => new Response(null, { status: 302 })).fetch(TOKEN_URL)).rejects.toThrow(TypeError)
  })

  it('B4 the body of a redirect is cancelled', async () => {
    const cancelled = vi.fn()
    const stream = new ReadableStream({ cancel: cancelled })
    await bare(() => new Response(stream, { status: 307 }))
      .fetch(TOKEN_URL)
      .catch(() => {})

    expect(cancelled).toHaveBeenCalledOnce()
  })

  it('E1 the error names neither the URL nor where it leads', async () => {
    const { fetch } = bare(() => redirect(307))
    const error = await fetch(`${TOKEN_URL}?secret=s3cret`).catch((reason: Error) => reason)

    expect(String(error)).not.toMatch(/s3cret|auth\.example|evil\.example/)
  })

  it.each([200, 201, 204, 300, 304, 400, 401, 403, 404, 500, 503])(
    'R5 a %i is handed over as it came',
    async (status) => {
      const answer = new Response(null, { status })

      expect(await bare(() => answer).fetch(TOKEN_URL)).toBe(answer)
    },
  )

  it('R5 what was asked for goes along', async () => {
    const { fetch, calls } = bare()
    const body = new URLSearchParams({ grant_type: 'refresh_token' })
    await fetch(TOKEN_URL, { method: 'POST', body, credentials: 'include' })

    expect(calls[0]?.[0]).toBe(TOKEN_URL)
    expect(calls[0]?.[1]).toMatchObject({ method: 'POST', body, credentials: 'include' })
  })

  it('R5 nothing is cached unless it is asked for', async () => {
    const { fetch, calls } = bare()
    await fetch(TOKEN_URL)
    await fetch(TOKEN_URL, { cache: 'reload' })

    expect(calls.map(([, { cache }]) => cache)).toEqual(['no-store', 'reload'])
  })

  it('R6 the signal of the refresh ends a request that brings none', async () => {
    const { fetch, calls } = bare()
    const own = new AbortController().signal
    await fetch(TOKEN_URL)
    await fetch(TOKEN_URL, { signal: own })

    expect(calls.map(([, { signal }]) => signal === timeout)).toEqual([true, false])
    expect(calls[1]?.[1].signal).toBe(own)
  })

  it('R6 a Request keeps its own signal', async () => {
    const { fetch, calls } = bare()
    await fetch(new Request(TOKEN_URL))

    expect('signal' in (calls[0]?.[1] ?? {})).toBe(false)
  })

  it('R5 a relative URL is one of the base, where there is one', async () => {
    const { fetch, calls } = bare(undefined, 'https://api.example/v1/')
    await fetch('/token')
    await fetch('token')
    await fetch(TOKEN_URL)

    expect(calls.map(([input]) => input)).toEqual([
      'https://api.example/token',
      'https://api.example/v1/token',
      TOKEN_URL,
    ])
  })

  it('R5 without a base the transport decides', async () => {
    const { fetch, calls } = bare()
    await fetch('/token')

    expect(calls[0]?.[0]).toBe('/token')
  })

  it('E2 what the transport throws is handed on', async () => {
    const broken = new TypeError('fetch failed')
    const { fetch } = bare(() => {
      throw broken
    })

    await expect(fetch(TOKEN_URL)).rejects.toBe(broken)
  })

  it('O4 a polluted prototype lets it follow nothing', async () => {
    const { fetch, calls } = bare()
    Object.assign(Object.prototype, { redirect: 'follow', cache: 'force-cache' })
    await fetch(TOKEN_URL, {})

    expect(calls[0]?.[1]).toMatchObject({ redirect: 'manual', cache: 'no-store' })
  })
})
