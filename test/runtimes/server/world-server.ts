/**
 * What the suite talks to, whatever it runs on: an API with an authorization server behind real HTTP, once at `home` and once on
 * another origin, `elsewhere`, and on a third port a control channel, so that what hangs at home never blocks a command. A case has
 * a world of its own under a path of its own; nothing here knows which case, or which runtime, is asking.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type AuthServer, createAuthServer } from 'relatch/testing'
import type { Answer, Arrival, ArrivalFilter, Place, WorldOptions } from '../suite/wire.ts'

export interface WorldServer extends AsyncDisposable {
  readonly home: string
  readonly elsewhere: string
  readonly control: string
}

/** A file that a browser is to be able to load from `home`: the page of the suite, and its script. */
export interface PageFile {
  readonly type: string
  readonly content: string
}

/** A wait that takes longer is a failure of the case that waits. */
const WAIT_MS = 12_000

export async function openWorldServer(pages: Readonly<Record<string, PageFile>> = {}): Promise<WorldServer> {
  const worlds = new Map<string, World>()
  const sockets = { open: 0, total: 0 }

  const api = (place: Place): Server =>
    createServer(async (message, response) => {
      const [, key = '', ...rest] = (message.url ?? '/').split('?')[0]?.split('/') ?? []
      const file = pages[`/${key}`]
      if (file) return void response.writeHead(200, { 'content-type': `${file.type}; charset=utf-8` }).end(file.content)
      if (message.method === 'OPTIONS') return preflight(message, response)
      const world = worlds.get(key)
      if (!world) return void response.writeHead(404, cors(message)).end()
      await world.serve(place, `/${rest.join('/')}`, message, response)
    })
  const home = api('home')
  home.on('connection', (socket) => {
    sockets.open++
    sockets.total++
    socket.once('close', () => sockets.open--)
  })
  const elsewhere = api('elsewhere')
  const control = createServer(async (message, response) => {
    if (message.method === 'OPTIONS') return preflight(message, response)
    let answer: { value?: unknown; error?: string }
    try {
      const { key, call, args } = JSON.parse((await bodyOf(message)).toString()) as Command
      answer = { value: await obey(key, call, args) }
    } catch (error) {
      answer = { error: String(error) }
    }
    response.writeHead(200, { 'content-type': 'application/json', ...cors(message) }).end(JSON.stringify(answer))
  })

  const obey = async (key: string, call: string, args: readonly unknown[]): Promise<unknown> => {
    if (call === 'open') return void worlds.set(key, new World(args[0] as WorldOptions))
    if (call === 'sockets') return sockets
    if (call === 'now') return performance.now()
    if (call === 'sleep') return sleep(Number(args[0])).then(() => null)
    const world = worlds.get(key)
    if (!world) throw new Error(`Expected a world ${key}`)
    if (call === 'close') {
      worlds.delete(key)
      return world.close()
    }
    return world.obey(call, args)
  }

  const servers = [home, elsewhere, control]
  for (const server of servers) {
    server.keepAliveTimeout = 30_000
    server.listen(0, '127.0.0.1')
  }
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const [homeUrl = '', elsewhereUrl = '', controlUrl = ''] = servers.map(
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  )
  return {
    home: homeUrl,
    elsewhere: elsewhereUrl,
    control: controlUrl,
    async [Symbol.asyncDispose]() {
      await Promise.all([...worlds.values()].map((world) => world.close()))
      for (const server of servers) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}

interface Command {
  key: string
  call: string
  args: readonly unknown[]
}

interface Wait {
  n: number
  filter: ArrivalFilter
  tell: (found: Arrival[]) => void
}

/** What one case has for itself. */
class World {
  readonly #server: AuthServer
  readonly #arrivals: Arrival[] = []
  readonly #waits = new Set<Wait>()
  readonly #scripts = new Map<string, Answer[]>()
  readonly #gates = new Map<string, { promise: Promise<void>; open: () => void }>()

  constructor({ server = {}, scripts = {} }: WorldOptions) {
    this.#server = createAuthServer(server)
    for (const [path, answers] of Object.entries(scripts)) this.#scripts.set(path, [...answers])
  }

  async obey(call: string, args: readonly unknown[]): Promise<unknown> {
    const server = this.#server
    switch (call) {
      case 'signIn':
        return server.signIn(...(args as Parameters<AuthServer['signIn']>))
      case 'expire':
        return server.expireAccessTokens()
      case 'revoke':
        return server.revokeSession()
      case 'setRoles':
        return server.setRoles(...(args as Parameters<AuthServer['setRoles']>))
      case 'set':
        return void Object.assign(server, args[0])
      case 'failRefresh': {
        const [fault, times] = args as [Parameters<AuthServer['failRefresh']>[0], number | 'always' | undefined]
        return server.failRefresh(fault, times === 'always' ? Number.POSITIVE_INFINITY : times)
      }
      case 'heal':
        return server.heal()
      case 'release':
        return server.release()
      case 'stats':
        return server.stats
      case 'arrivals':
        return this.#matching(args[0] as ArrivalFilter)
      case 'seen':
        return this.#seen(args[0] as number, args[1] as ArrivalFilter)
      case 'let':
        return this.#gate(args[0] as string).open()
      default:
        throw new Error(`Expected a command, not ${call}`)
    }
  }

  async serve(place: Place, path: string, message: IncomingMessage, response: ServerResponse): Promise<void> {
    const leaving = new AbortController()
    response.once('close', () => leaving.abort())
    message.on('error', () => {})
    response.on('error', () => {})
    try {
      const arrival: Arrival = {
        ...{ place, path, status: null, method: message.method ?? 'GET' },
        query: message.url?.split('?')[1] ?? '',
        headers: Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, String(value)])),
        body: null,
      }
      const script = this.#scripts.get(place === 'home' ? path : `elsewhere:${path}`)
      const scripted = script && (script.length > 1 ? script.shift() : script[0])
      // Said before the body is there: a stream may wait for it.
      if (scripted?.early) this.#arrive(arrival)
      const body = await bodyOf(message)
      Object.assign(arrival, { body: { length: body.length, sha256: sha256(body) } })
      if (!scripted?.early) this.#arrive(arrival)
      const answer = await this.#answer(scripted, message, path, body, leaving.signal)
      const status = answer?.status ?? 0
      if (answer === null) message.socket.destroy()
      else await send(answer, message, response)
      Object.assign(arrival, { status })
      this.#tell()
    } catch {
      message.socket.destroy()
    }
  }

  async close(): Promise<void> {
    for (const { open } of this.#gates.values()) open()
    await this.#server.close()
  }

  /** null: the connection ends. */
  async #answer(
    scripted: Answer | undefined,
    message: IncomingMessage,
    path: string,
    body: Buffer,
    signal: AbortSignal,
  ): Promise<Response | null> {
    if (scripted?.gate !== undefined) await Promise.race([this.#gate(scripted.gate).promise, ended(signal)])
    if (scripted?.status === 0) return null
    if (scripted?.status !== undefined) return new Response(this.#bodyOf(scripted, signal), scripted as ResponseInit)
    if (path === '/form') return Response.json(await partsOf(message, body))
    const { method = 'GET' } = message
    const headers = Object.entries(message.headers).map(([name, value]): [string, string] => [name, String(value)])
    const hasBody = method !== 'GET' && method !== 'HEAD'
    const query = message.url?.split('?')[1] ?? ''
    const request = new Request(`https://auth.test${path}?${query}`, {
      method,
      headers,
      ...(hasBody && { body: new Uint8Array(body) }),
    })
    return this.#server.fetch(request, { redirect: 'manual', signal }).catch(() => null)
  }

  #bodyOf(scripted: Answer, signal: AbortSignal): BodyInit | null {
    const content = contentOf(scripted)
    const { hold } = scripted
    if (hold === undefined) return content
    return new ReadableStream<Uint8Array>({
      start: async (controller) => {
        controller.enqueue(new TextEncoder().encode(content ?? ''))
        await Promise.race([this.#gate(hold).promise, ended(signal)])
        if (!signal.aborted) controller.close()
      },
    })
  }

  #arrive(arrival: Arrival): void {
    this.#arrivals.push(arrival)
    this.#tell()
  }

  #tell(): void {
    for (const wait of this.#waits) {
      const found = this.#matching(wait.filter)
      if (found.length >= wait.n) wait.tell(found)
    }
  }

  #matching(filter: ArrivalFilter = {}): Arrival[] {
    const wanted = Object.entries(filter)
    return this.#arrivals.filter((arrival) =>
      wanted.every(([name, value]) => arrival[name as keyof ArrivalFilter] === value),
    )
  }

  #seen(n: number, filter: ArrivalFilter = {}): Promise<Arrival[]> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waits.delete(wait)
        reject(new Error(`Expected ${n} of ${JSON.stringify(filter)} within ${WAIT_MS} ms`))
      }, WAIT_MS)
      const wait: Wait = {
        ...{ n, filter },
        tell: (found) => {
          this.#waits.delete(wait)
          clearTimeout(late)
          resolve(found)
        },
      }
      this.#waits.add(wait)
      this.#tell()
    })
  }

  #gate(name: string): { promise: Promise<void>; open: () => void } {
    const known = this.#gates.get(name)
    if (known) return known
    let open = (): void => {}
    const promise = new Promise<void>((resolve) => {
      open = resolve
    })
    const gate = { promise, open }
    this.#gates.set(name, gate)
    return gate
  }
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

