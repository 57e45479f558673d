import { isHTTPError, isTimeoutError } from 'ky'
import { isAuthError } from 'relatch'
import { createKy } from 'relatch/ky'
import { expect } from 'vitest'
import { connect } from './hand-over/ky.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { OWN_AUTHORIZATION } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'ky 2',
  package: 'ky',
  handOver: 'ky.ts',
  mind: [
    '`createKy(api, { baseUrl: url })` of `relatch/ky` is the same, with a timeout that leaves the waits out and `error.auth`.',
    'Its `timeout`, 10 s for each attempt, counts the wait for a refresh or a login: set it above `refreshTimeoutMs`.',
    'What relatch rejects passes through as it is, after one attempt.',
    '401 and 403 are not among its `retry.statusCodes`: do not add them.',
    OWN_AUTHORIZATION,
  ],
  connect,
  get: (client, signal) => client.get('items/1', { signal }).json(),
  post: async (client, text) => (await client.post('messages', { json: { text } }).json<{ text: string }>()).text,
  deny: (client) => client.get('reports').json(),
  denied(error) {
    expect(isHTTPError(error)).toBe(true)
    return isHTTPError(error) && error.data
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: async (client, sawPart) => textOf((await client.get('lines')).body, sawPart),
  also(shows) {
    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client.get('items/1', { timeout: 1000 }).json())
      expect(isTimeoutError(error)).toBe(true)
    })

    shows('D1 that of createKy says what is missing', async ({ api, url }) => {
      const error = await rejectionOf(createKy(api, { baseUrl: url }).get('reports').json())
      expect(error).toHaveProperty('auth.requiredScopes', ['reports:read'])
    })

    shows('R7 what relatch rejects passes through', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      expect(isAuthError(await rejectionOf(client.get('items/1').json()))).toBe(true)
      expect(world.arrivals).toHaveLength(1)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.get('items/1', { headers: { Authorization: 'Bearer mine' } }).json(),
      ),
    )
  },
})
