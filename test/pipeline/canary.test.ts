// E1: no token in any message, property, cause, inspect, JSON, event, snapshot or log, on any path. Not even the beginning of one.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  type AuthFetch,
  type AuthFetchOptions,
  type AuthScheme,
  authFailureOf,
  createAuthFetch,
  memoryStore,
  type RefreshContext,
  type Refresher,
  refreshEndpoint,
  type StoredSession,
  type TokenSet,
  type TokenStore,
  tokensFromResponse,
} from '../../src/index.ts'
import { forbidden, json, ok, unauthorized } from '../helpers/answer.ts'
import { exposures, MARKS, marksIn, NEW, OLD } from '../helpers/canary.ts'
import { runChild } from '../helpers/child-process.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { watch } from '../helpers/watch.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const asError = (members: object, message = 'Request failed'): Error => Object.assign(new Error(message), members)
const bearer = (token: unknown): string => `Bearer ${token}`
const form = (members: Record<string, string>): URLSearchParams => new URLSearchParams(members)
const grant = { grant_type: 'refresh_token', refresh_token: OLD.refreshToken }

/** A client signed in with the old canaries, of which everything visible is searched at the end. */
function client(options: AuthFetchOptions, answer: Answering = () => unauthorized()) {
  const transport = recorder(answer)
  const api = createAuthFetch({
    baseUrl: 'https://api.example',
    store: memoryStore(OLD),
    ...options,
    fetch: transport.fetch,
  })
  const { events, snapshots } = watch(api)
  const seen: unknown[] = [api, events, snapshots]
  return {
    api,
    sent: transport.sent,
    /** Adds what the caller or a callback has got. */
    see: (value: unknown): void => void seen.push(value),
    /** Where the canaries have turned up. */
    leaks: (): string[] =>
      marksIn([...seen, api.snapshot(), api, Object.getOwnPropertyDescriptors(api)].map(exposures).join('\n')),
  }
}

/** Runs the timers until a call has settled: retries and timeouts take their time. */
async function outcomeOf(call: Promise<unknown>): Promise<{ rejected?: unknown; resolved?: unknown }> {
  let outcome: { rejected?: unknown; resolved?: unknown } | undefined
  call.then(
    (resolved) => {
      outcome = { resolved }
    },
    (rejected) => {
      outcome = { rejected }
    },
  )
  for (let turn = 0; outcome === undefined && turn < 400; turn++) await vi.advanceTimersByTimeAsync(1000)
  if (outcome === undefined) throw new Error('Expected the call to settle')
  return outcome
}

/** One failed refresh, then one that fails fast, and what the caller sees of both. */
async function leaksOfRefresh(refresh: Refresher): Promise<string[]> {
  const { api, see, leaks } = client({ refresh, refreshRetries: 1 })
  for (let count = 0; count < 3; count++) {
    const { rejected, resolved } = await outcomeOf(api('/x'))
    if (count === 0) expect(rejected ?? authFailureOf(resolved as Response)).toBeTruthy()
    see(rejected)
    see(resolved)
    see(resolved instanceof Response && authFailureOf(resolved))
  }
  see((await outcomeOf(api.refresh())).rejected)
  return leaks()
}

