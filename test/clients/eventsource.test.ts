import { ErrorEvent, EventSource } from 'eventsource'
import type { AuthFetch } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/eventsource.ts'
import { describeClient } from './suite/describe-client.ts'
import { streamOf } from './suite/world.ts'

interface Client {
  api: AuthFetch
  url: string
  open: ReturnType<typeof connect>
}

/** So many messages; a connection that is given up, or lost before the first one, rejects with its error event. */
function messages(source: EventSource, count: number, signal?: AbortSignal): Promise<string[]> {
  return new Promise<string[]>((resolve, reject) => {
    const heard: string[] = []
    signal?.addEventListener('abort', () => {
      source.close()
      reject(new Error(`closed, readyState ${source.readyState}`))
    })
    source.addEventListener('message', ({ data }) => {
      heard.push(data)
      if (heard.length === count) resolve(heard)
    })
    source.addEventListener('error', (event) => {
      if (source.readyState === EventSource.CLOSED || heard.length === 0) reject(event)
    })
  }).finally(() => source.close())
}

const event = (data: string): Response =>
  new Response(streamOf([`data: ${data}\n\n`]), { headers: { 'content-type': 'text/event-stream' } })

describeClient<Client>({
  name: 'eventsource',
  package: 'eventsource',
  handOver: 'eventsource.ts',
  needs: 'GET alone; no body of a 403; no error at an abort',
  mind: [
    'An abort is `close()`: it makes no error, and no event tells of it.',
    'Any answer but 200 is final for it: without relatch the first 401 ends the stream, and a 403 does so with it. Listen for `error` and look at `code` and `readyState`.',
    'While the auth server is down it tries again for good, every 3 s or as the server’s `retry:` says; `error` tells each time, and `close()` ends it.',
    "It knows GET alone. For a stream that takes a POST: `fetch: (url, init) => api(url, { ...init, method: 'POST', body })`.",
  ],
  routes: () => ({
    'GET /answer': () => event(JSON.stringify({ id: '1', name: 'Item 1' })),
    'POST /say': async (request) => event(await request.text()),
  }),
  connect: (api, url) => ({ api, url, open: connect(api, url) }),
  get: async ({ open }, signal) => JSON.parse((await messages(open('/answer'), 1, signal)).join()),
  async post({ api, url }, text) {
    const fetch = (to: string | URL, init: RequestInit) => api(to, { ...init, method: 'POST', body: text })
    return (await messages(new EventSource(`${url}/say`, { fetch }), 1)).join()
  },
  deny: ({ open }) => messages(open('/reports'), 1),
  denied(error) {
    expect(error).toBeInstanceOf(ErrorEvent)
    expect(error).toHaveProperty('code', 403)
  },
  showsDenialBody: false,
  // It makes no error: this one is of `messages` above.
  knowsAbort: false,
  aborted: (error) => expect(error).toHaveProperty('message', 'closed, readyState 2'),
  events: ({ open }) => messages(open('/events'), 4),

  also(shows) {
    shows('R7 it reconnects by itself: the failed refresh costs one try', async (world, { open }) => {
      const source = open('/events')
      const errors: Array<string | undefined> = []
      source.addEventListener('error', ({ message = 'the stream has ended' }) => errors.push(message))
      world.server.failRefresh(503)
      expect(await messages(source, 4)).toEqual(['event 1', 'event 2', 'event 3', 'event 4'])
      expect(errors).toEqual(['the stream has ended', expect.stringContaining('the session is kept')])
      expect(world.arrivals.map(({ status }) => status)).toEqual([200, 401, 401, 200])
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 2 })
    })
  },
})
