// C5, O4, E1: the members of an AuthFetch are its own and stand by themselves, although they are made when they are asked for.
import { inspect } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { type AuthFetch, createAuthFetch } from '../../src/index.ts'

const MEMBERS = ['dispose', 'on', 'refresh', 'signIn', 'signOut', 'snapshot', 'subscribe', 'tokens'] as const
const make = (): AuthFetch => createAuthFetch({ baseUrl: 'https://api.test', fetch: async () => new Response() })

describe('the members of an AuthFetch', () => {
  it('C5 are its own, and the same ones each time', () => {
    const api = make()
    expect(Object.keys(api).sort()).toEqual(MEMBERS)
    expect(MEMBERS.map((name) => typeof api[name])).toEqual(Array(MEMBERS.length).fill('function'))
    for (const name of MEMBERS) expect(api[name]).toBe(api[name])
    expect(api[Symbol.dispose]).toBe(api.dispose)
    expect(Object.getOwnPropertySymbols({ ...api })).toEqual([Symbol.dispose])
    expect(make().tokens).not.toBe(api.tokens)
  })

  it.each<[string, (api: AuthFetch) => AuthFetch]>([
    ['spread', (api) => ({ ...api }) as AuthFetch],
    ['assigned to another function', (api) => Object.assign(async () => new Response(), api) as AuthFetch],
    ['reached through a proxy', (api) => new Proxy(api, {})],
    ['inherited', (api) => Object.create(api)],
  ])('C5 work when they are %s', async (_, from) => {
    const api = make()
    const other = from(api)
    await other.signIn({ accessToken: 'a' })
    expect(other.snapshot()).toBe(api.snapshot())
    expect(await api.tokens()).toEqual({ accessToken: 'a' })
  })

  it('C5 can be watched and replaced, one instance at a time', async () => {
    const [api, other] = [make(), make()]
    const watched = vi.spyOn(api, 'signIn')
    await api.signIn({ accessToken: 'a' })
    expect(watched).toHaveBeenCalledWith({ accessToken: 'a' })
    expect(api.snapshot().status).toBe('signed-in')
    watched.mockRestore()
    api.signOut = vi.fn(async () => {})
    await api.signOut()
    expect(api.snapshot().status).toBe('signed-in')
    await api.signIn({ accessToken: 'b' })
    expect(await api.tokens()).toEqual({ accessToken: 'b' })
    const child = Object.create(other)
    child.signOut = api.signOut
    expect(other.signOut).not.toBe(api.signOut)
    expect(() => Object.assign(Object.freeze(make()), { signOut: api.signOut })).toThrow(TypeError)
    await other.signIn({ accessToken: 'c' })
    await other.signOut()
    expect(other.snapshot().status).toBe('signed-out')
  })

  it('E1 hide the session that they belong to', async () => {
    const api = make()
    await api.signIn({ accessToken: 'secret', refreshToken: 'hidden' })
    expect(inspect(api, { showHidden: true, depth: 20 })).not.toMatch(/secret|hidden/)
  })
})

describe('options that are given again', () => {
  it('O4 make instances that know nothing of each other’s sessions', async () => {
    const common = { baseUrl: 'https://api.test', fetch: async () => new Response() }
    const [one, other] = [createAuthFetch(common), createAuthFetch(common)]
    await one.signIn({ accessToken: 'a' })
    expect([one.snapshot().status, other.snapshot().status]).toEqual(['signed-in', 'signed-out'])
  })

  it('O1 O4 hold with what is in them now: origins, and the headers of a scheme', async () => {
    const sent: Array<[string, string | null]> = []
    const origins = ['https://one.test']
    const baseUrl = new URL('https://one.test')
    const scheme = { name: 'mine', headers: ['x-one'], attach: (headers: Headers) => headers.set('x-one', 'a') }
    const fetch = async (input: unknown, init?: RequestInit): Promise<Response> => {
      sent.push([String(input), new Headers(init?.headers).get('x-one')])
      return new Response()
    }
    const before = createAuthFetch({ baseUrl, origins, scheme, fetch })
    origins[0] = 'https://two.test'
    baseUrl.hostname = 'two.test'
    const after = createAuthFetch({ baseUrl, origins, scheme, fetch })
    scheme.headers = ['x-one', 'x-two']
    const later = createAuthFetch({ baseUrl, origins, scheme, fetch })
    for (const api of [before, after, later]) {
      await api.signIn({ accessToken: 'a' })
      await api('/x')
      await api('https://one.test/y', { headers: { 'x-two': 'mine' } })
    }
    expect(sent).toEqual([
      ['https://one.test/x', 'a'],
      ['https://one.test/y', 'a'],
      ['https://two.test/x', 'a'],
      ['https://one.test/y', null],
      ['https://two.test/x', 'a'],
      ['https://one.test/y', null],
    ])
  })
})
