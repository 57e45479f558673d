import { authFailureOf, retryUnlessAuth } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/openapi-fetch.ts'
import { describeClient } from './suite/describe-client.ts'
import { NO_TIMEOUT_AND_NO_RETRIES, OWN_AUTHORIZATION } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'openapi-fetch',
  package: 'openapi-fetch',
  handOver: 'openapi-fetch.ts',
  mind: [
    'It does not reject for a 403: it resolves with `{ error, response }`, where `error` is the body alone.',
    'Where that becomes a rejection, reject with `response` or with both: `retryUnlessAuth` reads the status there.',
    NO_TIMEOUT_AND_NO_RETRIES,
    OWN_AUTHORIZATION,
  ],
  connect,
  get: async (client, signal) => (await client.GET('/items/{id}', { params: { path: { id: '1' } }, signal })).data,
  post: async (client, text) => (await client.POST('/messages', { body: { text } })).data?.text,
  // It resolves with what went wrong: the caller who wants a rejection makes one of the whole result.
  deny: async (client) => Promise.reject(await client.GET('/reports')),
  async denied(result) {
    const { error, response } = result as { error: { error: string }; response: Response }
    expect(response.status).toBe(403)
    expect(authFailureOf(response)).toHaveProperty('reason', 'insufficient-scope')
    // The body alone does not say that it belongs to a 403.
    expect(retryUnlessAuth(error)).toBe(true)
    expect(retryUnlessAuth(response)).toBe(false)
    return error
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: async (client, sawPart) => textOf((await client.GET('/lines', { parseAs: 'stream' })).data, sawPart),
  also(shows) {
    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const params = { path: { id: '1' } }
      const error = await timeoutDuringRefresh(world, () =>
        client.GET('/items/{id}', { params, signal: AbortSignal.timeout(1000) }),
      )
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', async () => {
        const headers = { Authorization: 'Bearer mine' }
        const { response } = await client.GET('/items/{id}', { params: { path: { id: '1' } }, headers })
        return response.ok || Promise.reject(response)
      }),
    )
  },
})