/** What HTTP libraries hang on the errors they throw: the request that failed, and with it what it was sent with. */
const failures: Record<string, (context: RefreshContext) => unknown> = {
  'the refresh token in the message': () => new Error(`POST /token?refresh_token=${OLD.refreshToken} failed`),
  'the access token in the message': () => new Error(`401 for ${bearer(OLD.accessToken)}`),
  'the ID token in the message': () => new Error(`id_token_hint=${OLD.idToken}`),
  'a token percent-encoded in the message': () => new Error(`body was ${form(grant)}`),
  'a token cut short in the message': () => new Error(`body was ${String(form(grant)).slice(0, 55)}…`),
  'the beginning of a token, with nothing around it': () => new Error(`sent ${OLD.refreshToken.slice(0, 12)}…`),
  'a token in the name': () => asError({ name: `TokenError ${OLD.refreshToken}` }),
  'a token in the stack alone': () => {
    const error = new Error(`failed with ${OLD.refreshToken}`)
    void error.stack
    error.message = 'failed'
    return error
  },
  'axios: config.data as a string': () => asError({ isAxiosError: true, config: { data: String(form(grant)) } }),
  'axios: config.headers': () => asError({ config: { headers: { Authorization: bearer(OLD.accessToken) } } }),
  'axios: request._header': () =>
    asError({ request: { _header: `POST /token\r\nAuthorization: ${bearer(OLD.accessToken)}\r\n` } }),
  'axios: a toJSON of the prototype': () => {
    class AxiosError extends Error {
      config = { data: JSON.stringify(grant) }
      toJSON(): object {
        return { message: this.message, config: this.config }
      }
    }
    return new AxiosError('Request failed with status code 503')
  },
  'ky: request with headers': () =>
    asError({ request: new Request('https://auth.example', { headers: { authorization: bearer(OLD.accessToken) } }) }),
  'ky: request with the token in its URL': () =>
    asError({ request: new Request(`https://auth.example/?rt=${OLD.refreshToken}`) }),
  'ky: options with Headers': () =>
    asError({ options: { headers: new Headers({ authorization: bearer(OLD.accessToken) }) } }),
  'ofetch: options.body as an object': () =>
    asError({ options: { body: grant }, data: { error: 'temporarily_unavailable' } }),
  URLSearchParams: () => asError({ body: form(grant) }),
  FormData: () => {
    const body = new FormData()
    body.set('refresh_token', OLD.refreshToken)
    return asError({ body })
  },
  'a URL object': () => asError({ url: new URL(`https://auth.example/?refresh_token=${OLD.refreshToken}`) }),
  'a URL object under another name': () =>
    asError({ input: new URL(`https://auth.example/?refresh_token=${OLD.refreshToken}`) }),
  'a Map': () => asError({ context: new Map([['tokens', { ...OLD }]]) }),
  'a Set': () => asError({ context: new Set([OLD.refreshToken]) }),
  pairs: () => asError({ headers: [['authorization', bearer(OLD.accessToken)]] }),
  'a key': () => asError({ byToken: { [OLD.refreshToken]: 1 } }),
  'a symbol member': () => asError({ [Symbol('request')]: { ...OLD } }),
  'a member that is not enumerable': () => Object.defineProperty(new Error('x'), 'request', { value: { ...OLD } }),
  'a getter': () => Object.defineProperty(new Error('x'), 'request', { get: () => ({ ...OLD }), enumerable: true }),
  'a getter that throws': () =>
    Object.defineProperty(asError({ ...OLD }), 'status', {
      get() {
        throw new Error('no')
      },
    }),
  'a class instance': () => {
    class Session {
      tokens = { ...OLD }
    }
    return asError({ session: new Session() })
  },
  'causes, three deep': () =>
    new Error('outer', { cause: new Error('middle', { cause: new Error(`inner ${OLD.refreshToken}`) }) }),
  'a cause that is a string': () => new Error('outer', { cause: `refresh_token=${OLD.refreshToken}` }),
  'an AggregateError': () => new AggregateError([new Error('a'), new Error(OLD.refreshToken)], 'all failed'),
  'a cycle': () => {
    const error = asError({ config: { data: OLD.refreshToken } }) as Error & { self?: unknown }
    error.self = error
    return error
  },
  'more members than anyone would look at': () =>
    asError({ junk: Array.from({ length: 5000 }, (_, at) => ({ at })), last: { ...OLD } }),
  'a thrown string': () => `could not refresh ${OLD.refreshToken}`,
  'a thrown object': () => ({ status: 503, ...OLD }),
  'a thrown list': () => [OLD.refreshToken],
  'the context itself': (context) => asError({ context }),
  'the tokens that the refresher got': ({ tokens }) => asError({ tokens }),
  'the same with 400: over': () => asError({ status: 400, config: { data: OLD.refreshToken } }),
  'the same with invalid_client: misconfigured': () =>
    asError({ data: { error: 'invalid_client' }, config: { data: OLD.refreshToken } }),
  // Tokens that we have never seen: the refresher got them, and then something went wrong.
  'a JSON error that quotes the answer': () => syntaxErrorOf(`{"access_token":${NEW.access_token}}`),
  'the same as a cause': () =>
    new Error('The answer was no JSON', { cause: syntaxErrorOf(`{"access_token":${NEW.access_token}}`) }),
  'the same with a name of its own': () =>
    asError(
      { name: 'FetchError', cause: syntaxErrorOf(`${NEW.access_token}`) },
      syntaxErrorOf(`${NEW.access_token}`).message,
    ),
  'the parsed answer on the error': () => asError({ response: { status: 200, data: { ...NEW } } }),
  'the text of the answer on the error': () => asError({ response: { status: 200, body: JSON.stringify(NEW) } }),
  'the answer in the message': () => new Error(`unexpected answer: ${JSON.stringify(NEW)}`),
  'a new JWT in the message': () => new Error(`bad signature: eyJhbGciOiJSUzI1NiJ9.${NEW.id_token}.sig`),
  'a schema’s complaint with what it received': () =>
    asError({ issues: [{ path: ['expires_in'], received: { ...NEW } }] }),
  'a second request with the new token': () =>
    asError({ config: { url: '/userinfo', headers: { Authorization: bearer(NEW.access_token) } } }),
  'a token set that could not be saved': () =>
    asError({ tokens: { accessToken: NEW.access_token, refreshToken: NEW.refresh_token } }),
}

