// E2: what the transport throws, and the caller's own abort reason, pass through as they are. E3: nobody's failure breaks anything.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AuthFetchOptions, createAuthFetch, memoryStore } from '../../src/index.ts'
import { accepting, ok, unauthorized } from '../helpers/answer.ts'
import { type Answering, recorder } from '../helpers/recorder.ts'
import { rejectionOf } from '../helpers/rejection.ts'
import { EVENTS } from '../helpers/watch.ts'

async function client(answer: Answering, options: AuthFetchOptions = {}) {
  const transport = recorder(answer)
  const refresh = vi.fn(async () => ({ accessToken: 'fresh' }))
  const api = createAuthFetch({ baseUrl: 'https://api.example', refresh, ...options, fetch: transport.fetch })
  await api.signIn({ accessToken: 'old' })
  return { api, refresh, ...transport }
}

const thrown: Array<[string, unknown]> = [
  ['a network error', Object.assign(new TypeError('fetch failed'), { cause: { code: 'ECONNRESET' } })],
  ['a DOMException', new DOMException('The user aborted a request.', 'AbortError')],
  ['a TimeoutError', new DOMException('timed out', 'TimeoutError')],
  ['a frozen error', Object.freeze(new Error('frozen'))],
  ['a string', 'offline'],
  ['undefined', undefined],
  ['null', null],
  ['an object that looks like a refused refresh', { status: 401, error: 'invalid_grant' }],
]

describe('the transport', () => {
  it.each(thrown)('E2 rejects with %s: the caller gets exactly that, and nothing is refreshed', async (_, value) => {
    const { api, sent, refresh } = await client(() => Promise.reject(value))
    expect(await rejectionOf(api('/x'))).toBe(value)
    expect(sent).toHaveLength(1)
    expect(refresh).not.toHaveBeenCalled()
    expect(api.snapshot().status).toBe('signed-in')
  })

  it.each(thrown)('E2 rejects the replay with %s: the same', async (_, value) => {
    const { api, sent } = await client(({ credential }) =>
      credential === 'Bearer fresh' ? Promise.reject(value) : unauthorized(),
    )
    expect(await rejectionOf(api('/x'))).toBe(value)
    expect(sent).toHaveLength(2)
  })

  it.each(thrown)('E2 rejects a stranger’s request with %s: the same', async (_, value) => {
    const { api } = await client(() => Promise.reject(value))
    expect(await rejectionOf(api('https://stranger.example/'))).toBe(value)
  })

  it('E2 an error of the transport leaves no mark on it', async () => {
    const error = new TypeError('fetch failed')
    const before = Reflect.ownKeys(error)
    const { api } = await client(() => Promise.reject(error))
    await rejectionOf(api('/x'))
    expect(Reflect.ownKeys(error)).toEqual(before)
    expect(error.cause).toBe(undefined)
  })

  it('E2 the real fetch, with nobody at the other end', async () => {
    const api = createAuthFetch({ baseUrl: 'http://127.0.0.1:1' })
    await api.signIn({ accessToken: 'a' })
    const error = (await rejectionOf(api('/'))) as TypeError
    const native = (await rejectionOf(fetch('http://127.0.0.1:1/'))) as TypeError
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toBe(native.message)
  })
})

describe('the caller’s abort', () => {
  const reasons: Array<[string, unknown]> = [
    ['an Error', new Error('unmounted')],
    ['a string', 'unmounted'],
    ['null', null],
    ['zero', 0],
    ['a frozen object', Object.freeze({ why: 'unmounted' })],
  ]
  it.each(reasons)('E2 with %s, while it waits for a refresh', async (_, reason) => {
    const controller = new AbortController()
    const { api } = await client(() => unauthorized(), {
      refresh: () => {
        queueMicrotask(() => controller.abort(reason))
        return new Promise(() => {})
      },
    })
    expect(await rejectionOf(api('/x', { signal: controller.signal }))).toBe(reason)
    api.dispose()
  })

  it.each(reasons)('E2 with %s, while it waits for a login', async (_, reason) => {
    const controller = new AbortController()
    const { api } = await client(() => unauthorized(), {
      refresh: undefined,
      onLoginRequired: () => {
        queueMicrotask(() => controller.abort(reason))
        return new Promise(() => {})
      },
    })
    expect(await rejectionOf(api('/x', { signal: controller.signal }))).toBe(reason)
    api.dispose()
  })

  it.each(reasons)('E2 with %s, before it was called: nothing is sent', async (_, reason) => {
    const { api, sent } = await client(() => ok())
    expect(await rejectionOf(api('/x', { signal: AbortSignal.abort(reason) }))).toBe(reason)
    expect(sent).toHaveLength(0)
  })

  it('E2 without a reason: the platform’s own AbortError', async () => {
    const { api } = await client(() => ok())
    const signal = AbortSignal.abort()
    const error = await rejectionOf(api('/x', { signal }))
    expect(error).toBe(signal.reason)
    expect(error).toMatchObject({ name: 'AbortError' })
  })

  it('E2 of a Request’s own signal counts alike', async () => {
    const { api, sent } = await client(() => ok())
    const reason = new Error('unmounted')
    const request = new Request('https://api.example/x', { signal: AbortSignal.abort(reason) })
    expect(await rejectionOf(api(request))).toBe(reason)
    expect(sent).toHaveLength(0)
  })

  it('E2 of tokens({ signal })', async () => {
    const reason = new Error('unmounted')
    const { api } = await client(() => ok(), { refresh: () => new Promise(() => {}) })
    await api.signIn({ accessToken: 'old', expiresAt: Date.now() - 1 })
    const controller = new AbortController()
    const waiting = rejectionOf(api.tokens({ signal: controller.signal }))
    controller.abort(reason)
    expect(await waiting).toBe(reason)
    api.dispose()
  })
})

