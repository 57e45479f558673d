import { setMaxListeners } from 'node:events'
import fc from 'fast-check'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { AuthError } from '../../../src/errors.ts'
import { currentPage, withoutLoginAnswer } from '../../../src/login/current-page.ts'
import { type LoginRedirectOptions, loginRedirect } from '../../../src/login/redirect.ts'
import { safeReturnTo } from '../../../src/login/return-to.ts'
import type { LoginNeed } from '../../../src/ports.ts'
import { fakeTime, flush, pass } from '../../helpers/fake-time.ts'
import { rejectionOf } from '../../helpers/rejection.ts'

fakeTime()
afterEach(() => vi.unstubAllGlobals())

const TO = 'https://id.example/login'
const HOME = 'https://app.example/orders?page=2#row-7'

/** A page in a browser, as far as a redirect touches one. */
function openPage(href: string = HOME) {
  const visited: string[] = []
  const events = new EventTarget()
  // Node warns of many listeners on what lives long in Node.
  setMaxListeners(0, events)
  const location = {
    href,
    get origin() {
      return new URL(this.href).origin
    },
    // A native one throws when it is called detached.
    assign(this: unknown, url: string) {
      if (this !== location) throw new TypeError('Illegal invocation')
      visited.push(url)
    },
  }
  vi.stubGlobal('location', location)
  vi.stubGlobal('addEventListener', events.addEventListener.bind(events))
  vi.stubGlobal('removeEventListener', events.removeEventListener.bind(events))
  const storage = memoryStorage()
  vi.stubGlobal('sessionStorage', storage)
  const show = (persisted: boolean): boolean =>
    events.dispatchEvent(Object.assign(new Event('pageshow'), { persisted }))
  const pop = (to: string): void => {
    location.href = to
    events.dispatchEvent(new Event('popstate'))
  }
  return { visited, location, storage, show, pop }
}

function memoryStorage() {
  const items = new Map<string, string>()
  return {
    getItem: (key: string): string | null => items.get(key) ?? null,
    setItem: (key: string, value: string): void => void items.set(key, value),
    removeItem: (key: string): void => void items.delete(key),
  }
}

function need(returnTo = '/orders?page=2#row-7', signal: AbortSignal = new AbortController().signal): LoginNeed {
  const request = { method: 'GET', url: 'https://api.example/me' }
  return { reason: 'no-session', request, challenges: [], returnTo, signal }
}

const returnToOf = (url: string | undefined): string | null => new URL(url ?? '').searchParams.get('returnTo')

/** What a promise that nobody settles looks like. */
async function isPending(work: Promise<unknown>): Promise<boolean> {
  const pending = {}
  await flush()
  return (await Promise.race([work, Promise.resolve(pending)])) === pending
}

