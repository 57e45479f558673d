import { expect } from 'vitest'
import { describeClient } from './suite/describe-client.ts'
import { clientOf, openPageWorld, type PageClient, RejectedInPage } from './suite/page-world.ts'
import { openWorld, streamOf } from './suite/world.ts'

// It takes a window and a document: the client and its relatch are in a page of Chromium.
const headers = { 'content-type': 'text/event-stream' }
const event = (data: string): Response => new Response(streamOf([`data: ${data}\n\n`]), { headers })
/** One that stays open after its event, until the client leaves. */
const openEvent = (data: string): Response => {
  const { readable, writable } = new TransformStream()
  void writable
    .getWriter()
    .write(new TextEncoder().encode(`data: ${data}\n\n`))
    .catch(() => {})
  return new Response(readable, { headers })
}

describeClient<PageClient>({
  name: 'fetch-event-source',
  package: '@microsoft/fetch-event-source',
  handOver: 'fetch-event-source.ts',
  openWorld: (routesOf) => openPageWorld(openWorld, 'fetch-event-source.ts', routesOf),
  needs:
    '`onopen` and `onerror` that say what is final ([issue](https://github.com/Azure/fetch-event-source/issues/101)); no error at an abort ([issue](https://github.com/Azure/fetch-event-source/issues/19))',
  mind: [
    'By itself it tries again for good, each second, whatever the answer was, a 403 too: `onopen` and `onerror` as above say what is final.',
    'Read the body of an answer in `onopen`: once it has thrown, the request is aborted, and the body with it.',
    'An abort of the `signal` makes no error, it resolves the promise, and so does the end of the stream; throw in `onclose` where the stream should come back.',
    'A page that is hidden ends the stream and sends the request again when it is back, a POST too, unless `openWhenHidden` is set ([issue 36](https://github.com/Azure/fetch-event-source/issues/36)).',
  ],
  routes() {
    let asked = 0
    return {
      'GET /answer': () => event(JSON.stringify({ id: '1', name: 'Item 1' })),
      'POST /say': async (request) => event(await request.text()),
      'POST /stay': async (request) => (asked++ === 0 ? openEvent : event)(await request.text()),
    }
  },
  connect: clientOf,
  get: (page, signal) => page.call('get', '/answer', signal),
  post: (page, text) => page.call('post', text),
  deny: (page) => page.call('get', '/reports'),
  denied(error) {
    expect(error).toBeInstanceOf(RejectedInPage)
    expect(error).toMatchObject({ inPage: { status: 403, isRetried: false } })
    return error instanceof Error && error.message
  },
  // It makes no error: this one is of the page.
  knowsAbort: false,
  aborted: (error) => expect(error).toHaveProperty('message', 'Resolved without a message, aborted: true'),
  events: (page) => page.call('events', '/events'),
  outageRetries: 3,

  also(shows) {
    shows('a page that was hidden sends its POST again', async (world, page) => {
      expect(await page.call('hidden', 'once?')).toEqual(['once?', 'once?'])
      expect(world.arrivals.map(({ method, body }) => [method, body.toString()])).toEqual([
        ['POST', 'once?'],
        ['POST', 'once?'],
      ])
    })
  },
})