describe('what a refresher throws', () => {
  it.each(Object.entries(failures))('E1 %s', async (_, failure) => {
    const refresh: Refresher = async (context) => {
      throw failure(context)
    }
    expect(await leaksOfRefresh(refresh)).toEqual([])
  })

  it('E1 keeps what helps: name, message and code of an innocent error, the error itself', async () => {
    const innocent = Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNREFUSED' } })
    const { api } = client({ refresh: () => Promise.reject(innocent), refreshRetries: 0 })
    expect(((await outcomeOf(api('/x'))).rejected as Error).cause).toBe(innocent)
  })

  it('E1 keeps what helps: the name and the rest of the message of a guilty one', async () => {
    const guilty = asError({ name: 'HTTPError' }, `503 for refresh_token=${OLD.refreshToken} at the proxy`)
    const { api } = client({ refresh: () => Promise.reject(guilty), refreshRetries: 0 })
    const { cause } = (await outcomeOf(api('/x'))).rejected as Error
    expect(cause).toMatchObject({ name: 'HTTPError', message: expect.stringMatching(/^503 for .* at the proxy$/) })
  })
})

describe('what a refresher returns', () => {
  const spoiled = `${NEW.access_token} spoiled`
  it.each<[string, unknown]>([
    ['an access token that is none', { access_token: spoiled }],
    ['the same in a TokenSet', { accessToken: `${NEW.access_token}\r\nx: y` }],
    ['everything but an access token', { refresh_token: NEW.refresh_token, id_token: NEW.id_token }],
    ['the access token under another name', { token: NEW.access_token, jwt: NEW.id_token }],
    ['a string', NEW.access_token],
    ['a Response', json({ ...NEW })],
    ['a list', [{ ...NEW }]],
    ['an error body', { error: 'invalid_grant', error_description: `unknown token ${OLD.refreshToken}` }],
    ['an error body of a homemade kind', { error: NEW.access_token, message: NEW.refresh_token }],
  ])('E1 %s', async (_, answer) => {
    expect(await leaksOfRefresh(async () => answer as never)).toEqual([])
  })

  it('E1 good tokens: recovered, and nothing of them is seen', async () => {
    const { api, sent, see, leaks } = client({ refresh: async () => NEW }, ({ credential }) =>
      credential === bearer(NEW.access_token) ? ok() : unauthorized(),
    )
    see(await api('/x'))
    await api.signOut()
    await api.signIn(NEW)
    // It is there, or the search for it would mean nothing.
    expect(sent.map(({ credential }) => credential)).toEqual([bearer(OLD.accessToken), bearer(NEW.access_token)])
    expect(leaks()).toEqual([])
  })

  it('E1 nothing, ever', async () => {
    expect(await leaksOfRefresh(() => new Promise(() => {}))).toEqual([])
  })
})

