/**
 * An MCP server of the official SDK, behind the tokens of the testing server. Tools: `whoami`; `send`, which gives its text
 * back; `reports`, which HTTP answers with a 403; `hangUp`, after which the token has expired and the stream of server messages
 * is gone. Each such stream begins with a log message: its number.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { z } from 'zod'
import { forbidden, type Routes, type Signals } from './world.ts'

type Handler = Extract<Routes[string], (...args: never[]) => unknown>

/** For one client a world: it has one session. */
export function mcpRoutes({ expire }: Signals): Routes {
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: () => crypto.randomUUID() })
  const server = new McpServer({ name: 'test', version: '1.0.0' }, { capabilities: { logging: {} } })
  server.registerTool('whoami', {}, ({ authInfo }) => says(authInfo?.clientId ?? 'nobody'))
  server.registerTool('send', { inputSchema: { text: z.string() } }, ({ text }) => says(text))
  server.registerTool('reports', {}, () => says('never asked'))
  server.registerTool('hangUp', {}, () => {
    expire()
    transport.closeStandaloneSSEStream()
    return says('bye')
  })
  const isReady = server.connect(transport)

  const handle: Handler = async (request, { user }) => {
    await isReady
    return transport.handleRequest(request, { authInfo: { token: '', clientId: user ?? '', scopes: [] } })
  }
  let streams = 0
  return {
    'POST /mcp': async (request, context) => {
      const { params } = await request.clone().json()
      return params?.name === 'reports' ? forbidden() : handle(request, context)
    },
    'GET /mcp': async (request, context) => {
      const answer = await handle(request, context)
      await server.sendLoggingMessage({ level: 'info', data: `stream ${++streams}` })
      return answer
    },
    'DELETE /mcp': handle,
  }
}

const says = (text: string): { content: Array<{ type: 'text'; text: string }> } => ({
  content: [{ type: 'text', text }],
})
