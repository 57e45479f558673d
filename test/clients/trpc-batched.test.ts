import { createTRPCClient, httpBatchLink, TRPCClientError } from '@trpc/client'
import { isAuthError, retryUnlessAuth } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/trpc-batched.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { type App, trpcRoutes } from './suite/trpc-api.ts'

describeClient<ReturnType<typeof connect>>({
  name: 'tRPC, batched',
  package: '@trpc/client',
  handOver: 'trpc-batched.ts',
  line: 'httpBatchLink({ url, fetch: api })',
  needs: 'tokens that are checked before tRPC',
  mind: [
    'Let the server check the token before tRPC sees the request. A batch in which one procedure throws `UNAUTHORIZED` and another succeeds is answered 207, which starts no refresh.',
    'In the same way a procedure that throws `FORBIDDEN` calls `onPermissionDenied` only where the whole batch is refused. What always tells is the error: `error.data?.code`.',
    'A call that is aborted leaves its batch only when all of that batch are; until then its answer still comes.',
    'It has no timeout and no retries; an `AbortSignal.timeout()` counts the wait for a refresh or a login, and shows as an `AbortError`.',
    'What relatch rejects with is the `cause` of the `TRPCClientError`.',
    'The package `eventsource` brings subscriptions: the platform’s `EventSource` takes no fetch, and a 401 would end it.',
    'Its type of a fetch takes none, the platform’s neither, under `exactOptionalPropertyTypes`, or with Bun’s types where `lib` has no `DOM`.',
    'Leave `Authorization` out of `headers`: it would be left alone, without recovery.',
  ],
  routes: trpcRoutes,
  requestsOfFive: 1,
  connect,
  get: (client, signal) => client.item.query('1', { signal }),
  post: (client, text) => client.send.mutate(text),
  deny: (client) => client.audit.query(),
  denied(error) {
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error).toHaveProperty('data.httpStatus', 403)
    return error instanceof TRPCClientError && error.shape
  },
  aborted(error) {
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error).toHaveProperty('cause.name', 'AbortError')
  },
  events: (client) =>
    new Promise((resolve, reject) => {
      const heard: string[] = []
      const subscription = client.events.subscribe(undefined, {
        onData({ data }) {
          if (heard.push(data) < 4) return
          subscription.unsubscribe()
          resolve(heard)
        },
        onError: reject,
      })
    }),

  also(shows) {
    shows('a batch that is refused in part is a 207: no callback', async (world, client) => {
      const [item, audit] = await Promise.allSettled([client.item.query('1'), client.audit.query()])
      expect(item).toHaveProperty('value.name', 'Item 1')
      expect(audit).toHaveProperty('reason.data.code', 'FORBIDDEN')
      expect(world.arrivals.map(({ path, status }) => [path, status])).toEqual([['/trpc/item,audit', 207]])
      expect(world.denials).toEqual([])
    })

    shows('D1 a 403 that is not of tRPC', async (world, client) => {
      const error = await rejectionOf(client.gateway.query())
      expect(error).toHaveProperty('meta.response.status', 403)
      expect(world.denials).toHaveLength(1)
      expect(retryUnlessAuth(error)).toBe(false)
    })

    shows('a batch goes on until all of it are aborted', async (world, client) => {
      await client.item.query('1')
      world.server.expireAccessTokens()
      world.server.failRefresh('hang')
      const leaving = new AbortController()
      const items = Promise.all([client.item.query('2', { signal: leaving.signal }), client.item.query('3')])
      await world.server.seen(1, { kind: 'refresh' })
      leaving.abort()
      world.server.release()
      expect(await items).toMatchObject([{ name: 'Item 2' }, { name: 'Item 3' }])
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.item.query('1', { signal: AbortSignal.timeout(1000) }),
      )
      expect(error).toHaveProperty('cause.name', 'AbortError')
    })

    shows('R7 our error is the cause of its own', async (world, client) => {
      await client.item.query('1')
      world.server.expireAccessTokens()
      world.server.failRefresh(503)
      const error = await rejectionOf(client.item.query('1'))
      expect(error).toBeInstanceOf(TRPCClientError)
      expect(error instanceof TRPCClientError && isAuthError(error.cause)).toBe(true)
      expect(retryUnlessAuth(error)).toBe(true)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world) => {
      const headers = { authorization: 'Bearer mine' }
      const link = httpBatchLink({ url: `${world.url}/trpc`, fetch: world.api, headers })
      return keepsOwnAuthorization(world, 'Bearer mine', () => createTRPCClient<App>({ links: [link] }).item.query('1'))
    })
  },
})