describe('what a refresh endpoint answers', () => {
  const quoted = `{"access_token":"${NEW.access_token}","refresh_token":"${NEW.refresh_token}"`
  it.each<[string, () => Response]>([
    [
      'an error whose description quotes the token',
      () => json({ error: 'invalid_grant', error_description: `unknown ${OLD.refreshToken}` }, { status: 400 }),
    ],
    ['an error code that is the token', () => json({ error: OLD.refreshToken }, { status: 400 })],
    ['a page that quotes the token', () => new Response(`<p>${form(grant)}</p>`, { status: 503 })],
    ['a page under 200', () => new Response(`<p>${form(grant)}</p>`)],
    ['JSON that breaks off', () => new Response(quoted)],
    ['JSON with something after it', () => new Response(`${quoted}} oops`)],
    ['a bad access token', () => json({ access_token: `${NEW.access_token} ` })],
    ['no access token', () => json({ refresh_token: NEW.refresh_token })],
    [
      'a redirect with the token in it',
      () => new Response(null, { status: 307, headers: { location: `https://evil.example/?t=${OLD.refreshToken}` } }),
    ],
    [
      'a Retry-After that is the token',
      () => new Response(null, { status: 429, headers: { 'retry-after': OLD.refreshToken } }),
    ],
    [
      'a challenge that quotes the token',
      () => new Response(null, { status: 401, headers: { 'www-authenticate': `Bearer error="${OLD.refreshToken}"` } }),
    ],
  ])('E1 %s', async (_, answer) => {
    const { api, see, leaks } = client(
      { refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }) },
      ({ url }) => (url.startsWith('https://auth.example') ? answer() : unauthorized()),
    )
    const { rejected, resolved } = await outcomeOf(api('/x'))
    see(rejected)
    see(resolved)
    expect(rejected ?? (resolved as Response).status).toBeTruthy()
    expect(leaks()).toEqual([])
  })

  it('E1 nothing: the transport fails with the whole request on its error', async () => {
    const { api, see, leaks } = client(
      { refresh: refreshEndpoint({ url: 'https://auth.example/token' }) },
      ({ url, init }) => {
        if (url.startsWith('https://auth.example')) throw asError({ request: { url, init } }, 'socket hang up')
        return unauthorized()
      },
    )
    const { rejected } = await outcomeOf(api('/x'))
    see(rejected)
    expect(rejected).toMatchObject({ code: 'refresh-unavailable' })
    expect(leaks()).toEqual([])
  })
})