describe('where it goes', () => {
  it('L3 to the login page, with the place to come back to', async () => {
    const page = openPage()
    expect(await isPending(loginRedirect({ to: TO })(need()))).toBe(true)
    expect(page.visited).toEqual([`${TO}?returnTo=%2Forders%3Fpage%3D2%23row-7`])
    expect(returnToOf(page.visited[0])).toBe('/orders?page=2#row-7')
  })

  it.each<[title: string, to: LoginRedirectOptions['to'], url: string]>([
    ['a URL', new URL(TO), `${TO}?returnTo=%2Fx`],
    ['a path on this site', '/login', 'https://app.example/login?returnTo=%2Fx'],
    ['a path beside this page', 'login', 'https://app.example/login?returnTo=%2Fx'],
    ['one that has a query', `${TO}?prompt=login`, `${TO}?prompt=login&returnTo=%2Fx`],
    ['one that has the parameter already', `${TO}?returnTo=1&a=2&returnTo=3`, `${TO}?returnTo=%2Fx&a=2`],
    ['one that has a fragment', '/app#/login', 'https://app.example/app?returnTo=%2Fx#/login'],
    ['a function', (path) => `${TO}#${path}`, `${TO}#/x`],
    ['a function that gives a URL', (path) => new URL(path, 'https://id.example'), 'https://id.example/x'],
    ['plain http on this machine', 'http://localhost:8080/login', 'http://localhost:8080/login?returnTo=%2Fx'],
  ])('takes %s', async (_, to, url) => {
    const page = openPage()
    void loginRedirect({ to })(need('/x'))
    expect(page.visited).toEqual([url])
  })

  it('`param` names the parameter', () => {
    const page = openPage()
    void loginRedirect({ to: TO, param: 'next' })(need('/x'))
    expect(page.visited).toEqual([`${TO}?next=%2Fx`])
  })

  it('L3 `from` knows better than the address bar where the user is', async () => {
    const page = openPage('https://app.example/')
    const ways = ['/orders?page=2', '//evil.example', '/orders?code=1#open']
    for (const way of ways) void loginRedirect({ to: '/login', from: () => way, maxRedirects: 9 })(need('/'))
    expect(page.visited.map(returnToOf)).toEqual(['/orders?page=2', '/', '/orders#open'])

    // On the way to the login page, nothing asks for a login; on the way from there, it is asked for.
    expect(await loginRedirect({ to: '/login', from: () => '/login?returnTo=%2F' })(need('/'))).toBe(null)
    page.location.href = 'https://app.example/login'
    void loginRedirect({ to: '/login', from: () => '/orders', maxRedirects: 9 })(need('/login'))
    expect(page.visited.slice(ways.length).map(returnToOf)).toEqual(['/orders'])
  })

  it('`navigate` goes in place of the page, and without a page', () => {
    const visited: string[] = []
    const redirect = loginRedirect({ to: TO, navigate: (url) => visited.push(url) })
    void redirect(need('/x'))
    const page = openPage()
    void redirect(need('/y'))
    expect(visited).toEqual([`${TO}?returnTo=%2Fx`, `${TO}?returnTo=%2Fy`])
    expect(page.visited).toEqual([])
  })

  it('a URL that changes after the creation changes nothing', () => {
    const page = openPage()
    const to = new URL(TO)
    const redirect = loginRedirect({ to })
    to.host = 'evil.example'
    void redirect(need('/x'))
    expect(page.visited).toEqual([`${TO}?returnTo=%2Fx`])
  })

  it('without a page, and no way to go, nobody signs in', async () => {
    expect(await loginRedirect({ to: '/login' })(need())).toBeNull()
    // A worker has a location that leads nowhere.
    vi.stubGlobal('location', { href: 'https://app.example/worker.js', origin: 'https://app.example' })
    expect(await loginRedirect({ to: '/login' })(need())).toBeNull()
  })

  it('touches nothing at creation but the address of the page', () => {
    const forbidden = {
      get: () => {
        throw new Error('touched')
      },
    }
    vi.stubGlobal('location', { href: HOME })
    for (const name of ['sessionStorage', 'localStorage', 'addEventListener']) {
      vi.stubGlobal(name, undefined)
      Object.defineProperty(globalThis, name, { ...forbidden, configurable: true })
    }
    expect(() => loginRedirect({ to: TO })).not.toThrow()
  })
})

describe('only https or loopback', () => {
  const bad = [
    'javascript:alert(1)',
    'JaVaScRiPt://id.example/%0aalert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'blob:https://app.example/1',
    'file:///etc/passwd',
    'http://id.example/login',
    'http://localhost.example/login',
    'http://127.0.0.1.example/login',
    'ws://localhost/login',
    'https://user@id.example/login',
    'https://user:pass@id.example/login',
    'https://',
    'http://[',
    '',
  ]

  it.each(bad)('L3 %j is refused at creation', (to) => {
    openPage()
    expect(() => loginRedirect({ to })).toThrow(expect.objectContaining({ name: 'TypeError', code: 'ERR_LOGIN_URL' }))
    if (URL.canParse(to)) expect(() => loginRedirect({ to: new URL(to) })).toThrow(TypeError)
  })

  it.each([...bad, undefined, null, 7, {}, Promise.resolve(TO), { href: TO }])(
    'L3 %j from a function is refused at the call, and nothing navigates',
    async (to) => {
      const page = openPage()
      const redirect = loginRedirect({ to: () => to as string })
      const error = await rejectionOf(redirect(need()))
      expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_LOGIN_URL' })
      expect(page.visited).toEqual([])
      expect(page.storage.getItem('relatch:redirects')).toBeNull()
    },
  )

  it('L3 a path on a page that is plain http itself is refused', () => {
    openPage('http://intranet.example/')
    expect(() => loginRedirect({ to: '/login' })).toThrow(TypeError)
  })

  it('L3 a path is judged at the call where there was no page before', async () => {
    const redirect = loginRedirect({ to: '/login', navigate: () => expect.fail('navigated') })
    expect(await rejectionOf(redirect(need()))).toMatchObject({ code: 'ERR_LOGIN_URL' })
    openPage('http://intranet.example/')
    expect(await rejectionOf(redirect(need()))).toMatchObject({ code: 'ERR_LOGIN_URL' })
  })

  it('E1 the error does not say what the URL was', () => {
    const error: Error = thrownBy(() => loginRedirect({ to: 'javascript:secret' })) as Error
    expect(error.message).not.toContain('secret')
  })

  it('what a function throws is thrown on', async () => {
    openPage()
    const thrown = new Error('no idea where')
    const to = (): string => {
      throw thrown
    }
    expect(await rejectionOf(loginRedirect({ to })(need()))).toBe(thrown)
  })
})