const contentOf = ({ body, bytes }: Answer): string | null => (bytes === undefined ? (body ?? null) : 'r'.repeat(bytes))

/** The parts of a form, and what is in its files as a hash: its boundary is the sender's to make up. */
async function partsOf(message: IncomingMessage, body: Buffer): Promise<unknown> {
  const headers = { 'content-type': message.headers['content-type'] ?? '' }
  const form = await new Response(new Uint8Array(body), { headers }).formData()
  return Promise.all(
    [...form].map(async ([name, value]) =>
      typeof value === 'string'
        ? [name, value]
        : [name, value.name, value.type, sha256(new Uint8Array(await value.arrayBuffer()))],
    ),
  )
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Any origin may read all of it: a page is on `home`, and control is not. */
function cors({ headers }: IncomingMessage): Record<string, string> {
  return {
    'access-control-allow-origin': headers.origin ?? '*',
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'www-authenticate, retry-after',
  }
}

function preflight(message: IncomingMessage, response: ServerResponse): void {
  const { headers } = message
  const allowed = {
    ...cors(message),
    'access-control-allow-methods': headers['access-control-request-method'] ?? '',
    'access-control-allow-headers': headers['access-control-request-headers'] ?? '',
    'access-control-max-age': '600',
  }
  response.writeHead(204, allowed).end()
}

async function send(answer: Response, message: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, { ...cors(message), ...Object.fromEntries(answer.headers) })
  const reader = answer.body?.getReader()
  response.once('close', () => void reader?.cancel().catch(() => {}))
  for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) response.write(step.value)
  response.end()
}
