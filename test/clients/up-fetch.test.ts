import { isResponseError } from 'up-fetch'
import { expect } from 'vitest'
import { connect } from './hand-over/up-fetch.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { OWN_AUTHORIZATION, TIMEOUT_IS_OFF } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

describeClient({
  name: 'up-fetch',
  package: 'up-fetch',
  handOver: 'up-fetch.ts',
  mind: [
    TIMEOUT_IS_OFF,
    '`retry.attempts`, 0 by default, tries any answer that is not ok again, a 403 too.',
    'A `retry.when` leaves that out: `({ response }) => (response?.status ?? 0) >= 500`.',
    OWN_AUTHORIZATION,
  ],
  connect,
  get: (client, signal) => client('/items/1', { signal }),
  post: async (client, text) => (await client<{ text: string }>('/messages', { method: 'POST', body: { text } })).text,
  deny: (client) => client('/reports'),
  denied(error) {
    expect(isResponseError(error)).toBe(true)
    expect(error).toHaveProperty('status', 403)
    return isResponseError(error) && error.data
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: (client, sawPart) =>
    client('/lines', { onResponseStreaming: sawPart, parseResponse: (response) => response.text() }),
  also(shows) {
    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client('/items/1', { timeout: 1000 }))
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows(
      'D1 retries that it is told to make take in a 403, but not with a when of your own',
      async (world, client) => {
        await rejectionOf(client('/reports', { retry: { attempts: 1 } }))
        expect(world.denials).toHaveLength(2)
        const when = ({ response }: { response?: Response | undefined }) => (response?.status ?? 0) >= 500
        await rejectionOf(client('/reports', { retry: { attempts: 1, when } }))
        expect(world.denials).toHaveLength(3)
      },
    )

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client('/items/1', { headers: { Authorization: 'Bearer mine' } }),
      ),
    )
  },
})
