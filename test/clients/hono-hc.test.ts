import { DetailedError, parseResponse } from 'hono/client'
import { authFailureOf } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/hono-hc.ts'
import { describeClient } from './suite/describe-client.ts'
import { honoApp } from './suite/hono-app.ts'
import { OWN_AUTHORIZATION } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { textOf } from './suite/world.ts'

describeClient({
  name: 'Hono hc',
  package: 'hono',
  handOver: 'hono-hc.ts',
  mind: [
    'It does not reject for a 403: its answer is the `Response`, which `authFailureOf` takes.',
    '`parseResponse()` does, with a `DetailedError` that has `statusCode` and the body.',
    'It has no timeout and no retries; an `AbortSignal.timeout()` in `init` counts the wait for a refresh or a login.',
    OWN_AUTHORIZATION,
  ],
  connect,
  routes(signals) {
    const app = honoApp(signals)
    const paths = ['GET /items/:id', 'POST /messages', 'GET /reports', 'GET /lines']
    return Object.fromEntries(paths.map((path) => [path, (request: Request) => app.fetch(request)]))
  },
  get: async (client, signal) => parseResponse(client.items[':id'].$get({ param: { id: '1' } }, { init: { signal } })),
  post: async (client, text) => (await parseResponse(client.messages.$post({ json: { text } }))).text,
  deny: (client) => parseResponse(client.reports.$get()),
  denied(error) {
    expect(error).toBeInstanceOf(DetailedError)
    const { statusCode, detail } = error as DetailedError
    expect(statusCode).toBe(403)
    return detail?.data
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: async (client, sawPart) => textOf((await client.lines.$get()).body, sawPart),
  also(shows) {
    shows('D1 the answer itself is what authFailureOf knows', async (world, client) => {
      const response = await client.reports.$get()
      expect(response.status).toBe(403)
      expect(authFailureOf(response)).toHaveProperty('reason', 'insufficient-scope')
      expect(world.denials).toHaveLength(1)
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.items[':id'].$get({ param: { id: '1' } }, { init: { signal: AbortSignal.timeout(1000) } }),
      )
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () => {
        const headers = { Authorization: 'Bearer mine' }
        return parseResponse(client.items[':id'].$get({ param: { id: '1' } }, { headers }))
      }),
    )
  },
})
