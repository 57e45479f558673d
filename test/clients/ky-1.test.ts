import { isHTTPError, isTimeoutError } from 'ky1'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/ky-1.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { OWN_AUTHORIZATION } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'ky 1',
  package: 'ky1',
  handOver: 'ky-1.ts',
  mind: [
    'Its `timeout`, 10 s for each attempt, counts the wait for a refresh or a login: set it above `refreshTimeoutMs`.',
    'It tries again, up to twice, what relatch rejects, as any error of a GET, PUT, HEAD, DELETE, OPTIONS or TRACE.',
    '`retry: { shouldRetry: ({ error }) => (isAuthError(error) ? false : undefined) }` leaves those retries out.',
    '401 and 403 are not among its `retry.statusCodes`: do not add them.',
    OWN_AUTHORIZATION,
  ],
  connect,
  get: (client, signal) => client.get('items/1', { signal }).json(),
  post: async (client, text) => (await client.post('messages', { json: { text } }).json<{ text: string }>()).text,
  deny: (client) => client.get('reports').json(),
  denied(error) {
    expect(isHTTPError(error)).toBe(true)
    return isHTTPError(error) && error.response.json()
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: async (client, sawPart) => textOf((await client.get('lines')).body, sawPart),
  outageRetries: 2,
  also(shows) {
    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client.get('items/1', { timeout: 1000 }).json())
      expect(isTimeoutError(error)).toBe(true)
    })

    shows('R7 with shouldRetry it does not try again what relatch has rejected', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const shouldRetry = ({ error }: { error: Error }) => (isAuthError(error) ? false : undefined)
      const error = await rejectionOf(client.get('items/1', { retry: { shouldRetry } }).json())
      expect(error).toHaveProperty('code', 'refresh-unavailable')
      expect(world.arrivals).toHaveLength(1)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.get('items/1', { headers: { Authorization: 'Bearer mine' } }).json(),
      ),
    )
  },
})
