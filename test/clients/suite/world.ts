/**
 * What each client meets: a signed-in `api`, and at its other end an API on real HTTP whose tokens expire when the test says
 * so. `GET /items/1`, `POST /messages` (`{ text }` comes back), `GET /reports` (403, `insufficient_scope`), `GET /lines` (three
 * lines, the second once the first was seen) and `GET /events` (two events a connection, after which the token has expired) are there for every client.
 */
import { type AuthFetch, createAuthFetch, type Denial, refreshEndpoint } from 'relatch'
import { type AuthServer, type AuthServerOptions, createAuthServer } from 'relatch/testing'
import { type Arrival, recordingFront } from './recording-front.ts'

export type Routes = NonNullable<AuthServerOptions['routes']>

export interface World extends AsyncDisposable {
  /** The origin of the API. */
  readonly url: string
  readonly server: AuthServer
  /** Signed in. A failed refresh is not tried again: what is counted then are the client's own retries. */
  readonly api: AuthFetch
  /** What reached the API, in order; requests to the token endpoint are not among them. */
  readonly arrivals: readonly Arrival[]
  /** What `onPermissionDenied` was told. */
  readonly denials: readonly Denial[]
  /** The client has shown a part of an answer that streams: lets the server go on. */
  readonly sawPart: () => void
}

/** What routes hear from the test, and tell it. */
export interface Signals {
  /** Ends the life of every access token. */
  expire: () => void
  /** Resolves when the client has shown a part, from this call on. */
  partSeen: () => Promise<void>
}

/** What streams, line by line. */
export const LINES = ['one\n', 'two\n', 'three\n'] as const

const encoder = new TextEncoder()

/** A body that comes in parts, with a turn of the event loop between them. */
export function streamOf(parts: readonly string[], onEnd: () => void = () => {}): ReadableStream<Uint8Array> {
  return inParts(parts, () => new Promise((resolve) => setImmediate(resolve)), onEnd)
}

/** A body that goes on after its first part only when the client has shown it; at its end the token expires. */
export function shownInParts(parts: readonly string[], { partSeen, expire }: Signals): ReadableStream<Uint8Array> {
  const isSeen = partSeen()
  return inParts(parts, async (next) => (next === 0 ? undefined : isSeen), expire)
}

function inParts(
  parts: readonly string[],
  isTime: (next: number) => Promise<void>,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  let next = 0
  return new ReadableStream({
    async pull(controller) {
      await isTime(next)
      const part = parts[next++]
      if (part !== undefined) return controller.enqueue(encoder.encode(part))
      onEnd()
      controller.close()
    },
  })
}

/** All of it, in text; tells of each part. */
export async function textOf(
  parts: AsyncIterable<string | Uint8Array> | null | undefined,
  sawPart: () => void,
): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const part of parts ?? []) {
    text += typeof part === 'string' ? part : decoder.decode(part, { stream: true })
    sawPart()
  }
  return text
}

/** What the client may not see, in the words of RFC 6750 §3.1. */
export const forbidden = (): Response =>
  Response.json(
    { error: 'insufficient_scope', error_description: 'This takes reports:read' },
    { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"' } },
  )

/** @param routesOf what this client's protocol needs beyond the routes that all have; paths begin with a slash */
export async function openWorld(routesOf: (signals: Signals) => Routes = () => ({})): Promise<World> {
  let goOn = (): void => {}
  const signals: Signals = {
    expire: () => server.expireAccessTokens(),
    partSeen: () =>
      new Promise((resolve) => {
        goOn = resolve
      }),
  }
  const server = createAuthServer({ routes: { ...sharedRoutes(signals), ...routesOf(signals) } })
  const front = await recordingFront(server.fetch)
  const denials: Denial[] = []
  const api = createAuthFetch({
    baseUrl: front.url,
    refresh: refreshEndpoint({ url: '/token' }),
    refreshRetries: 0,
    onPermissionDenied: (denial) => void denials.push(denial),
  })
  await api.signIn(server.signIn('viewer'))
  return {
    url: front.url,
    server,
    api,
    denials,
    sawPart: () => goOn(),
    get arrivals() {
      return front.arrivals.filter(({ path }) => path !== '/token')
    },
    async [Symbol.asyncDispose]() {
      api.dispose()
      await server.close()
      await front[Symbol.asyncDispose]()
    },
  }
}

function sharedRoutes(signals: Signals): Routes {
  return {
    'POST /messages': async (request) => Response.json(await request.json()),
    'GET /reports': forbidden,
    'GET /lines': () => new Response(shownInParts(LINES, signals)),
    'GET /events': (request) => {
      const last = Number(request.headers.get('last-event-id') ?? 0)
      const events = [last + 1, last + 2].map((id) => `retry: 10\nid: ${id}\ndata: event ${id}\n\n`)
      return new Response(streamOf(events, signals.expire), { headers: { 'content-type': 'text/event-stream' } })
    },
  }
}
