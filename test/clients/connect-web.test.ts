import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { isAuthError, retryUnlessAuth } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/connect-web.ts'
import { connectRoutes, Demo } from './suite/connect-service.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

const isOf = (code: Code) => (error: unknown) => {
  expect(error).toBeInstanceOf(ConnectError)
  expect(error).toHaveProperty('code', code)
}

describeClient<ReturnType<typeof connect>>({
  name: 'Connect',
  package: '@connectrpc/connect-web',
  handOver: 'connect-web.ts',
  needs: 'tokens that are checked before Connect',
  mind: [
    'Let the server check the token before Connect sees the request. A unary call answers `Unauthenticated` with a 401 and `PermissionDenied` with a 403; one that streams, and every call of gRPC-web, answers 200 and says it in the last message, where relatch does not look.',
    '`timeoutMs` and `defaultTimeoutMs` include the wait for a refresh or a login; the call then ends with `DeadlineExceeded`, and the refresh goes on.',
    'What relatch rejects with is the `cause` of the `ConnectError`.',
    'An `Authorization` of an interceptor is left alone and gets no recovery: leave it out.',
  ],
  routes: connectRoutes,
  connect,
  async get(client, signal) {
    const { id, name } = await client.item({ id: '1' }, { signal })
    return { id, name }
  },
  post: async (client, text) => (await client.send({ text })).text,
  deny: (client) => client.reports({}),
  denied(error) {
    isOf(Code.PermissionDenied)(error)
    return error instanceof ConnectError && error.rawMessage
  },
  aborted: isOf(Code.Canceled),
  async download(client, sawPart) {
    let all = ''
    for await (const { text } of client.lines({})) {
      all += text
      sawPart()
    }
    return all
  },

  also(shows) {
    shows('what a stream refuses is a 200: no callback', async (world, client) => {
      const error = await rejectionOf(client.audit({})[Symbol.asyncIterator]().next())
      isOf(Code.PermissionDenied)(error)
      expect(retryUnlessAuth(error)).toBe(false)
      expect(world.arrivals.map(({ status }) => status)).toEqual([200])
      expect(world.denials).toEqual([])
    })

    shows('what gRPC-web refuses is a 200: no callback', async (world) => {
      const client = createClient(Demo, createGrpcWebTransport({ baseUrl: world.url, fetch: world.api }))
      expect(await client.item({ id: '1' })).toHaveProperty('name', 'Item 1')
      isOf(Code.PermissionDenied)(await rejectionOf(client.reports({})))
      expect(world.arrivals.map(({ status }) => status)).toEqual([200, 200])
      expect(world.denials).toEqual([])
    })

    shows('A1 its own timeout ends the call and not the refresh', async (world, client) => {
      isOf(Code.DeadlineExceeded)(
        await timeoutDuringRefresh(world, () => client.item({ id: '1' }, { timeoutMs: 1000 })),
      )
    })

    shows('R7 our error is the cause of its own', async (world, client) => {
      await client.item({ id: '1' })
      world.server.expireAccessTokens()
      world.server.failRefresh(503)
      const error = await rejectionOf(client.item({ id: '1' }))
      isOf(Code.Unknown)(error)
      expect(error instanceof ConnectError && isAuthError(error.cause)).toBe(true)
      expect(retryUnlessAuth(error)).toBe(true)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.item({ id: '1' }, { headers: { authorization: 'Bearer mine' } }),
      ),
    )
  },
})
