// C7 over real HTTP: documents of a hostile resource are refused, each for its own reason and without a word of theirs, and
// nothing is asked of whatever they point at.
import type { ServerResponse } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthFetch, isAuthError, type LoginNeed, type StepUpNeed } from '../../src/index.ts'
import { type ResourceMetadataOptions, resourceMetadata } from '../../src/oauth/resource-metadata.ts'
import { exposures } from '../helpers/canary.ts'
import { type RecordingServer, recordingServer } from '../helpers/recording-server.ts'
import { rejectionOf } from '../helpers/rejection.ts'

const MARK = 'Xq7Metadata'
const WELL_KNOWN = '/.well-known/oauth-protected-resource'

type Reply = (response: ServerResponse) => unknown
let reply: Reply
let challenge: string
let api: RecordingServer
let target: RecordingServer
beforeAll(async () => {
  target = await recordingServer((_, response) => response.end('{}'))
  api = await recordingServer((arrival, response) => {
    const isMetadata = arrival.path === '/metadata' || arrival.path.startsWith(WELL_KNOWN)
    return isMetadata ? reply(response) : response.writeHead(401, { 'www-authenticate': challenge }).end()
  })
})
afterAll(async () => {
  await api[Symbol.asyncDispose]()
  await target[Symbol.asyncDispose]()
})

const orders = (): string => `${api.url}/orders`
const good = (): Record<string, unknown> => ({
  resource: orders(),
  authorization_servers: ['https://auth.example', 'https://auth.example/tenant'],
})
const text = (body: string | Buffer, headers: Record<string, string> = {}): Reply => {
  return (response) => response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body)
}
const json = (document: unknown): Reply => text(JSON.stringify(document))
const withMembers = (members: object): Reply => json({ ...good(), note: MARK, ...members })
const redirect = (status: number): Reply => {
  return (response) => response.writeHead(status, { location: `${target.url}/metadata?${MARK}` }).end()
}
const bomb = (): Buffer => gzipSync(Buffer.alloc(8 * 2 ** 20, ' '))

const ask = (options?: ResourceMetadataOptions, address: string | undefined = `${api.url}/metadata`) =>
  resourceMetadata({ request: { url: orders() }, resourceMetadata: address }, options)

/** What each answer is refused for. Thunks: ports are known once the servers listen. */
const hostile: Array<[name: string, make: () => Reply, reason: RegExp]> = [
  ['another resource', () => withMembers({ resource: `${api.url}/${MARK}` }), /another resource/],
  [
    'a resource of another origin',
    () => withMembers({ resource: `https://${MARK}.example/orders` }),
    /another resource/,
  ],
  ['the root in place of the resource', () => withMembers({ resource: api.url }), /another resource/],
  ['the resource with a slash more', () => withMembers({ resource: `${orders()}/` }), /another resource/],
  ['the resource with a query', () => withMembers({ resource: `${orders()}?${MARK}` }), /another resource/],
  [
    'the resource in another spelling',
    () => withMembers({ resource: orders().replace('http', 'HTTP') }),
    /another resource/,
  ],
  ['a resource that is a list', () => withMembers({ resource: [orders()] }), /another resource/],
  ['no resource', () => json({ authorization_servers: ['https://auth.example'] }), /another resource/],
  ['redirect 301', () => redirect(301), /redirect/],
  ['redirect 302', () => redirect(302), /redirect/],
  ['redirect 303', () => redirect(303), /redirect/],
  ['redirect 307', () => redirect(307), /redirect/],
  ['redirect 308', () => redirect(308), /redirect/],
  ['a gzip bomb', () => text(bomb(), { 'content-encoding': 'gzip' }), /256 KiB/],
  ['a gzip bomb in gzip', () => text(gzipSync(bomb()), { 'content-encoding': 'gzip, gzip' }), /256 KiB/],
  ['a body that is no gzip', () => text(MARK, { 'content-encoding': 'gzip' }), /broke off/],
  ['a huge body', () => withMembers({ padding: 'x'.repeat(262_144) }), /256 KiB/],
  ['HTML', () => text(`<html>${MARK}</html>`, { 'content-type': 'text/html' }), /application\/json/],
  ['HTML that says it is JSON', () => text(`<html>${MARK}</html>`), /no JSON object/],
  [
    'JSON that says it is HTML',
    () => text(JSON.stringify(good()), { 'content-type': 'text/html' }),
    /application\/json/,
  ],
  [
    'JSON of another kind',
    () => text(JSON.stringify(good()), { 'content-type': 'application/jwk+json' }),
    /application\/json/,
  ],
  ['two content types', () => text(JSON.stringify(good()), { 'content-type': 'application/json, text/html' }), /json/],
  ['an array', () => json([good()]), /no JSON object/],
  ['null', () => text('null'), /no JSON object/],
  ['an empty body', () => text(''), /no JSON object/],
  ['half a document', () => text(JSON.stringify(good()).slice(0, -1)), /no JSON object/],
  ['members in __proto__', () => text(`{"__proto__":${JSON.stringify(good())}}`), /another resource/],
  [
    'two resources',
    () => text(`{"resource":"https://${MARK}.example",${JSON.stringify(good()).slice(1)}`),
    /names of their own/,
  ],
  [
    'two resources, one escaped',
    () => text(`{"\\u0072esource" : "https://${MARK}.example",${JSON.stringify(good()).slice(1)}`),
    /names of their own/,
  ],
  ['no authorization server', () => withMembers({ authorization_servers: [] }), /no authorization server/],
  ['authorization servers missing', () => json({ resource: orders() }), /no authorization server/],
  [
    '33 authorization servers',
    () => withMembers({ authorization_servers: Array(33).fill('https://a.example') }),
    /type/,
  ],
  [
    'an authorization server that is no list',
    () => withMembers({ authorization_servers: 'https://a.example' }),
    /type/,
  ],
  ...[
    'javascript:alert(1)',
    `data:text/html,${MARK}`,
    'http://auth.example',
    `https://${MARK}@auth.example`,
    'https://auth.example?tenant',
    'https://auth.example#',
    'https://auth.example/?tenant',
    'https://auth.example/a#',
    'https:auth.example',
    'HTTPS://auth.example',
    'https://auth.example\\@evil.example',
    '//auth.example',
    'https://10.0.0.1',
    'https://169.254.169.254/latest',
    'https://0x7f.1',
    'https://[::ffff:7f00:1]',
    'https://metadata.google.internal',
  ].map((server): [string, () => Reply, RegExp] => [
    `authorization server ${server}`,
    () => withMembers({ authorization_servers: ['https://auth.example', server] }),
    /no address to be used|wrong type/,
  ]),
  ['scopes that are a text', () => withMembers({ scopes_supported: 'read' }), /wrong type/],
  ['a scope that is two', () => withMembers({ scopes_supported: ['read write'] }), /wrong type/],
  ['a DPoP demand that is a text', () => withMembers({ dpop_bound_access_tokens_required: 'false' }), /wrong type/],
  ['404', () => (response) => response.writeHead(404).end(MARK), /status 404/],
  ['206', () => (response) => response.writeHead(206, { 'content-type': 'application/json' }).end('{}'), /status 206/],
]

