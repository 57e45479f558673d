import { CancelledError, type QueryClient } from '@tanstack/query-core'
import { expect } from 'vitest'
import { connect } from './hand-over/tanstack-query.ts'
import { describeClient } from './suite/describe-client.ts'

/** The retries as they are; the pauses between them, 1 s, 2 s and 4 s, are of no interest here. */
const query = (client: QueryClient, path: string) => client.fetchQuery({ queryKey: [path], retryDelay: 1 })

const mutate = <Data, Body>(client: QueryClient, body: Body): Promise<Data> =>
  client.getMutationCache().build<Data, Error, Body, unknown>(client, {}).execute(body)

describeClient<QueryClient>({
  name: 'TanStack Query',
  package: '@tanstack/query-core',
  handOver: 'tanstack-query.ts',
  line: 'queryFn: async () => (await api(url)).json()',
  needs: 'a `queryFn` that throws; no stream: an answer is data in its cache',
  mind: [
    '`@tanstack/react-query` and its siblings take the same options as the core that is shown.',
    '`api` resolves for a 403 and a 500, as any fetch: the `queryFn` has to throw.',
    'Without `retryUnlessAuth` a browser makes four calls of one that was answered 401 or 403. On a server Query retries nothing by itself, and `retryUnlessAuth` makes that three: leave it out there.',
    'Pass the `signal` on: then `cancelQueries` ends the wait for a refresh or a login too. A query that has data already resolves to it.',
  ],
  connect,
  get(client, signal) {
    signal.addEventListener('abort', () => client.cancelQueries({ queryKey: ['/items/1'] }, { revert: false }))
    return query(client, '/items/1')
  },
  post: async (client, text) => (await mutate<{ text: string }, { text: string }>(client, { text })).text,
  deny: (client) => query(client, '/reports'),
  denied(error) {
    expect(error).toHaveProperty('message', 'HTTP 403')
    return error instanceof Error && error.cause instanceof Response && error.cause.json()
  },
  aborted: (error) => expect(error).toBeInstanceOf(CancelledError),
  outageRetries: 3,

  also(shows) {
    shows('A1 a query with data that is cancelled resolves to it', async ({ server }, client) => {
      await query(client, '/items/1')
      server.expireAccessTokens()
      server.failRefresh('hang')
      const again = query(client, '/items/1')
      await server.seen(1, { kind: 'refresh' })
      await client.cancelQueries()
      expect(await again).toEqual({ id: '1', name: 'Item 1' })
      expect(server.stats).toMatchObject({ refreshes: 0, refreshAttempts: 1 })
    })
  },
})
