/**
 * What each client has to show, over real HTTP and through our fetch. A client's own file says how it is called and what its
 * errors look like; the promises are the same for all. What a test has shown is written into its `meta`, from where
 * docs/clients.md is made (page.ts); what a client shows beyond that (`also`) makes no proof of the page, unless it says which.
 */
import { type AuthFetch, retryUnlessAuth } from 'relatch'
import { describe, expect, it, type TaskMeta, type TestContext } from 'vitest'
import { LINES, openWorld, type Routes, type Signals, type World } from './world.ts'

/** What the page says of a client beside what was measured. */
export interface ClientFacts {
  /** As the page lists it. */
  name: string
  /** The package whose version the page shows. */
  package: string
  /** A file of hand-over/, which the page shows whole. */
  handOver: string
  /** What the table shows of that file. @default the first line that names `api` */
  line?: string
  /** What it cannot do, or only with a setting, and why: short Markdown, for the table. */
  needs?: string
  /** What its users should know, each a Markdown sentence of its own. */
  mind?: readonly string[]
}

/** How one client is called. Each call rejects as the client rejects. */
export interface ClientUnderTest<Client> extends ClientFacts {
  connect: (api: AuthFetch, url: string) => Client | Promise<Client>
  /** What its protocol needs of the server. */
  routes?: (signals: Signals) => Routes
  /** @default that of Node; a client that takes a window has one in a page */
  openWorld?: typeof openWorld
  /** A request without a body; resolves to what `gets` says. */
  get: (client: Client, signal: AbortSignal) => Promise<unknown>
  /** @default { id: '1', name: 'Item 1' } */
  gets?: unknown
  /** A request with this text in its body; resolves to the text that the server has received. */
  post: (client: Client, text: string) => Promise<unknown>
  /**
   * How many requests five posts at once are: 1 for a client that batches.
   *
   * @default 5
   */
  requestsOfFive?: number
  /** A request that is answered 403. */
  deny: (client: Client) => Promise<unknown>
  /** What the client makes of that answer: its own error, and the body where the client gives it. */
  denied: (error: unknown) => unknown
  /** Whether the client shows the body of a 403. @default true */
  showsDenialBody?: boolean
  /** How the client says that it was aborted; `never`: it takes no signal. */
  aborted: ((error: unknown) => unknown) | 'never'
  /** Whether that error says that it is one of an abort, to `retryUnlessAuth` too. @default true */
  knowsAbort?: boolean
  /**
   * An answer that streams; resolves to its text. The server says the second line only after `sawPart` was called: once the
   * client has shown the first.
   */
  download?: (client: Client, sawPart: () => void) => Promise<unknown>
  /** The first four server-sent events of a client that reconnects by itself. */
  events?: (client: Client) => Promise<unknown>
  /** @default ['event 1', 'event 2', 'event 3', 'event 4'] */
  heard?: unknown
  /** How often the client sends again by itself where the call is rejected because the auth server is down. @default 0 */
  outageRetries?: number
  /** What this client alone has to show. */
  also?: (shows: Shows<Client>, proves: Proves<Client>) => void
}

type Run<Client> = (world: World, client: Client, meta: TaskMeta) => Promise<void>

/** Declares a test in a world of its own. */
export type Shows<Client> = (title: string, run: Run<Client>) => void

/** One that stands for a proof which this client has to show in its own way. */
export type Proves<Client> = (shown: Shown, title: string, run: Run<Client>) => void

export type Shown = 'GET' | 'POST' | 'five at once' | '403' | 'abort' | 'download' | 'events' | 'outage'

declare module 'vitest' {
  interface TaskMeta {
    client?: ClientFacts
    shown?: Shown
    /** The client's own retries of a call that failed because the auth server was down. */
    outageRetries?: number
  }
}

const ITEM = { id: '1', name: 'Item 1' }
const NEVER = new AbortController().signal
/** What "at once" means at most, in ms. */
const AT_ONCE = 500

