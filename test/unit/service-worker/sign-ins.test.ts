// Tokens that are kept out of a token endpoint's answer: whose they become, when, and what is told to the server at the end.
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { AuthFetch, TokenSet } from '../../../src/index.ts'
import type { ServeSessionOptions } from '../../../src/service-worker/serve-session.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { claims, idToken } from '../oauth/auth-server.ts'
import { ORIGIN, Scope } from './worker-scope.ts'

afterEach(() => vi.unstubAllGlobals())

const ENDPOINT = `${ORIGIN}/token`
const CODE = 'authorization_code'

interface Served {
  scope: Scope
  api: AuthFetch
  /** What a page is left with, of an answer that holds these members, to a request with that grant. */
  ask(grantType: string, answer?: object, isJson?: boolean): Promise<Record<string, unknown>>
}

function serve(options: ServeSessionOptions = {}, answeredBy = ENDPOINT): Served {
  const scope = new Scope()
  let answer: object = {}
  const transport = async (): Promise<Response> =>
    Object.defineProperty(Response.json(answer), 'url', { value: answeredBy })
  const given = { store: memoryStore(), tokenEndpoints: ['/token'], fetch: transport, ...options }
  const api = scope.serve(given)
  return {
    scope,
    api,
    async ask(grantType, members = {}, isJson = false) {
      answer = { access_token: 'at-2', token_type: 'Bearer', ...members }
      const body = isJson ? JSON.stringify({ grant_type: grantType }) : new URLSearchParams({ grant_type: grantType })
      return (await scope.fetch(new Request(ENDPOINT, { method: 'POST', body }))).json()
    },
  }
}

const ofSubject = (sub: string): object => ({ id_token: idToken(claims({ nonce: 'n', sub })) })
const LOST = { error: { code: 'store-failed' } }

