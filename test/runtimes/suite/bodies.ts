/** B: what is sent again, and what becomes of the answers that are not handed on. */
import type { Case, Context, Difference } from './case.ts'
import { BROWSERS } from './case.ts'
import { equal, ok, rejection, sha256Of, statuses } from './check.ts'
import type { World } from './world.ts'

const TEXT = 'grüße, 世界 \u0000\r\n 👋'
const encoder = new TextEncoder()
const bytes = (length = 700): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, index) => index % 256)

/** Bodies that can be looked at, each made anew. */
const MAKERS: Readonly<Record<string, () => BodyInit>> = {
  'a string': () => TEXT,
  URLSearchParams: () => new URLSearchParams({ text: TEXT, empty: '' }),
  'a Blob': () => new Blob([bytes()], { type: 'image/png' }),
  'a File': () => new File([bytes()], 'a.bin'),
  'an ArrayBuffer': () => bytes().buffer,
  'a view of a part of a buffer': () => new DataView(bytes().buffer, 3, 300),
}

function form(): FormData {
  const data = new FormData()
  data.append('text', TEXT)
  data.append('file', new Blob([bytes()], { type: 'image/png' }), 'ü.png')
  return data
}

/** In parts, with a turn of the event loop between them. */
function streamOf(parts: number, size = 100): ReadableStream<Uint8Array> {
  let next = 0
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 0))
      if (next++ < parts) controller.enqueue(bytes(size))
      else controller.close()
    },
  })
}

async function* iterable(parts: number): AsyncGenerator<Uint8Array> {
  for (let next = 0; next < parts; next++) yield bytes(100)
}

const whole = (parts: number, size = 100): Blob => new Blob(Array.from({ length: parts }, () => bytes(size)))

/** What TypeScript's `RequestInit` does not know yet. */
const streaming = (body: unknown): RequestInit => ({ method: 'POST', body, duplex: 'half' }) as RequestInit

/** That each send has brought just these bytes. */
async function expectSends(world: World, path: string, statuses: readonly number[], body: BodyInit): Promise<void> {
  const sends = await world.arrivals({ path })
  equal(
    sends.map(({ status }) => status),
    statuses,
    'the answers',
  )
  const sha256 = await sha256Of(body)
  for (const send of sends) equal(send.body?.sha256, sha256, `the hash of ${send.body?.length} bytes that have arrived`)
}

/** A platform that cannot stream a body refuses to: nothing may arrive, and no text that was made of the stream. */
const refusesStreams =
  (make: () => unknown) =>
  async ({ world: open }: Context): Promise<void> => {
    const world = await open()
    const api = await world.api()
    const error = await rejection(api('echo', streaming(make())))
    ok(
      error instanceof Error && ['TypeError', 'NotSupportedError'].includes(error.name),
      'a TypeError or NotSupportedError',
    )
    equal(await world.arrivals({ path: '/echo' }), [], 'what has arrived')
    equal((await world.stats()).refreshAttempts, 0, 'the refreshes')
  }

/** Chromium, over HTTP/1.1, and WebKit: neither lets a Request made from a stream out. */
async function refusesStreamRequests({ world: open }: Context): Promise<void> {
  const world = await open()
  const api = await world.api()
  const call = async (): Promise<Response> => api(new Request(`${world.url}echo`, streaming(streamOf(10))))
  const error = await rejection(call())
  ok(
    error instanceof Error && ['TypeError', 'NotSupportedError'].includes(error.name),
    'a TypeError or NotSupportedError',
  )
  equal(await world.arrivals({ path: '/echo' }), [], 'what has arrived')
}

/** Firefox has made a text of the stream before anybody sees the Request. */
async function sendsTheWords({ world: open }: Context): Promise<void> {
  const world = await open()
  const api = await world.api()
  const request = (): Request => new Request(`${world.url}echo`, streaming(streamOf(10)))
  equal(await request().text(), '[object ReadableStream]', 'the body of the Request itself')
  await world.expire()
  equal((await api(request())).status, 200, 'the status')
  await expectSends(world, '/echo', [401, 200], '[object ReadableStream]')
}

