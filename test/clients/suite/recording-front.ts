/** HTTP on loopback in front of an in-memory server: writes down every byte that a client sends, and how it was answered. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request as it arrived, whole. */
export interface Arrival {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** null: not answered yet. */
  status: number | null
}

export interface RecordingFront extends AsyncDisposable {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly arrivals: readonly Arrival[]
}

export async function recordingFront(serve: typeof fetch): Promise<RecordingFront> {
  const arrivals: Arrival[] = []
  const server = createServer(async (message, response) => {
    response.on('error', () => {})
    try {
      const arrival = await record(message)
      arrivals.push(arrival)
      const answer = await serve(requestOf(message, arrival))
      arrival.status = answer.status
      await send(answer, response)
    } catch {
      // What is answered with the end of a connection ends ours.
      message.socket.destroy()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function record(message: IncomingMessage): Promise<Arrival> {
  const { method = 'GET', url = '/', headers } = message
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk)
  const [path = '', query = ''] = url.split('?')
  return { method, path, query, headers, body: Buffer.concat(chunks), status: null }
}

function requestOf({ headers, url }: IncomingMessage, { method, body }: Arrival): Request {
  const pairs = Object.entries(headers).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  )
  const init = { method, headers: pairs, ...(method !== 'GET' && method !== 'HEAD' && { body: new Uint8Array(body) }) }
  return new Request(`http://${headers.host}${url}`, init)
}

async function send(answer: Response, response: ServerResponse): Promise<void> {
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  // A stream's first event is awaited by somebody, who has not got the head yet.
  response.flushHeaders()
  const reader = answer.body?.getReader()
  response.once('close', () => void reader?.cancel().catch(() => {}))
  for (let step = await reader?.read(); step && !step.done; step = await reader?.read()) response.write(step.value)
  response.end()
}
