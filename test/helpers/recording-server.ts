/** A bare HTTP server on loopback that writes down what really arrives: headers, every byte of the bodies, the sockets. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** One request as it arrived. */
export interface Arrival {
  readonly method: string
  /** With the query. */
  readonly path: string
  readonly host: string
  readonly headers: IncomingHttpHeaders
  /** What has come of the body so far; all of it once `whole` is true. */
  readonly body: Buffer
  /** How many bytes of the body have come, kept or not. */
  readonly length: number
  /** Whether the body came to its end; false where the connection broke before. */
  readonly whole: Promise<boolean>
  readonly message: IncomingMessage
}

/** Answers a request, as soon as its headers are in: wait for `arrival.whole` to answer after the last byte. */
export type Answer = (arrival: Arrival, response: ServerResponse) => unknown

export interface RecordingServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  /** The same server under another host name: another origin. */
  readonly otherHost: string
  readonly arrivals: readonly Arrival[]
  readonly sockets: { readonly open: number; readonly most: number; readonly total: number }
  /** Resolves once that many requests have arrived. */
  arrived(count: number): Promise<void>
}

/** @param isKeeping whether bodies are kept, or only counted. Default: kept */
export async function recordingServer(answer: Answer, isKeeping = true): Promise<RecordingServer> {
  const arrivals: Arrival[] = []
  const waiting = new Set<{ count: number; resolve: () => void }>()
  const open = new Set<Socket>()
  const ends = new WeakMap<Socket, Array<() => void>>()
  const sockets = { most: 0, total: 0 }

  const server = createServer(async (message, response) => {
    const arrival = record(message, isKeeping, (end) => {
      ends.set(message.socket, [...(ends.get(message.socket) ?? []), end])
    })
    arrivals.push(arrival)
    for (const waiter of waiting) if (arrivals.length >= waiter.count) waiter.resolve()
    response.on('error', () => {})
    await answer(arrival, response)
  })
  server.on('connection', (socket) => {
    sockets.total++
    open.add(socket)
    sockets.most = Math.max(sockets.most, open.size)
    socket.on('error', () => {})
    socket.once('close', () => {
      open.delete(socket)
      // Node forgets a request that was answered before its last byte: only the socket tells that it broke off.
      for (const end of ends.get(socket) ?? []) end()
    })
  })
  await new Promise<void>((listening) => void server.listen(0, '127.0.0.1', listening))
  const { port } = server.address() as AddressInfo

  return {
    url: `http://127.0.0.1:${port}`,
    otherHost: `http://localhost:${port}`,
    arrivals,
    sockets: {
      get open() {
        return open.size
      },
      get most() {
        return sockets.most
      },
      get total() {
        return sockets.total
      },
    },
    arrived(count) {
      if (arrivals.length >= count) return Promise.resolve()
      return new Promise((resolve) => void waiting.add({ count, resolve }))
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      await new Promise<void>((closed) => void server.close(() => closed()))
    },
  }
}

function record(message: IncomingMessage, isKeeping: boolean, onSocketEnd: (end: () => void) => void): Arrival {
  const chunks: Buffer[] = []
  let length = 0
  message.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (isKeeping) chunks.push(chunk)
  })
  message.on('error', () => {})
  return {
    method: message.method ?? '',
    path: message.url ?? '',
    host: message.headers.host ?? '',
    headers: message.headers,
    get body() {
      return Buffer.concat(chunks)
    },
    get length() {
      return length
    },
    whole: new Promise((resolve) => {
      message.once('end', () => resolve(true))
      message.once('close', () => resolve(message.complete))
      onSocketEnd(() => resolve(message.complete))
    }),
    message,
  }
}
