import { ClientError, gql } from 'graphql-request'
import { createAuthFetch, isAuthError, refreshEndpoint, retryUnlessAuth } from 'relatch'
import { expect, onTestFinished } from 'vitest'
import { connect } from './hand-over/graphql-request.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { graphqlRoutes } from './suite/graphql-api.ts'
import { NO_TIMEOUT_AND_NO_RETRIES } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

const ITEM = gql`query ($id: ID!) { item(id: $id) { id name } }`
const SEND = gql`mutation ($text: String!) { send(text: $text) }`
const REPORTS = gql`{ reports }`
const AUDIT = gql`{ audit }`
const variables = { id: '1' }

describeClient({
  name: 'graphql-request',
  package: 'graphql-request',
  handOver: 'graphql-request.ts',
  needs: 'no stream: it has no subscriptions',
  mind: [
    "What a server answers with 200 is an answer to relatch: no refresh at `UNAUTHENTICATED`, no callback at `FORBIDDEN`. Where yours does so, `classify` reads a clone of it: `(await response.clone().json()).errors?.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED') ? 'recover' : undefined`, for the responses of your GraphQL endpoint alone.",
    NO_TIMEOUT_AND_NO_RETRIES,
    'Leave `Authorization` out of `headers`: it would be left alone, without recovery.',
  ],
  routes: graphqlRoutes,
  connect,
  get: async (client, signal) => (await client.request<{ item: unknown }>({ document: ITEM, variables, signal })).item,
  post: async (client, text) => (await client.request<{ send: string }>(SEND, { text })).send,
  deny: (client) => client.request(REPORTS),
  denied(error) {
    expect(error).toBeInstanceOf(ClientError)
    expect(error).toHaveProperty('response.status', 403)
    return error instanceof ClientError && error.response.errors
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),

  also(shows) {
    shows('an error that is answered with a 200: no callback', async (world, client) => {
      expect(await rejectionOf(client.request(AUDIT))).toHaveProperty('response.status', 200)
      expect(world.denials).toEqual([])
    })

    shows('R1 an UNAUTHENTICATED that is answered with a 200, told by classify', async (world) => {
      const statuses: number[] = []
      const api = createAuthFetch({
        baseUrl: world.url,
        refresh: refreshEndpoint({ url: '/token' }),
        async classify(response) {
          if (response.status !== 200) return undefined
          const { errors = [] }: { errors?: Array<{ extensions?: { code?: string } }> } = await response.clone().json()
          return errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED') ? 'recover' : undefined
        },
        async fetch(...call) {
          const response = await fetch(...call)
          if (response.status !== 401) return response
          statuses.push(response.status)
          return Response.json({ errors: [{ message: 'Who are you?', extensions: { code: 'UNAUTHENTICATED' } }] })
        },
      })
      onTestFinished(() => api.dispose())
      await api.signIn(world.server.signIn('viewer'))
      world.server.expireAccessTokens()
      const client = connect(api, world.url)
      expect(await client.request(ITEM, variables)).toEqual({ item: { id: '1', name: 'Item 1' } })
      expect(statuses).toEqual([401])
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.request({ document: ITEM, variables, signal: AbortSignal.timeout(1000) }),
      )
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('R7 our error comes through as it is', async (world, client) => {
      await client.request(ITEM, variables)
      world.server.expireAccessTokens()
      world.server.failRefresh(503)
      const error = await rejectionOf(client.request(ITEM, variables))
      expect(isAuthError(error)).toBe(true)
      expect(retryUnlessAuth(error)).toBe(true)
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.request(ITEM, variables, { authorization: 'Bearer mine' }),
      ),
    )
  },
})
