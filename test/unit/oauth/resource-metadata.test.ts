import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { isAuthError } from '../../../src/index.ts'
import { type ResourceMetadataOptions, resourceMetadata } from '../../../src/oauth/resource-metadata.ts'
import { exposures } from '../../helpers/canary.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { scriptedFetch } from '../../helpers/scripted-fetch.ts'

const RESOURCE = 'https://api.example/orders'
const ISSUER = 'https://auth.example'
const answer = (text: string): Response => new Response(text, { headers: { 'content-type': 'application/json' } })
const document = (members: object = {}): string =>
  JSON.stringify({ resource: RESOURCE, authorization_servers: [ISSUER], ...members })

afterEach(() => vi.unstubAllGlobals())

/** The addresses that a request to `url` may ask, of those that a challenge names there. */
const ask = (resourceMetadataUrl: string | undefined, options: ResourceMetadataOptions = {}, url = RESOURCE) =>
  resourceMetadata({ request: { url }, resourceMetadata: resourceMetadataUrl }, options)

/** All spellings that the URL parser knows, of hosts that are no public ones. */
const PRIVATE = [
  ...['10.0.0.1', '10.255.255.255', '0.0.0.0', '0', '100.64.0.1', '100.100.100.200', '100.127.255.255'],
  ...['169.254.169.254', '0xa9fea9fe', '2852039166', '0251.0376.0251.0376', '169.254.43518', '169。254。169。254'],
  ...['172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.1', '192.0.0.192', '198.18.0.1', '198.19.255.255'],
  ...['224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
  ...['[::]', '[::ffff:10.0.0.1]', '[::ffff:8.8.8.8]', '[::ffff:a9fe:a9fe]', '[::10.0.0.1]', '[64:ff9b::a00:1]'],
  ...['[64:ff9b:1::a00:1]', '[fc00::1]', '[fd00:ec2::254]', '[fe80::1]', '[febf::1]', '[fec0::1]', '[ff02::1]'],
  ...['[100::1]', '[2001::1]', '[2001:0:a00:1::]', '[2001:1ff::1]', '[2001:db8::1]', '[2002:a00:1::]', '[3fff::1]'],
  ...[
    'metadata',
    'metadata.google.internal',
    'a.INTERNAL.',
    'printer.local',
    'localhost.',
    'a.localhost.',
    'nas.home.arpa',
    'vault.default.svc',
    'db.service.consul',
    'nas.private',
    'hidden.onion',
  ],
]
const PUBLIC = [
  ...['8.8.8.8', '1.1.1.1', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0', '172.15.0.1', '172.32.0.1'],
  ...['192.167.255.255', '192.169.0.0', '198.17.0.1', '198.20.0.1', '223.255.255.255', '168.63.129.17'],
  ...['[2001:200::1]', '[2001:4860:4860::8888]', '[2606:4700::1111]', '[2a00::1]'],
  ...['api.example', 'internal.example', '10.0.0.1.example', 'api.example.', 'localhost.example'],
]
const LOOPBACK = ['localhost', 'a.localhost', '127.0.0.1', '127.1', '127.255.255.254', '0x7f000001', '[::1]']

describe('addresses', () => {
  it.each([...PRIVATE, ...LOOPBACK])('C7: %s is asked nothing, be it on the own origin or not', async (host) => {
    const { fetch } = scriptedFetch()
    const at = `https://${host}/metadata`
    const listed = LOOPBACK.includes(host) ? [`https://${host}`] : []
    expect(await rejectionOf(ask(at, { fetch, origins: listed }))).toMatchObject({ code: 'metadata-refused' })
    if (PRIVATE.includes(host)) {
      expect(await rejectionOf(ask(at, { fetch }, `https://${host}/`))).toMatchObject({ code: 'metadata-refused' })
    }
  })

  it.each(PUBLIC)('C7: %s is asked, where it is the own origin', async (host) => {
    const url = new URL(`https://${host}/orders`).href
    const { fetch } = scriptedFetch(answer(document({ resource: url })))
    expect((await ask(undefined, { fetch }, url)).resource).toBe(url)
  })

  it.each(LOOPBACK)('C7: %s is asked over plain http, where the request went there', async (host) => {
    const url = new URL(`http://${host}:1234/orders`).href
    const { fetch } = scriptedFetch(answer(document({ resource: url, authorization_servers: ['http://127.0.0.1:9'] })))
    expect((await ask(undefined, { fetch }, url)).authorizationServers).toEqual(['http://127.0.0.1:9'])
  })

  it('C7: a private origin that the app lists is asked, and may issue', async () => {
    const members = { resource: 'https://api.corp.internal/', authorization_servers: ['https://10.0.0.2/a'] }
    const { fetch } = scriptedFetch(answer(document(members)))
    const origins = ['https://api.corp.internal', new URL('https://10.0.0.2')]
    expect(await ask(undefined, { fetch, origins }, 'https://api.corp.internal/')).toEqual({
      resource: 'https://api.corp.internal/',
      authorizationServers: ['https://10.0.0.2/a'],
    })
  })

  it.each([
    'http://api.example/metadata',
    'https://user@api.example/metadata',
    'https://:password@api.example/metadata',
    'https://api.example:8443/metadata',
    'https://api.example@evil.example/metadata',
    'https://evil.example/metadata',
    'https://sub.api.example/metadata',
    '//api.example/metadata',
    '/metadata',
    'javascript:alert(1)',
    'data:application/json,{}',
    'file:///etc/passwd',
    'blob:https://api.example/id',
    'https://',
    '',
  ])('C7: %j is asked nothing', async (address) => {
    const { fetch } = scriptedFetch()
    const error = await rejectionOf(ask(address, { fetch }))
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: false })
    if (address.length > 8) expect(exposures(error)).not.toContain(address)
  })

  it('C7: a request over plain http gets no document', async () => {
    const { fetch } = scriptedFetch()
    expect(await rejectionOf(ask(undefined, { fetch }, 'http://api.example/'))).toMatchObject({
      code: 'metadata-refused',
    })
  })

  it('C7: an authorization server on loopback is refused, where the request did not go there', async () => {
    const { fetch } = scriptedFetch(answer(document({ authorization_servers: ['http://127.0.0.1:9'] })))
    expect(await rejectionOf(ask(undefined, { fetch }))).toMatchObject({ code: 'metadata-refused' })
  })

  it('asks without the fragment', async () => {
    const { fetch, requests } = scriptedFetch(answer(document()))
    await ask('https://api.example/metadata?x#y', { fetch })
    expect(requests.map(({ url, redirect, credentials, cache }) => [url, redirect, credentials, cache])).toEqual([
      ['https://api.example/metadata?x', 'manual', 'omit', 'no-store'],
    ])
  })
})

