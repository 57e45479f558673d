import { authFailureOf } from 'relatch'
import { expect } from 'vitest'
import AbortAddon from 'wretch/addons/abort'
import { retry } from 'wretch/middlewares'
import { WretchError } from 'wretch/resolver'
import { connect } from './hand-over/wretch.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'wretch',
  package: 'wretch',
  handOver: 'wretch.ts',
  mind: [
    'What `auth()` sets is left alone and gets no recovery: leave it out.',
    '`setTimeout()` of its abort addon counts the wait for a refresh or a login: set it above `refreshTimeoutMs`.',
    'Its `retry()` middleware tries neither a 403 again nor what relatch rejects.',
    'With `retryOnNetworkError` it does the latter, up to `maxAttempts` (10) times.',
  ],
  connect,
  get: (client, signal) => client.options({ signal }).get('/items/1').json(),
  post: async (client, text) => (await client.post({ text }, '/messages').json<{ text: string }>()).text,
  deny: (client) => client.get('/reports').json(),
  denied(error) {
    expect(error).toBeInstanceOf(WretchError)
    const { status, response } = error as WretchError
    expect(status).toBe(403)
    expect(authFailureOf(response)).toHaveProperty('reason', 'insufficient-scope')
    return response.json()
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: (client, sawPart) => client.get('/lines').res(({ body }) => textOf(body, sawPart)),
  also(shows) {
    shows('A1 the timeout of its abort addon ends the call and not the refresh', async (world, client) => {
      const timed = client.addon(AbortAddon())
      const error = await timeoutDuringRefresh(world, () => timed.get('/items/1').setTimeout(500).json())
      expect(error).toHaveProperty('name', 'AbortError')
    })

    shows('D1 its retry middleware does not try a 403 again', async (world, client) => {
      await rejectionOf(client.middlewares([retry()]).get('/reports').json())
      expect(world.arrivals).toHaveLength(1)
      expect(world.denials).toHaveLength(1)
    })

    shows('R7 its retry middleware does not try again what relatch has rejected', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.middlewares([retry()]).get('/items/1').json())
      expect(error).toHaveProperty('code', 'refresh-unavailable')
      expect(world.arrivals).toHaveLength(1)
      const insisting = client.middlewares([retry({ retryOnNetworkError: true, maxAttempts: 1, delayTimer: 0 })])
      await rejectionOf(insisting.get('/items/1').json())
      expect(world.arrivals).toHaveLength(3)
    })

    shows('O3 what auth() sets goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () => client.auth('Bearer mine').get('/items/1').json()),
    )
  },
})