export function describeClient<Client>(subject: ClientUnderTest<Client>): void {
  const { name, handOver, line, needs, mind = [], outageRetries = 0 } = subject
  const facts: ClientFacts = {
    ...{ name, package: subject.package, handOver },
    ...(line && { line }),
    ...(needs && { needs }),
    mind,
  }

  const shows: Shows<Client> = (title, run) =>
    it(title, async ({ task: { meta } }: TestContext) => {
      meta.client = facts
      await using world = await (subject.openWorld ?? openWorld)(subject.routes)
      await run(world, await subject.connect(world.api, world.url), meta)
    })

  const proves: Proves<Client> = (shown, title, run) =>
    shows(title, (world, client, meta) => {
      meta.shown = shown
      return run(world, client, meta)
    })

  describe(name, () => {
    proves('GET', 'R1 a GET, with a good token and with one that has expired', async (world, client) => {
      const { gets = ITEM } = subject
      expect(await subject.get(client, NEVER)).toEqual(gets)
      const before = world.arrivals.length
      world.server.expireAccessTokens()
      expect(await subject.get(client, NEVER)).toEqual(gets)
      expect(world.server.stats.refreshes).toBe(1)
      expect(statusesOf(world).slice(before)).toContain(401)
    })

    proves(
      'POST',
      'B1 R1 a POST, its body word for word, and one more after the token has expired',
      async (world, client) => {
        expect(await subject.post(client, 'grüße')).toBe('grüße')
        expect(world.arrivals.at(-1)?.body.toString()).toContain('grüße')
        world.server.expireAccessTokens()
        expect(await subject.post(client, 'noch mehr grüße')).toBe('noch mehr grüße')
        expect(world.arrivals.at(-1)?.body.toString()).toContain('noch mehr grüße')
        expect(world.server.stats.refreshes).toBe(1)
      },
    )

    proves(
      'five at once',
      'R2 five at once with an expired token: one refresh, the same bytes again',
      async (world, client) => {
        await subject.post(client, 'warm')
        const before = world.arrivals.length
        world.server.expireAccessTokens()
        const texts = [1, 2, 3, 4, 5].map((each) => `message ${each}`)
        expect(await Promise.all(texts.map((text) => subject.post(client, text)))).toEqual(texts)
        expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1, reuses: 0 })

        const sends = world.arrivals.slice(before)
        const rejected = sends.filter(({ status }) => status === 401)
        const accepted = sends.filter(({ status }) => status !== 401)
        expect(rejected).toHaveLength(subject.requestsOfFive ?? 5)
        // All but the credentials: what was sent is what is sent again.
        expect(accepted.map(essence).toSorted()).toEqual(rejected.map(essence).toSorted())
        expect(new Set(sends.map(({ headers }) => headers.authorization)).size).toBe(2)
      },
    )

    proves('403', 'D1 a 403: one callback, and the error that the client makes of any 403', async (world, client) => {
      const error = await rejectionOf(subject.deny(client))
      expect(world.denials.map(({ reason, requiredScopes }) => [reason, ...requiredScopes])).toEqual([
        ['insufficient-scope', 'reports:read'],
      ])
      expect(statusesOf(world).filter((status) => status === 403)).toHaveLength(1)
      expect(world.server.stats.refreshAttempts).toBe(0)
      const body = await subject.denied(error)
      if (subject.showsDenialBody ?? true) expect(JSON.stringify(body)).toContain('This takes reports:read')
      expect(retryUnlessAuth(error)).toBe(false)
    })

    const { aborted } = subject
    if (aborted !== 'never') {
      proves(
        'abort',
        'A1 A2 an abort during the refresh: the caller leaves at once, the refresh goes on',
        async (world, client) => {
          await subject.get(client, NEVER)
          world.server.expireAccessTokens()
          world.server.failRefresh('hang')
          const leaving = new AbortController()
          const call = rejectionOf(subject.get(client, leaving.signal))
          await world.server.seen(1, { kind: 'refresh' })
          const left = performance.now()
          leaving.abort()
          const error = await call
          expect(performance.now() - left).toBeLessThan(AT_ONCE)
          // The refresh has not been answered yet: nobody waited for it.
          expect(world.server.stats.refreshes).toBe(0)
          await aborted(error)
          expect(retryUnlessAuth(error)).toBe(!(subject.knowsAbort ?? true))
          world.server.release()
          expect(await subject.get(client, NEVER)).toEqual(subject.gets ?? ITEM)
          expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
        },
      )
    }

    const { download } = subject
    if (download) {
      proves(
        'download',
        'R1 an answer that streams: shown part by part, and one more after its token has expired',
        async (world, client) => {
          const { sawPart } = world
          expect(await download(client, sawPart)).toBe(LINES.join(''))
          expect(await download(client, sawPart)).toBe(LINES.join(''))
          expect(world.server.stats.refreshes).toBe(1)
        },
      )
    }

    const { events } = subject
    if (events) {
      proves(
        'events',
        'R1 server-sent events: a lost connection comes back with the newer token',
        async (world, client) => {
          expect(await events(client)).toEqual(subject.heard ?? [1, 2, 3, 4].map((id) => `event ${id}`))
          expect(world.server.stats.refreshes).toBe(1)
          const streams = world.arrivals.filter(({ headers }) => headers.accept?.includes('text/event-stream'))
          expect(streams.map(({ status }) => status).slice(0, 3)).toEqual([200, 401, 200])
          expect(new Set(streams.slice(0, 3).map(({ headers }) => headers.authorization)).size).toBe(2)
        },
      )
    }

    const worksAgain = outageRetries === 0
    proves(
      'outage',
      `R7 the auth server is down: the call rejects, the session stays${worksAgain ? ', and the next call works' : ''}`,
      async (world, client, meta) => {
        await subject.get(client, NEVER)
        world.server.expireAccessTokens()
        const before = world.arrivals.length
        // More than any client asks for.
        world.server.failRefresh(503, 20)
        await rejectionOf(subject.get(client, NEVER))
        meta.outageRetries = world.arrivals.length - before - 1
        expect(meta.outageRetries).toBe(outageRetries)
        expect(world.api.snapshot().status).toBe('signed-in')
        // After more failures than one relatch fails fast, for seconds: nothing to wait for here.
        if (!worksAgain) return
        world.server.heal()
        expect(await subject.get(client, NEVER)).toEqual(subject.gets ?? ITEM)
      },
    )

    subject.also?.(shows, proves)
  })
}

const statusesOf = ({ arrivals }: World): Array<number | null> => arrivals.map(({ status }) => status)

/** What must not differ between a request and its replay. */
function essence({ method, path, query, headers, body }: World['arrivals'][number]): string {
  const { authorization: _, connection: __, ...rest } = headers
  return JSON.stringify([method, path, query, Object.entries(rest).toSorted(), body.toString('base64')])
}

export async function rejectionOf(call: Promise<unknown>): Promise<unknown> {
  const [outcome] = await Promise.allSettled([call])
  if (outcome.status === 'rejected') return outcome.reason
  throw new Error('Expected a rejection')
}