describe('tokens of an answer', () => {
  it.each(['refresh_token', 'password', ''])(
    'to %j are the session at once: no page signs in with them',
    async (grant) => {
      const { api, ask } = serve()
      // Some servers repeat the nonce in what they renew.
      expect(await ask(grant, { ...ofSubject('ann'), held: 'theirs' })).toMatchObject({ held_by: 'service-worker' })
      expect(await ask(grant, { held: 'theirs' })).not.toHaveProperty('held')
      expect(await api.tokens()).toMatchObject({ accessToken: 'at-2' })
    },
  )

  it.each([
    ['a code', CODE, ofSubject('ann')],
    ['a device code', 'urn:ietf:params:oauth:grant-type:device_code', {}],
    ['a code, without an ID token', CODE, {}],
    ['a code, with an encrypted ID token', CODE, { id_token: 'a.b.c.d.e' }],
    ['a code, of another type', CODE, { token_type: 'mac' }],
  ])('to %s are one only once the page signs in', async (_what, grant, answer) => {
    const { scope, api, ask } = serve()
    const { held, ...rest } = await ask(grant, answer)
    expect(rest).toMatchObject({ held_by: 'service-worker' })
    expect(api.snapshot().status).toBe('signed-out')
    const confirmed = await scope.ask({ ask: 'confirm', held, scope: 'orders' })
    expect(confirmed).toMatchObject({ state: { snapshot: { status: 'signed-in', scope: 'orders' }, sessionId: held } })
    expect(await api.tokens()).toMatchObject({ accessToken: 'at-2', scope: 'orders' })
  })

  it('to a code in JSON wait as well', async () => {
    const { api, ask } = serve()
    expect(await ask(CODE, {}, true)).toHaveProperty('held')
    expect(api.snapshot().status).toBe('signed-out')
  })

  it.each([false, true])(
    'that are confirmed twice, as by a page whose worker was replaced meanwhile, are one sign-in (a step-up: %s)',
    async (isStepUp) => {
      const { scope, api, ask } = serve()
      const signedIn = vi.fn()
      api.on('signed-in', signedIn)
      const { held } = await ask(CODE)
      for (let time = 0; time < 2; time++) {
        expect(await scope.ask({ ask: 'confirm', held, isStepUp })).toHaveProperty('state')
      }
      expect(signedIn).toHaveBeenCalledOnce()
    },
  )

  it('to a code leave an ID token to be checked; no other answer does', async () => {
    const { ask } = serve()
    expect(await ask(CODE, ofSubject('ann'))).toMatchObject({ id_token: expect.stringMatching(/\.$/) })
    for (const grant of ['password', 'refresh_token']) {
      expect(await ask(grant, ofSubject('ann'))).not.toHaveProperty('id_token')
    }
  })

  it('keep the scope that they name', async () => {
    const { scope, api, ask } = serve()
    const { held } = await ask(CODE, { scope: 'less' })
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
    const { held } = await ask(CODE, ofSubject(sub))
    await scope.ask({ ask: 'confirm', held, isStepUp })
    expect(api.snapshot().subject).toBe(sub)
    expect(signedIn).toHaveBeenCalledTimes(isSame ? 0 : 1)
  })

  it('that nobody signs in with do not pile up', async () => {
    const { scope, ask } = serve()
    const { held: first } = await ask(CODE)
    const { held: second } = await ask(CODE)
    for (let more = 0; more < 7; more++) await ask(CODE)
    expect(await scope.ask({ ask: 'confirm', held: first })).toMatchObject(LOST)
    expect(await scope.ask({ ask: 'confirm', held: second })).toHaveProperty('state')
  })

  it.each([undefined, null, 5, 'x', '__proto__'])('E5 an id that is none (%s) is refused', async (held) => {
    const { scope, ask } = serve()
    await ask(CODE)
    expect(await scope.ask({ ask: 'confirm', held })).toMatchObject(LOST)
  })

  it('R12 a sign-out wins, before the answer and after it, and what waited is revoked', async () => {
    const revoke = vi.fn()
    const { scope, api, ask } = serve({ revoke })
    const { held } = await ask(CODE)
    await scope.ask({ ask: 'sign-out' })
    const asked = ask(CODE)
    await scope.ask({ ask: 'sign-out' })
    for (const id of [held, (await asked).held]) {
      expect(await scope.ask({ ask: 'confirm', held: id })).toMatchObject(LOST)
    }
    expect(api.snapshot().status).toBe('signed-out')
    expect(revoke.mock.calls).toEqual([[expect.objectContaining({ accessToken: 'at-2' })]])
  })

  it('are kept from the page where the endpoint has sent the request on, or says nothing of where it was', async () => {
    for (const answeredBy of [`${ORIGIN}/elsewhere`, '']) {
      const { ask } = serve({}, answeredBy)
      expect(await ask('password', { refresh_token: 'rt-2' })).toEqual({
        held_by: 'service-worker',
        token_type: 'Bearer',
      })
    }
  })

  it('that cannot be used are nobody’s, and the page has nothing to sign in with', async () => {
    for (const grant of [CODE, 'password']) {
      const { api, ask } = serve()
      expect(await ask(grant, { access_token: 'not a token' })).toEqual({ token_type: 'Bearer' })
      expect(api.snapshot().status).toBe('signed-out')
    }
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

  it('may fail, and is not asked where there is nothing to revoke; nor is a refresher', async () => {
    const revoke = vi.fn(async () => Promise.reject(new Error('no network')))
    const refresh = vi.fn(() => new Promise<null>(() => {}))
    const { scope } = serve({ store: memoryStore(TOKENS), revoke })
    for (let time = 0; time < 2; time++) expect(await scope.ask({ ask: 'sign-out' })).toHaveProperty('state')
    expect(revoke).toHaveBeenCalledOnce()
    // A session by cookie may begin with a refresh: not with a sign-out.
    expect(await serve({ revoke, refresh }).scope.ask({ ask: 'sign-out' })).toHaveProperty('state')
    expect(refresh).not.toHaveBeenCalled()
  })
})
