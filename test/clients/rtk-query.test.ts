import { configureStore } from '@reduxjs/toolkit'
import { type BaseQueryFn, createApi, fetchBaseQuery } from '@reduxjs/toolkit/query'
import { expect } from 'vitest'
import { connect } from './hand-over/rtk-query.ts'
import { describeClient } from './suite/describe-client.ts'

/** What one query of another base query gives. */
async function answerOf(baseQuery: BaseQueryFn): Promise<{ data?: unknown; error?: unknown }> {
  const { reducer, middleware, endpoints } = createApi({
    baseQuery,
    endpoints: (build) => ({ item: build.query<unknown, void>({ query: () => 'items/1' }) }),
  })
  const store = configureStore({ reducer: { api: reducer }, middleware: (defaults) => defaults().concat(middleware) })
  return store.dispatch(endpoints.item.initiate(undefined, { subscribe: false }))
}

describeClient({
  name: 'RTK Query',
  package: '@reduxjs/toolkit',
  handOver: 'rtk-query.ts',
  needs: 'no stream: an answer is data in its cache',
  mind: [
    'Leave `authorization` out of `prepareHeaders`: relatch leaves a request alone that brings its own.',
    "Whatever `api` rejects with becomes text, `{ status: 'FETCH_ERROR', error: 'AuthError: …' }`: its `code`, and the object that a callback of yours threw, are gone. Navigate in the callback instead of throwing.",
    'A `timeout` of `fetchBaseQuery` (there is none by default) includes the wait for a refresh or a login.',
  ],
  connect,
  get({ item, dispatch }, signal) {
    const query = dispatch(item.initiate('1', { subscribe: false, forceRefetch: true }))
    signal.addEventListener('abort', () => query.abort())
    return query.unwrap()
  },
  post: async ({ send, dispatch }, text) => (await dispatch(send.initiate(text)).unwrap()).text,
  deny: ({ reports, dispatch }) => dispatch(reports.initiate()).unwrap(),
  denied(error) {
    expect(error).toMatchObject({ status: 403 })
    return error
  },
  aborted: (error) => expect(error).toMatchObject({ name: 'AbortError', message: 'Aborted' }),

  also(shows) {
    shows('an AuthError is flattened to its text', async ({ server, api, url }) => {
      server.expireAccessTokens()
      server.failRefresh(503)
      const { error } = await answerOf(fetchBaseQuery({ baseUrl: url, fetchFn: api }))
      expect(error).toEqual({ status: 'FETCH_ERROR', error: expect.stringMatching(/^AuthError: The refresh failed/) })
    })

    shows('its timeout runs during the refresh', async ({ server, api, url }) => {
      server.expireAccessTokens()
      server.failRefresh('hang')
      const [{ error }] = await Promise.all([
        answerOf(fetchBaseQuery({ baseUrl: url, fetchFn: api, timeout: 1000 })),
        server.seen(1, { kind: 'refresh' }),
      ])
      expect(error).toMatchObject({ status: 'TIMEOUT_ERROR' })
    })

    shows('a header of prepareHeaders stays, and gets no recovery', async ({ server, api, url }) => {
      const prepareHeaders = (headers: Headers) => headers.set('authorization', 'Bearer mine')
      const { error } = await answerOf(fetchBaseQuery({ baseUrl: url, fetchFn: api, prepareHeaders }))
      expect(error).toMatchObject({ status: 401 })
      expect(server.stats.refreshAttempts).toBe(0)
    })
  },
})
