import { ApolloClient, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache, ServerError } from '@apollo/client'
import { RetryLink } from '@apollo/client/link/retry'
import { isAuthError, retryUnlessAuth } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/apollo-client.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { graphqlRoutes } from './suite/graphql-api.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

type Client = ReturnType<typeof connect>

const ITEM = gql`query ($id: ID!) { item(id: $id) { id name } }`
const SEND = gql`mutation ($text: String!) { send(text: $text) }`
const REPORTS = gql`query { reports }`
const AUDIT = gql`query { audit }`
const LINES = gql`subscription { lines }`

const item = async (client: Client, fetchOptions: RequestInit = {}, headers = {}) => {
  const { data } = await client.query<{ item: { id: string; name: string } }>({
    query: ITEM,
    variables: { id: '1' },
    fetchPolicy: 'no-cache',
    context: { fetchOptions, headers },
  })
  return data?.item && { id: data.item.id, name: data.item.name }
}

describeClient<Client>({
  name: 'Apollo Client',
  package: '@apollo/client',
  handOver: 'apollo-client.ts',
  mind: [
    'What a server answers with 200 is an answer to relatch: no refresh at `UNAUTHENTICATED`, no callback at `FORBIDDEN`. Where yours does so, say it by `classify`, as with graphql-request.',
    'A 403 that comes as `application/graphql-response+json` is a `CombinedGraphQLErrors`, in which no status is left; any other 403 is a `ServerError` with a `statusCode`.',
    '`RetryLink` sends a 403 five times, and calls `onPermissionDenied` as often: `new RetryLink({ attempts: { retryIf: (error) => retryUnlessAuth(error) } })`.',
    'A signal is given in the context: `context: { fetchOptions: { signal } }`; an `AbortSignal.timeout()` counts the wait for a refresh or a login.',
    'Leave `Authorization` out of `headers` and of an auth link: it would be left alone, without recovery.',
  ],
  routes: graphqlRoutes,
  connect,
  get: (client, signal) => item(client, { signal }),
  post: async (client, text) =>
    (await client.mutate<{ send: string }>({ mutation: SEND, variables: { text } })).data?.send,
  deny: (client) => client.query({ query: REPORTS }),
  denied(error) {
    expect(error).toBeInstanceOf(CombinedGraphQLErrors)
    return CombinedGraphQLErrors.is(error) && error.errors
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: (client, sawPart) =>
    new Promise((resolve, reject) => {
      let all = ''
      client.subscribe<{ lines: string }>({ query: LINES }).subscribe({
        next({ data }) {
          all += data?.lines
          sawPart()
        },
        complete: () => resolve(all),
        error: reject,
      })
    }),

  also(shows) {
    shows('an error that is answered with a 200: no callback', async (world, client) => {
      const error = await rejectionOf(client.query({ query: AUDIT }))
      expect(error).toHaveProperty('errors.0.extensions.code', 'FORBIDDEN')
      expect(world.denials).toEqual([])
    })

    shows('RetryLink sends a 403 five times, unless it is told otherwise', async (world) => {
      const through = (attempts: RetryLink.AttemptsOptions) => {
        // A path that answers 403 in plain JSON, to anybody.
        const http = new HttpLink({ uri: `${world.url}/reports`, fetch: world.api, useGETForQueries: true })
        const link = new RetryLink({ delay: { initial: 1 }, attempts }).concat(http)
        return rejectionOf(new ApolloClient({ link, cache: new InMemoryCache() }).query({ query: REPORTS }))
      }
      expect(await through({})).toBeInstanceOf(ServerError)
      expect(world.denials).toHaveLength(5)
      expect(await through({ retryIf: (error) => retryUnlessAuth(error) })).toHaveProperty('statusCode', 403)
      expect(world.denials).toHaveLength(6)
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => item(client, { signal: AbortSignal.timeout(1000) }))
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('R7 our error comes through as it is', async (world, client) => {
      await item(client)
      world.server.expireAccessTokens()
      world.server.failRefresh(503)
      const error = await rejectionOf(item(client))
      expect(isAuthError(error)).toBe(true)
      expect(retryUnlessAuth(error)).toBe(true)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () => item(client, {}, { authorization: 'Bearer mine' })),
    )
  },
})
