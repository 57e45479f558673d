// The return page: one answer, once, that somebody here has asked for. Everything else is refused, and asks the server nothing.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AuthError } from '../../../src/errors.ts'
import type { SessionSnapshot } from '../../../src/index.ts'
import { mapStorage } from '../../helpers/map-storage.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import {
  answerTo,
  authServer,
  claims,
  clientOf,
  grantTokens,
  ISSUER,
  idToken,
  json,
  METADATA,
  REDIRECT_URI,
  sessionOf,
} from './auth-server.ts'

afterEach(() => {
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

const SCOPE = 'openid offline_access'

/** A client that has sent a user away, to come back with a good answer. */
async function begun(options: Parameters<typeof clientOf>[1] = {}, signInOptions = {}) {
  const server = authServer()
  const storage = mapStorage()
  const client = clientOf(server, { scope: SCOPE, storage, ...options })
  const url = await client.authorizationUrl(signInOptions)
  grantTokens(server, () => url)
  const api = sessionOf()
  return { server, storage, client, url, api, answer: answerTo(url) }
}

describe('a good answer', () => {
  it('becomes a session', async () => {
    const { server, client, api, answer } = await begun({}, { returnTo: '/orders?page=2#row' })
    expect(await client.handleCallback(api, { url: answer })).toEqual({ returnTo: '/orders?page=2#row' })
    expect(await api.tokens()).toMatchObject({ accessToken: 'at-1', refreshToken: 'rt-1', subject: 'ann' })
    const [exchange] = server.to('/token')
    expect(Object.fromEntries(exchange?.form ?? [])).toMatchObject({
      grant_type: 'authorization_code',
      code: 'the-code',
      redirect_uri: REDIRECT_URI,
      client_id: 'web',
    })
  })

  it('may be given as the path that a server of a program was asked for', async () => {
    const { client, api, answer } = await begun()
    expect(await client.handleCallback(api, { url: answer.pathname + answer.search })).toEqual({ returnTo: '/' })
  })

  it('is exchanged once where two ask at once (StrictMode)', async () => {
    const { server, client, api, answer } = await begun()
    const both = await Promise.all([
      client.handleCallback(api, { url: answer }),
      client.handleCallback(api, { url: answer }),
    ])
    expect(both).toEqual([{ returnTo: '/' }, { returnTo: '/' }])
    expect(server.to('/token')).toHaveLength(1)
  })

  it('waits for a session that does not know yet who holds it', async () => {
    const { server, client, api, answer } = await begun()
    let decide = (): void => {}
    const ready = new Promise<void>((resolve) => {
      decide = resolve
    })
    const returned = client.handleCallback(Object.assign(api, { ready }), { url: answer })
    await new Promise(setImmediate)
    expect(server.to('/token')).toEqual([])
    decide()
    expect(await returned).toEqual({ returnTo: '/' })
  })

  it('whose tokens a service worker has kept is checked all the same, and handed on as it is', async () => {
    const { server, client, url, answer } = await begun()
    const signIn = vi.fn(async () => {})
    const session = { ...sessionOf(), signIn }
    const kept = { access_token: undefined, refresh_token: undefined, held_by: 'service-worker', held: 'id-1' }
    grantTokens(server, () => url, kept)
    expect(await client.handleCallback(session, { url: answer })).toEqual({ returnTo: '/' })
    expect(signIn.mock.calls).toEqual([[expect.objectContaining({ held: 'id-1', scope: SCOPE })]])
    const second = await client.authorizationUrl()
    grantTokens(server, () => url, kept)
    const refused = await rejectionOf(client.handleCallback(session, { url: answerTo(second) }))
    expect(refused).toMatchObject({ code: 'unusable-token-response' })
    expect(signIn).toHaveBeenCalledOnce()
  })

  it('is taken by another client with the same options, as after a reload', async () => {
    const { server, storage, api, answer } = await begun()
    const client = clientOf(server, { scope: SCOPE, storage })
    expect(await client.handleCallback(api, { url: answer })).toEqual({ returnTo: '/' })
  })

  it('counts where it is one of two sign-ins under way', async () => {
    const { server, client, url, api } = await begun()
    const second = await client.authorizationUrl()
    grantTokens(server, () => url)
    expect(await client.handleCallback(api, { url: answerTo(url) })).not.toBeNull()
    grantTokens(server, () => second)
    expect(await client.handleCallback(api, { url: answerTo(second) })).not.toBeNull()
  })

  it('without openid needs no ID token', async () => {
    const { server, client, api, answer } = await begun({ scope: 'orders' })
    server.answers['/token'] = () => json({ access_token: 'at', token_type: 'bearer' })
    expect(await client.handleCallback(api, { url: answer })).not.toBeNull()
  })
})

describe('D1: an answer that names no scope grants what was asked for (RFC 6749 §5.1)', () => {
  it('so that who asks for more, and once more, loses none', async () => {
    const left: URL[] = []
    const { server, client, api, url, answer } = await begun({ navigate: (to) => void left.push(new URL(to)) })
    await client.handleCallback(api, { url: answer })
    expect(api.snapshot().scope).toBe(SCOPE)
    for (const scope of ['a', 'b']) {
      await client.requestScopes(api, [scope])
      const asked = left.at(-1) ?? url
      grantTokens(server, () => asked)
      await client.handleCallback(api, { url: answerTo(asked) })
    }
    expect(left.at(-1)?.searchParams.get('scope')).toBe(`${SCOPE} a b`)
    expect(api.snapshot().scope).toBe(`${SCOPE} a b`)
  })

  it('where it is not yet known who holds the session, too', async () => {
    const left: URL[] = []
    const { client, api } = await begun({ navigate: (to) => void left.push(new URL(to)) })
    let snapshot: SessionSnapshot = { status: 'signed-out' }
    const ready = Promise.resolve().then(() => {
      snapshot = { status: 'signed-in', scope: 'openid more' }
    })
    await client.requestScopes({ ...api, snapshot: () => snapshot, ready }, ['a'])
    expect(left.at(-1)?.searchParams.get('scope')).toBe(`${SCOPE} more a`)
  })

  it.each(['', null])('and %j names none', async (scope) => {
    const { server, client, api, url, answer } = await begun()
    grantTokens(server, () => url, { scope })
    await client.handleCallback(api, { url: answer })
    expect(api.snapshot().scope).toBe(SCOPE)
  })

  it('one that does name some grants those', async () => {
    const { server, client, api, url, answer } = await begun()
    grantTokens(server, () => url, { scope: 'openid' })
    await client.handleCallback(api, { url: answer })
    expect(api.snapshot().scope).toBe('openid')
  })

  it('and where none was asked for, none is known', async () => {
    const { client, api, answer } = await begun({ scope: undefined })
    await client.handleCallback(api, { url: answer })
    expect(api.snapshot().scope).toBeUndefined()
  })
})

describe('L4: the user goes on', () => {
  it.each([
    ['//evil.example', '/'],
    ['https://evil.example/', '/'],
    ['javascript:alert(1)', '/'],
    ['/callback', '/'],
    ['/callback/?code=x&keep=1', '/'],
    ['/orders?code=1&state=2&page=3', '/orders?page=3'],
    ['/callbacks', '/callbacks'],
  ])('from %s to %s', async (returnTo, path) => {
    const { client, api, answer } = await begun({}, { returnTo })
    expect(await client.handleCallback(api, { url: answer })).toEqual({ returnTo: path })
  })

  it('to a route of the front page, where that takes the answers', async () => {
    const { client, api, answer } = await begun({ redirectUri: 'https://app.example/' }, { returnTo: '/#/orders' })
    expect(await client.handleCallback(api, { url: answer })).toEqual({ returnTo: '/#/orders' })
  })

  it('to no place that somebody wrote into the storage', async () => {
    const { storage, client, api, answer } = await begun({}, { returnTo: '/orders' })
    const key = 'relatch:sign-ins'
    storage.setItem(key, storage.getItem(key)?.replace('"/orders"', '"//evil.example"') ?? '')
    expect(await client.handleCallback(api, { url: answer })).toEqual({ returnTo: '/' })
  })
})

describe('no answer', () => {
  it.each(['', '?page=2', '#code=a&state=b', '?id_token=x'])('%j', async (rest) => {
    const { server, client, api } = await begun()
    expect(await client.handleCallback(api, { url: REDIRECT_URI + rest })).toBeNull()
    expect(server.to('/token')).toEqual([])
  })

  it.each(['//[', 'http://[', 'https://app.example:port/callback?code=a&state=b', 'http://a b/'])(
    'C8 E1: in %s, which is no URL: anybody can ask the port of a program for it',
    async (url) => {
      const { server, client, api, answer } = await begun()
      expect(await client.handleCallback(api, { url })).toBeNull()
      expect(server.to('/token')).toEqual([])
      expect(await client.handleCallback(api, { url: answer })).not.toBeNull()
    },
  )

  it('where there is no page', async () => {
    expect(await clientOf(authServer()).handleCallback(sessionOf())).toBeNull()
  })
})

describe('P12: a hostile answer is refused, nothing is stored and no token is asked for', () => {
  type Change = (answer: URL) => URL | string
  const set = (changes: Record<string, string>): Change => {
    return (answer) => {
      for (const [name, value] of Object.entries(changes)) answer.searchParams.set(name, value)
      return answer
    }
  }
  const without = (...names: string[]): Change => {
    return (answer) => {
      for (const name of names) answer.searchParams.delete(name)
      return answer
    }
  }
  const twice = (name: string, value?: string): Change => {
    return (answer) => {
      answer.searchParams.append(name, value ?? answer.searchParams.get(name) ?? '')
      return answer
    }
  }
  const hostile: Record<string, Change> = {
    'no state': without('state'),
    'an empty state': set({ state: '' }),
    'a foreign state': set({ state: 'A'.repeat(43) }),
    'the state, shortened': (answer) => set({ state: answer.searchParams.get('state')?.slice(0, -1) ?? '' })(answer),
    'the state in another case': (answer) =>
      set({ state: answer.searchParams.get('state')?.toUpperCase() ?? '' })(answer),
    'the state with a space': (answer) => set({ state: `${answer.searchParams.get('state')} ` })(answer),
    'two states': twice('state'),
    'a state that is a name of every object': set({ state: '__proto__' }),
    'two codes': twice('code', 'other'),
    'no code': without('code'),
    'an empty code': set({ code: '' }),
    'no issuer, where the server promises one': without('iss'),
    'the issuer of another server (mix-up)': set({ iss: 'https://evil.example' }),
    'an issuer that differs by a slash': set({ iss: `${ISSUER}/` }),
    'two issuers': twice('iss', 'https://evil.example'),
    'an answer as a JWT (JARM), which nobody asked for': set({ response: 'a.b.c' }),
    'tokens of the implicit flow': set({ id_token: 'a.b.c' }),
    'an access token of the implicit flow': set({ token: 'a' }),
    'an error with a foreign state': set({ error: 'access_denied', state: 'foreign' }),
    'two errors': (answer) => twice('error', 'b')(set({ error: 'a' })(answer) as URL),
  }

  it.each(Object.entries(hostile))('%s', async (_, change) => {
    const { server, client, api, answer } = await begun()
    const error = (await rejectionOf(client.handleCallback(api, { url: change(answer) }))) as AuthError
    expect(error).toMatchObject({ code: 'callback-refused', retryable: false })
    expect(api.snapshot().status).toBe('signed-out')
    expect(server.to('/token')).toEqual([])
  })

  const noneOf = { server: authServer(), api: sessionOf() }

  it('asks the server nothing at all where the state is unknown', async () => {
    const { server, api } = noneOf
    const error = await rejectionOf(clientOf(server).handleCallback(api, { url: `${REDIRECT_URI}?code=a&state=b` }))
    expect(error).toMatchObject({ code: 'callback-refused' })
    expect(server.asked).toEqual([])
  })

  it('with two states, and the sign-in stays good', async () => {
    const { client, api, url, answer } = await begun()
    answer.searchParams.append('state', answer.searchParams.get('state') ?? '')
    await rejectionOf(client.handleCallback(api, { url: answer }))
    expect(await client.handleCallback(api, { url: answerTo(url) })).not.toBeNull()
  })

  it('a second time', async () => {
    const { server, client, api, answer } = await begun()
    await client.handleCallback(api, { url: answer })
    await api.signOut()
    expect(await rejectionOf(client.handleCallback(api, { url: answer }))).toMatchObject({ code: 'callback-refused' })
    expect(api.snapshot().status).toBe('signed-out')
    expect(server.to('/token')).toHaveLength(1)
  })

  it('after ten minutes', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const { client, api, answer } = await begun()
    vi.setSystemTime(Date.now() + 600_000)
    expect(await rejectionOf(client.handleCallback(api, { url: answer }))).toMatchObject({ code: 'callback-refused' })
  })

  it.each([
    ['for another client', { clientId: 'other' }],
    ['for another redirect URI', { redirectUri: 'https://app.example/other' }],
    [
      'of another server',
      { issuer: 'https://other.example', server: { ...METADATA, issuer: 'https://other.example' } },
    ],
  ])('%s, and it stays good for its own', async (_, options) => {
    const { server, storage, client, api, answer } = await begun()
    const other = clientOf(server, { scope: SCOPE, storage, ...options })
    expect(await rejectionOf(other.handleCallback(api, { url: answer }))).toMatchObject({ code: 'callback-refused' })
    expect(await client.handleCallback(api, { url: answer })).not.toBeNull()
  })

  it('in another tab', async () => {
    const { server, api, answer } = await begun()
    const other = clientOf(server, { scope: SCOPE, storage: mapStorage() })
    expect(await rejectionOf(other.handleCallback(api, { url: answer }))).toMatchObject({ code: 'callback-refused' })
  })
})

describe('the server says no', () => {
  it.each(['access_denied', 'login_required', 'server_error'])('%s', async (code) => {
    const { server, client, api, url } = await begun()
    const answer = answerTo(url, { code: null, error: code, error_description: '<b>call 0190</b>' })
    const error = (await rejectionOf(client.handleCallback(api, { url: answer }))) as AuthError
    expect(error).toMatchObject({ code: 'authorization-failed', oauthError: code })
    expect(JSON.stringify(error) + error.message + error.stack).not.toContain('0190')
    expect(server.to('/token')).toEqual([])
    expect(await rejectionOf(client.handleCallback(api, { url: answerTo(url) }))).toMatchObject({
      code: 'callback-refused',
    })
  })

  it('E1: in words that are no code, which are not repeated', async () => {
    const { client, api, url } = await begun()
    const answer = answerTo(url, { code: null, error: 'Your account! Call 0190' })
    const error = (await rejectionOf(client.handleCallback(api, { url: answer }))) as AuthError
    expect(error.code).toBe('authorization-failed')
    expect(error.oauthError).toBeUndefined()
    expect(error.message).not.toContain('0190')
  })

  it('to the code', async () => {
    const { server, client, api, answer } = await begun()
    server.answers['/token'] = () => json({ error: 'invalid_grant', error_description: 'the-code is used' }, 400)
    const error = (await rejectionOf(client.handleCallback(api, { url: answer }))) as AuthError
    expect(error).toMatchObject({ code: 'authorization-failed', oauthError: 'invalid_grant', status: 400 })
    expect(error).toMatchObject({ retryable: false })
    expect(error.message).not.toContain('the-code')
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('to the client, with a challenge beside its words', async () => {
    const { server, client, api, answer } = await begun()
    server.answers['/token'] = () => json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x"' })
    const error = await rejectionOf(client.handleCallback(api, { url: answer }))
    expect(error).toMatchObject({ code: 'authorization-failed', oauthError: 'invalid_client', status: 401 })
  })
})

describe('a server that is not reached', () => {
  const outages: Record<string, () => Response> = {
    network: () => {
      throw new TypeError('fetch failed')
    },
    503: () => new Response('<html>', { status: 503 }),
  }
  it.each(Object.entries(outages))('%s: retryable, and the same answer works once it is back', async (_, outage) => {
    const { server, client, url, api, answer } = await begun()
    server.answers['/token'] = outage
    const error = await rejectionOf(client.handleCallback(api, { url: answer }))
    expect(error).toMatchObject({ code: 'authorization-failed', retryable: true })
    grantTokens(server, () => url)
    expect(await client.handleCallback(api, { url: answer })).toEqual({ returnTo: '/' })
  })

  it('nor at discovery', async () => {
    const { server, storage, url, api, answer } = await begun()
    const client = clientOf(server, { scope: SCOPE, storage })
    const discovery = server.answers['/.well-known/openid-configuration'] as never
    server.answers['/.well-known/openid-configuration'] = () => new Response('', { status: 500 })
    expect(await rejectionOf(client.handleCallback(api, { url: answer }))).toMatchObject({ retryable: true })
    server.answers['/.well-known/openid-configuration'] = discovery
    grantTokens(server, () => url)
    expect(await client.handleCallback(api, { url: answer })).toEqual({ returnTo: '/' })
  })
})

describe('an ID token', () => {
  const wrong: Record<string, (nonce: string) => unknown> = {
    'is missing': () => undefined,
    'has no nonce': () => idToken(claims()),
    'has a foreign nonce': () => idToken(claims({ nonce: 'foreign' })),
    'is for another client': (nonce) => idToken(claims({ nonce, aud: 'other' })),
    'is for others too': (nonce) => idToken(claims({ nonce, aud: ['web', 'other'] })),
    'is of another issuer': (nonce) => idToken(claims({ nonce, iss: 'https://evil.example' })),
    'names nobody': (nonce) => idToken(claims({ nonce, sub: undefined })),
    'expired before it was issued': (nonce) => idToken(claims({ nonce, exp: 1 })),
    'is no JWT': () => 'id-token',
    'is signed by nobody, and says so': (nonce) =>
      `${Buffer.from('{"alg":"none"}').toString('base64url')}.${idToken(claims({ nonce })).split('.')[1]}.`,
  }
  it.each(Object.entries(wrong))('that %s is refused', async (_, make) => {
    const { server, client, url, api, answer } = await begun()
    grantTokens(server, () => url, { id_token: make(url.searchParams.get('nonce') ?? '') })
    const error = await rejectionOf(client.handleCallback(api, { url: answer }))
    expect(error).toMatchObject({ code: 'unusable-token-response', retryable: false })
    expect(api.snapshot().status).toBe('signed-out')
  })

  it.each([-7200, -600, 600, 7200, 31_536_000])('T1: of a server whose clock differs by %d s is good', async (skew) => {
    const { server, client, url, api, answer } = await begun()
    const iat = Math.floor(Date.now() / 1000) + skew
    const nonce = url.searchParams.get('nonce')
    grantTokens(server, () => url, { id_token: idToken(claims({ nonce, iat, nbf: iat, exp: iat + 60 })) })
    expect(await client.handleCallback(api, { url: answer })).not.toBeNull()
    expect((await api.tokens({ minValidityMs: 0 }))?.subject).toBe('ann')
  })

  it.each([
    ['of a login that is recent enough', 50, true],
    ['of one that is too old', 400, false],
  ])('L5: %s', async (_, ago, isGood) => {
    const { server, client, url, api, answer } = await begun({}, { maxAgeSeconds: 60 })
    const nonce = url.searchParams.get('nonce')
    const authTime = Math.floor(Date.now() / 1000) - ago
    grantTokens(server, () => url, { id_token: idToken(claims({ nonce, auth_time: authTime })) })
    const work = client.handleCallback(api, { url: answer })
    if (isGood) expect(await work).not.toBeNull()
    else expect(await rejectionOf(work)).toMatchObject({ code: 'unusable-token-response' })
  })

  it('L5: that does not say when, where that was asked', async () => {
    const { client, api, answer } = await begun({}, { maxAgeSeconds: 60 })
    expect(await rejectionOf(client.handleCallback(api, { url: answer }))).toMatchObject({
      code: 'unusable-token-response',
    })
  })
})

describe('an answer without usable tokens', () => {
  it.each([
    ['no access token', { token_type: 'Bearer' }],
    ['an empty one', { access_token: '', token_type: 'Bearer' }],
    ['no token type', { access_token: 'at' }],
    ['an unknown token type', { access_token: 'at', token_type: 'mac' }],
    ['tokens that want proofs, which this client cannot make', { access_token: 'at', token_type: 'DPoP' }],
  ])('%s', async (_, body) => {
    const { server, client, api, answer } = await begun({ scope: 'orders' })
    server.answers['/token'] = () => json(body)
    const error = await rejectionOf(client.handleCallback(api, { url: answer }))
    expect(error).toMatchObject({ code: 'unusable-token-response' })
    expect(api.snapshot().status).toBe('signed-out')
  })

  it('an error under 200', async () => {
    const { server, client, api, answer } = await begun({ scope: 'orders' })
    server.answers['/token'] = () => json({ error: 'bad_verification_code', error_description: 'the-code' })
    const error = await rejectionOf(client.handleCallback(api, { url: answer }))
    expect(error).toMatchObject({ code: 'authorization-failed', oauthError: 'bad_verification_code' })
    expect(error).not.toHaveProperty('status')
  })
})

describe('the page', () => {
  function openPage(url: URL | string) {
    const location = { href: String(url), origin: 'https://app.example' }
    const history = {
      state: { router: 1 },
      replaceState: vi.fn((_state: unknown, _title: string, path: string) => {
        location.href = new URL(path, location.href).href
      }),
    }
    vi.stubGlobal('location', location)
    vi.stubGlobal('history', history)
    return { location, history }
  }

  it('C10: is freed of the answer, and of nothing else', async () => {
    const { client, api, answer } = await begun()
    answer.searchParams.set('session_state', 'x')
    answer.searchParams.set('keep', 'a b')
    const { location, history } = openPage(answer)
    expect(await client.handleCallback(api)).toEqual({ returnTo: '/' })
    expect(location.href).toBe(`${REDIRECT_URI}?keep=a+b`)
    expect(history.replaceState).toHaveBeenCalledWith({ router: 1 }, '', expect.any(String))
    expect(await client.handleCallback(api)).toBeNull()
  })

  it('is freed of an error too', async () => {
    const { client, api, url } = await begun()
    const { location } = openPage(answerTo(url, { code: null, error: 'access_denied', error_description: 'no' }))
    await rejectionOf(client.handleCallback(api))
    expect(location.href).toBe(REDIRECT_URI)
  })

  it('keeps none whose code is spent, whatever became of the tokens: sent twice it would cost them', async () => {
    const { server, client, answer } = await begun()
    const signIn = async (): Promise<never> => {
      throw new AuthError('store-failed', 'No answer', { retryable: true })
    }
    const { location } = openPage(answer)
    const session = { ...sessionOf(), signIn }
    expect(await rejectionOf(client.handleCallback(session))).toMatchObject({ code: 'store-failed' })
    expect(location.href).toBe(REDIRECT_URI)
    expect(await rejectionOf(client.handleCallback(session, { url: answer }))).toMatchObject({
      code: 'callback-refused',
    })
    expect(server.to('/token')).toHaveLength(1)
  })

  it('keeps an answer that a reload may try again', async () => {
    const { server, client, api, answer } = await begun()
    server.answers['/token'] = () => new Response('', { status: 502 })
    const { location } = openPage(answer)
    await rejectionOf(client.handleCallback(api))
    expect(location.href).toBe(answer.href)
  })

  it('is left alone where it is not the answer, or is none of ours', async () => {
    const { client, api, answer } = await begun()
    const { history } = openPage('https://app.example/?code=SALE&state=CA')
    expect(await client.handleCallback(api)).toBeNull()
    await client.handleCallback(api, { url: answer })
    expect(history.replaceState).not.toHaveBeenCalled()
  })

  it('is left alone where the answer is refused', async () => {
    const { client, api } = await begun()
    const { history } = openPage(`${REDIRECT_URI}?code=a&state=foreign`)
    expect(await rejectionOf(client.handleCallback(api))).toMatchObject({ code: 'callback-refused' })
    expect(history.replaceState).not.toHaveBeenCalled()
  })

  it.each(['/orders', '/callback/more', '/Callback'])('is no return page at %s, whatever its query', async (path) => {
    const { server, client, api } = await begun()
    openPage(`https://app.example${path}?code=SALE&state=CA`)
    expect(await client.handleCallback(api)).toBeNull()
    expect(server.to('/token')).toEqual([])
  })

  it('is the return page with a slash at its end, too', async () => {
    const { client, api, answer } = await begun()
    openPage(answer.href.replace('/callback?', '/callback/?'))
    expect(await client.handleCallback(api)).toEqual({ returnTo: '/' })
  })

  it('is left alone where a router has moved on', async () => {
    const { client, api, answer } = await begun()
    const { location, history } = openPage(answer)
    const work = client.handleCallback(api)
    location.href = 'https://app.example/elsewhere'
    await work
    expect(history.replaceState).not.toHaveBeenCalled()
  })
})
