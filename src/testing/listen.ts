/**
 * The server over HTTP, on loopback only: a bridge from node:http to the one handler, and a count of the sockets. Only here is
 * Node needed, and it is loaded when somebody listens: in memory the server works in a browser.
 */
import type { Outcome } from './answers.ts'
import type { Caller, Handle, SetCookie } from './caller.ts'

const loadHttp = () => import('node:http')
type Http = Awaited<ReturnType<typeof loadHttp>>
type Server = InstanceType<Http['Server']>
type ServerResponse = InstanceType<Http['ServerResponse']>
type IncomingMessage = InstanceType<Http['IncomingMessage']>
type Socket = IncomingMessage['socket']

const LOOPBACK = '127.0.0.1'

/** A server that listens. It keeps the process alive until it is closed. */
export interface ListeningServer {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** Connections: those open now, and all that were ever accepted. */
  readonly sockets: { readonly open: number; readonly total: number }
  /** Stops listening and ends every connection at once: idle, busy and hanging ones. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function listenOn(handle: Handle, port: number): Promise<ListeningServer> {
  const { createServer } = await loadHttp()
  const server = createServer((message, response) => void serve(handle, message, response))
  const sockets = countSockets(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, LOOPBACK, resolve)
  })
  const address = server.address()
  const actual = typeof address === 'object' && address !== null ? address.port : port
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= shut(server, sockets.all))
  return {
    url: `http://${LOOPBACK}:${actual}`,
    port: actual,
    get sockets() {
      return { open: sockets.all.size, total: sockets.total }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Waits for the sockets too: the last of them is gone a little after the server says that it is closed. */
async function shut(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  const ends = [...sockets].map((socket) => new Promise<void>((gone) => void socket.once('close', () => gone())))
  ends.push(new Promise((closed) => void server.close(() => closed())))
  for (const socket of sockets) socket.destroy()
  await Promise.all(ends)
}

function countSockets(server: Server): { all: Set<Socket>; total: number } {
  const sockets = { all: new Set<Socket>(), total: 0 }
  server.on('connection', (socket) => {
    sockets.total++
    sockets.all.add(socket)
    socket.once('close', () => sockets.all.delete(socket))
  })
  return sockets
}

async function serve(handle: Handle, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const leaving = new AbortController()
  response.once('close', () => leaving.abort())
  // A connection that breaks is the caller's business; without a listener it would end the process.
  message.on('error', () => {})
  response.on('error', () => {})
  try {
    const request = toRequest(message)
    const caller: Caller = { signal: leaving.signal, cookies: readCookies(message.headers.cookie), setCookies: [] }
    const outcome: Outcome = request === null ? new Response(null, { status: 400 }) : await handle(request, caller)
    if (outcome === 'dropped') message.socket.destroy()
    else await send(outcome, caller.setCookies, response)
  } catch {
    message.socket.destroy()
  } finally {
    // What nobody read would stay in the socket, in front of the next request.
    message.resume()
  }
}

/** null for what is no request to us: a CONNECT, a Host that makes no URL. */
function toRequest(message: IncomingMessage): Request | null {
  const { method = 'GET', headers, url = '/' } = message
  const path = url.startsWith('/') ? url : '/'
  const hasBody = method !== 'GET' && method !== 'HEAD' && (headers['content-length'] ?? headers['transfer-encoding'])
  try {
    return new Request(`http://${headers.host}${path}`, {
      method,
      headers: headerPairs(message),
      ...(hasBody ? { body: lazyBody(message), duplex: 'half' } : {}),
    })
  } catch {
    return null
  }
}

function headerPairs({ headers }: IncomingMessage): Array<[string, string]> {
  return Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one): [string, string] => [name, one]),
  )
}

/** Touches the message only when somebody reads: a body that nobody wants is thrown away by Node, not kept by a stream. */
function lazyBody(message: IncomingMessage): ReadableStream<Uint8Array> {
  let chunks: AsyncIterator<Uint8Array> | undefined
  return new ReadableStream(
    {
      async pull(controller) {
        chunks ??= message[Symbol.asyncIterator]()
        const { done, value } = await chunks.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      cancel: () => void message.resume(),
    },
    { highWaterMark: 0 },
  )
}

async function send(answer: Response, cookies: SetCookie[], response: ServerResponse): Promise<void> {
  response.statusCode = answer.status
  if (answer.statusText !== '') response.statusMessage = answer.statusText
  for (const [name, value] of answer.headers) if (name !== 'set-cookie') response.setHeader(name, value)
  const lines = [...answer.headers.getSetCookie(), ...cookies.map(cookieLine)]
  if (lines.length > 0) response.setHeader('set-cookie', lines)
  for await (const chunk of answer.body ?? []) if (!response.write(chunk)) await drained(response)
  response.end()
}

/** Room for more, or nobody left to write to. */
const drained = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    response.once('drain', resolve)
    response.once('close', resolve)
    if (response.destroyed) resolve()
  })

const cookieLine = ({ name, value, path, maxAgeSeconds }: SetCookie): string =>
  `${name}=${value}; Path=${path}; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict`

function readCookies(header = ''): Map<string, string> {
  const pairs = header.split(/; */).map((pair): [string, string] => {
    const [name = '', ...value] = pair.split('=')
    return [name.trim(), value.join('=').trim()]
  })
  return new Map(pairs)
}
