import { isAuthError } from 'relatch'
import Stripe from 'stripe'
import { expect } from 'vitest'
import { connect } from './hand-over/stripe.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { LINES, type Routes, type Signals, shownInParts, textOf } from './suite/world.ts'

/** As much of the API as is called here, from its two generations. */
const routes = (signals: Signals): Routes => ({
  'GET /v1/products/:id': (_request, { params }) => Response.json({ id: params.id, name: `Item ${params.id}` }),
  'POST /v2/core/accounts': async (request) => Response.json(await request.json()),
  'GET /v1/balance': () =>
    Response.json(
      { error: { type: 'invalid_request_error', message: 'This takes reports:read' } },
      { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"' } },
    ),
  'GET /v1/quotes/:id/pdf': () => new Response(shownInParts(LINES, signals)),
})

describeClient({
  name: 'Stripe',
  package: 'stripe',
  handOver: 'stripe.ts',
  needs:
    '`authenticator` in place of a key; no signal ([asked for](https://github.com/stripe/stripe-node/issues/2241))',
  mind: [
    'Leave the key out: `authenticator` takes its place. A key goes as `Authorization`, which is left alone and gets no recovery.',
    'It tries any rejection twice more, after about 0.5 s each, an `AuthError` that no other try cures among them: `maxNetworkRetries: 0` leaves that out, and those for 409 and 5xx.',
    'What relatch rejects is the `detail` of its `StripeConnectionError`.',
    'It takes no signal ([asked for](https://github.com/stripe/stripe-node/issues/2241)); its `timeout`, 80 s, counts the wait for a refresh or a login.',
    'What it streams, such as `quotes.pdf()`, is a web stream here, whatever its types say.',
  ],
  connect,
  routes,
  get: (client) => client.products.retrieve('1'),
  post: async (client, text) => (await client.v2.core.accounts.create({ display_name: text })).display_name,
  deny: (client) => client.balance.retrieve(),
  denied(error) {
    expect(error).toBeInstanceOf(Stripe.errors.StripePermissionError)
    expect(error).toHaveProperty('statusCode', 403)
    return (error as Stripe.errors.StripePermissionError).raw
  },
  aborted: 'never',
  download: async (client, sawPart) => textOf(await client.quotes.pdf('1'), sawPart),
  outageRetries: 2,
  also(shows) {
    shows('R7 it tries again what no other try cures, unless told otherwise', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh({ error: 'invalid_client' }, 20)
      const error = await rejectionOf(client.products.retrieve('1'))
      expect(error).toHaveProperty('detail.retryable', false)
      expect(world.arrivals).toHaveLength(3)
    })

    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.products.retrieve('1', {}, { timeout: 1000, maxNetworkRetries: 0 }),
      )
      expect(error).toBeInstanceOf(Stripe.errors.StripeConnectionError)
    })
    shows('R7 with maxNetworkRetries: 0 one call is one call; detail is the AuthError', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.products.retrieve('1', {}, { maxNetworkRetries: 0 }))
      expect(error).toBeInstanceOf(Stripe.errors.StripeConnectionError)
      expect(isAuthError((error as Stripe.errors.StripeConnectionError).detail)).toBe(true)
      expect(world.arrivals).toHaveLength(1)
    })

    shows('O3 a key of its own goes as it is, without recovery', (world) => {
      const { hostname: host, port } = new URL(world.url)
      const client = new Stripe('mine', {
        httpClient: Stripe.createFetchHttpClient(world.api),
        ...{ host, port, protocol: 'http' },
      })
      return keepsOwnAuthorization(world, 'Bearer mine', () => client.products.retrieve('1'))
    })
  },
})
