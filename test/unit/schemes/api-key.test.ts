// API keys: one header, which must be able to carry one.
import { describe, expect, it } from 'vitest'
import { apiKey } from '../../../src/schemes/api-key.ts'

const request = { method: 'GET', url: new URL('https://api.test/') }

function sent(options: Parameters<typeof apiKey>[0]): Array<[string, string]> {
  const headers = new Headers()
  apiKey(options).attach(headers, { accessToken: 'key-1' }, request)
  return [...headers]
}

describe('apiKey()', () => {
  it.each<[Parameters<typeof apiKey>[0], string, string]>([
    [undefined, 'x-api-key', 'key-1'],
    [{ header: 'X-Auth-Token' }, 'x-auth-token', 'key-1'],
    [{ header: 'Authorization', prefix: 'ApiKey' }, 'authorization', 'ApiKey key-1'],
    [{ header: 'api-key', prefix: undefined }, 'api-key', 'key-1'],
  ])('O2 %o is sent in %s, which is told to the core', (options, name, value) => {
    expect(sent(options)).toEqual([[name, value]])
    expect(apiKey(options).headers).toEqual([name])
  })

  it('C10 leaves the URL alone, and asks for a login at a 401', () => {
    const url = new URL('https://api.test/?page=2')
    apiKey().attach(new Headers(), { accessToken: 'key-1' }, { method: 'GET', url })
    expect(url.href).toBe('https://api.test/?page=2')
    expect(apiKey().cure?.([])).toBe('login')
  })

  it.each([
    ...['', ' ', 'x api key', 'x-api-key:', 'x-kéy', 'a\nb', 7, null],
    ...['Cookie', 'set-cookie', 'Host', 'content-length', 'Content-Type', 'transfer-encoding', 'connection'],
    ...[
      'proxy-authorization',
      'sec-fetch-site',
      'origin',
      'referer',
      'accept',
      'x-http-method-override',
      'te',
      'range',
    ],
  ])('refuses the header %j', (header) => {
    expect(() => apiKey({ header: header as string })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  })

  it.each(['', 'Api Key', 'ApiKey ', 'a\nb', 'ключ', 7, null])('refuses the prefix %j', (prefix) => {
    expect(() => apiKey({ prefix: prefix as string })).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  })

  it('names what was meant', () => {
    expect(() => apiKey({ headers: 'x' } as object)).toThrow(expect.objectContaining({ code: 'ERR_UNKNOWN_OPTION' }))
  })
})
