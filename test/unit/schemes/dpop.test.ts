// RFC 9449: proofs, nonces and challenges, as far as no server is needed to see them.
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, decodeProtectedHeader, EmbeddedJWK, type JWK, type JWTPayload, jwtVerify } from 'jose'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseChallenges } from '../../../src/http/challenge.ts'
import type { SchemeRequest } from '../../../src/ports.ts'
import { type DpopOptions, type DpopScheme, dpop } from '../../../src/schemes/dpop.ts'
import vectors from '../../vectors/dpop.json' with { type: 'json' }

const { accessToken } = vectors
const request = (url: string, method = 'GET'): SchemeRequest => ({ method, url: new URL(url) })
const API = 'https://api.example/orders'

/** What a send carries. */
async function sent(scheme: DpopScheme, target: SchemeRequest = request(API), token = accessToken) {
  const headers = new Headers()
  await scheme.attach(headers, { accessToken: token }, target)
  const proof = headers.get('dpop') as string
  return { headers, proof, ...(await verified(proof)) }
}

async function verified(proof: string): Promise<{ claims: JWTPayload; jwk: JWK }> {
  const { payload } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', maxTokenAge: 60 })
  return { claims: payload, jwk: decodeProtectedHeader(proof).jwk as JWK }
}

const answer = (status: number, headers: Record<string, string>, body: string | null = null): Response =>
  new Response(body, { status, headers })
const refusal = (nonce: string): Response =>
  answer(401, { 'www-authenticate': vectors.nonce.challengeHeader, 'dpop-nonce': nonce })
const nonceOf = async (scheme: DpopScheme, url = API): Promise<unknown> =>
  (await sent(scheme, request(url))).claims.nonce

afterEach(() => vi.unstubAllGlobals())

describe('proofs', () => {
  it('the vectors of RFC 9449 hold by the checks made here', async () => {
    for (const { proof, payload } of vectors.proofs) {
      const { payload: claims, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt' })
      expect(claims).toEqual(payload)
      expect(await calculateJwkThumbprint(protectedHeader.jwk as JWK)).toBe(vectors.jkt)
    }
  })

  it.each(['ES256', 'Ed25519', 'RS256', 'PS256'] as const)(
    'are signed with %s, and name what they are for',
    async (alg) => {
      const scheme = dpop({ alg })
      const { headers, proof, claims, jwk } = await sent(scheme, request(API, 'post'))
      expect(decodeProtectedHeader(proof)).toMatchObject({ alg, typ: 'dpop+jwt' })
      expect(jwk).not.toHaveProperty('d')
      expect(headers.get('authorization')).toBe(`DPoP ${accessToken}`)
      expect(claims).toEqual({
        ath: vectors.ath,
        htm: 'POST',
        htu: API,
        iat: expect.any(Number),
        jti: expect.stringMatching(/^[\w-]{22,}$/),
      })
      expect(await scheme.thumbprint()).toBe(await calculateJwkThumbprint(jwk))
    },
  )

  it.each(vectors.htu)('htu of $url is $htu', async ({ url, htu }) => {
    expect((await sent(dpop(), request(url))).claims.htu).toBe(htu)
  })

  it.each([
    ['delete', 'DELETE'],
    ['Head', 'HEAD'],
    ['patch', 'patch'],
    ['Report', 'Report'],
  ])('htm of %s is %s, as a fetch sends it', async (method, htm) => {
    expect((await sent(dpop(), request(API, method))).claims.htm).toBe(htm)
  })

  it('every send has a jti of its own', async () => {
    const scheme = dpop()
    const ids = await Promise.all(Array.from({ length: 50 }, async () => (await sent(scheme)).claims.jti))
    expect(new Set(ids).size).toBe(50)
  })

  it.each(['Bearer', 'N_A'])('a token of the type %s is not sent: nothing binds it', async (tokenType) => {
    const attached = dpop().attach(new Headers(), { accessToken, tokenType }, request(API))
    const error = await Promise.resolve(attached).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'AuthError', code: 'invalid-token', retryable: false })
    expect(String(error)).not.toContain(tokenType)
  })

  it.each(['DPoP', 'dpop'])('a token of the type %s is', async (tokenType) => {
    const headers = new Headers()
    await dpop().attach(headers, { accessToken, tokenType }, request(API))
    expect(headers.get('authorization')).toBe(`DPoP ${accessToken}`)
  })

  it('the private key cannot be exported', async () => {
    const pairs: CryptoKeyPair[] = []
    const add = (pair: CryptoKeyPair): CryptoKeyPair => {
      pairs.push(pair)
      return pair
    }
    await sent(dpop({ keys: { read: () => null, add, remove: () => {} } }))
    expect(pairs).toHaveLength(1)
    const [{ privateKey }] = pairs as [CryptoKeyPair]
    expect(privateKey.extractable).toBe(false)
    for (const format of ['jwk', 'pkcs8'] as const) {
      await expect(crypto.subtle.exportKey(format, privateKey)).rejects.toThrow()
    }
  })
})

