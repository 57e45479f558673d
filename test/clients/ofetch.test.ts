import { FetchError } from 'ofetch'
import { authFailureOf, isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/ofetch.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { OWN_AUTHORIZATION, TIMEOUT_IS_OFF } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'ofetch',
  package: 'ofetch',
  handOver: 'ofetch.ts',
  mind: [
    'What relatch rejects is the `cause` of its `FetchError`, and so is the `AbortError` of an abort.',
    'It tries once more what relatch rejects, as any error of a GET: `retry: false` ends that, and retries for 5xx.',
    TIMEOUT_IS_OFF,
    '`retryStatusCodes` of your own should hold neither 401 nor 403.',
    OWN_AUTHORIZATION,
  ],
  connect,
  get: (client, signal) => client('/items/1', { signal }),
  post: async (client, text) => (await client<{ text: string }>('/messages', { method: 'POST', body: { text } })).text,
  deny: (client) => client('/reports'),
  denied(error) {
    expect(error).toBeInstanceOf(FetchError)
    const { status, data, response } = error as FetchError
    expect(status).toBe(403)
    expect(response && authFailureOf(response)).toHaveProperty('reason', 'insufficient-scope')
    return data
  },
  aborted(error) {
    expect(error).toBeInstanceOf(FetchError)
    expect(error).toHaveProperty('cause.name', 'AbortError')
  },
  download: async (client, sawPart) => textOf(await client('/lines', { responseType: 'stream' }), sawPart),
  outageRetries: 1,
  also(shows) {
    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client('/items/1', { timeout: 1000, retry: false }))
      expect(error).toHaveProperty('cause.name', 'TimeoutError')
    })

    shows('R7 with retry: false one call is one call, and its cause says why', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client('/items/1', { retry: false }))
      expect(isAuthError((error as FetchError).cause)).toBe(true)
      expect(world.arrivals).toHaveLength(1)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client('/items/1', { headers: { Authorization: 'Bearer mine' } }),
      ),
    )
  },
})
