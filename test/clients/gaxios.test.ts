import { GaxiosError } from 'gaxios'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/gaxios.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { TIMEOUT_IS_OFF } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'gaxios',
  package: 'gaxios',
  handOver: 'gaxios.ts',
  mind: [
    'What relatch rejects is the `cause` of its `GaxiosError`, whose `code` is the same.',
    'It tries nothing again unless told so: with `retry: true` or a `retryConfig` it tries a GET that relatch rejects twice more.',
    TIMEOUT_IS_OFF,
    'An `Authorization` in `headers`, such as an auth library sets, is left alone and gets no recovery: leave it out.',
  ],
  connect,
  get: async (client, signal) => (await client.request({ url: '/items/1', signal })).data,
  post: async (client, text) =>
    (await client.request<{ text: string }>({ url: '/messages', method: 'POST', data: { text } })).data.text,
  deny: (client) => client.request({ url: '/reports' }),
  denied(error) {
    expect(error).toBeInstanceOf(GaxiosError)
    expect(error).toHaveProperty('status', 403)
    return (error as GaxiosError).response?.data
  },
  aborted(error) {
    expect(error).toBeInstanceOf(GaxiosError)
    expect(error).toHaveProperty('code', 'AbortError')
  },
  download: async (client, sawPart) =>
    textOf((await client.request<ReadableStream>({ url: '/lines', responseType: 'stream' })).data, sawPart),
  also(shows) {
    shows('R7 retry: true sends a GET twice more; the AuthError is the cause of its error', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.request({ url: '/items/1', retry: true }))
      expect(error).toBeInstanceOf(GaxiosError)
      expect(error).toHaveProperty('code', 'refresh-unavailable')
      expect(isAuthError((error as Error).cause)).toBe(true)
      expect(world.arrivals).toHaveLength(3)
    })

    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client.request({ url: '/items/1', timeout: 1000 }))
      expect(error).toHaveProperty('code', 'TimeoutError')
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.request({ url: '/items/1', headers: { Authorization: 'Bearer mine' } }),
      ),
    )
  },
})