describe('nonces', () => {
  it('come from every answer, good ones too, and the newest counts', async () => {
    const scheme = dpop()
    expect(await nonceOf(scheme)).toBeUndefined()
    scheme.observe?.(refusal(vectors.nonce.nonceHeader), request(API))
    expect(await nonceOf(scheme)).toBe(vectors.nonce.nonceHeader)
    scheme.observe?.(answer(200, { 'dpop-nonce': vectors.nonce.next200 }), request(API))
    expect(await nonceOf(scheme)).toBe(vectors.nonce.next200)
    scheme.observe?.(answer(200, {}), request(API))
    expect(await nonceOf(scheme)).toBe(vectors.nonce.next200)
  })

  it('belong to an origin', async () => {
    const scheme = dpop()
    scheme.observe?.(answer(200, { 'dpop-nonce': 'n-1' }), request(API))
    expect(await nonceOf(scheme, 'https://api.example:8443/orders')).toBeUndefined()
    expect(await nonceOf(scheme, 'https://api.example/other')).toBe('n-1')
  })

  it('of an origin that a redirect has led to are never taken for ours', async () => {
    const scheme = dpop()
    const redirected = (url: string): Response =>
      Object.defineProperties(answer(200, { 'dpop-nonce': 'foreign' }), {
        redirected: { value: true },
        url: { value: url },
      })
    scheme.observe?.(redirected('https://elsewhere.example/x'), request(API))
    scheme.observe?.(redirected(''), request(API))
    expect(await nonceOf(scheme)).toBeUndefined()
    expect(await nonceOf(scheme, 'https://elsewhere.example/y')).toBe('foreign')
  })

  it.each([
    ['a quote', 'n"1'],
    ['a backslash', 'n\\1'],
    ['two of them', 'n-1, n-2'],
    ['a letter beyond ASCII', 'n\xe4'],
    ['nothing', ''],
    ['more than 2048 characters', 'n'.repeat(2049)],
  ])('with %s are ignored', async (_, nonce) => {
    const scheme = dpop()
    scheme.observe?.(answer(200, { 'dpop-nonce': 'n-0' }), request(API))
    scheme.observe?.(answer(200, { 'dpop-nonce': nonce }), request(API))
    expect(await nonceOf(scheme)).toBe('n-0')
  })

  it('are forgotten with the key', async () => {
    const scheme = dpop()
    scheme.observe?.(answer(200, { 'dpop-nonce': 'n-1' }), request(API))
    await scheme.forget()
    expect(await nonceOf(scheme)).toBeUndefined()
  })

  it('of 100 origins are kept, those used last', async () => {
    const scheme = dpop()
    const at = (index: number): string => `https://api-${index}.example/`
    for (let index = 0; index < 100; index++)
      scheme.observe?.(answer(200, { 'dpop-nonce': `n-${index}` }), request(at(index)))
    expect(await nonceOf(scheme, at(0))).toBe('n-0')
    scheme.observe?.(answer(200, { 'dpop-nonce': 'n-100' }), request(at(100)))
    expect(await nonceOf(scheme, at(0))).toBe('n-0')
    expect(await nonceOf(scheme, at(1))).toBeUndefined()
    expect(await nonceOf(scheme, at(100))).toBe('n-100')
  })
})

describe('cure()', () => {
  const cure = (header: string): unknown => dpop().cure?.(parseChallenges(header) ?? [])

  it.each([
    vectors.nonce.challengeHeader,
    'Bearer realm="x", DPoP error="use_dpop_nonce"',
    'DPoP algs="ES256", dpop error=use_dpop_nonce',
  ])('%s: again', (header) => {
    expect(cure(header)).toBe('again')
  })

  it.each(['DPoP error="invalid_token"', 'Bearer error="use_dpop_nonce"', 'DPoP', ''])('%j: refresh', (header) => {
    expect(cure(header)).toBe('refresh')
  })
})