describe('listeners', () => {
  const bad: Array<[string, () => unknown]> = [
    [
      'throw',
      () => {
        throw new Error('mine')
      },
    ],
    [
      'throw undefined',
      () => {
        throw undefined
      },
    ],
    [
      'reject',
      async () => {
        throw new Error('mine')
      },
    ],
    ['never answer', () => new Promise(() => {})],
  ]
  it.each(bad)('E3 that %s change nothing, and the others hear all the same', async (_, listener) => {
    const { api } = await client(accepting('fresh'))
    const heard = vi.fn()
    for (const event of EVENTS) {
      api.on(event, listener)
      api.on(event, heard)
    }
    api.subscribe(listener as () => void)
    api.subscribe(heard)
    expect((await api('/x')).status).toBe(200)
    await api.signOut()
    expect(heard.mock.calls.length).toBeGreaterThanOrEqual(5)
  })
})

describe('unhandled rejections', () => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => void unhandled.push(reason)
  beforeEach(() => {
    unhandled.length = 0
    process.on('unhandledRejection', note)
  })
  afterEach(() => {
    process.off('unhandledRejection', note)
  })

  it('E3 none after 3 000 failures of every kind, console silent', async () => {
    const spies = (['log', 'info', 'warn', 'error', 'debug', 'trace'] as const).map((level) => vi.spyOn(console, level))
    const fail = async (): Promise<never> => {
      throw new Error('mine')
    }
    const answers: Answering = ({ url }) => {
      const kind = Number(new URL(url).pathname.slice(1)) % 5
      if (kind === 0) throw new TypeError('fetch failed')
      return new Response('no', { status: [0, 401, 403, 500, 419][kind] as number })
    }
    const kinds: AuthFetchOptions[] = [
      { refresh: fail },
      { refresh: async () => null },
      { refresh: async () => ({ accessToken: 'bad token' }) },
      { refresh: async () => null, onLoginRequired: fail },
      { onPermissionDenied: fail },
      { classify: fail },
      { store: { read: fail, write: fail, lock: fail } },
      { refresh: () => new Promise(() => {}), refreshTimeoutMs: 5 },
      { refresh: () => new Promise((_, reject) => setTimeout(reject, 15, new Error('late'))), refreshTimeoutMs: 5 },
      { refresh: undefined, onLoginRequired: () => new Promise(() => {}), loginTimeoutMs: 5 },
    ]
    let rejections = 0
    for (const kind of kinds) {
      const { fetch } = recorder(answers)
      const store = memoryStore({ accessToken: 'old', refreshToken: 'rt' })
      const api = createAuthFetch({ baseUrl: 'https://api.example', store, refreshRetries: 0, ...kind, fetch })
      for (const event of EVENTS) api.on(event, fail)
      api.subscribe(fail as never)
      const calls = Array.from({ length: 300 }, (_, index) =>
        api(`/${index}`, { method: 'POST', body: 'b', signal: index % 7 ? null : AbortSignal.timeout(1) }),
      )
      const outcomes = await Promise.allSettled([
        ...calls,
        api.refresh(),
        api.tokens(),
        api.signIn({ accessToken: '' }),
      ])
      rejections += outcomes.filter(({ status }) => status === 'rejected').length
      await api.signOut()
      api.dispose()
    }
    // Late settlers are to come, and Node tells of a rejection only when its turn is over.
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(rejections).toBeGreaterThan(1000)
    expect(unhandled).toEqual([])
    for (const spy of spies) expect(spy).not.toHaveBeenCalled()
    vi.restoreAllMocks()
  })

  it('E3 none from a call that nobody waits for, when it is the caller who has let go of it', async () => {
    const { api } = await client(() => unauthorized(), {
      refresh: () => Promise.reject(new Error('mine')),
      refreshRetries: 0,
    })
    const left = api('/x').catch(() => {})
    await left
    expect(unhandled).toEqual([])
  })
})

describe('what cannot even be looked at', () => {
  const hostile: Array<[string, () => unknown]> = [
    [
      'an error whose status is a getter that throws',
      () =>
        Object.defineProperty(new Error('x'), 'status', {
          get() {
            throw new Error('no')
          },
        }),
    ],
    [
      'an error whose response is a getter that throws',
      () =>
        Object.defineProperty(new Error('x'), 'response', {
          get() {
            throw new Error('no')
          },
        }),
    ],
    [
      'a revoked proxy',
      () => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      },
    ],
    ['a null-prototype object', () => Object.create(null)],
    ['a symbol', () => Symbol('x')],
    ['a function', () => () => {}],
    ['undefined', () => undefined],
    [
      'an error without a message',
      () => Object.assign(new Error(), { message: undefined, name: undefined, stack: undefined }),
    ],
    ['an error whose message is no string', () => Object.assign(new Error(), { message: { toString: 5 }, name: 5 })],
  ]
  it.each(hostile)('E3 a refresher that throws %s has failed for now: the session is kept', async (_, make) => {
    const { api } = await client(accepting('fresh'), {
      refresh: async () => {
        throw make()
      },
      refreshRetries: 0,
    })
    expect(await rejectionOf(api('/x'))).toMatchObject({ code: 'refresh-unavailable', retryable: true })
    expect(await api.tokens()).toEqual({ accessToken: 'old' })
    expect(api.snapshot().status).toBe('signed-in')
  })
})
