import { expect, it } from 'vitest'
import { createAuthServer } from '../../../src/testing/index.ts'

it.each([
  { url: '/relative' },
  { users: { me: { role: ['admin'] } } },
  { users: [null] },
  { scopes: { admin: 'all' } },
  { clients: { app: { secret: 1 } } },
  { accessTokenTtlMs: -1 },
  { accessTokenTtlMs: '300' },
  { refreshTokenTtlMs: Number.NaN },
  { accessTokenFormat: 'paseto' },
  { expiresIn: true },
  { rotation: 'yes' },
  { graceMs: Number.POSITIVE_INFINITY },
  { cookies: 'all' },
  { stepUp: { acr: 'mfa' } },
  { routes: { 'GET /x': {} } },
  { logLimit: -1 },
])('refuses %o, and says what it expected', (options) => {
  const [name] = Object.keys(options)
  const misuse = expect.objectContaining({
    name: 'TypeError',
    code: 'ERR_AUTH_SERVER_OPTION',
    message: expect.stringContaining(`\`${name}\``),
  })
  expect(() => createAuthServer(options as never)).toThrow(misuse)
})

it('refuses what it does not know', () => {
  const unknown = expect.objectContaining({ name: 'TypeError', code: 'ERR_UNKNOWN_OPTION' })
  expect(() => createAuthServer({ acessTokenTtlMs: 1 } as never)).toThrow(unknown)
  expect(() => createAuthServer({ constructor: 1 } as never)).toThrow(unknown)
  expect(() => createAuthServer(null as never)).toThrow(TypeError)
  expect(() => createAuthServer({ routes: { 'orders/:id': () => 'dropped' } })).toThrow(
    expect.objectContaining({ code: 'ERR_ROUTE' }),
  )
})

it('counts undefined as not given', () => {
  const server = createAuthServer({
    url: undefined,
    accessTokenTtlMs: undefined,
    stepUp: { acrValues: undefined },
  } as never)
  expect(server.url).toBe('https://auth.test')
  expect(server.signIn('viewer').expires_in).toBe(300)
})