describe('options', () => {
  it.each<[unknown, string]>([
    [{ alg: 'HS256' }, 'ERR_INVALID_OPTION'],
    [{ alg: 'none' }, 'ERR_INVALID_OPTION'],
    [{ alg: null }, 'ERR_INVALID_OPTION'],
    [{ name: '' }, 'ERR_INVALID_OPTION'],
    [{ keys: { read() {}, add() {} } }, 'ERR_INVALID_OPTION'],
    [{ keys: null }, 'ERR_INVALID_OPTION'],
    [{ key: {} }, 'ERR_UNKNOWN_OPTION'],
    [null, 'ERR_INVALID_OPTION'],
  ])('%j is refused when the scheme is made', (options, code) => {
    expect(() => dpop(options as DpopOptions)).toThrow(expect.objectContaining({ name: 'TypeError', code }))
  })

  it('nothing is touched when the scheme is made', () => {
    vi.stubGlobal('crypto', undefined)
    expect(dpop).not.toThrow()
  })
})

describe('a platform that cannot', () => {
  it('says that there is no WebCrypto', async () => {
    vi.stubGlobal('crypto', { getRandomValues() {} })
    vi.stubGlobal('CryptoKey', undefined)
    await expect(sent(dpop())).rejects.toMatchObject({
      code: 'ERR_NO_WEBCRYPTO',
      message: expect.stringMatching(/WebCrypto.*https/),
    })
    vi.unstubAllGlobals()
  })

  it('says which algorithm it lacks, and is asked again the next time', async () => {
    const scheme = dpop({ alg: 'Ed25519' })
    const generateKey = vi.spyOn(crypto.subtle, 'generateKey').mockRejectedValueOnce(new Error('NotSupportedError'))
    await expect(scheme.thumbprint()).rejects.toMatchObject({
      code: 'ERR_UNSUPPORTED_ALG',
      message: expect.stringContaining('Ed25519'),
    })
    generateKey.mockRestore()
    await expect(scheme.thumbprint()).resolves.toMatch(/^[\w-]{43}$/)
  })
})