describe('what a store does', () => {
  const record = (tokens: object): string => JSON.stringify({ sessionId: 's', version: 1, tokens })
  const failing = (overrides: Partial<TokenStore>): TokenStore => {
    let stored: StoredSession | null = { sessionId: 's', version: 1, tokens: { ...OLD } }
    return {
      read: () => stored,
      write(next) {
        stored = next
        return true
      },
      ...overrides,
    }
  }
  const quoting = (tokens: object = OLD): never => {
    throw asError({ record: record(tokens) }, `QuotaExceededError: could not write ${record(tokens)}`)
  }
  it.each<[string, Partial<TokenStore>]>([
    ['read throws and quotes the record', { read: () => quoting() }],
    ['read rejects and quotes the record', { read: async () => quoting() }],
    ['write throws and quotes the record', { write: (next) => quoting(next ?? {}) }],
    ['write rejects and quotes the record', { write: async (next) => quoting(next ?? {}) }],
    ['lock throws', { lock: () => quoting() }],
    ['lock rejects', { lock: async () => quoting() }],
    ['watch throws', { watch: () => quoting() }],
    ['read never settles', { read: () => new Promise(() => {}) }],
    ['read answers the record as text', { read: () => record(OLD) as never }],
    [
      'read answers a record with a bad token',
      { read: () => ({ sessionId: 's', version: 1, tokens: { accessToken: `${OLD.accessToken} ` } }) },
    ],
  ])('E1 %s', async (_, overrides) => {
    const { api, see, leaks } = client({ store: failing(overrides), refresh: async () => NEW })
    see(await outcomeOf(api('/x')))
    see(await outcomeOf(api.signIn(NEW)))
    see(await outcomeOf(api.refresh().then(() => {})))
    see(await outcomeOf(api.signOut()))
    api.dispose()
    expect(leaks()).toEqual([])
  })

  it('E1 a memory store shows nothing of what it holds', () => {
    expect(marksIn(exposures(memoryStore(OLD)))).toEqual([])
  })
})

describe('what a scheme does', () => {
  const scheme = (attach: AuthScheme['attach']): AuthScheme => ({ name: 'mine', headers: ['x-mine'], attach })
  it.each<[string, AuthScheme]>([
    [
      'attach throws and quotes the token',
      scheme((_, tokens) => {
        throw new Error(`cannot sign with ${tokens.accessToken}`)
      }),
    ],
    [
      'attach throws with the tokens on the error',
      scheme((_, tokens) => {
        throw asError({ tokens })
      }),
    ],
    [
      'attach rejects',
      scheme(async (_, tokens) => {
        throw asError({ tokens })
      }),
    ],
    [
      'attach throws a string',
      scheme((_, { accessToken }) => {
        throw accessToken
      }),
    ],
    [
      'a header that the platform refuses, and quotes',
      scheme((headers, tokens) => headers.set('x-mine', `${tokens.accessToken}\u0000`)),
    ],
    ['a header name that the platform refuses', scheme((headers, tokens) => headers.set(tokens.accessToken, 'x'))],
  ])('E1 %s', async (_, scheme) => {
    const { api, see, leaks } = client({ scheme })
    const { rejected } = await outcomeOf(api('/x'))
    expect(rejected).toBeTruthy()
    see(rejected)
    expect(leaks()).toEqual([])
  })

  it.each(['observe', 'cure'] as const)('E1 %s throws', async (member) => {
    const failingScheme: AuthScheme = {
      ...scheme((headers, tokens) => headers.set('x-mine', tokens.accessToken)),
      [member]: () => {
        throw new Error('mine')
      },
    }
    const { api, see, leaks } = client({ scheme: failingScheme, refresh: async () => NEW })
    see(await outcomeOf(api('/x')))
    expect(leaks()).toEqual([])
  })
})