describe('hostile documents', () => {
  it.each(hostile)('C7: %s is refused', async (_, make, reason) => {
    reply = make()
    const error = await rejectionOf(ask())

    expect(error).toMatchObject({ code: 'metadata-refused', retryable: false, message: expect.stringMatching(reason) })
    expect(exposures(error)).not.toContain(MARK)
    expect(target.arrivals).toEqual([])
  })

  it('C7: a body that drips is refused in time, and its connection is given up', async () => {
    let closed: Promise<unknown> | undefined
    reply = (response) => {
      closed = new Promise((resolve) => response.once('close', resolve))
      response.writeHead(200, { 'content-type': 'application/json' }).write('{')
    }

    expect(await rejectionOf(ask({ timeoutMs: 100 }))).toMatchObject({ code: 'metadata-refused', retryable: false })
    await closed
  })

  it.each([429, 500, 503])('E1: a %s may be another answer later', async (status) => {
    reply = (response) => response.writeHead(status).end(MARK)
    expect(await rejectionOf(ask())).toMatchObject({ code: 'metadata-refused', retryable: true, status })
  })

  it('E1: no answer in time, and no server, may be an answer later', async () => {
    reply = () => {}
    expect(await rejectionOf(ask({ timeoutMs: 50 }))).toMatchObject({ code: 'metadata-refused', retryable: true })
    reply = (response) => response.destroy()
    expect(await rejectionOf(ask())).toMatchObject({ code: 'metadata-refused', retryable: true })
  })

  it('A1: the caller leaves with the reason of the signal', async () => {
    const leaving = new AbortController()
    const reason = new Error('the page is gone')
    reply = () => leaving.abort(reason)
    expect(await rejectionOf(ask({ signal: leaving.signal }))).toBe(reason)
    expect(await rejectionOf(ask({ signal: leaving.signal }))).toBe(reason)
  })
})