describe('the way back', () => {
  it.each([
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'javascript:alert(1)',
    undefined,
  ])('L3 L4 %j becomes /', (returnTo) => {
    const page = openPage()
    void loginRedirect({ to: TO })({ ...need(), returnTo: returnTo as string })
    expect(returnToOf(page.visited[0])).toBe('/')
  })

  it.each([
    ['/a?code=1&state=2&page=3', '/a?page=3'],
    ['/a?page=3&error=x&error_description=y&error_uri=z', '/a?page=3'],
    ['/a?code=1', '/a'],
    ['/a?%63ode=1&x=2', '/a?x=2'],
    ['/a?access_token=1&id_token=2&refresh_token=3&my_token=4', '/a'],
    ['/a#access_token=1&token_type=Bearer&state=2', '/a'],
    ['/a#session=1&id_token=2', '/a'],
    ['/a#code=1', '/a'],
    ['/a#/code=1', '/a'],
    ['/a#/cb?code=1&state=2', '/a#/cb'],
    ['/a#/orders?tab=1&state=open', '/a#/orders?tab=1'],
    ['/a#/orders?tab=1&state=open&x=%20+', '/a#/orders?tab=1&x=%20+'],
    ['/a#/orders&access_token=1', '/a'],
    ['/a?code=1#x', '/a#x'],
  ])('L3 what a login left in %s goes: %s', (returnTo, expected) => {
    const page = openPage()
    void loginRedirect({ to: TO })(need(returnTo))
    expect(returnToOf(page.visited[0])).toBe(expected)
  })

  it.each([
    '/a?zipcode=1&statement=2&my_error=3&token=4&codes=5',
    '/a?b&c=&d=%20+%2B&&e',
    '/a#errors',
    '/a#code',
    '/a#/orders?q=a%20b+c&x',
    '/a?x=1?y=2#b=2?c=3',
  ])('what no login left stays byte for byte: %s', (path) => {
    expect(withoutLoginAnswer(path)).toBe(path)
  })

  it('L3 the current page, without what a login left there', () => {
    expect(currentPage()).toBe('/')
    openPage('https://app.example//evil.example/a?b&code=1#/c?access_token=2')
    expect(currentPage()).toBe('/evil.example/a?b#/c')
  })
})

