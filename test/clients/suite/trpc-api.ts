/** A tRPC server. `audit` is refused by its procedure, `reports` before tRPC is asked, `gateway` by what knows no tRPC. */
import { getTRPCErrorShape, initTRPC, TRPCError, tracked } from '@trpc/server'
import { fetchRequestHandler } from '@trpc/server/adapters/fetch'
import { z } from 'zod'
import { forbidden, LINES, type Routes, type Signals } from './world.ts'

const { router, procedure } = initTRPC.context<Signals>().create()

const refusal = () => new TRPCError({ code: 'FORBIDDEN', message: 'This takes reports:read' })
const refuse = (): string[] => {
  throw refusal()
}
const since = z.object({ lastEventId: z.coerce.number() }).default({ lastEventId: 0 })

const app = router({
  item: procedure.input(z.string()).query(({ input }) => ({ id: input, name: `Item ${input}` })),
  send: procedure.input(z.string()).mutation(({ input }) => input),
  audit: procedure.query(refuse),
  reports: procedure.query(refuse),
  gateway: procedure.query(refuse),
  lines: procedure.query(async function* ({ ctx }) {
    const isSeen = ctx.partSeen()
    for (const line of LINES) {
      yield line
      await isSeen
    }
    ctx.expire()
  }),
  events: procedure.input(since).subscription(async function* ({ input, ctx }) {
    for (const id of [input.lastEventId + 1, input.lastEventId + 2]) yield tracked(String(id), `event ${id}`)
    ctx.expire()
    // Ends the connection without a word of the subscription being over, as a proxy does.
    throw new DOMException('The connection is lost', 'AbortError')
  }),
})

export type App = typeof app

export function trpcRoutes(signals: Signals): Routes {
  const challenge = { 'www-authenticate': forbidden().headers.get('www-authenticate') ?? '' }
  const handle: Routes[string] = async (req, { params: { procedures } }) => {
    if (procedures === 'gateway') return forbidden()
    if (procedures === 'reports') {
      const said = { error: refusal(), type: 'query', path: procedures, input: undefined, ctx: undefined } as const
      const error = getTRPCErrorShape({ config: app._def._config, ...said })
      return Response.json({ error }, { status: 403, headers: challenge })
    }
    const response = await fetchRequestHandler({
      ...{ endpoint: '/trpc', req, router: app, createContext: () => signals },
      responseMeta: ({ errors }) => (errors.some(({ code }) => code === 'FORBIDDEN') ? { headers: challenge } : {}),
    })
    return response.headers.get('content-type') === 'text/event-stream' ? quickly(response) : response
  }
  return { 'GET /trpc/:procedures': handle, 'POST /trpc/:procedures': handle }
}

/** EventSource waits for seconds before it connects again, unless the server says otherwise. */
function quickly({ body, headers }: Response): Response {
  const start = (controller: TransformStreamDefaultController<Uint8Array>) =>
    controller.enqueue(new TextEncoder().encode('retry: 10\n\n'))
  return new Response(body?.pipeThrough(new TransformStream({ start })) ?? null, { headers })
}
