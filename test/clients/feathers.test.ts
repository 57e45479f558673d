import { authFailureOf, isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/feathers.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

/** A 403 as a Feathers server says it. */
const forbidden = () =>
  Response.json(
    { name: 'Forbidden', message: 'This takes reports:read', code: 403, className: 'forbidden' },
    { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"' } },
  )

describeClient({
  name: 'Feathers',
  package: '@feathersjs/rest-client',
  handOver: 'feathers.ts',
  needs: 'no stream: it reads every answer whole; an abort is a plain `Error`',
  mind: [
    'Of what relatch rejects it makes a plain `Error` with its `code` and `retryable`: `isAuthError` does not know it.',
    'An abort becomes a plain `Error` too, without the name `AbortError`: ask your own signal, `signal.aborted`.',
    'A signal goes into `params.connection`; it has no timeout and no retries.',
    'An `AbortSignal.timeout()` counts the wait for a refresh or a login: set it above `refreshTimeoutMs`.',
    '`error.response` is the answer to a 403, which `authFailureOf` takes.',
    'An `Authorization` in `params.headers` is left alone and gets no recovery, that of its authentication client too.',
    'To TypeScript `rest.default` is the function under `NodeNext`, and `rest` itself under `Bundler`.',
  ],
  connect,
  routes: () => ({ 'GET /reports': forbidden }),
  get: (client, signal) => client.service('items').get('1', { connection: { signal } }),
  post: async (client, text) => (await client.service('messages').create({ text })).text,
  deny: (client) => client.service('reports').find(),
  denied(error) {
    expect(error).toMatchObject({ type: 'FeathersError', name: 'Forbidden', code: 403, className: 'forbidden' })
    const { response } = error as { response: Response }
    expect(authFailureOf(response)).toHaveProperty('reason', 'insufficient-scope')
    return { message: (error as Error).message }
  },
  knowsAbort: false,
  aborted(error) {
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({ name: 'Error', message: 'This operation was aborted' })
  },
  also(shows) {
    shows('R7 its error has the code of the AuthError, and whether to try again', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.service('items').get('1'))
      expect(error).toMatchObject({ name: 'Error', code: 'refresh-unavailable', retryable: true })
      expect(isAuthError(error)).toBe(false)
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.service('items').get('1', { connection: { signal: AbortSignal.timeout(1000) } }),
      )
      expect(error).toHaveProperty('message', 'The operation was aborted due to timeout')
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.service('items').get('1', { headers: { Authorization: 'Bearer mine' } }),
      ),
    )
  },
})