describe('the login page itself', () => {
  it.each<[href: string, to: LoginRedirectOptions['to']]>([
    ['https://app.example/login', '/login'],
    ['https://app.example/login?returnTo=%2Fx#y', '/login'],
    ['https://app.example/login/', '/login'],
    ['https://app.example/login', '/login/?prompt=login'],
    ['https://app.example/login', (path) => `/login?next=${path}`],
    ['https://id.example/login?session=1', TO],
    ['https://app.example/?returnTo=%2Fx#/login', '/#/login'],
    ['https://app.example/#/login?returnTo=%2Fx', (path) => `/#/login?returnTo=${path}`],
  ])('L3 on %s nothing navigates, and the callers get their 401', async (href, to) => {
    const page = openPage(href)
    const redirect = loginRedirect({ to })
    for (let call = 0; call < 10; call++) expect(await redirect(need())).toBeNull()
    expect(page.visited).toEqual([])
  })

  it.each([
    ['https://app.example/login', TO],
    ['https://app.example/orders', '/login'],
    ['https://app.example/login/help', '/login'],
    ['https://app.example/Login', '/login'],
    ['https://app.example/#/orders', '/#/login'],
    ['https://app.example:8443/login', 'https://app.example/login'],
  ])('%s is another page than %s', (href, to) => {
    const page = openPage(href)
    void loginRedirect({ to })(need())
    expect(page.visited).toHaveLength(1)
  })

  it.each([
    ['/login', '/login'],
    ['/login?returnTo=%2Flogin', '/login'],
    ['/a/../login/#x', '/login'],
    ['/#/login?x=1', '/#/login'],
  ])('L3 %s is no place to come back to from %s', (returnTo, to) => {
    const page = openPage()
    void loginRedirect({ to })(need(returnTo))
    expect(returnToOf(page.visited[0])).toBe('/')
  })

  it('L3 nor is it where a function makes the URL', () => {
    const page = openPage()
    void loginRedirect({ to: (path) => `/login?next=${encodeURIComponent(path)}` })(need('/login'))
    expect(page.visited).toEqual(['https://app.example/login?next=%2F'])
  })

  it('a page of that path on another site than the login is one', () => {
    const page = openPage()
    void loginRedirect({ to: TO })(need('/login'))
    expect(returnToOf(page.visited[0])).toBe('/login')
  })
})

describe('while the user is away', () => {
  it('L1 stays pending until nobody needs the login any more', async () => {
    openPage()
    const unneeded = new AbortController()
    const login = loginRedirect({ to: TO })(need('/', unneeded.signal))
    expect(await isPending(login)).toBe(true)
    unneeded.abort()
    expect(await login).toBeNull()
  })

  it('a login that is no longer needed navigates nowhere', async () => {
    const page = openPage()
    expect(await loginRedirect({ to: TO })(need('/', AbortSignal.abort()))).toBeNull()
    expect(page.visited).toEqual([])
    expect(page.storage.getItem('relatch:redirects')).toBeNull()
  })

  it('L3 Back, from the back/forward cache: the callers get their 401', async () => {
    const page = openPage()
    const login = loginRedirect({ to: TO })(need())
    page.show(false)
    expect(await isPending(login)).toBe(true)
    page.show(true)
    expect(await login).toBeNull()
  })

  it('L3 Back, within a page whose router went to the login: the same', async () => {
    const page = openPage()
    const login = loginRedirect({ to: '/login', navigate: () => {} })(need())
    page.pop('https://app.example/login?returnTo=%2Forders#help')
    expect(await isPending(login)).toBe(true)
    page.pop(HOME)
    expect(await login).toBeNull()
  })

  it.each(['abort', 'pageshow', 'popstate', 'failure'])('A3 no listener is left after: %s', async (how) => {
    const page = openPage()
    let count = 0
    const add = (target: object, name: string): void => {
      const { addEventListener } = target as EventTarget
      const counting = (type: string, listener: () => void, { signal }: { signal: AbortSignal }): void => {
        count++
        signal.addEventListener('abort', () => count--)
        addEventListener.call(target, type, listener, { signal })
      }
      Object.defineProperty(target, name, { value: counting, configurable: true })
    }
    const unneeded = new AbortController()
    add(unneeded.signal, 'addEventListener')
    add(globalThis, 'addEventListener')
    const navigate = (url: string): void => {
      if (how === 'failure') throw new Error('blocked')
      page.location.href = url
    }
    const login = loginRedirect({ to: TO, navigate })(need('/', unneeded.signal))
    expect(count).toBe(3)
    await Promise.allSettled([how === 'failure' ? login : isPending(login)])
    if (how === 'abort') unneeded.abort()
    if (how === 'pageshow') page.show(true)
    if (how === 'popstate') page.pop('https://app.example/other')
    await login.catch(() => {})
    expect(count).toBe(0)
  })

  it('L2 moving about on a page that was never left, the login being in another tab, ends nothing', async () => {
    const page = openPage()
    const login = loginRedirect({ to: TO, navigate: () => {} })(need())
    expect(await isPending(login)).toBe(true)
    page.pop('https://app.example/orders#row-8')
    expect(await isPending(login)).toBe(true)
  })

  it('what `navigate` throws, or its promise rejects with, ends the login unchanged', async () => {
    openPage()
    const thrown = new Error('NEXT_REDIRECT')
    const navigate = (): void => {
      throw thrown
    }
    expect(await rejectionOf(loginRedirect({ to: TO, navigate })(need()))).toBe(thrown)
    const router = (() => Promise.reject(thrown)) as () => void
    expect(await rejectionOf(loginRedirect({ to: TO, navigate: router })(need()))).toBe(thrown)
  })

  it('a router that has arrived is not a login that has ended', async () => {
    openPage()
    const navigate = (() => Promise.resolve('arrived')) as () => void
    expect(await isPending(loginRedirect({ to: TO, navigate })(need()))).toBe(true)
  })
})

