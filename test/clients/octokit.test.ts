import { Octokit } from '@octokit/core'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/octokit.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'Octokit',
  package: '@octokit/core',
  handOver: 'octokit.ts',
  mind: [
    'What relatch rejects is the `cause` of its `RequestError`, whose `status` says 500, as if the server had said so.',
    'An abort rejects with the `AbortError` as it is, a timeout by `AbortSignal.timeout()` with a `RequestError` whose `cause` it is; that signal counts the wait for a refresh or a login.',
    'What `auth` or an auth strategy sets is left alone and gets no recovery: leave them out.',
  ],
  connect,
  get: async (client, signal) => (await client.request('GET /items/{id}', { id: '1', request: { signal } })).data,
  post: async (client, text) => (await client.request('POST /messages', { text })).data.text,
  deny: (client) => client.request('GET /reports'),
  denied(error) {
    expect(error).toMatchObject({ name: 'HttpError', status: 403 })
    return (error as { response: { data: unknown } }).response.data
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  // Its types say what GitHub answers; here it is a stream.
  download: async (client, sawPart) =>
    textOf((await client.request('GET /lines', { request: { parseSuccessResponseBody: false } })).data, sawPart),
  also(shows) {
    shows('R7 its error says status 500, and has the AuthError as its cause', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.request('GET /items/1'))
      expect(error).toMatchObject({ name: 'HttpError', status: 500, response: undefined })
      expect(isAuthError((error as Error).cause)).toBe(true)
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.request('GET /items/1', { request: { signal: AbortSignal.timeout(1000) } }),
      )
      expect(error).toMatchObject({ name: 'HttpError', status: 500, cause: { name: 'TimeoutError' } })
    })

    shows('O3 what its auth option sets goes as it is, without recovery', (world) => {
      const client = new Octokit({ auth: 'mine', request: { fetch: world.api }, baseUrl: world.url })
      return keepsOwnAuthorization(world, 'token mine', () => client.request('GET /items/1'))
    })
  },
})
