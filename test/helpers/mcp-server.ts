/**
 * An MCP server of the official SDK, over HTTP on loopback, that lets in whoever `userOf` knows: its 401 is what the specification
 * asks for. Its tools: `whoami`, and `expire`, after which `onExpire` has run.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'

export interface McpTestServer extends AsyncDisposable {
  readonly url: string
  /** The status of every answer, in order. */
  readonly statuses: readonly number[]
}

/** @param userOf the name behind an Authorization header, or null */
export async function startMcpServer(
  userOf: (authorization: string) => Promise<string | null>,
  onExpire: () => void,
): Promise<McpTestServer> {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  const statuses: number[] = []
  const server = createServer(async (request, response) => {
    response.on('finish', () => statuses.push(response.statusCode))
    const user = await userOf(request.headers.authorization ?? '')
    if (user === null) {
      response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
      return
    }
    const known = transports.get(String(request.headers['mcp-session-id']))
    const transport = known ?? (await opened(user))
    await transport.handleRequest(request as IncomingMessage, response)
  })
  const opened = async (user: string): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void transports.set(id, transport),
    })
    const mcp = new McpServer({ name: 'test', version: '1.0.0' })
    mcp.registerTool('whoami', {}, () => ({ content: [{ type: 'text', text: user }] }))
    mcp.registerTool('expire', {}, () => {
      onExpire()
      return { content: [] }
    })
    await mcp.connect(transport as Parameters<typeof mcp.connect>[0])
    return transport
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    statuses,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}