describe('the loop guard', () => {
  /** The tab comes back from the login page: a new page, the same sessionStorage. */
  const afterReload = (options: Partial<LoginRedirectOptions> = {}) => loginRedirect({ to: TO, ...options })(need())

  it('L3 two redirects within a minute, across reloads; the third throws login-loop and navigates nowhere', async () => {
    const page = openPage()
    void afterReload()
    await pass(20_000)
    void afterReload()
    await pass(10_000)
    const error = await rejectionOf(afterReload())
    expect(error).toBeInstanceOf(AuthError)
    expect(error).toMatchObject({ code: 'login-loop', retryable: true, retryAfterMs: 30_000 })
    expect(page.visited).toHaveLength(2)
    await pass(29_999)
    expect(await rejectionOf(afterReload())).toMatchObject({ code: 'login-loop', retryAfterMs: 1 })
    await pass(1)
    void afterReload()
    expect(page.visited).toHaveLength(3)
    // The second one is the oldest now.
    expect(await rejectionOf(afterReload())).toMatchObject({ code: 'login-loop', retryAfterMs: 20_000 })
  })

  it('L3 a refused one does not count, so the loop ends by itself', async () => {
    const page = openPage()
    for (let second = 0; second < 130; second++) {
      void afterReload().catch(() => {})
      await pass(1000)
    }
    // At 0, 1, 60, 61, 120, 121 s.
    expect(page.visited).toHaveLength(6)
  })

  it('`maxRedirects` and `windowMs` are yours to set', async () => {
    const page = openPage()
    const options = { maxRedirects: 1, windowMs: 1000 }
    void afterReload(options)
    expect(await rejectionOf(afterReload(options))).toMatchObject({ code: 'login-loop', retryAfterMs: 1000 })
    await pass(1000)
    void afterReload(options)
    expect(page.visited).toHaveLength(2)
  })

  it('`storage` takes the place of sessionStorage', async () => {
    const page = openPage()
    const storage = memoryStorage()
    void afterReload({ storage })
    void afterReload({ storage })
    expect(await rejectionOf(afterReload({ storage }))).toMatchObject({ code: 'login-loop' })
    expect(page.storage.getItem('relatch:redirects')).toBeNull()
  })

  it('L3 a clock that is set back does not block for ever, nor does one that is set forward', async () => {
    const page = openPage()
    void afterReload()
    void afterReload()
    vi.setSystemTime(Date.now() - 7_200_000)
    void afterReload()
    vi.setSystemTime(Date.now() + 7_200_000 * 2)
    void afterReload()
    expect(page.visited).toHaveLength(4)
  })

  it('L3 after a clock was set back, the pause is the one of the oldest', async () => {
    openPage()
    void afterReload()
    vi.setSystemTime(Date.now() - 30_000)
    void afterReload()
    expect(await rejectionOf(afterReload())).toMatchObject({ retryAfterMs: 60_000 })
  })

  const throwing = (): never => {
    throw new DOMException('no', 'SecurityError')
  }
  const media: Record<string, () => unknown> = {
    'blocked (the look itself throws)': throwing,
    'missing (a sandbox, an old shell)': () => undefined,
    'null, as in some web views': () => null,
    'full (it cannot be written)': () => ({ ...memoryStorage(), setItem: throwing }),
    'unreadable (getItem throws)': () => ({ ...memoryStorage(), getItem: throwing }),
    'emptied at every look': () => memoryStorage(),
    'no storage at all': () => ({ getItem: 'x', setItem: 7 }),
  }
  it.each(Object.entries(media))('L3 storage that is %s: memory counts', async (_, look) => {
    const page = openPage()
    Object.defineProperty(globalThis, 'sessionStorage', { get: look, configurable: true })
    const redirect = loginRedirect({ to: TO })
    void redirect(need())
    void redirect(need())
    expect(await rejectionOf(redirect(need()))).toMatchObject({ code: 'login-loop', retryAfterMs: 60_000 })
    await pass(60_000)
    void redirect(need())
    expect(page.visited).toHaveLength(3)
  })

  it.each([
    'not json',
    '{}',
    'null',
    '"now"',
    '[null, "x", {}, [1], true]',
    '{"length": 1e9}',
    '[1e999, -1e999]',
    '["1772366400000", "1772366400000"]',
    '[[1772366400000], [1772366400000]]',
    '[[[[',
    '\u0000',
  ])('L3 E5 garbage in the storage counts as nothing: %j', async (garbage) => {
    const page = openPage()
    page.storage.setItem('relatch:redirects', garbage)
    void afterReload()
    void afterReload()
    expect(page.visited).toHaveLength(2)
    expect(await rejectionOf(afterReload())).toMatchObject({ code: 'login-loop' })
  })

  it('E5 whatever is in the storage: it redirects, or says login-loop with a sane pause', async () => {
    openPage()
    const now = Date.now()
    const instants = fc.array(
      fc.oneof(fc.integer({ min: now - 90_000, max: now + 90_000 }), fc.double(), fc.anything()),
    )
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json(), instants.map(stringify)), async (text) => {
        const visited: string[] = []
        const storage = memoryStorage()
        storage.setItem('relatch:redirects', text)
        const navigate = (url: string): void => void visited.push(url)
        const signal = AbortSignal.any([])
        const ended = loginRedirect({ to: TO, storage, navigate })(need('/', signal)).catch((error: unknown) => error)
        if (visited.length === 1) return
        const error = (await ended) as AuthError
        expect(error).toMatchObject({ code: 'login-loop' })
        expect(error.retryAfterMs).toBeGreaterThan(0)
        expect(error.retryAfterMs).toBeLessThan(120_000)
      }),
      { numRuns: 500 },
    )
  })

  it('what is stored are instants, and only as many as are needed', async () => {
    const page = openPage()
    for (let round = 0; round < 20; round++) {
      void afterReload()
      await pass(30_000)
    }
    const stored = JSON.parse(page.storage.getItem('relatch:redirects') ?? '') as number[]
    expect(stored).toEqual([Date.now() - 60_000, Date.now() - 30_000])
  })
})