describe('good documents', () => {
  it('is read, unknown members left out', async () => {
    reply = withMembers({
      scopes_supported: ['read', 'write:all'],
      dpop_signing_alg_values_supported: ['ES256'],
      dpop_bound_access_tokens_required: true,
      constructor: 1,
      resource_name: null,
    })
    const metadata = await ask()

    expect(metadata).toEqual({
      resource: orders(),
      authorizationServers: ['https://auth.example', 'https://auth.example/tenant'],
      scopesSupported: ['read', 'write:all'],
      dpopAlgs: ['ES256'],
      isDpopRequired: true,
    })
    expect(Object.isFrozen(metadata) && Object.isFrozen(metadata.authorizationServers)).toBe(true)
  })

  it('is asked for without cookies or credentials, and for JSON', async () => {
    reply = json(good())
    await ask()
    const { headers, method } = api.arrivals.at(-1) ?? expect.unreachable()
    expect([method, headers.accept, headers.cookie, headers.authorization]).toEqual([
      'GET',
      'application/json',
      undefined,
      undefined,
    ])
  })

  it('may be gzipped, and name its charset', async () => {
    const headers = { 'content-encoding': 'gzip', 'content-type': 'Application/JSON ; charset=utf-8' }
    reply = text(gzipSync(JSON.stringify(good())), headers)
    expect((await ask()).resource).toBe(orders())
  })

  it('may repeat names in what is inside its members', async () => {
    reply = withMembers({ nested: [{ resource: 1 }, { resource: 2, 'a "resource":': 'resource":' }] })
    expect((await ask()).resource).toBe(orders())
  })

  it('describes the identifier that the app expects, a slash after a bare host more or less', async () => {
    for (const resource of [api.url, `${api.url}/`, new URL(api.url)]) {
      for (const spelled of [api.url, `${api.url}/`]) {
        reply = withMembers({ resource: spelled })
        expect((await ask({ resource })).resource).toBe(spelled)
      }
    }
  })

  it('may name an authorization server on loopback, where the request went there', async () => {
    reply = withMembers({ authorization_servers: [target.url] })
    expect((await ask()).authorizationServers).toEqual([target.url])
  })

  it('lives on another origin where the app allows that', async () => {
    reply = json(good())
    const address = `${api.otherHost}/metadata`
    expect(await rejectionOf(ask({}, address))).toMatchObject({ message: expect.stringContaining('`origins`') })
    expect((await ask({ origins: [`${api.otherHost}/any/path`] }, address)).resource).toBe(orders())
  })

  it.each([
    ['of the request', undefined, `${WELL_KNOWN}/orders`],
    ['of the root', '/', WELL_KNOWN],
    ['of an identifier with a path and a query', '/a/?b', `${WELL_KNOWN}/a/?b`],
  ])('without an address in the challenge, the well-known URI %s is asked', async (_, path, asked) => {
    const resource = path === undefined ? undefined : api.url + path
    reply = withMembers({ resource: resource ?? orders() })
    const metadata = await resourceMetadata({ request: { url: orders() } }, { resource })

    expect(metadata.resource).toBe(resource ?? orders())
    expect(api.arrivals.at(-1)?.path).toBe(asked)
  })
})

describe('from a 401', () => {
  const address = (): string => `${api.url}/metadata`
  it.each([
    ['Bearer', () => `Bearer resource_metadata="${address()}"`],
    ['DPoP', () => `DPoP algs="ES256", resource_metadata="${address()}", error="invalid_token"`],
    ['another scheme', () => `Custom resource_metadata="${address()}"`],
    ['the second of two', () => `Basic realm="x", Bearer resource_metadata="${address()}"`],
    ['one after an opaque value', () => `Negotiate abc==, DPoP RESOURCE_METADATA="${address()}"`],
  ])('the address is found in a challenge: %s', async (_, header) => {
    challenge = header()
    reply = json(good())
    const before = api.arrivals.length
    const needs: LoginNeed[] = []
    const fetch = createAuthFetch({ baseUrl: api.url, onLoginRequired: (need) => void needs.push(need) })
    await (await fetch('/orders?page=2')).text()

    // Never fetched before the app asks.
    expect(api.arrivals.slice(before).map(({ path }) => path)).not.toContain('/metadata')
    const [need = expect.unreachable()] = needs
    expect(need.resourceMetadata).toBe(address())
    expect((await resourceMetadata(need)).authorizationServers).toHaveLength(2)
  })

  it('the address is found in a challenge that asks for a step-up', async () => {
    challenge = `Bearer error="insufficient_user_authentication", acr_values="high", resource_metadata="${address()}"`
    reply = json(good())
    const needs: StepUpNeed[] = []
    const fetch = createAuthFetch({ baseUrl: api.url, onStepUp: (need) => void needs.push(need) })
    await fetch.signIn({ accessToken: 'at' })
    await (await fetch('/orders')).text()

    const [need = expect.unreachable()] = needs
    expect((await resourceMetadata(need)).resource).toBe(orders())
  })

  it('C7: an address that a hostile 401 names is not asked', async () => {
    const before = target.arrivals.length
    challenge = `Bearer resource_metadata="${target.url}/metadata"`
    const outcomes: unknown[] = []
    const fetch = createAuthFetch({
      baseUrl: api.url,
      onLoginRequired: async (need) => void outcomes.push(await rejectionOf(resourceMetadata(need))),
    })
    await (await fetch('/orders')).text()

    expect(outcomes.map(isAuthError)).toEqual([true])
    expect(target.arrivals.length).toBe(before)
  })
})
