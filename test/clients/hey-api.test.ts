import { authFailureOf, retryUnlessAuth } from 'relatch'
import { expect, onTestFinished } from 'vitest'
import { client as shared } from './generated/hey-api/client.gen.ts'
import { connect } from './hand-over/hey-api.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { NO_TIMEOUT_AND_NO_RETRIES } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { streamOf, textOf } from './suite/world.ts'

const path = { id: '1' }
const throwOnError = true

/** Two events a connection, which then breaks: one that ends is the end of the stream for hey-api. */
function eventsThatBreak(request: Request, expire: () => void): Response {
  const last = Number(request.headers.get('last-event-id') ?? 0)
  const events = [last + 1, last + 2].map((id) => `retry: 10\nid: ${id}\ndata: event ${id}\n\n`)
  const body = streamOf(events, () => {
    expire()
    throw new Error('broken')
  })
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
}

describeClient<ReturnType<typeof connect>>({
  name: 'hey-api',
  package: '@hey-api/openapi-ts',
  handOver: 'hey-api.ts',
  needs: 'TypeScript 6 for its generator ([issue](https://github.com/hey-api/hey-api/issues/4235))',
  mind: [
    'It does not reject for a 403: it resolves with `{ error, response }`, where `error` is the body alone.',
    'With `throwOnError` it rejects with that body, in which no status is left for `retryUnlessAuth`: `client.interceptors.error.use((error, response) => (response?.ok === false ? response : error))` rejects with the response.',
    'Beside TypeScript 7 its generator of 0.99 fails to start ([hey-api#4235](https://github.com/hey-api/hey-api/issues/4235)): give it TypeScript 6.',
    'Leave `auth` out: it sets `Authorization` itself, which relatch leaves alone, without recovery.',
    'Its server-sent events come back with the newer token after a connection that broke, not after one that ended. It tries a 403 and a session that is over again for good, and `onPermissionDenied` is called each time: set `sseMaxRetryAttempts`, or abort in `onSseError`.',
    "An answer that streams takes `parseAs: 'stream'`, and is in `response.body`; the type of `data` is still that of the whole.",
    NO_TIMEOUT_AND_NO_RETRIES,
  ],
  routes: ({ expire }) => ({ 'GET /events': (request) => eventsThatBreak(request, expire) }),
  connect,
  get: async (client, signal) => (await client.getItem({ path, signal, throwOnError })).data,
  post: async (client, text) => (await client.sendMessage({ body: { text }, throwOnError })).data.text,
  // It resolves with what went wrong: the caller who wants a rejection makes one of the whole result.
  deny: async (client) => Promise.reject(await client.listReports()),
  denied(result) {
    const { error, response } = result as { error: unknown; response: Response }
    expect(response.status).toBe(403)
    expect(authFailureOf(response)).toHaveProperty('reason', 'insufficient-scope')
    return error
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  download: async (client, sawPart) => textOf((await client.getLines({ parseAs: 'stream' })).response?.body, sawPart),

  also(shows, proves) {
    proves('events', 'R1 events: a broken connection comes back with the newer token', async (world, client) => {
      const { stream } = await client.listenToEvents()
      const heard: unknown[] = []
      for await (const event of stream) if (heard.push(event) === 4) break
      expect(heard).toEqual(['event 1', 'event 2', 'event 3', 'event 4'])
      expect(world.arrivals.map(({ status }) => status)).toEqual([200, 401, 200])
      expect(world.arrivals.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2', '2'])
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
    })

    shows('D1 a 403 of a stream is tried as often as sseMaxRetryAttempts says', async (world, client) => {
      const errors: unknown[] = []
      const { stream } = await client.listenToEvents({
        // What would be the path becomes the query of one that is forbidden.
        baseUrl: `${world.url}/reports?`,
        sseMaxRetryAttempts: 3,
        sseDefaultRetryDelay: 1,
        onSseError: (error) => errors.push(error),
      })
      expect(await stream.next()).toEqual({ done: true, value: undefined })
      expect(errors).toHaveLength(3)
      expect(world.denials).toHaveLength(3)
    })

    shows('throwOnError leaves the status out, an error interceptor puts it in', async (_, client) => {
      expect(retryUnlessAuth(await rejectionOf(client.listReports({ throwOnError })))).toBe(true)
      const id = shared.interceptors.error.use((error, response) => (response?.ok === false ? response : error))
      onTestFinished(() => shared.interceptors.error.eject(id))
      const error = await rejectionOf(client.listReports({ throwOnError }))
      expect(error).toBeInstanceOf(Response)
      expect(retryUnlessAuth(error)).toBe(false)
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.getItem({ path, signal: AbortSignal.timeout(1000), throwOnError }),
      )
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('O3 an Authorization of its own goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client.getItem({
          path,
          throwOnError,
          auth: () => 'mine',
          security: [{ scheme: 'bearer', type: 'http' }],
        }),
      ),
    )
  },
})
