import { isRestError, type RestError } from '@azure/core-rest-pipeline'
import { createRestError, type RequestParameters } from '@azure-rest/core-client'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/azure.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { TIMEOUT_IS_OFF } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

type Client = ReturnType<typeof connect>

const item = async (client: Client, parameters: RequestParameters = {}) =>
  client.pathUnchecked('/items/{id}', '1').get(parameters)

describeClient({
  name: 'Azure core-rest-pipeline',
  package: '@azure/core-rest-pipeline',
  handOver: 'azure.ts',
  needs: 'an `httpClient` of yours: it has no option for a fetch',
  mind: [
    'It has no option for a fetch: the `httpClient` above stands in for it, and goes into the options of a client.',
    'A credential sets `Authorization`, which is left alone and gets no recovery: give none.',
    'What relatch rejects comes through as it is and is not tried again, and neither are network errors, which this `httpClient` does not wrap; 408, 429 and most 5xx are, three times by default.',
    TIMEOUT_IS_OFF,
    'This `httpClient` sends text, JSON and `Blob`; other bodies, multipart among them, it refuses. What `asNodeStream()` gives is a web stream, which `for await` reads.',
  ],
  connect,
  routes: () => ({
    'POST /texts': async (request) =>
      new Response(`${request.headers.get('content-type')}: ${await request.text()}`, {
        headers: { 'content-type': 'text/plain' },
      }),
    'GET /busy': () => new Response(null, { status: 503, headers: { 'retry-after': '0' } }),
    'GET /reports': () =>
      Response.json(
        { error: { code: 'Forbidden', message: 'This takes reports:read' } },
        { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"' } },
      ),
  }),
  get: async (client, abortSignal) => (await item(client, { abortSignal })).body,
  post: async (client, text) => (await client.pathUnchecked('/messages').post({ body: { text } })).body.text,
  async deny(client) {
    const response = await client.pathUnchecked('/reports').get()
    if (response.status !== '200') throw createRestError(response)
  },
  denied(error) {
    expect(isRestError(error)).toBe(true)
    expect(error).toMatchObject({ statusCode: 403, code: 'Forbidden' })
    return (error as RestError).message
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: async (client, sawPart) =>
    textOf((await client.pathUnchecked('/lines').get().asNodeStream()).body, sawPart),
  also(shows) {
    shows('R7 what relatch rejects comes through as it is', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      expect(isAuthError(await rejectionOf(item(client)))).toBe(true)
    })

    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => item(client, { timeout: 1000 }))
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('B1 R2 a Blob recovers too; a stream is refused, and not sent', async (world, client) => {
      world.server.expireAccessTokens()
      const body = new Blob(['grüße'], { type: 'text/plain' })
      expect((await client.pathUnchecked('/texts').post({ body })).body).toBe('text/plain: grüße')
      const before = world.arrivals.length
      const refused = client.pathUnchecked('/texts').post({ body: body.stream() })
      expect(await rejectionOf(Promise.resolve(refused))).toBeInstanceOf(TypeError)
      expect(world.arrivals).toHaveLength(before)
    })

    shows('R7 a 503 of the API it tries again itself, each time through relatch', async (world, client) => {
      const { status } = await client.pathUnchecked('/busy').get()
      expect(status).toBe('503')
      expect(world.arrivals.map((arrival) => arrival.status)).toEqual([503, 503, 503, 503])
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', async () => {
        const { status } = await item(client, { headers: { Authorization: 'Bearer mine' } })
        throw new Error(status)
      }),
    )
  },
})