describe('fetch()', () => {
  const TOKEN = 'https://auth.example/token'
  const tokenError = (nonce: string | null, error = 'use_dpop_nonce', status = 400): Response =>
    answer(
      status,
      { ...(nonce && { 'dpop-nonce': nonce }) },
      JSON.stringify({ ...vectors.nonce.tokenError.body, error }),
    )

  /** A transport that gives these answers in turn, and keeps what it got. */
  function transport(...answers: Response[]) {
    const requests: Request[] = []
    const bodies: string[] = []
    const inits: Array<RequestInit | undefined> = []
    const transporting: typeof fetch = async (input, init) => {
      const request = new Request(input, init)
      requests.push(request)
      inits.push(init)
      bodies.push(await request.clone().text())
      return answers.shift() ?? answer(200, {}, '{}')
    }
    const claims = () =>
      Promise.all(requests.map(async ({ headers }) => (await verified(headers.get('dpop') ?? '')).claims))
    return { fetch: transporting, requests, bodies, inits, claims }
  }

  it("adds a proof without ath, and changes nothing of the caller's", async () => {
    const { fetch, requests, claims, inits } = transport()
    const headers = new Headers({ accept: 'application/json' })
    const init = Object.freeze({ method: 'POST', headers, body: 'a=1', redirect: 'manual', cache: 'no-store' } as const)
    await dpop().fetch(fetch)(`${TOKEN}?x=1`, init)
    expect(await claims()).toEqual([{ htm: 'POST', htu: TOKEN, iat: expect.any(Number), jti: expect.any(String) }])
    expect(requests[0]?.url).toBe(`${TOKEN}?x=1`)
    expect(requests[0]?.headers.get('accept')).toBe('application/json')
    expect(requests[0]?.headers.has('authorization')).toBe(false)
    expect(inits[0]).toMatchObject({ redirect: 'manual', cache: 'no-store' })
    expect([...headers.keys()]).toEqual(['accept'])
  })

  it.each<[string, () => Response]>([
    ['a 400 whose body says so', () => tokenError('n-1')],
    ['a 401 whose body says so', () => tokenError('n-1', 'use_dpop_nonce', 401)],
    ['a 401 whose challenge says so', () => refusal('n-1')],
  ])('%s is answered once, with the nonce it brought', async (_, refuse) => {
    const first = refuse()
    const { fetch, claims, bodies } = transport(first)
    const response = await dpop().fetch(fetch)(TOKEN, { method: 'POST', body: new URLSearchParams({ code: 'c' }) })
    expect(response.status).toBe(200)
    const [before, after] = await claims()
    expect([before?.nonce, after?.nonce]).toEqual([undefined, 'n-1'])
    expect(after?.jti).not.toBe(before?.jti)
    expect(bodies).toEqual(['code=c', 'code=c'])
    // Read to its end: an unread body holds its connection (B4).
    expect(first.body === null || first.bodyUsed).toBe(true)
  })

  it.each<[string, () => Response]>([
    ['another error', () => tokenError('n-1', 'invalid_grant')],
    ['no nonce', () => tokenError(null)],
    ['no nonce that may be one', () => tokenError('n"1')],
    ['a 500', () => tokenError('n-1', 'use_dpop_nonce', 500)],
    ['a body that is no JSON', () => answer(400, { 'dpop-nonce': 'n-1' }, 'use_dpop_nonce')],
    [
      'a body without end',
      () => answer(400, { 'dpop-nonce': 'n-1' }, `{"error":"use_dpop_nonce","x":"${' '.repeat(70_000)}"}`),
    ],
  ])('%s is handed back unread', async (_, refuse) => {
    const { fetch, requests } = transport(refuse())
    const response = await dpop().fetch(fetch)(TOKEN, { method: 'POST', body: 'a=1' })
    expect(requests).toHaveLength(1)
    expect(response.bodyUsed).toBe(false)
    expect(await response.text()).toBe(await refuse().text())
  })

  it('a second refusal is handed back', async () => {
    const { fetch, requests } = transport(tokenError('n-1'), tokenError('n-2'), tokenError('n-3'))
    expect((await dpop().fetch(fetch)(TOKEN, { method: 'POST' })).status).toBe(400)
    expect(requests).toHaveLength(2)
  })

  it('knows the nonce of the answer before, errors included', async () => {
    const { fetch, claims } = transport(tokenError('n-1', 'invalid_grant'))
    const proving = dpop().fetch(fetch)
    await proving(TOKEN, { method: 'POST' })
    await proving(TOKEN, { method: 'POST' })
    expect((await claims()).map(({ nonce }) => nonce)).toEqual([undefined, 'n-1'])
  })

  it('takes a Request, twice if need be', async () => {
    const { fetch, claims, bodies, requests } = transport(tokenError('n-1'))
    const request = new Request(TOKEN, { method: 'PUT', body: 'a=1', headers: { 'x-own': '1' } })
    expect((await dpop().fetch(fetch)(request)).status).toBe(200)
    expect((await claims()).map(({ htm, nonce }) => [htm, nonce])).toEqual([
      ['PUT', undefined],
      ['PUT', 'n-1'],
    ])
    expect(bodies).toEqual(['a=1', 'a=1'])
    expect(requests.map(({ headers }) => headers.get('x-own'))).toEqual(['1', '1'])
    expect(request.headers.has('dpop')).toBe(false)
  })

  it.each([301, 302, 303, 307, 308])('O2: follows no %d, whatever it is told', async (status) => {
    const { fetch, inits, requests } = transport(answer(status, { location: 'https://elsewhere.example/' }))
    const sending = dpop().fetch(fetch)(TOKEN, { method: 'POST', body: 'a=1', redirect: 'follow' })
    await expect(sending).rejects.toThrow(/redirect/)
    expect(inits.map((init) => init?.redirect)).toEqual(['manual'])
    expect(requests).toHaveLength(1)
  })

  it('refuses a relative URL where nothing says what it is relative to', async () => {
    await expect(dpop().fetch(fetch)('/token')).rejects.toMatchObject({ code: 'ERR_RELATIVE_URL' })
  })

  it('refresherFetch() is that fetch for a refresher, wherever its token endpoint is', async () => {
    const { fetch, claims } = transport(tokenError('n-1'))
    const proving = dpop().refresherFetch(fetch, { tokens: { accessToken }, isOurs: () => false })
    expect((await proving(TOKEN, { method: 'POST', body: 'a=1' })).ok).toBe(true)
    expect((await claims()).map(({ nonce, ath }) => [nonce, ath])).toEqual([
      [undefined, undefined],
      ['n-1', undefined],
    ])
  })

  it('adds no second proof to a request that has one', async () => {
    const { fetch, claims } = transport(tokenError('n-1'))
    const scheme = dpop()
    const twice = scheme.fetch(scheme.refresherFetch(fetch, { tokens: null, isOurs: () => false }))
    expect((await twice(TOKEN, { method: 'POST', body: 'a=1' })).ok).toBe(true)
    expect((await claims()).map(({ nonce }) => nonce)).toEqual([undefined, 'n-1'])
  })
})

it('the ath of the vectors is the digest of their token', () => {
  expect(createHash('sha256').update(accessToken).digest('base64url')).toBe(vectors.ath)
})
