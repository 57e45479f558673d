// R11, R12, S1, S2, E1, E5: what rests in a browser's cookies, what of them is believed, and what the process remembers beside them.
import { AsyncLocalStorage } from 'node:async_hooks'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createAuthFetch, type TokenStore } from '../../../src/index.ts'
import { type CookieSessionsOptions, cookieSessions, type RequestCookies } from '../../../src/stores/cookies.ts'
import { Browser } from '../../helpers/cookie-jar.ts'
import { fakeTime, pass } from '../../helpers/fake-time.ts'
import { watch } from '../../helpers/watch.ts'

const SECRET = 'a secret of more than 32 characters, for tests'
const NAME = '__Host-relatch'
const DAY_MS = 86_400_000

const session = (version: number, sessionId: string = 'session-1', accessToken: string = `access-${version}`) => ({
  sessionId,
  version,
  tokens: { accessToken, refreshToken: `refresh-${version}` },
})
const sessionsWith = (options: Partial<CookieSessionsOptions> = {}) => cookieSessions({ secret: SECRET, ...options })

/** A browser that has the cookie of version 1, and the app that gave it. */
async function signedIn(options: Partial<CookieSessionsOptions> = {}) {
  const sessions = sessionsWith(options)
  const browser = new Browser()
  await sessions(browser.cookies()).write(session(1), null)
  return { sessions, browser }
}

/** What a browser's next request reads. */
const read = async (sessions: ReturnType<typeof cookieSessions>, browser: Browser) =>
  sessions(browser.request().cookies).read()

describe('the cookie', () => {
  it('is HttpOnly, Secure, for this host, of this site, and for 30 days', async () => {
    const { browser } = await signedIn()
    expect([...browser.attributes]).toEqual([
      [NAME, { path: '/', httpOnly: true, secure: true, sameSite: 'lax', maxAge: 2_592_000 }],
    ])
  })

  it.each([
    [{}, '__Host-relatch'],
    [{ path: '/app' }, '__Secure-relatch'],
    [{ domain: 'app.example' }, '__Secure-relatch'],
    [{ secure: false }, 'relatch'],
    [{ name: 'sid', sameSite: 'strict' as const, maxAgeSeconds: 60 }, 'sid'],
  ])('with %o is called %s', async (options, name) => {
    const { browser } = await signedIn(options)
    const { name: _, maxAgeSeconds = 2_592_000, ...given } = options as CookieSessionsOptions
    const defaults = { path: '/', httpOnly: true, secure: true, sameSite: 'lax', maxAge: maxAgeSeconds }
    expect([...browser.attributes]).toEqual([[name, { ...defaults, ...given }]])
  })

  it('E1 shows nothing of what it holds, and is another one each time', async () => {
    const [one, two] = [await signedIn(), await signedIn()]
    const [a = '', b = ''] = [one, two].map(({ browser }) => browser.kept.get(NAME))
    expect(a).toMatch(/^1\.[\w-]+$/)
    expect(a.length).toBe(b.length)
    expect(a.slice(0, 20)).not.toBe(b.slice(0, 20))
    for (const word of ['access-1', 'refresh-1', 'session-1'])
      expect(atob(a.slice(2).replaceAll('-', '+').replaceAll('_', '/'))).not.toContain(word)
  })

  it('goes on in as many as it takes, none beyond 4096 bytes with its name and attributes', async () => {
    const { sessions, browser } = await signedIn()
    expect(await sessions(browser.cookies()).write(session(2, 'session-1', 'a'.repeat(6000)), 1)).toBe(true)
    expect([...browser.kept.keys()]).toEqual([NAME, `${NAME}.1`, `${NAME}.2`])
    const attributes = '; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax; Domain='.length
    for (const [name, value] of browser.kept) expect(name.length + value.length + attributes + 100).toBeLessThan(4096)
    expect(await read(sessionsWith(), browser)).toEqual(session(2, 'session-1', 'a'.repeat(6000)))
  })

  it('takes away the ones that it no longer needs, and all of them with the session', async () => {
    const { sessions, browser } = await signedIn()
    await sessions(browser.cookies()).write(session(2, 'session-1', 'a'.repeat(6000)), 1)
    await sessions(browser.cookies()).write(session(3), 2)
    expect([...browser.kept.keys()]).toEqual([NAME])
    await sessions(browser.cookies()).write(session(4, 'session-1', 'a'.repeat(6000)), 3)
    await sessions(browser.cookies()).write(null, 4)
    expect([...browser.kept.keys()]).toEqual([])
  })

  it.each(['set', 'sent'] as const)(
    'is not left behind by a sign-in and a sign-out in one response, with cookies that show what was %s',
    async (shows) => {
      const [sessions, browser] = [sessionsWith(), new Browser()]
      const request = browser.request({ shows })
      const store = sessions(request.cookies)
      expect(await store.write(session(1, 'session-1', 'a'.repeat(6000)), null)).toBe(true)
      expect(await store.write(null, 1)).toBe(true)
      request.arrive()
      expect([...browser.kept.keys()]).toEqual([])
    },
  )

  it('is not confused by a rest that an older one has left behind', async () => {
    const { browser } = await signedIn()
    browser.kept.set(`${NAME}.1`, 'left-behind').set(`${NAME}.2`, 'left-behind')
    expect(await read(sessionsWith(), browser)).toEqual(session(1))
  })
})