describe('what people hand over', () => {
  const bad = (mark: string): string => `${mark}-${mark} with a space`
  it.each<[string, (api: AuthFetch) => unknown]>([
    [
      'signIn with a bad TokenSet',
      (api) => api.signIn({ accessToken: bad(MARKS[0]), refreshToken: NEW.refresh_token as string }),
    ],
    ['signIn with a bad token response', (api) => api.signIn({ access_token: bad(MARKS[0]) })],
    [
      'signIn with a token response without an access token',
      (api) => api.signIn({ refresh_token: NEW.refresh_token } as never),
    ],
    ['signIn with a bare string', (api) => api.signIn(NEW.access_token as never)],
    ['signIn with a list', (api) => api.signIn([NEW.access_token] as never)],
    ['tokensFromResponse with a bad token', async () => tokensFromResponse({ access_token: bad(MARKS[3]) })],
    ['tokensFromResponse with a string', async () => tokensFromResponse(JSON.stringify(NEW))],
    ['memoryStore with a bad token', async () => memoryStore({ accessToken: bad(MARKS[3]) })],
    ['memoryStore with a string', async () => memoryStore(NEW.access_token as never)],
    [
      'tokens among the options',
      async () => createAuthFetch({ baseUrl: 'https://api.example', accessToken: OLD.accessToken } as never),
    ],
    [
      'a token as an option',
      async () => createAuthFetch({ baseUrl: 'https://api.example', refresh: OLD.refreshToken } as never),
    ],
    [
      'a token as the store',
      async () => createAuthFetch({ baseUrl: 'https://api.example', store: { ...OLD } } as never),
    ],
    ['a token in baseUrl', async () => createAuthFetch({ baseUrl: `https://u:${MARKS[0]}@api.example` })],
    ['a token in origins', async () => createAuthFetch({ origins: [`https://u:${MARKS[0]}@api.example`] })],
    [
      'a token as a number',
      async () => createAuthFetch({ baseUrl: 'https://api.example', refreshMarginMs: OLD.accessToken } as never),
    ],
    [
      'a token as refreshEndpoint’s format',
      async () => refreshEndpoint({ url: 'https://a.example', format: OLD.refreshToken } as never),
    ],
    ['a token as a verdict', (api) => createWith(api, { classify: () => OLD.accessToken as never })('/x')],
  ])('E1 %s', async (_, act) => {
    const { api, see, leaks } = client({})
    const error = await rejectionOf((async () => act(api))())
    expect(error).toMatchObject({ code: expect.any(String) })
    see(error)
    expect(leaks()).toEqual([])
  })
})

describe('logins', () => {
  const stepUp = 'Bearer error="insufficient_user_authentication", acr_values="mfa"'
  it.each<[string, AuthFetchOptions, string?]>([
    ['a login that brings tokens', { onLoginRequired: () => NEW }],
    ['a login that brings bad tokens', { onLoginRequired: () => ({ access_token: `${NEW.access_token} bad` }) }],
    ['a login that brings half an answer', { onLoginRequired: () => ({ refresh_token: NEW.refresh_token }) as never }],
    ['a login that brings a string', { onLoginRequired: () => NEW.access_token as never }],
    ['a login that nobody finishes', { onLoginRequired: () => new Promise(() => {}) }],
    ['a login that is declined', { onLoginRequired: () => null }],
    ['a dead refresh token', { refresh: async () => null, onLoginRequired: () => null }],
    ['a step-up that brings tokens', { onStepUp: () => NEW }, stepUp],
    ['a step-up that brings bad tokens', { onStepUp: () => ({ accessToken: `${NEW.access_token} bad` }) }, stepUp],
    ['a step-up that is declined', { onStepUp: () => null }, stepUp],
  ])('E1 %s', async (_, options, challenge) => {
    const needs: unknown[] = []
    const noting = Object.fromEntries(
      Object.entries(options).map(([name, callback]) => [
        name,
        (need: unknown) => {
          if (name !== 'refresh') needs.push(need)
          return (callback as (need: unknown) => unknown)(need)
        },
      ]),
    )
    const { api, see, leaks } = client(noting, () => unauthorized(challenge))
    for (let count = 0; count < 2; count++) {
      const { rejected, resolved } = await outcomeOf(api('/x'))
      see(rejected)
      see(resolved)
      if (resolved instanceof Response) see(authFailureOf(resolved))
    }
    see(needs)
    expect(leaks()).toEqual([])
  })
})

