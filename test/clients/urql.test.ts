import { CombinedError, gql, type OperationResult } from '@urql/core'
import { isAuthError, retryUnlessAuth } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/urql.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { graphqlRoutes } from './suite/graphql-api.ts'
import { keepsOwnAuthorization } from './suite/own-settings.ts'

type Client = ReturnType<typeof connect>

const ITEM = gql<{ item: { id: string; name: string } }>`query ($id: ID!) { item(id: $id) { id name } }`
const SEND = gql<{ send: string }>`mutation ($text: String!) { send(text: $text) }`
const REPORTS = gql`query { reports }`
const AUDIT = gql`query { audit }`
const BROKEN = gql`subscription { broken }`
const LINES = gql<{ lines: string }>`subscription { lines }`

/** It resolves with what went wrong: the caller who wants a rejection makes one. */
async function dataOf<Data>(result: PromiseLike<OperationResult<Data>>): Promise<Data | undefined> {
  const { data, error } = await result
  if (error) throw error
  return data
}

const item = async (client: Client, fetchOptions: RequestInit = {}) => {
  const context = { requestPolicy: 'network-only', fetchOptions } as const
  const data = await dataOf(client.query(ITEM, { id: '1' }, context).toPromise())
  return data && { id: data.item.id, name: data.item.name }
}

describeClient<Client>({
  name: 'urql',
  package: '@urql/core',
  handOver: 'urql.ts',
  needs: 'no signal of yours: it [sets its own](https://github.com/urql-graphql/urql/issues/3377)',
  mind: [
    'It resolves with `{ data, error }` and does not reject; what relatch rejects with is `error.networkError`, and of a 403 there is `error.response`.',
    'What a server answers with 200 is an answer to relatch: no refresh at `UNAUTHENTICATED`, no callback at `FORBIDDEN`. Where yours does so, say it by `classify`, as with graphql-request.',
    'It puts a signal of its own in the place of yours: to leave a call, unsubscribe from it.',
    'Leave `Authorization` out of `fetchOptions`: it would be left alone, without recovery.',
    'A subscription over fetch (`fetchSubscriptions`) that ends or breaks does not come back by itself.',
  ],
  routes: graphqlRoutes,
  connect,
  get: (client) => item(client),
  post: async (client, text) => (await dataOf(client.mutation(SEND, { text }).toPromise()))?.send,
  deny: (client) => dataOf(client.query(REPORTS, {}).toPromise()),
  denied(error) {
    expect(error).toBeInstanceOf(CombinedError)
    expect(error).toHaveProperty('response.status', 403)
    return error instanceof CombinedError && error.graphQLErrors
  },
  aborted: 'never',
  download: (client, sawPart) =>
    new Promise((resolve) => {
      let all = ''
      client.subscription(LINES, {}).subscribe(({ data, hasNext }) => {
        // The end says the last result once more.
        if (!hasNext) return resolve(all)
        all += data?.lines
        sawPart()
      })
    }),

  also(shows) {
    shows('an error that is answered with a 200: no callback', async (world, client) => {
      expect(await rejectionOf(dataOf(client.query(AUDIT, {}).toPromise()))).toHaveProperty('response.status', 200)
      expect(world.denials).toEqual([])
    })

    shows('A1 A2 a caller that unsubscribes: the call is over, the refresh goes on', async (world, client) => {
      await item(client)
      world.server.expireAccessTokens()
      world.server.failRefresh('hang')
      const results: unknown[] = []
      const query = client.query(ITEM, { id: '2' }, { requestPolicy: 'network-only' })
      const { unsubscribe } = query.subscribe((result) => results.push(result))
      await world.server.seen(1, { kind: 'refresh' })
      unsubscribe()
      world.server.release()
      expect(await item(client)).toEqual({ id: '1', name: 'Item 1' })
      expect(results).toEqual([])
      // The first item and the last: what nobody waits for is not sent again.
      expect(world.arrivals.filter(({ status }) => status === 200)).toHaveLength(2)
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
    })

    shows('a subscription that breaks is over', async (world, client) => {
      const result = await new Promise<OperationResult>((resolve) => {
        client.subscription(BROKEN, {}).subscribe((result) => !result.hasNext && resolve(result))
      })
      expect(result.error).toHaveProperty('networkError.message')
      expect(world.arrivals).toHaveLength(1)
    })

    shows('R7 our error is the networkError of its own', async (world, client) => {
      await item(client)
      world.server.expireAccessTokens()
      world.server.failRefresh(503)
      const error = await rejectionOf(item(client))
      expect(error instanceof CombinedError && isAuthError(error.networkError)).toBe(true)
      expect(retryUnlessAuth(error)).toBe(true)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () => item(client, { headers: { authorization: 'Bearer mine' } })),
    )
  },
})
