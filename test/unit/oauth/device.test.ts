// A login on another device (RFC 8628), with time in the hands of the test.
import { describe, expect, it, vi } from 'vitest'
import { fakeTime, flush, pass, settled } from '../../helpers/fake-time.ts'
import { rejectionOf } from '../../helpers/rejection.ts'
import { type Answer, authServer, clientOf, json } from './auth-server.ts'

fakeTime()

const CODE = {
  device_code: 'the-device-code',
  user_code: 'WDJB-MJHT',
  verification_uri: 'https://id.example/activate',
  expires_in: 600,
}
const pending: Answer = () => json({ error: 'authorization_pending' }, 400)
const granted: Answer = () => json({ access_token: 'at', token_type: 'Bearer', expires_in: 60 })

/** A server that answers its polls one after the other; the last one again and again. */
function polled(answers: Answer[], code: object = {}) {
  const server = authServer()
  server.answers['/device'] = () => json({ ...CODE, ...code })
  const left = [...answers]
  const at: number[] = []
  server.answers['/token'] = (asked) => {
    at.push(performance.now() - startedAt)
    return (left.length > 1 ? (left.shift() as Answer) : (left[0] as Answer))(asked)
  }
  const startedAt = performance.now()
  const seconds = (): number[] => at.map((ms) => Math.round(ms / 1000))
  return { server, seconds, client: clientOf(server, { scope: 'orders', resource: 'https://api.example' }) }
}

it('shows a code, and asks every five seconds until the user has agreed', async () => {
  const { server, seconds, client } = polled([pending, pending, granted])
  const onCode = vi.fn()
  const tokens = await settled(Promise.resolve(client.deviceLogin(onCode)()))
  // The answer names no scope: it is the one that was asked for.
  expect(tokens).toMatchObject({ access_token: 'at', scope: 'orders' })
  expect(onCode.mock.calls).toEqual([
    [{ userCode: 'WDJB-MJHT', verificationUri: 'https://id.example/activate', expiresAt: expect.any(Number) }],
  ])
  expect(seconds()).toEqual([5, 10, 15])
  expect(Object.fromEntries(server.to('/device')[0]?.form ?? [])).toEqual({
    client_id: 'web',
    scope: 'orders',
    resource: 'https://api.example',
  })
  expect(Object.fromEntries(server.to('/token')[0]?.form ?? [])).toMatchObject({
    grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
    device_code: 'the-device-code',
    resource: 'https://api.example',
  })
})

it('says when the code expires, in Unix milliseconds', async () => {
  const { client } = polled([granted])
  const onCode = vi.fn()
  const startedAt = Date.now()
  await settled(Promise.resolve(client.deviceLogin(onCode)()))
  expect(onCode.mock.calls[0]?.[0].expiresAt).toBe(startedAt + 600_000)
})

it('keeps to the interval of the server, and slows down when it is told to', async () => {
  const slow: Answer = () => json({ error: 'slow_down' }, 400)
  const { seconds, client } = polled([pending, slow, pending, granted], { interval: 2 })
  await settled(Promise.resolve(client.deviceLogin(() => {})()))
  expect(seconds()).toEqual([2, 4, 11, 18])
})

it.each([
  ['network', () => Promise.reject(new TypeError('fetch failed'))],
  ['503', () => new Response('', { status: 503 })],
])('waits out an outage (%s), more slowly', async (_, outage) => {
  const { seconds, client } = polled([outage as Answer, granted])
  expect(await settled(Promise.resolve(client.deviceLogin(() => {})()))).toMatchObject({ access_token: 'at' })
  expect(seconds()).toEqual([5, 15])
})

it('waits as long as the server says for once, and keeps its interval', async () => {
  const busy: Answer = () => new Response('', { status: 503, headers: { 'retry-after': '120' } })
  const limited: Answer = () => json({ error: 'slow_down' }, 429, { 'retry-after': '30' })
  const { seconds, client } = polled([pending, busy, pending, limited, pending, granted])
  await settled(Promise.resolve(client.deviceLogin(() => {})()))
  expect(seconds()).toEqual([5, 10, 130, 135, 165, 175])
})

it('asks once a second at most, whatever the server calls its interval', async () => {
  const { seconds, client } = polled([pending, pending, granted], { interval: 0.0001 })
  await settled(Promise.resolve(client.deviceLogin(() => {})()))
  expect(seconds()).toEqual([1, 2, 3])
})

