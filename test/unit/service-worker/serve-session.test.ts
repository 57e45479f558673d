// The worker's half with a global object that is put in its place: who is heard, who gets the key, and for how long it stays awake. That
// the real ones are like this is shown in test/browser.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type ServeSessionOptions, serveSession } from '../../../src/service-worker/serve-session.ts'
import { ORIGIN, SCRIPT, Scope } from './worker-scope.ts'

const KEY = 'x'.repeat(32)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const STATE = { ask: 'state' }

describe('who is heard', () => {
  it('E1 a page of this origin is told the state, and no token', async () => {
    const scope = new Scope()
    scope.serve()
    const answer = await scope.ask(STATE)
    expect(answer).toMatchObject({ state: { snapshot: { status: 'signed-in' } } })
    expect(JSON.stringify(answer)).not.toContain('at-1')
  })

  it.each([
    ['another origin', { origin: 'https://evil.example' }],
    ['an origin that begins like ours', { origin: `${ORIGIN}.evil.example` }],
    ['no origin', { origin: 'null' }],
    ['nobody', { source: null }],
    ['a port', { source: { postMessage() {} } }],
    ['another worker', { source: { scriptURL: `${ORIGIN}/other.js` } }],
  ])('C4 %s is not, and changes nothing', async (_who, sender) => {
    const scope = new Scope()
    const api = scope.serve()
    for (const ask of ['state', 'sign-out', 'refresh', 'sign-in', 'hand-over']) {
      expect(await scope.ask({ ask, tokens: null, nonce: 'n' }, sender)).toBeNull()
    }
    expect(api.snapshot().status).toBe('signed-in')
  })

  it('E5 what is no question is not answered, and throws nowhere', async () => {
    const scope = new Scope()
    scope.serve()
    for (const content of [{ ask: 'tokens' }, { ask: null }, { relatch: 2, ask: 'state' }, {}]) {
      expect(await scope.ask(content)).toBeNull()
    }
    scope.listeners.get('message')?.({ data: 'text', origin: ORIGIN, source: null, ports: [] })
    expect(await scope.ask({ ask: 'sign-in', tokens: { accessToken: 'a b' } })).toMatchObject({
      error: { code: 'invalid-token' },
    })
  })
})

describe('the key', () => {
  const successor = { source: { scriptURL: `${SCRIPT}?v=2` } }

  it('goes to a worker of the same path', async () => {
    const scope = new Scope()
    scope.serve()
    const answer = new Promise((resolve) => {
      const data = { relatch: 1, ask: 'hand-over', nonce: 'theirs' }
      const ports = [{ postMessage: resolve }]
      scope.listeners.get('message')?.({ data, origin: ORIGIN, ...successor, ports, waitUntil() {} })
    })
    expect(await answer).toBeInstanceOf(CryptoKey)
  })

  it('is taken from none of another path: a thief could have planted it', async () => {
    const asked: unknown[] = []
    new Scope({
      scriptURL: `${ORIGIN}/uploads/thief.js`,
      postMessage: (message: unknown) => asked.push(message),
    }).serve()
    expect(asked).toEqual([])
    new Scope({ scriptURL: SCRIPT, postMessage: (message: unknown) => asked.push(message) }).serve()
    expect(asked).toMatchObject([{ ask: 'hand-over' }])
  })

  it('of a script is handed to nobody', async () => {
    const scope = new Scope()
    scope.serve({ key: KEY })
    let answer: unknown = 'nothing yet'
    const port = { postMessage: (message: unknown) => (answer = message) }
    const data = { relatch: 1, ask: 'hand-over', nonce: 'theirs' }
    scope.listeners.get('message')?.({ data, origin: ORIGIN, ...successor, ports: [port], waitUntil() {} })
    expect(answer).toBeNull()
  })
})

describe('awake', () => {
  const isSettled = async (work: Promise<unknown> | undefined): Promise<boolean> =>
    Promise.race([Promise.resolve(work).then(() => true), Promise.resolve().then(() => false)])

  it('for two minutes after a page has asked, and longer when one asks again', async () => {
    const scope = new Scope()
    scope.serve()
    await scope.ask(STATE)
    await vi.advanceTimersByTimeAsync(119_000)
    expect(await isSettled(scope.kept[0])).toBe(false)
    await scope.ask(STATE)
    expect(await isSettled(scope.kept[0])).toBe(true)
    await vi.advanceTimersByTimeAsync(119_000)
    expect(await isSettled(scope.kept[1])).toBe(false)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await isSettled(scope.kept[1])).toBe(true)
  })

  it('lets a successor in that is none of ours', async () => {
    const scope = new Scope()
    scope.serve()
    await scope.ask(STATE)
    scope.listeners.get('updatefound')?.({})
    expect(await isSettled(scope.kept[0])).toBe(true)
  })

  it('lets a successor in at once, and is awake again a minute after one that never came', async () => {
    const scope = new Scope()
    scope.serve({ key: KEY })
    await scope.ask(STATE)
    const port = { postMessage() {} }
    const data = { relatch: 1, ask: 'hand-over', nonce: 'theirs' }
    const source = { scriptURL: SCRIPT }
    scope.listeners.get('message')?.({ data, origin: ORIGIN, source, ports: [port], waitUntil() {} })
    expect(await isSettled(scope.kept[0])).toBe(true)
    await scope.ask(STATE)
    expect(await isSettled(scope.kept[1])).toBe(true)
    await vi.advanceTimersByTimeAsync(61_000)
    await scope.ask(STATE)
    expect(await isSettled(scope.kept[2])).toBe(false)
  })
})

describe('what is refused when it is made', () => {
  it('where there is no worker', () => {
    expect(() => serveSession()).toThrowError(expect.objectContaining({ code: 'ERR_NOT_A_SERVICE_WORKER' }))
  })

  it.each([
    ['a short key', { key: 'short' }, 'key'],
    ['endpoints that are none', { tokenEndpoints: ['http://auth.example/token'] }, 'tokenEndpoints'],
    ['endpoints that are no list', { tokenEndpoints: '/token' }, 'tokenEndpoints'],
    ['a revoke that cannot be called', { revoke: 'https://auth.example/revoke' }, 'revoke'],
  ])('%s', (_what, options, name) => {
    const scope = new Scope()
    const made = (): unknown => scope.serve(options as ServeSessionOptions)
    expect(made).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_OPTION', message: expect.stringContaining(name) }),
    )
  })

  it('a callback that is the page’s, and a misspelt option', () => {
    const scope = new Scope()
    for (const options of [{ onLoginRequired: () => null }, { tokenEndpoint: [] }]) {
      const made = (): unknown => scope.serve(options as ServeSessionOptions)
      expect(made).toThrowError(expect.objectContaining({ code: 'ERR_UNKNOWN_OPTION' }))
    }
  })
})