describe('transports', () => {
  it.each([
    ['says so', { redirected: true }],
    ['tells the place only', { url: 'https://evil.example/metadata' }],
  ])('C7: one that has followed a redirect and %s is not believed', async (_, told) => {
    const moved = answer(document())
    for (const [name, value] of Object.entries(told)) Object.defineProperty(moved, name, { value })
    const fetch = async () => moved
    expect(await rejectionOf(ask(undefined, { fetch }))).toMatchObject({ message: expect.stringMatching(/redirect/) })
  })

  it('E1: one that fails is not quoted', async () => {
    const { fetch } = scriptedFetch(new Error('Xq7Secret'))
    const error = await rejectionOf(ask(undefined, { fetch }))
    expect(error).toMatchObject({ code: 'metadata-refused', retryable: true })
    expect(exposures(error)).not.toContain('Xq7Secret')
  })

  it('is the global one where none is given', async () => {
    const { fetch } = scriptedFetch(answer(document()))
    vi.stubGlobal('fetch', fetch)
    expect((await ask(undefined)).resource).toBe(RESOURCE)
  })
})

describe('the document', () => {
  it('O4: a polluted prototype supplies nothing', async () => {
    const members = { authorization_servers: [ISSUER], scopes_supported: ['admin'] }
    Object.assign(Object.prototype, members)
    try {
      const { fetch } = scriptedFetch(answer(JSON.stringify({ resource: RESOURCE })))
      expect(await rejectionOf(ask(undefined, { fetch }))).toMatchObject({ code: 'metadata-refused' })
    } finally {
      for (const name of Object.keys(members)) Reflect.deleteProperty(Object.prototype, name)
    }
  })

  it('null counts as missing', async () => {
    const { fetch } = scriptedFetch(
      answer(document({ scopes_supported: null, dpop_bound_access_tokens_required: null })),
    )
    expect(await ask(undefined, { fetch })).toEqual({ resource: RESOURCE, authorizationServers: [ISSUER] })
  })

  it('E5: whatever it is, nothing but an AuthError is thrown', async () => {
    const member = fc.oneof(fc.jsonValue(), fc.webUrl(), fc.constantFrom(RESOURCE, [ISSUER], [`${ISSUER}/`]))
    const names = [
      'resource',
      'authorization_servers',
      'scopes_supported',
      'dpop_bound_access_tokens_required',
      '__proto__',
    ]
    const members = fc.array(fc.tuple(fc.constantFrom(...names), member), { maxLength: 6 })
    const written = members.map((all) => `{${all.map(([name, value]) => `"${name}":${JSON.stringify(value)}`)}}`)
    const texts = fc.oneof(written, fc.json(), fc.string(), fc.string({ unit: 'binary' }))

    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        const outcome = await ask(undefined, { fetch: async () => answer(text) }).catch((error: unknown) => error)
        if (isAuthError(outcome)) expect(outcome).toMatchObject({ code: 'metadata-refused', retryable: false })
        else expect(outcome).toMatchObject({ resource: RESOURCE, authorizationServers: [expect.any(String)] })
      }),
      { numRuns: 300 },
    )
  })

  it('E5: whatever address a challenge names, it is refused or asked on the own origin', async () => {
    const addresses = fc.oneof(
      fc.webUrl(),
      fc.string(),
      fc.string().map((rest) => `https://api.example${rest}`),
    )
    await fc.assert(
      fc.asyncProperty(addresses, async (address) => {
        const asked: string[] = []
        const fetch = async (input: RequestInfo | URL) => asked.push(String(input)) && answer('{}')
        expect(isAuthError(await rejectionOf(ask(address, { fetch: fetch as typeof globalThis.fetch })))).toBe(true)
        for (const url of asked) expect(new URL(url).origin).toBe('https://api.example')
      }),
      { numRuns: 300 },
    )
  })

  it('E4: bodies near the bound that are all escapes, brackets or names are read, or refused', async () => {
    for (const filler of ['\\"', '[', '{"":', '"":', '  ']) {
      const { fetch } = scriptedFetch(answer(document({ x: filler.repeat(40_000) })))
      await ask(undefined, { fetch })
      const raw = scriptedFetch(answer(`{"a":${filler.repeat(40_000)}`))
      expect(await rejectionOf(ask(undefined, { fetch: raw.fetch }))).toMatchObject({ code: 'metadata-refused' })
    }
  })
})

describe('misuse', () => {
  it.each([
    ['ERR_UNKNOWN_OPTION', { origin: [] }],
    ['ERR_INVALID_OPTION', { origins: 'https://api.example' }],
    ['ERR_INVALID_OPTION', { origins: ['api.example'] }],
    ['ERR_INVALID_OPTION', { origins: ['http://api.example'] }],
    ['ERR_INVALID_OPTION', { resource: '/orders' }],
    ['ERR_INVALID_OPTION', { resource: 'https://api.example#' }],
    ['ERR_INVALID_OPTION', { fetch: 1 }],
    ['ERR_INVALID_OPTION', { timeoutMs: 0 }],
  ])('E2: %s for %j', async (code, options) => {
    const error = await rejectionOf(ask(undefined, options as ResourceMetadataOptions))
    expect(error).toBeInstanceOf(TypeError)
    expect(error).toMatchObject({ code })
  })

  it.each([null, undefined, {}, { request: null }, { request: { url: '/orders' } }])(
    'E2: %j is not what a callback is given',
    async (need) => {
      expect(await rejectionOf(resourceMetadata(need as never))).toMatchObject({ code: 'ERR_LOGIN_NEED' })
    },
  )
})
