import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ErrorCode, LoggingMessageNotificationSchema, McpError } from '@modelcontextprotocol/sdk/types.js'
import { expect, onTestFinished } from 'vitest'
import { connect } from './hand-over/mcp.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { mcpRoutes } from './suite/mcp-api.ts'
import type { World } from './suite/world.ts'

type Client = Awaited<ReturnType<typeof connect>>

async function call(client: Client, name: string, args: Record<string, unknown> = {}, options = {}): Promise<unknown> {
  const { content } = await client.callTool({ name, arguments: args }, undefined, options)
  return Array.isArray(content) ? content[0]?.text : undefined
}

const timedOut = (error: unknown): void => {
  expect(error).toBeInstanceOf(McpError)
  expect(error).toHaveProperty('code', ErrorCode.RequestTimeout)
}
const streamsOf = ({ arrivals }: World): Array<number | null> =>
  arrivals.filter(({ method }) => method === 'GET').map(({ status }) => status)
/** The JSON-RPC methods that were let in, in order. */
const methodsOf = ({ arrivals }: World): unknown[] =>
  arrivals
    .filter(({ method, status }) => method === 'POST' && status !== 401)
    .map(({ body }) => JSON.parse(body.toString()).method)

describeClient<Client>({
  name: 'MCP SDK',
  package: '@modelcontextprotocol/sdk',
  handOver: 'mcp.ts',
  mind: [
    'Leave `authProvider` out: with one the SDK sets `Authorization` itself, which relatch leaves alone, and signs in by itself on a 401.',
    'The timeout of a call, 60 s by default, includes the wait for a refresh or a login: `callTool(params, undefined, { timeout })`.',
    'A `signal` and the timeout end the wait for the answer, not the request: the tool may still run, and is told by `notifications/cancelled`.',
    'An abort is an `McpError` with the code of a timeout, and `retryUnlessAuth` does not know one from the other: ask your own `signal.aborted`.',
    'The stream of server messages comes back by itself, with the newer token, but gives up after two failures in a row: `reconnectionOptions: { maxRetries }` outlasts a longer outage.',
  ],
  routes: mcpRoutes,
  async connect(api, url) {
    const client = await connect(api, url)
    onTestFinished(() => client.close())
    return client
  },
  get: (client, signal) => call(client, 'whoami', {}, { signal }),
  gets: 'viewer',
  post: (client, text) => call(client, 'send', { text }),
  deny: (client) => call(client, 'reports'),
  denied(error) {
    expect(error).toBeInstanceOf(StreamableHTTPError)
    expect(error).toHaveProperty('code', 403)
    return error instanceof Error && error.message
  },
  // Its code is that of a timeout.
  knowsAbort: false,
  aborted(error) {
    timedOut(error)
    expect(error).toHaveProperty('message', expect.stringContaining('AbortError'))
  },

  also(shows, proves) {
    proves('events', 'R1 the stream of server messages comes back with the newer token', async (world, client) => {
      const heard: unknown[] = []
      const second = new Promise<void>((resolve) => {
        client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
          heard.push(params.data)
          if (heard.length === 2) resolve()
        })
      })
      await world.server.seen(1, { method: 'GET', status: 200 })
      await call(client, 'hangUp')
      await second
      expect(heard).toEqual(['stream 1', 'stream 2'])
      expect(streamsOf(world)).toEqual([200, 401, 200])
      expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
    })

    shows('R7 an outage of the auth server: the stream is given up after two tries', async (world, client) => {
      await world.server.seen(1, { method: 'GET', status: 200 })
      const errors: string[] = []
      const givenUp = new Promise<void>((resolve) => {
        client.onerror = ({ message }) => {
          errors.push(message)
          if (message.startsWith('Maximum')) resolve()
        }
      })
      world.server.failRefresh(503, 20)
      await call(client, 'hangUp')
      await givenUp
      expect(errors.at(-1)).toBe('Maximum reconnection attempts (2) exceeded.')
      expect(streamsOf(world)).toEqual([200, 401, 401])
    })

    shows('a timeout runs during the refresh; the tool is called all the same', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh('hang')
      const answer = rejectionOf(call(client, 'send', { text: 'late' }, { timeout: 1000 }))
      timedOut(await answer)
      world.server.release()
      expect(await call(client, 'whoami')).toBe('viewer')
      expect(methodsOf(world).slice(-3).toSorted()).toEqual(['notifications/cancelled', 'tools/call', 'tools/call'])
    })
  },
})