/** A platform on which nothing tells a Request made from a stream from any other: all of it is kept, and sent again. */
async function keepsAllOfRequests({ world: open }: Context): Promise<void> {
  const world = await open()
  const api = await world.api({ replayLimitBytes: 500 })
  await world.expire()
  equal((await api(new Request(`${world.url}echo`, streaming(streamOf(10))))).status, 200, 'the status')
  await expectSends(world, '/echo', [401, 200], whole(10))
}

const STREAM_REQUESTS: readonly Difference[] = [
  { note: 'stream-upload', on: ['chromium', 'webkit'], instead: refusesStreamRequests },
  { note: 'stream-upload', on: ['firefox'], instead: sendsTheWords },
]

export const BODIES: readonly Case[] = [
  ...Object.entries(MAKERS).map(
    ([kind, make]): Case => ({
      id: 'B1',
      title: `${kind} arrives byte for byte, again after a 401`,
      async run({ world: open }) {
        const world = await open()
        const api = await world.api()
        await world.expire()
        const response = await api('echo', { method: 'POST', body: make() })
        equal(response.status, 200, 'the status')
        await expectSends(world, '/echo', [401, 200], make())
        const sent = new Request(world.url, { method: 'POST', body: make() })
        const [first, second] = await world.arrivals({ path: '/echo' })
        equal(second?.headers['content-type'] ?? null, sent.headers.get('content-type'), 'the content type')
        equal(first?.headers['content-type'], second?.headers['content-type'], 'the content type of both')
      },
    }),
  ),
  {
    id: 'B1',
    title: 'a FormData with a file arrives byte for byte, again after a 401',
    async run({ world: open }) {
      const world = await open({ scripts: { '/form': [{ status: 401 }, {}] } })
      const api = await world.api()
      const response = await api('form', { method: 'POST', body: form() })
      const file = await sha256Of(bytes())
      equal(
        await response.json(),
        [
          ['text', TEXT.replace(/\r?\n/g, '\r\n')],
          ['file', 'ü.png', 'image/png', file],
        ],
        'the parts',
      )
      const [first, second] = await world.arrivals({ path: '/form' })
      equal(first?.body?.sha256, second?.body?.sha256, 'the hash of both')
    },
  },
  {
    id: 'B1',
    title: 'a Request with bytes arrives byte for byte, again after a 401, and is used then',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      const request = new Request(`${world.url}echo`, { method: 'POST', body: bytes() })
      equal((await api(request)).status, 200, 'the status')
      ok(request.bodyUsed, 'the Request to be used')
      await expectSends(world, '/echo', [401, 200], bytes())
    },
  },
  {
    id: 'B1',
    title: 'a Request of a FormData with a file arrives whole, again after a 401',
    async run({ world: open }) {
      const world = await open({ scripts: { '/form': [{ status: 401 }, {}] } })
      const api = await world.api()
      const response = await api(new Request(`${world.url}form`, { method: 'POST', body: form() }))
      const file = await sha256Of(bytes())
      equal(
        await response.json(),
        [
          ['text', TEXT.replace(/\r?\n/g, '\r\n')],
          ['file', 'ü.png', 'image/png', file],
        ],
        'the parts',
      )
    },
    differs: [
      {
        note: 'form-requests',
        on: ['webkit'],
        async instead({ world: open }) {
          const world = await open({ scripts: { '/form': [{}, { status: 401 }] } })
          const api = await world.api()
          const request = (): Request => new Request(`${world.url}form`, { method: 'POST', body: form() })
          ok((await rejection(request().blob())) instanceof Error, 'WebKit not to read it either')
          equal((await api(request())).status, 200, 'the status where the token is good')
          const told: string[] = []
          api.on('not-replayed', ({ request: { method } }) => told.push(method))
          equal([(await api(request())).status, ...told], [401, 'POST'], 'the status where it is not')
        },
      },
    ],
  },
  {
    id: 'B1',
    title: 'three megabytes arrive byte for byte, again after a 401',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      equal((await api('echo', { method: 'POST', body: bytes(3_000_000) })).status, 200, 'the status')
      await expectSends(world, '/echo', [401, 200], bytes(3_000_000))
    },
  },
  {
    id: 'B1',
    title: 'what its owner changes while the call waits arrives as it was handed over',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      await world.failRefresh('hang')
      const body = bytes()
      const call = api('echo', { method: 'POST', body })
      await world.seen(1, { path: '/token' })
      body.fill(0)
      await world.release()
      equal((await call).status, 200, 'the status')
      await expectSends(world, '/echo', [401, 200], bytes())
    },
  },
  {
    id: 'B2',
    title: 'a ReadableStream arrives byte for byte, again after a 401',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      equal((await api('echo', streaming(streamOf(10)))).status, 200, 'the status')
      await expectSends(world, '/echo', [401, 200], whole(10))
    },
    differs: [{ note: 'stream-upload', on: BROWSERS, instead: refusesStreams(() => streamOf(10)) }],
  },
  {
    id: 'B2',
    title: 'an async iterable arrives byte for byte, again after a 401',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      equal((await api('echo', streaming(iterable(10)))).status, 200, 'the status')
      await expectSends(world, '/echo', [401, 200], whole(10))
    },
    differs: [{ note: 'stream-upload', on: BROWSERS, instead: refusesStreams(() => iterable(10)) }],
  },
  {
    id: 'B2',
    title: 'a Request made from a stream arrives byte for byte, again after a 401',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      await world.expire()
      equal((await api(new Request(`${world.url}echo`, streaming(streamOf(10))))).status, 200, 'the status')
      await expectSends(world, '/echo', [401, 200], whole(10))
    },
    differs: STREAM_REQUESTS,
  },
  {
    id: 'B2',
    title: 'a stream beyond replayLimitBytes is not sent again: the 401 comes back, the refresh is done',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api({ replayLimitBytes: 500 })
      const told: number[] = []
      api.on('not-replayed', ({ limitBytes }) => told.push(limitBytes))
      await world.expire()
      equal((await api('echo', streaming(streamOf(10)))).status, 401, 'the status')
      equal(told, [500], 'what was told')
      await expectSends(world, '/echo', [401], whole(10))
      equal((await api('me')).status, 200, 'the status of the next one')
      equal((await world.stats()).refreshAttempts, 1, 'the refreshes')
    },
    differs: [{ note: 'stream-upload', on: BROWSERS, instead: refusesStreams(() => streamOf(10)) }],
  },
  {
    id: 'B2',
    title: 'a Request made from a stream beyond replayLimitBytes is not sent again either',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api({ replayLimitBytes: 500 })
      const told: number[] = []
      api.on('not-replayed', ({ limitBytes }) => told.push(limitBytes))
      await world.expire()
      equal((await api(new Request(`${world.url}echo`, streaming(streamOf(10))))).status, 401, 'the status')
      equal(told, [500], 'what was told')
    },
    differs: [
      { note: 'stream-requests', on: ['bun', 'deno', 'workerd', 'workerd-2025'], instead: keepsAllOfRequests },
      ...STREAM_REQUESTS,
    ],
  },
  {
    id: 'B2',
    title: 'a source that fails in the middle is what it is to a bare fetch, and nobody else hears of it',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const failing = (): ReadableStream =>
        new ReadableStream({
          async pull(controller) {
            await new Promise((resolve) => setTimeout(resolve, 0))
            controller.error(new Error('The source'))
          },
        })
      // Most reject; workerd ends the request, and the server has its say.
      const [ours, theirs] = [api, fetch].map((call) =>
        call(`${world.url}public`, streaming(failing())).then(
          ({ status }) => status,
          ({ name }: Error) => name,
        ),
      )
      equal(await ours, await theirs, 'the outcome')
      await world.sleep(50)
      equal((await world.stats()).refreshAttempts, 0, 'the refreshes')
    },
    // A bare fetch sends its text, which is there before anything has failed.
    differs: [{ note: 'stream-upload', on: ['firefox'], instead: refusesStreams(() => streamOf(10)) }],
  },
  {
    id: 'B2',
    title: 'the token is fresh before the first byte of a stream is taken',
    async run({ world: open }) {
      const world = await open()
      const { access_token: accessToken, refresh_token: refreshToken } = await world.signIn()
      const api = world.anonymous()
      const soon = new Date(Date.now() + 500).getTime()
      await api.signIn({ accessToken, refreshToken, expiresAt: soon })
      await world.expire()
      await world.sleep(600)
      equal((await api('echo', streaming(streamOf(10)))).status, 200, 'the status')
      await expectSends(world, '/echo', [200], whole(10))
    },
    differs: [{ note: 'stream-upload', on: BROWSERS, instead: refusesStreams(() => streamOf(10)) }],
  },
  {
    id: 'B3',
    title: 'a used Request rejects at once, and nothing is sent',
    async run({ world: open }) {
      const world = await open()
      const api = await world.api()
      const request = new Request(`${world.url}echo`, { method: 'POST', body: 'x' })
      await request.text()
      ok((await rejection(api(request))) instanceof TypeError, 'a TypeError')
      equal(await world.arrivals({ path: '/echo' }), [], 'what has arrived')
    },
  },
  {
    id: 'B4',
    title: 'twenty-five recovered 401s cost as many sockets as with a bare fetch that reads them all, or two more',
    async run({ world: open }) {
      const answers = [{ status: 401, bytes: 50_000 }, { status: 200 }]
      const world = await open({ scripts: { '/big': Array.from({ length: 50 }, () => answers).flat() } })
      // By way of the control: WebKit opens a connection for each POST.
      const api = await world.api({ refresh: () => world.signIn() })
      const socketsOf = async (once: () => Promise<void>): Promise<number> => {
        const { total } = await world.sockets()
        for (let n = 0; n < 25; n++) await once()
        return (await world.sockets()).total - total
      }
      await (await api('me')).text()
      const theirs = await socketsOf(async () => {
        for (const status of [401, 200]) {
          const response = await fetch(`${world.url}big`, { headers: { authorization: 'Bearer any' } })
          equal([response.status, (await response.text()).length > 0], [status, status === 401], 'the answer')
          await world.now()
        }
      })
      const ours = await socketsOf(async () => void (await (await api('big')).text()))
      ok(ours <= theirs + 2, `two sockets more than ${theirs} at most, not ${ours}`)
      const sends = await world.arrivals({ path: '/big' })
      equal(sends.filter(({ status }) => status === 401).length, 50, 'the 401s')
    },
  },
  {
    id: 'B4',
    // Longer than what a platform takes in of a body that nobody reads.
    title: 'twenty-five recovered 401s with a long body leave no more than two sockets open',
    async run({ world: open }) {
      const answers = [{ status: 401, bytes: 300_000 }, { status: 200 }]
      const world = await open({ scripts: { '/huge': Array.from({ length: 25 }, () => answers).flat() } })
      const api = await world.api({ refresh: () => world.signIn() })
      await (await api('me')).text()
      const before = (await world.sockets()).open
      for (let n = 0; n < 25; n++) equal((await statuses([api('huge')]))[0], 200, 'the status')
      let { open: after } = await world.sockets()
      // The server hears of an end a moment later.
      for (let turn = 0; turn < 50 && after > before + 2; turn++) {
        await world.sleep(20)
        after = (await world.sockets()).open
      }
      ok(after <= before + 2, `two sockets more than ${before} at most, not ${after}`)
      equal((await world.arrivals({ path: '/huge' })).length, 50, 'the sends')
    },
  },
  {
    id: 'B4',
    title: 'a response that is handed back is the platform’s own, unread',
    async run({ world: open }) {
      const world = await open({ scripts: { '/text': [{ status: 200, body: TEXT }] } })
      const api = await world.api()
      const response = await api('text')
      ok(response instanceof Response && !response.bodyUsed && response.body?.locked !== true, 'an unread Response')
      equal(response.url, `${world.url}text`, 'its url')
      const reader = response.body?.getReader()
      let text = ''
      const decoder = new TextDecoder()
      for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) {
        text += decoder.decode(step.value, { stream: true })
      }
      equal(text, TEXT, 'its text')
      ok(encoder.encode(text).length > text.length, 'bytes that are no Latin-1')
    },
  },
]
