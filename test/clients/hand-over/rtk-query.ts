import { configureStore } from '@reduxjs/toolkit'
import { createApi, fetchBaseQuery } from '@reduxjs/toolkit/query'
import type { AuthFetch } from 'relatch'

export function connect(api: AuthFetch, url: string) {
  const shop = createApi({
    baseQuery: fetchBaseQuery({ baseUrl: url, fetchFn: api }),
    endpoints: (build) => ({
      item: build.query<{ id: string; name: string }, string>({ query: (id) => `items/${id}` }),
      reports: build.query<unknown, void>({ query: () => 'reports' }),
      send: build.mutation<{ text: string }, string>({
        query: (text) => ({ url: 'messages', method: 'POST', body: { text } }),
      }),
    }),
  })
  const store = configureStore({
    reducer: { [shop.reducerPath]: shop.reducer },
    middleware: (defaults) => defaults().concat(shop.middleware),
  })
  return { ...shop.endpoints, dispatch: store.dispatch }
}