describe('E5 S1 what is not ours reads as nothing', () => {
  it.each<[string, (value: string) => string]>([
    ['an empty text', () => ''],
    ['a text', () => 'hello'],
    ['a removed end', (value) => value.slice(0, -4)],
    ['another start', (value) => `1.AAAA${value.slice(6)}`],
    ['characters that are not base64url', (value) => `${value.slice(0, 40)}=${value.slice(41)}`],
    ['a JWE', () => 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA'],
  ])('%s', async (_, change) => {
    const { sessions, browser } = await signedIn()
    browser.kept.set(NAME, change(browser.kept.get(NAME) ?? ''))
    expect(await read(sessions, browser)).toBeNull()
    // And makes room for a new one.
    expect(await sessions(browser.cookies()).write(session(7), null)).toBe(true)
    expect(await read(sessions, browser)).toEqual(session(7))
  })

  it('each bit that was turned over', async () => {
    const { browser } = await signedIn()
    const value = browser.kept.get(NAME) ?? ''
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const sessions = sessionsWith()
    for (let at = 2; at < value.length - 1; at++) {
      const other = letters[letters.indexOf(value[at] ?? '') ^ (1 << (at % 6))]
      browser.kept.set(NAME, value.slice(0, at) + other + value.slice(at + 1))
      expect(await read(sessions, browser)).toBeNull()
    }
  })

  it('another secret, and another cookie of the same secret', async () => {
    const { browser } = await signedIn()
    expect(await read(sessionsWith({ secret: SECRET.toUpperCase() }), browser)).toBeNull()
    browser.kept.set('other', browser.kept.get(NAME) ?? '')
    expect(await read(sessionsWith({ name: 'other' }), browser)).toBeNull()
    expect(await read(sessionsWith(), browser)).toEqual(session(1))
  })

  it('any text at all', async () => {
    const sessions = sessionsWith()
    const any = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[1-9]\.[\w-]{0,80}$/))
    await fc.assert(
      fc.asyncProperty(any, any, async (first, second) => {
        const browser = new Browser()
        browser.kept.set(NAME, first).set(`${NAME}.1`, second)
        expect(await read(sessions, browser)).toBeNull()
      }),
      { numRuns: 300 },
    )
  })

  it.each([undefined, null, { value: undefined }, 5, {}])('cookies that give %o', async (given) => {
    const store = sessionsWith()({ get: () => given as never, set: () => {} })
    expect(await store.read()).toBeNull()
  })
})

