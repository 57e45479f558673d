import Anthropic, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIUserAbortError,
  PermissionDeniedError,
} from '@anthropic-ai/sdk'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/anthropic.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { LINES, type Routes, type Signals, shownInParts } from './suite/world.ts'

interface Asked {
  messages: Array<{ content: string }>
  stream?: boolean
}

const MODEL = { type: 'model', id: '1', display_name: 'Model 1', created_at: '2026-01-01T00:00:00Z' }
const MESSAGE = { id: 'msg_1', type: 'message', role: 'assistant', model: 'claude', stop_reason: null, content: [] }

/** The events of one message, as the API sends them. */
function eventsOf(texts: readonly string[]): string[] {
  const events = [
    { type: 'message_start', message: { ...MESSAGE, usage: { input_tokens: 1, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...texts.map((text) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } })),
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 3 } },
    { type: 'message_stop' },
  ]
  return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
}

/** As much of the API as is called here: it says again what it was told, or three lines in a stream. */
const routes = (signals: Signals): Routes => ({
  'GET /v1/models/:id': () => Response.json(MODEL),
  'POST /v1/messages': async (request) => {
    const { messages, stream } = (await request.json()) as Asked
    if (!stream) return Response.json({ ...MESSAGE, content: [{ type: 'text', text: messages[0]?.content }] })
    const [start, begin, ...texts] = eventsOf(LINES)
    // No text comes before the third event.
    const parts = [`${start}${begin}${texts[0]}`, ...texts.slice(1)]
    return new Response(shownInParts(parts, signals), { headers: { 'content-type': 'text/event-stream' } })
  },
  'GET /v1/models': () =>
    Response.json(
      { type: 'error', error: { type: 'permission_error', message: 'This takes reports:read' } },
      { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"' } },
    ),
})

const asking = (content: string) => ({
  model: 'claude',
  max_tokens: 64,
  messages: [{ role: 'user' as const, content }],
})

describeClient({
  name: 'Anthropic',
  package: '@anthropic-ai/sdk',
  handOver: 'anthropic.ts',
  needs: '`defaultHeaders: { Authorization: null }`, or its key is sent',
  mind: [
    'With its key in `Authorization` a call is its own and gets no recovery: `defaultHeaders: { Authorization: null }` takes it out.',
    'It tries any rejection twice more, after about 0.5 s and 1 s, an `AuthError` that no other try cures among them: `maxRetries: 0` leaves that out, and those for 408, 409, 429 and 5xx.',
    'What relatch rejects is the `cause` of its `APIConnectionError`.',
    'Its `timeout`, 10 minutes, counts the wait for a refresh or a login.',
    'In a browser it wants `dangerouslyAllowBrowser: true`: the danger is a key there, and this one is none.',
  ],
  connect,
  routes,
  get: (client, signal) => client.models.retrieve('1', null, { signal }),
  gets: MODEL,
  post: async (client, text) => {
    const [block] = (await client.messages.create(asking(text))).content
    return block?.type === 'text' && block.text
  },
  deny: (client) => client.models.list(),
  denied(error) {
    expect(error).toBeInstanceOf(PermissionDeniedError)
    expect(error).toHaveProperty('status', 403)
    return (error as PermissionDeniedError).error
  },
  aborted: (error) => expect(error).toBeInstanceOf(APIUserAbortError),
  download: (client, sawPart) => client.messages.stream(asking('three lines')).on('text', sawPart).finalText(),
  outageRetries: 2,
  also(shows) {
    shows('R7 with maxRetries: 0 one call is one call; the AuthError is the cause', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.models.retrieve('1', null, { maxRetries: 0 }))
      expect(error).toBeInstanceOf(APIConnectionError)
      expect(isAuthError((error as Error).cause)).toBe(true)
      expect(world.arrivals).toHaveLength(1)
    })

    shows('R7 it tries again what no other try cures, unless told otherwise', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh({ error: 'invalid_client' }, 20)
      const error = await rejectionOf(client.models.retrieve('1'))
      expect(error).toHaveProperty('cause.retryable', false)
      expect(world.arrivals).toHaveLength(3)
    })

    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () =>
        client.models.retrieve('1', null, { timeout: 1000, maxRetries: 0 }),
      )
      expect(error).toBeInstanceOf(APIConnectionTimeoutError)
    })

    for (const credential of ['apiKey', 'authToken']) {
      shows(`O3 an ${credential} of its own goes as it is, without recovery`, (world) => {
        const client = new Anthropic({ fetch: world.api, baseURL: world.url, [credential]: 'mine' })
        return keepsOwnAuthorization(world, 'Bearer mine', () => client.models.retrieve('1'))
      })
    }
  },
})
