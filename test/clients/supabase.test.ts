import { createClient } from '@supabase/supabase-js'
import { isAuthError, retryUnlessAuth } from 'relatch'
import { expect } from 'vitest'
import { connect } from './hand-over/supabase.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'
import { LINES, type Routes, type Signals, shownInParts, textOf } from './suite/world.ts'

type Client = ReturnType<typeof connect>

/** As much of PostgREST, Storage and Edge Functions as is called here. */
const routes = (signals: Signals): Routes => ({
  'GET /rest/v1/items': () => Response.json({ id: '1', name: 'Item 1' }),
  'POST /rest/v1/messages': async (request) => Response.json(await request.json(), { status: 201 }),
  'GET /rest/v1/reports': () =>
    Response.json(
      { code: '42501', details: null, hint: null, message: 'This takes reports:read' },
      { status: 403, headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="reports:read"' } },
    ),
  'GET /storage/v1/object/texts/lines.txt': () => new Response(shownInParts(LINES, signals)),
  'POST /functions/v1/greet': async (request) => Response.json(await request.json()),
})

const item = (client: Client, signal: AbortSignal = new AbortController().signal) =>
  client.from('items').select().eq('id', '1').abortSignal(signal).single().throwOnError()

describeClient({
  name: 'Supabase',
  package: '@supabase/supabase-js',
  handOver: 'supabase.ts',
  needs: 'a wrapper that takes its key out of `Authorization`',
  mind: [
    'supabase-js sets `Authorization` on every call, to its key where it has no token, and such a call gets no recovery: so the header goes. The key stays in `apikey`.',
    '`accessToken` turns `supabase.auth` off, which would refresh beside relatch. Do not give it the token of relatch: that call would be the caller’s own. Realtime has an `accessToken` of its own.',
    'By default it tries a GET that is rejected three times more, over 7 s, an `AuthError` that no other try cures among them: `db: { retry: false }` leaves that out, and those for 503 and 520.',
    'The error that `throwOnError()` makes of a 403 does not say the status, but its `code` does, to `retryUnlessAuth` too.',
    'What relatch rejects is thrown as it is by `throwOnError()`; without it, it is the text of `error`, and the `status` is 0.',
    '`db.timeout` and `AbortSignal.timeout()` count the wait for a refresh or a login: set them above `refreshTimeoutMs`.',
  ],
  connect,
  routes,
  get: async (client, signal) => (await item(client, signal)).data,
  post: async (client, text) =>
    (await client.from('messages').insert({ text }).select().single<{ text: string }>().throwOnError()).data.text,
  async deny(client) {
    const answer = await client.from('reports').select()
    if (answer.error) throw answer
  },
  denied(error) {
    expect(error).toMatchObject({ status: 403, data: null, error: { code: '42501' } })
    return error
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  async download(client, sawPart) {
    const { data, error } = await client.storage.from('texts').download('lines.txt').asStream()
    if (error) throw error
    return textOf(data, sawPart)
  },
  also(shows) {
    shows('O3 its key goes into apikey alone', async (world, client) => {
      await item(client)
      expect(world.arrivals.map(({ headers }) => headers.apikey)).toEqual(['sb_publishable_key'])
    })

    shows('O3 handed over without more, its key goes as a token, without recovery', (world) => {
      const client = createClient(world.url, 'mine', { global: { fetch: world.api } })
      return keepsOwnAuthorization(world, 'Bearer mine', async () => item(client))
    })

    shows('O3 the token of its accessToken goes as it is, without recovery', (world) => {
      const client = createClient(world.url, 'key', { global: { fetch: world.api }, accessToken: async () => 'mine' })
      return keepsOwnAuthorization(world, 'Bearer mine', async () => item(client))
    })

    shows('D1 the error of throwOnError() does not say the status', async (_world, client) => {
      const error = await rejectionOf(Promise.resolve(client.from('reports').select().throwOnError()))
      expect(error).toMatchObject({ name: 'PostgrestError', code: '42501' })
      expect(error).not.toHaveProperty('status')
      expect(retryUnlessAuth(error)).toBe(false)
    })

    shows('R7 what relatch rejects: throwOnError() throws it, an answer tells it in text', async (world, client) => {
      world.server.expireAccessTokens()
      world.server.failRefresh(503, 20)
      const error = await rejectionOf(Promise.resolve(item(client)))
      expect(isAuthError(error)).toBe(true)
      const answer = await client.from('items').select()
      expect(answer).toMatchObject({ status: 0, error: { message: expect.stringMatching(/^AuthError: /), code: '' } })
    })

    shows('A1 a timeout of the caller ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, async () => item(client, AbortSignal.timeout(1000)))
      expect(error).toHaveProperty('name', 'TimeoutError')
    })

    shows('O3 supabase.auth is off, and refreshes nothing beside relatch', async (_world, client) => {
      expect(() => client.auth.getSession()).toThrow(/accessToken option/)
    })

    shows('B1 R2 an Edge Function recovers too', async (world, client) => {
      world.server.expireAccessTokens()
      const { data } = await client.functions.invoke<{ text: string }>('greet', { body: { text: 'grüße' } })
      expect(data).toEqual({ text: 'grüße' })
      expect(world.server.stats.refreshes).toBe(1)
    })

    shows('R2 Realtime joins with the current token', async (world, client) => {
      await client.realtime.setAuth()
      expect(client.realtime.accessTokenValue).toBe((await world.api.tokens())?.accessToken)
      await world.api.refresh()
      await client.realtime.setAuth()
      expect(client.realtime.accessTokenValue).toBe((await world.api.tokens())?.accessToken)
    })
  },
})