describe('secrets', () => {
  it('of several the first encrypts, and all decrypt', async () => {
    const [old, fresh] = [SECRET, `${SECRET} and newer`]
    const { browser } = await signedIn({ secret: old })
    const both = sessionsWith({ secret: [fresh, old] })
    expect(await read(both, browser)).toEqual(session(1))
    await both(browser.cookies()).write(session(2), 1)
    expect(await read(sessionsWith({ secret: fresh }), browser)).toEqual(session(2))
    expect(await read(sessionsWith({ secret: old }), browser)).toBeNull()
  })

  it('changed in three steps, each process understands what another one encrypts before and after it', async () => {
    const fresh = `${SECRET} and newer`
    const steps = [SECRET, [SECRET, fresh], [fresh, SECRET], fresh]
    for (const [index, secret] of steps.entries())
      for (const other of steps.slice(Math.max(0, index - 1), index + 2)) {
        const { browser } = await signedIn({ secret })
        expect(await read(sessionsWith({ secret: other }), browser)).toEqual(session(1))
      }
  })

  it.each([
    ['secret', { secret: 'short' }],
    ['secret', { secret: [] }],
    ['secret', { secret: [SECRET, 'short'] }],
    ['secret', { secret: undefined as never }],
    ['name', { name: 'with space' }],
    ['name', { name: 'a;b' }],
    ['name', { name: NAME, path: '/app' }],
    ['name', { name: NAME, domain: 'app.example' }],
    ['name', { name: '__Secure-x', secure: false }],
    ['maxAgeSeconds', { maxAgeSeconds: 0 }],
    ['maxAgeSeconds', { maxAgeSeconds: 1.5 }],
    ['maxCookies', { maxCookies: 0 }],
    ['maxCookies', { maxCookies: 10 }],
    ['path', { path: 'app' }],
    ['path', { path: '/a;Domain=evil.example' }],
    ['domain', { domain: 'a b' }],
    ['sameSite', { sameSite: 'Lax' as never }],
    ['sameSite', { sameSite: 'none' as const, secure: false }],
    ['secure', { secure: 'yes' as never }],
  ])('E1 a wrong %s is a TypeError that does not say what was given', (option, options) => {
    let thrown: unknown
    try {
      sessionsWith(options)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_OPTION' })
    expect(String(thrown)).toContain(`\`${option}\``)
    for (const value of [SECRET, 'short']) expect(String(thrown)).not.toContain(value)
  })

  it('an unknown option, and what is no cookies at all', () => {
    const code = 'ERR_UNKNOWN_OPTION'
    expect(() => sessionsWith({ maxAge: 5 } as never)).toThrow(expect.objectContaining({ code }))
    for (const cookies of [undefined, {}, { get() {} }])
      expect(() => sessionsWith()(cookies as never)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  })
})

describe('requests that are under way together', () => {
  it('C1 the one whose cookie is old reads the newest, and gives the browser that', async () => {
    const { sessions, browser } = await signedIn()
    const [first, late] = [browser.request(), browser.request()]
    expect(await sessions(first.cookies).write(session(2), 1)).toBe(true)
    expect(await sessions(late.cookies).read()).toEqual(session(2))
    expect(late.sets).toHaveLength(1)
    late.arrive()
    // Another process reads the same of it.
    expect(await read(sessionsWith(), browser)).toEqual(session(2))
  })

  it.each(['set', 'sent'] as const)(
    'R12 of two writers one wins, with cookies that show what was %s',
    async (shows) => {
      const { sessions, browser } = await signedIn()
      const stores = [1, 2, 3].map(() => sessions(browser.request({ shows }).cookies))
      for (const store of stores) expect(await store.read()).toEqual(session(1))
      const wins = await Promise.all(stores.map((store, index) => store.write(session(2 + index), 1)))
      expect(wins.filter(Boolean)).toHaveLength(1)
      const winner = session(2 + wins.indexOf(true))
      for (const store of stores) expect(await store.read()).toEqual(winner)
    },
  )

  it('R12 one that comes late with the cookie of a session that was signed out reads nothing', async () => {
    const { sessions, browser } = await signedIn()
    const [out, late] = [browser.request(), browser.request()]
    await sessions(out.cookies).write(null, 1)
    const store = sessions(late.cookies)
    expect(await store.read()).toBeNull()
    expect(await store.write(session(2), 1)).toBe(false)
    // What the browser has by now is not its to touch.
    expect(late.sets).toEqual([])
  })

  it('R12 the cookie of a session that another has replaced is worth nothing, and does not lead to the other', async () => {
    const { sessions, browser } = await signedIn()
    // As somebody has it who has planted it, and waits for a user to sign in over it.
    const [signIn, planted] = [browser.request(), browser.request()]
    await sessions(signIn.cookies).write(session(1, 'session-2'), 1)
    signIn.arrive()
    expect(await sessions(planted.cookies).read()).toBeNull()
    expect(planted.sets).toEqual([])
    expect(await read(sessions, browser)).toEqual(session(1, 'session-2'))
  })

  it('an answer that arrives after a newer one is put right by the next request', async () => {
    const { sessions, browser } = await signedIn()
    const [first, second] = [browser.request(), browser.request()]
    await sessions(first.cookies).write(session(2), 1)
    await sessions(second.cookies).write(session(3), 2)
    second.arrive()
    first.arrive()
    const next = browser.request()
    expect(await sessions(next.cookies).read()).toEqual(session(3))
    next.arrive()
    expect(await read(sessionsWith(), browser)).toEqual(session(3))
  })

  it('a request that changes nothing sets nothing', async () => {
    const { sessions, browser } = await signedIn()
    const request = browser.request()
    const store = sessions(request.cookies)
    for (let time = 0; time < 3; time++) await store.read()
    await store.lock?.(async () => store.read(), { waitMs: 1000, holdMs: 1000 })
    expect(await store.write(session(9), 5)).toBe(false)
    expect(request.sets).toEqual([])
  })

  it('what is set is what is kept, when two writers seal at the same time', async () => {
    const { sessions, browser } = await signedIn()
    for (let version = 1; version < 40; version++) {
      const request = browser.request()
      const store = sessions(request.cookies)
      await Promise.all([store.write(session(version + 1), version), sessions(request.cookies).read(), store.read()])
      request.arrive()
      expect(await read(sessionsWith(), browser)).toEqual(session(version + 1))
    }
  })
})

describe('cookies of many requests behind one object', () => {
  const show = (shows: 'set' | 'sent') => {
    const sessions = sessionsWith()
    const current = new AsyncLocalStorage<RequestCookies>()
    const shared: RequestCookies = {
      get: (name) => current.getStore()?.get(name),
      set: (...cookie) => current.getStore()?.set(...cookie),
    }
    /** A request of a browser, with a store of its own on the object that all of them share. */
    const visit = async <T>(browser: Browser, task: (store: TokenStore) => T | Promise<T>): Promise<T> => {
      const request = browser.request({ shows })
      const result = await current.run(request.cookies, async () => task(sessions(shared)))
      request.arrive()
      return result
    }
    return { sessions, visit }
  }

  it.each(['set', 'sent'] as const)(
    'R12 lead from no request to the session of another, and show what was %s',
    async (shows) => {
      const { visit } = show(shows)
      const [ada, bob, nobody] = [new Browser(), new Browser(), new Browser()]
      await visit(ada, async (store) => {
        expect(await store.write(session(1, 'ada'), null)).toBe(true)
        expect(await store.read()).toEqual(session(1, 'ada'))
        expect(await visit(nobody, (other) => other.read())).toBeNull()
      })
      expect(await visit(nobody, (store) => store.read())).toBeNull()
      expect(await visit(bob, (store) => store.write(session(2, 'bob'), null))).toBe(true)
      for (let round = 0; round < 20; round++) {
        const found = await Promise.all([ada, bob, nobody].map((browser) => visit(browser, (store) => store.read())))
        expect(found).toEqual([session(1, 'ada'), session(2, 'bob'), null])
      }
    },
  )

  it('what one response could not set, and has complained of, is nothing to another', async () => {
    const { visit } = show('set')
    const [ada, bob] = [new Browser(), new Browser()]
    const large = (sessionId: string) => session(1, sessionId, 'a'.repeat(20_000))
    await expect(visit(ada, (store) => store.write(large('ada'), null))).rejects.toThrow('3 cookies')
    await expect(visit(bob, (store) => store.write(large('bob'), null))).rejects.toThrow('3 cookies')
    expect(await visit(bob, (store) => store.read())).toBeNull()
  })

  it('R12 a second store sees a refresh and a sign-out of the first, also where cookies show what was sent', async () => {
    const { sessions, browser } = await signedIn()
    const { cookies } = browser.request({ shows: 'sent' })
    const [one, two] = [sessions(cookies), sessions(cookies)]
    expect(await one.write(session(2), 1)).toBe(true)
    expect(await two.read()).toEqual(session(2))
    expect(await two.write(null, 2)).toBe(true)
    expect(await one.read()).toBeNull()
  })
})

it('a slow reading that a write has overtaken does not bring the old session back', async () => {
  const { sessions, browser } = await signedIn()
  const store = sessions(browser.request({ shows: 'sent' }).cookies)
  let release = (): void => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const decrypt = crypto.subtle.decrypt.bind(crypto.subtle)
  const spy = vi.spyOn(crypto.subtle, 'decrypt').mockImplementationOnce(async (...given) => {
    await released
    return decrypt(...given)
  })
  onTestFinished(() => spy.mockRestore())
  const slow = store.read()
  await vi.waitFor(() => expect(spy).toHaveBeenCalledOnce())
  expect(await store.write(session(2, 'session-2'), 1)).toBe(true)
  release()
  expect(await slow).toEqual(session(2, 'session-2'))
  expect(await store.read()).toEqual(session(2, 'session-2'))
})

describe('R11 a response that can set no cookies', () => {
  it('loses no refresh: others read it at once, and the next one that may sets it', async () => {
    const { sessions, browser } = await signedIn()
    const rendering = browser.request({ isReadOnly: true })
    const store = sessions(rendering.cookies)
    expect(await store.write(session(2), 1)).toBe(true)
    expect(await store.read()).toEqual(session(2))
    expect(await sessions(browser.request({ isReadOnly: true }).cookies).read()).toEqual(session(2))
    const next = browser.request()
    expect(await sessions(next.cookies).read()).toEqual(session(2))
    next.arrive()
    expect(await read(sessionsWith(), browser)).toEqual(session(2))
  })

  it('loses no sign-out', async () => {
    const { sessions, browser } = await signedIn()
    expect(await sessions(browser.request({ isReadOnly: true }).cookies).write(null, 1)).toBe(true)
    expect(await sessions(browser.request({ isReadOnly: true }).cookies).read()).toBeNull()
    expect(browser.kept.size).toBe(1)
    const next = browser.request()
    expect(await sessions(next.cookies).read()).toBeNull()
    next.arrive()
    expect(browser.kept.size).toBe(0)
    // Once: the next one may bring a cookie that somebody has signed in with since.
    const after = browser.request()
    await sessions(after.cookies).read()
    expect(after.sets).toEqual([])
  })

  it('a set that rejects later is a response that got lost, and no unhandled rejection', async () => {
    const { sessions, browser } = await signedIn()
    const { cookies } = browser.request()
    const store = sessions({ get: cookies.get, set: () => Promise.reject(new Error('too late')) })
    expect(await store.write(session(2), 1)).toBe(true)
    expect(await read(sessions, browser)).toEqual(session(2))
  })

  it('S2 is told once where a session would begin, and ends in memory', async () => {
    const sessions = sessionsWith()
    const api = createAuthFetch({
      baseUrl: 'https://api.example',
      store: sessions(new Browser().request({ isReadOnly: true }).cookies),
      fetch: async (_, init) => new Response(new Headers(init?.headers).get('authorization')),
    })
    const told = watch(api)
    await api.signIn(session(1).tokens)
    expect(await (await api('/me')).text()).toBe('Bearer access-1')
    expect(told.of('store-failed')).toEqual([{ operation: 'write', reason: 'threw' }])
  })

  it("S2 a session that cannot begin ends none: it is this request's alone", async () => {
    const { sessions, browser } = await signedIn()
    const store = sessions(browser.request({ isReadOnly: true }).cookies)
    const other = session(5, 'session-2')
    await expect(store.write(other, 1)).rejects.toThrow('Server Action')
    expect(await store.write(other, 1)).toBe(true)
    expect(await store.read()).toEqual(other)
    // What it goes on to is not the browser's either.
    expect(await store.write(session(6, 'session-2'), 5)).toBe(true)
    expect(await store.read()).toEqual(session(6, 'session-2'))
    expect(await read(sessions, browser)).toEqual(session(1))
  })

  it('S2 is told once where a session is too large, and the session lives on in this process', async () => {
    const { sessions, browser } = await signedIn()
    const store = sessions(browser.request().cookies)
    const large = (version: number) => session(version, 'session-1', 'a'.repeat(20_000))
    await expect(store.write(large(2), 1)).rejects.toThrow('3 cookies')
    // It is the only place where the refresh token is that the server has given out.
    expect(await store.read()).toEqual(large(2))
    expect(await store.write(large(3), 2)).toBe(true)
    expect(await read(sessions, browser)).toEqual(large(3))
    expect(await read(sessionsWith(), browser)).toEqual(session(1))
  })

  it.each([
    ['one after the other', false],
    ['at once', true],
  ])(
    'R11 S2 a refresh that is too large is made once, by requests that come %s, and nobody waits for its end',
    async (_, isAtOnce) => {
      const { sessions, browser } = await signedIn({ maxCookies: 1 })
      const used: unknown[] = []
      const told: unknown[] = []
      const visit = async (wanted: string): Promise<number> => {
        const api = createAuthFetch({
          baseUrl: 'https://api.example',
          store: sessions(browser.request().cookies),
          refresh: async ({ tokens }) => {
            const version = used.push(tokens?.refreshToken) + 1
            return session(version, '', `access-${version}-${'a'.repeat(4000)}`).tokens
          },
          fetch: async (_, init) => {
            const sent = new Headers(init?.headers).get('authorization')
            return new Response(null, { status: sent?.startsWith(`Bearer ${wanted}`) ? 200 : 401 })
          },
        })
        api.on('store-failed', (payload) => told.push(payload))
        const { status } = await api('/me')
        // Before it does anything in the background.
        api.dispose()
        return status
      }
      const startedAt = performance.now()
      const first = isAtOnce ? await Promise.all([1, 2, 3].map(() => visit('access-2'))) : [await visit('access-2')]
      first.push(await visit('access-2'))
      expect(new Set(first)).toEqual(new Set([200]))
      expect(used).toEqual(['refresh-1'])
      expect(told).toEqual([{ operation: 'write', reason: 'threw' }])
      // Nor does the next expiry.
      expect(await visit('access-3')).toBe(200)
      expect(used).toEqual(['refresh-1', 'refresh-2'])
      // A lease would last for 12 s.
      expect(performance.now() - startedAt).toBeLessThan(5000)
    },
  )
})

describe('time', () => {
  fakeTime()

  it('T2 a cookie is worth nothing after its time, whoever kept it', async () => {
    const { browser } = await signedIn({ maxAgeSeconds: 60 })
    await pass(59_000)
    expect(await read(sessionsWith(), browser)).toEqual(session(1))
    await pass(2000)
    expect(await read(sessionsWith(), browser)).toBeNull()
  })

  it('each write is the start of a new one', async () => {
    const { sessions, browser } = await signedIn({ maxAgeSeconds: 60 })
    await pass(50_000)
    await sessions(browser.cookies()).write(session(2), 1)
    await pass(50_000)
    expect(await read(sessionsWith(), browser)).toEqual(session(2))
  })

  it('R11 what no response could set is kept for as long as the old cookie lasts', async () => {
    const { sessions, browser } = await signedIn()
    await sessions(browser.request({ isReadOnly: true }).cookies).write(session(2), 1)
    vi.advanceTimersByTime(29 * DAY_MS)
    expect(await read(sessions, browser)).toEqual(session(2))
  })

  it('what the browser has been seen to have is kept for requests on their way, and then forgotten', async () => {
    const { sessions, browser } = await signedIn()
    const late = new Browser()
    late.kept.set(NAME, browser.kept.get(NAME) ?? '')
    await sessions(browser.cookies()).write(session(2), 1)
    await read(sessions, browser)
    await pass(3_599_000)
    expect(await read(sessions, late)).toEqual(session(2))
    await pass(2000)
    expect(await read(sessions, late)).toEqual(session(1))
  })

  it('R11 what was set is not taken for seen because another store of the same request reads it', async () => {
    const { sessions, browser } = await signedIn()
    // Its response gets lost.
    const { cookies } = browser.request()
    await sessions(cookies).write(session(2), 1)
    expect(await sessions(cookies).read()).toEqual(session(2))
    vi.advanceTimersByTime(DAY_MS)
    expect(await read(sessions, browser)).toEqual(session(2))
  })

  it('R12 a sign-out is remembered for as long as the cookie lasts', async () => {
    const { sessions, browser } = await signedIn()
    const stolen = browser.request()
    await sessions(browser.cookies()).write(null, 1)
    vi.advanceTimersByTime(29 * DAY_MS)
    expect(await sessions(stolen.cookies).read()).toBeNull()
  })

  it('R11 no number of sign-ins pushes out a refresh that no response could set; 10 000 of those do', async () => {
    const { sessions, browser } = await signedIn()
    await sessions(browser.request({ isReadOnly: true }).cookies).write(session(2), 1)
    const standing = () => sessions(browser.request({ isReadOnly: true }).cookies).read()
    const others: Browser[] = []
    for (let number = 1; number <= 10_001; number++) {
      const other = new Browser()
      await sessions(other.cookies()).write(session(1, `other-${number}`), null)
      others.push(other)
    }
    expect(await standing()).toEqual(session(2))
    const rotate = async (number: number): Promise<void> => {
      const { cookies } = others[number]?.request({ isReadOnly: true }) ?? {}
      if (cookies) await sessions(cookies).write(session(2, `other-${number + 1}`), 1)
    }
    for (let number = 0; number < 9999; number++) await rotate(number)
    expect(await standing()).toEqual(session(2))
    await rotate(9999)
    expect(await standing()).toEqual(session(1))
  })
})
