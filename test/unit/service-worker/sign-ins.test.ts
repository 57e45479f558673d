// Tokens that are kept out of a token endpoint's answer: whose they become, when, and what is told to the server at the end.
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AuthFetch, TokenSet } from '../../../src/index.ts'
import type { ServeSessionOptions } from '../../../src/service-worker/serve-session.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { claims, idToken } from '../oauth/auth-server.ts'
import { ORIGIN, Scope } from './worker-scope.ts'

afterEach(() => vi.unstubAllGlobals())

const ENDPOINT = `${ORIGIN}/token`

interface Served {
  scope: Scope
  api: AuthFetch
  /** What a page is left with, of an answer that holds these members. */
  ask(answer: object): Promise<Record<string, unknown>>
}

function serve(options: ServeSessionOptions = {}): Served {
  const scope = new Scope()
  let answer: object = {}
  const transport = async (): Promise<Response> =>
    Object.defineProperty(Response.json(answer), 'url', { value: ENDPOINT })
  const given = { store: memoryStore(), tokenEndpoints: ['/token'], fetch: transport, ...options }
  const api = scope.serve(given)
  return {
    scope,
    api,
    async ask(members) {
      answer = { access_token: 'at-2', token_type: 'Bearer', ...members }
      return (await scope.fetch(new Request(ENDPOINT, { method: 'POST' }))).json()
    },
  }
}

const withNonce = (more: object = {}): object => ({ id_token: idToken(claims({ nonce: 'n', ...more })) })

describe('tokens of an answer', () => {
  it('are the session at once: nobody may sign in with what a page has renewed by itself', async () => {
    const { api, ask } = serve()
    expect(await ask({ id_token: idToken(claims()) })).toMatchObject({ held_by: 'service-worker' })
    expect(await api.tokens()).toMatchObject({ accessToken: 'at-2', subject: 'ann' })
  })

  it('with a nonce are one only when the page has found that good, once', async () => {
    const { scope, api, ask } = serve()
    const { held, ...rest } = await ask(withNonce())
    expect(rest).toMatchObject({ held_by: 'service-worker', id_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.$/) })
    expect(api.snapshot().status).toBe('signed-out')
    const confirmed = await scope.ask({ ask: 'confirm', held, scope: 'orders' })
    expect(confirmed).toMatchObject({ state: { snapshot: { status: 'signed-in', subject: 'ann', scope: 'orders' } } })
    expect(await api.tokens()).toMatchObject({ accessToken: 'at-2', scope: 'orders' })
    expect(await scope.ask({ ask: 'confirm', held })).toMatchObject({ error: { code: 'store-failed' } })
  })

  it('keep the scope that they name', async () => {
    const { scope, api, ask } = serve()
    const { held } = await ask({ ...withNonce(), scope: 'less' })
    await scope.ask({ ask: 'confirm', held, scope: 'more' })
    expect(api.snapshot().scope).toBe('less')
  })

  it.each([
    ['ann', true, true],
    ['ann', false, false],
    ['bob', true, false],
  ])('of %s, a step-up: %s, go on with the session of ann: %s', async (sub, isStepUp, isSame) => {
    const { scope, api, ask } = serve()
    await api.signIn({ accessToken: 'at-1', subject: 'ann' })
    const signedIn = vi.fn()
    api.on('signed-in', signedIn)
    const { held } = await ask(withNonce({ sub }))
    await scope.ask({ ask: 'confirm', held, isStepUp })
    expect(api.snapshot().subject).toBe(sub)
    expect(signedIn).toHaveBeenCalledTimes(isSame ? 0 : 1)
  })

  it('that nobody signs in with do not pile up', async () => {
    const { scope, ask } = serve()
    const { held: first } = await ask(withNonce())
    const { held: second } = await ask(withNonce())
    for (let more = 0; more < 7; more++) await ask(withNonce())
    expect(await scope.ask({ ask: 'confirm', held: first })).toHaveProperty('error')
    expect(await scope.ask({ ask: 'confirm', held: second })).toHaveProperty('state')
  })

  it.each([undefined, null, 5, 'x', '__proto__'])('E5 an id that is none (%s) is refused', async (held) => {
    const { scope, ask } = serve()
    await ask(withNonce())
    expect(await scope.ask({ ask: 'confirm', held })).toMatchObject({ error: { code: 'store-failed' } })
  })
})

describe('revoke', () => {
  const TOKENS: TokenSet = { accessToken: 'at-1', refreshToken: 'rt-1', expiresAt: Date.now() - 1000 }

  it('has the tokens as they were, once the session is over; the page is not kept waiting', async () => {
    const seen: unknown[] = []
    const refresh = vi.fn()
    const revoke = (tokens: TokenSet): Promise<never> => {
      seen.push(tokens, api.snapshot().status)
      return new Promise(() => {})
    }
    const { scope, api } = serve({ store: memoryStore(TOKENS), revoke, refresh })
    expect(await scope.ask({ ask: 'sign-out' })).toMatchObject({ state: { snapshot: { status: 'signed-out' } } })
    expect(seen).toEqual([TOKENS, 'signed-out'])
    expect(refresh).not.toHaveBeenCalled()
  })

  it('may fail, and is not asked where there is nothing to revoke', async () => {
    const revoke = vi.fn(async () => Promise.reject(new Error('no network')))
    const { scope } = serve({ store: memoryStore(TOKENS), revoke })
    for (let time = 0; time < 2; time++) expect(await scope.ask({ ask: 'sign-out' })).toHaveProperty('state')
    expect(revoke).toHaveBeenCalledOnce()
  })
})