describe('fails', () => {
  const failures: Array<[string, Answer, object]> = [
    ['denied', () => json({ error: 'access_denied' }, 400), { oauthError: 'access_denied', retryable: false }],
    ['expired', () => json({ error: 'expired_token' }, 400), { oauthError: 'expired_token', retryable: true }],
    ['misconfigured', () => json({ error: 'invalid_client' }, 401), { oauthError: 'invalid_client', status: 401 }],
  ]
  it.each(failures)('when it is %s', async (_, answer, expected) => {
    const { client } = polled([pending, answer])
    const error = rejectionOf(Promise.resolve(client.deviceLogin(() => {})()))
    expect(await settled(error)).toMatchObject({ code: 'authorization-failed', ...expected })
  })

  it('once the code has expired by our own clock', async () => {
    const { seconds, client } = polled([pending], { expires_in: 12 })
    const error = rejectionOf(Promise.resolve(client.deviceLogin(() => {})()))
    expect(await settled(error)).toMatchObject({ oauthError: 'expired_token', retryable: true })
    expect(seconds()).toEqual([5, 10])
  })

  it.each(['javascript:alert(1)', 'http://id.example/', 'file:///bin/sh', 'https://a:b@id.example/', '-x', ''])(
    'C8: where the user is sent to %j, before it is shown',
    async (uri) => {
      const onCode = vi.fn()
      for (const member of ['verification_uri', 'verification_uri_complete']) {
        const { server, client } = polled([granted], { [member]: uri })
        const error = await settled(rejectionOf(Promise.resolve(client.deviceLogin(onCode)())))
        expect(error).toMatchObject({ code: 'authorization-failed' })
        expect(server.to('/token')).toEqual([])
      }
      expect(onCode).not.toHaveBeenCalled()
    },
  )

  it.each(['\u001b]0;owned\u0007', 'WDJB\rMJHT', '\u009b2J', 'WDJB\u202eTHJM', 'a\u2028b'])(
    'where the user code is %j: a terminal would obey it',
    async (code) => {
      const onCode = vi.fn()
      const { server, client } = polled([granted], { user_code: code })
      const error = await settled(rejectionOf(Promise.resolve(client.deviceLogin(onCode)())))
      expect(error).toMatchObject({ code: 'authorization-failed', retryable: false })
      expect(onCode).not.toHaveBeenCalled()
      expect(server.to('/token')).toEqual([])
    },
  )

  it('where the tokens are of a type that this client does not use', async () => {
    const { client } = polled([() => json({ access_token: 'at', token_type: 'DPoP' })])
    const error = rejectionOf(Promise.resolve(client.deviceLogin(() => {})()))
    expect(await settled(error)).toMatchObject({ code: 'unusable-token-response' })
  })

  it('with what onCode throws, at once or later', async () => {
    const { client } = polled([pending])
    const reason = new Error('no terminal')
    const throwing = client.deviceLogin(() => {
      throw reason
    })
    expect(await settled(rejectionOf(Promise.resolve(throwing())))).toBe(reason)
    const rejecting = client.deviceLogin(() => Promise.reject(reason))
    expect(await settled(rejectionOf(Promise.resolve(rejecting())))).toBe(reason)
  })
})

it('does not wait for onCode: a dialog may stay open', async () => {
  const { client } = polled([granted])
  const login = client.deviceLogin(() => new Promise(() => {}))
  expect(await settled(Promise.resolve(login()))).toMatchObject({ access_token: 'at' })
})

it('ends when nobody needs it any more, and leaves no timer', async () => {
  const { server, client } = polled([pending])
  const unneeded = new AbortController()
  const work = Promise.resolve(client.deviceLogin(() => {})({ signal: unneeded.signal }))
  await pass(7000)
  unneeded.abort()
  await flush()
  expect(vi.getTimerCount()).toBe(0)
  expect(await work).toBeNull()
  expect(server.to('/token')).toHaveLength(1)
})

it.each([
  ['a page', () => new Response('<html>')],
  ['nothing', () => new Response(null, { status: 204 })],
  ['no code', () => json({ ...CODE, device_code: undefined })],
])('fails where the server answers %s in place of a code', async (_, answer) => {
  const { server, client } = polled([granted])
  server.answers['/device'] = answer
  const error = rejectionOf(Promise.resolve(client.deviceLogin(() => {})()))
  expect(await settled(error)).toMatchObject({ code: 'authorization-failed', retryable: false })
})

it('asks a server that has none of it for nothing', async () => {
  const server = authServer({ issuer: 'https://id.example', token_endpoint: 'https://id.example/token' })
  const error = rejectionOf(Promise.resolve(clientOf(server).deviceLogin(() => {})()))
  expect(await settled(error)).toMatchObject({ code: 'metadata-refused' })
})
