import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { AuthFetch } from 'relatch'

export async function connect(api: AuthFetch, url: string) {
  const client = new Client({ name: 'app', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { fetch: api }))
  return client
}
