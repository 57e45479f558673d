import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIUserAbortError, PermissionDeniedError } from 'openai'
import { isAuthError } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/openai.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { LINES, type Routes, type Signals, shownInParts } from './suite/world.ts'

interface Asked {
  messages: Array<{ content: string }>
  stream?: boolean
}

const MODEL = { id: '1', object: 'model', created: 0, owned_by: 'relatch' }

/** As much of the API as is called here: it says again what it was told, or three lines in a stream. */
const routes = (signals: Signals): Routes => ({
  'GET /v1/models/:id': () => Response.json(MODEL),
  'POST /v1/chat/completions': async (request) => {
    const { messages, stream } = (await request.json()) as Asked
    if (!stream) return Response.json({ choices: [{ index: 0, message: { content: messages[0]?.content } }] })
    const chunks = LINES.map((content) => ({ choices: [{ index: 0, delta: { content } }] }))
    const events = [...chunks.map((chunk) => JSON.stringify(chunk)), '[DONE]'].map((data) => `data: ${data}\n\n`)
    return new Response(shownInParts(events, signals), { headers: { 'content-type': 'text/event-stream' } })
  },
  'POST /v1/files': async (request) => {
    const file = (await request.formData()).get('file')
    return Response.json(file instanceof File ? { filename: file.name, bytes: file.size } : {})
  },
  'GET /v1/files': () =>
    Response.json(
      { error: { message: 'This takes reports:read', type: 'invalid_request_error', param: null, code: null } },
      { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"' } },
    ),
})

const asking = (content: string) => ({ model: 'gpt', messages: [{ role: 'user' as const, content }] })

async function streamed(client: OpenAI, sawPart: () => void): Promise<string> {
  let text = ''
  for await (const { choices } of await client.chat.completions.create({ ...asking('three lines'), stream: true })) {
    text += choices[0]?.delta.content ?? ''
    sawPart()
  }
  return text
}

describeClient({
  name: 'OpenAI',
  package: 'openai',
  handOver: 'openai.ts',
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
  get: (client, signal) => client.models.retrieve('1', { signal }),
  gets: MODEL,
  post: async (client, text) => (await client.chat.completions.create(asking(text))).choices[0]?.message.content,
  deny: (client) => client.files.list(),
  denied(error) {
    expect(error).toBeInstanceOf(PermissionDeniedError)
    expect(error).toHaveProperty('status', 403)
    return (error as PermissionDeniedError).error
  },
  aborted: (error) => expect(error).toBeInstanceOf(APIUserAbortError),
  download: streamed,
  outageRetries: 2,
  also(shows) {
    shows(
      'B1 a file: the data: URL that it tries its fetch with is left alone, the upload is recovered',
      async (world, client) => {
        world.server.expireAccessTokens()
        const file = new File(['grüße'], 'gruss.txt')
        expect(await client.files.create({ file, purpose: 'user_data' })).toMatchObject({
          filename: file.name,
          bytes: 7,
        })
        expect(world.arrivals.map(({ method, path, status }) => [method, path, status])).toEqual([
          ['POST', '/v1/files', 401],
          ['POST', '/v1/files', 200],
        ])
        const [first, second] = world.arrivals
        expect(second?.body).toEqual(first?.body)
        expect(second?.headers['content-type']).toBe(first?.headers['content-type'])
      },
    )

    shows('R7 with maxRetries: 0 one call is one call; the AuthError is the cause', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(client.models.retrieve('1', { maxRetries: 0 }))
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
        client.models.retrieve('1', { timeout: 1000, maxRetries: 0 }),
      )
      expect(error).toBeInstanceOf(APIConnectionTimeoutError)
    })

    shows('O3 a key of its own goes as it is, without recovery', (world) => {
      const client = new OpenAI({ fetch: world.api, baseURL: `${world.url}/v1`, apiKey: 'mine' })
      return keepsOwnAuthorization(world, 'Bearer mine', () => client.models.retrieve('1'))
    })
  },
})