describe('options', () => {
  it.each<[option: string, values: unknown[]]>([
    ['param', ['', 7, null]],
    ['navigate', ['/login', null, {}]],
    ['maxRedirects', [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '2']],
    ['windowMs', [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '60']],
    ['storage', [null, {}, 'sessionStorage', { getItem: 1 }, { getItem: () => null }]],
  ])('%s: a wrong value is a TypeError at creation', (option, values) => {
    for (const value of values) {
      expect(() => loginRedirect({ to: TO, [option]: value }), String(value)).toThrow(
        expect.objectContaining({
          name: 'TypeError',
          code: 'ERR_INVALID_OPTION',
          message: expect.stringContaining(option),
        }),
      )
    }
  })

  it('none at all, no `to`, and names that nobody knows', () => {
    openPage()
    const make = loginRedirect as (options?: unknown) => unknown
    expect(() => make()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
    expect(() => make({})).toThrow(expect.objectContaining({ code: 'ERR_LOGIN_URL' }))
    expect(() => make({ to: 7 })).toThrow(expect.objectContaining({ code: 'ERR_LOGIN_URL' }))
    expect(() => make({ to: TO, maxRedirect: 2 })).toThrow(expect.objectContaining({ code: 'ERR_UNKNOWN_OPTION' }))
  })

  it('undefined counts as not given', () => {
    const page = openPage()
    const none = { param: undefined, navigate: undefined, maxRedirects: undefined, windowMs: undefined }
    void loginRedirect({ to: TO, storage: undefined, ...none })(need('/x'))
    expect(page.visited).toEqual([`${TO}?returnTo=%2Fx`])
  })

  it('O4 a polluted prototype changes nothing', () => {
    const page = openPage()
    const evil = { param: 'evil', navigate: () => expect.fail('navigated'), maxRedirects: 1000 }
    Object.assign(Object.prototype, evil)
    try {
      void loginRedirect({ to: TO })(need('/x'))
    } finally {
      for (const name of Object.keys(evil)) Reflect.deleteProperty(Object.prototype, name)
    }
    expect(page.visited).toEqual([`${TO}?returnTo=%2Fx`])
  })
})

describe('fuzzed', () => {
  const HOSTILE = fc.string({
    unit: fc.constantFrom('/', '\\', '.', '%', ':', '@', '?', '#', '\t', '\n', 'a', '2', 'f', '&', '='),
    maxLength: 20,
  })
  const PIECES = [
    '//evil.example',
    'https://evil.example',
    'javascript:alert(1)',
    '/login',
    'code=1',
    '?state=2',
    '%2f%2f',
    '#',
    '&',
  ]
  const returnTos = fc.oneof(
    HOSTILE,
    fc.array(fc.oneof(HOSTILE, fc.constantFrom(...PIECES))).map((parts) => parts.join('')),
    HOSTILE.map((text) => `/${text}`),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
    fc.webPath(),
    fc.anything(),
  )
  const logins = fc.constantFrom(
    'https://id.example/login',
    'https://app.example/login',
    'https://app.example/#/login',
    'https://id.example/?returnTo=https://evil.example&returnTo=2#returnTo',
    'http://localhost:3000',
  )

  it.each([true, false])(
    'L3 L4 whatever the way back is: the login stays where `to` says, and the way back on this site (a page: %s)',
    (hasPage) => {
      if (hasPage) openPage()
      const run = (to: string, returnTo: unknown): void => {
        const visited: string[] = []
        const navigate = (url: string): void => void visited.push(url)
        void loginRedirect({ to, navigate, storage: memoryStorage() })({ ...need(), returnTo: returnTo as string })
        const [url] = visited
        const login = new URL(to)
        const target = new URL(url ?? '')
        const back = returnToOf(url) ?? ''
        expect([target.origin, target.pathname, target.hash]).toEqual([login.origin, login.pathname, login.hash])
        expect(target.searchParams.getAll('returnTo')).toHaveLength(1)
        expect(safeReturnTo(back, { base: 'https://app.example', fallback: 'refused' })).toBe(back)
        expect(withoutLoginAnswer(back)).toBe(back)
        const place = new URL(back, 'https://app.example')
        const isBackAtLogin = login.origin === place.origin && login.pathname === place.pathname
        if (login.hash === '') expect(isBackAtLogin).toBe(false)
      }
      fc.assert(fc.property(logins, returnTos, run), { numRuns: 3000 })
    },
  )

  it('L3 whatever a function makes of it: https or loopback, or nothing navigates', async () => {
    openPage()
    await fc.assert(
      fc.asyncProperty(fc.oneof(returnTos, fc.webUrl({ validSchemes: ['http', 'https', 'ftp', 'ws'] })), async (to) => {
        const visited: string[] = []
        const navigate = (url: string): void => void visited.push(url)
        const ended = loginRedirect({ to: () => to as string, navigate, storage: memoryStorage() })(need())
        if (visited.length === 0) {
          // `#` is this very page.
          const outcome = await ended.catch((error: unknown) => error)
          return void expect([undefined, 'ERR_LOGIN_URL']).toContain((outcome as { code?: string } | null)?.code)
        }
        expect(visited[0]).toMatch(/^(https:\/\/|http:\/\/(localhost|127\.|\[::1\]|[^/]*\.localhost))/)
        expect(new URL(visited[0] ?? '').username).toBe('')
      }),
      { numRuns: 3000 },
    )
  })
})

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch {
    return '[]'
  }
}

function thrownBy(task: () => unknown): unknown {
  try {
    task()
  } catch (thrown) {
    return thrown
  }
  throw new Error('Expected it to throw')
}
