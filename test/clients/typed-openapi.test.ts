import { expect } from 'vitest'
import { TypedStatusError } from './generated/typed-openapi.ts'
import { connect } from './hand-over/typed-openapi.ts'
import { describeClient } from './suite/describe-client.ts'
import { NO_TIMEOUT_AND_NO_RETRIES } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

const path = { id: '1' }

describeClient({
  name: 'typed-openapi',
  package: 'typed-openapi',
  handOver: 'typed-openapi.ts',
  line: 'createApiClient({ fetch: ({ method, url, … }) => api(url, { method, … }) }, baseUrl)',
  needs: 'a function that calls `api`; no stream: it reads every answer whole',
  mind: [
    'It sends nothing itself: the function that you give it does. Where your API has header parameters, take them from `parameters.header` too.',
    'A signal is given in `overrides`: `get(path, { overrides: { signal } })`.',
    'It reads every answer whole, so nothing streams.',
    NO_TIMEOUT_AND_NO_RETRIES,
    'An `Authorization` in `overrides.headers` is left alone and gets no recovery: leave it out.',
  ],
  connect,
  get: (client, signal) => client.get('/items/{id}', { path, overrides: { signal } }),
  post: async (client, text) => (await client.post('/messages', { body: { text } })).text,
  deny: (client) => client.get('/reports'),
  denied(error) {
    expect(error).toBeInstanceOf(TypedStatusError)
    expect(error).toHaveProperty('status', 403)
    return error instanceof TypedStatusError && error.response.data
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),

  also(shows) {
    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.get('/items/{id}', { path, overrides: { signal: AbortSignal.timeout(1000) } }),
      )
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.get('/items/{id}', { path, overrides: { headers: { authorization: 'Bearer mine' } } }),
      ),
    )
  },
})