describe('the end of a session', () => {
  it.each<[string, (api: AuthFetch) => Promise<void>]>([
    ['signed out', (api) => api.signOut()],
    ['somebody else signed in', (api) => api.signIn({ ...NEW, subject: 'other' })],
  ])('E1 %s while a request waits for its refresh', async (_, end) => {
    let finish: (tokens: TokenSet) => void = () => {}
    const refresh = (): Promise<TokenSet> => new Promise((resolve) => (finish = resolve))
    const initial = { ...OLD, expiresAt: Date.now() - 1 }
    const { api, see, leaks } = client({ refresh, store: memoryStore(initial) })
    const call = api('/x')
    await vi.advanceTimersByTimeAsync(0)
    await end(api)
    finish({ accessToken: NEW.access_token })
    const { rejected } = await outcomeOf(call)
    expect(rejected).toMatchObject({ code: expect.stringMatching(/^(signed-out|session-changed)$/) })
    see(rejected)
    expect(leaks()).toEqual([])
  })

  it('E1 a refresher that asks for a refresh', async () => {
    const seen: unknown[] = []
    const { api, see, leaks } = client({
      refresh: async () => {
        seen.push(await rejectionOf(api.refresh()))
        return NEW
      },
    })
    await outcomeOf(api('/x'))
    expect(seen[0]).toMatchObject({ code: 'reentrant-refresh' })
    see(seen)
    expect(leaks()).toEqual([])
  })
})

describe('denials and redirects', () => {
  it('E1 a 403: the denial, the event, the failure', async () => {
    const { api, see, leaks } = client({ onPermissionDenied: (denial) => see(denial) }, () =>
      forbidden('no', { 'www-authenticate': 'Bearer error="insufficient_scope"' }),
    )
    const { resolved } = await outcomeOf(api(`/x?access_token=${OLD.accessToken}#${OLD.idToken}`))
    see(authFailureOf(resolved as Response))
    expect(leaks()).toEqual([])
  })

  it('E1 a request whose URL holds a token: events and needs go without its query', async () => {
    const { api, see, leaks } = client({ onLoginRequired: (need) => see(need), refresh: async () => null })
    const { resolved } = await outcomeOf(api(`/x?access_token=${OLD.accessToken}`))
    see(authFailureOf(resolved as Response))
    expect(leaks()).toEqual([])
  })

  it.each([
    'ftp://evil.example',
    'https://',
    `javascript:${OLD.accessToken}`,
    `https://evil.example/?t=${OLD.accessToken}`,
  ])('E1 a redirect to %s, which a scheme with headers of its own makes us follow', async (location) => {
    const scheme: AuthScheme = {
      name: 'key',
      headers: ['x-api-key'],
      attach: (headers, tokens) => headers.set('x-api-key', tokens.accessToken),
    }
    const { api, see, leaks } = client({ scheme }, () => new Response(null, { status: 302, headers: { location } }))
    const { rejected } = await outcomeOf(api('/x'))
    expect(rejected).toBeInstanceOf(TypeError)
    see(rejected)
    expect(leaks()).toEqual([])
  })
})

describe('logs', () => {
  it('E1 E3 a whole life with every failure writes nothing to stdout or stderr', async () => {
    vi.useRealTimers()
    const program = new URL('../helpers/programs/silent-life.ts', import.meta.url).href
    const { exitCode, stdout, stderr } = await runChild(program)
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: 'lived\n', stderr: '' })
  }, 20_000)
})

describe('the search', () => {
  it('E1 finds a canary wherever an error may carry it: else the tests above prove nothing', () => {
    const missed = Object.entries(failures)
      .filter(([, failure]) => marksIn(exposures(failure({ tokens: OLD } as never))).length === 0)
      .map(([name]) => name)
    expect(missed).toEqual([])
  })
})

const createWith = (_: AuthFetch, options: AuthFetchOptions): AuthFetch =>
  createAuthFetch({ baseUrl: 'https://api.example', fetch: recorder().fetch, ...options })

function syntaxErrorOf(text: string): Error {
  try {
    JSON.parse(text)
  } catch (error) {
    return error as Error
  }
  throw new Error('Expected broken JSON')
}
