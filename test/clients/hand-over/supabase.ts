import { createClient } from '@supabase/supabase-js'
import type { AuthFetch } from 'relatch'

/** supabase-js sends its key as a token too, where it has none; relatch sends the token. */
const withoutKeyAsToken = (inner: AuthFetch) =>
  new Proxy(inner, {
    apply(send, _this, [input, init]: Parameters<typeof fetch>) {
      const headers = new Headers(init?.headers)
      headers.delete('authorization')
      return send(input, { ...init, headers })
    },
  })

export const connect = (api: AuthFetch, url: string) =>
  createClient(url, 'sb_publishable_key', {
    global: { fetch: withoutKeyAsToken(api) },
    accessToken: async () => null,
    realtime: { accessToken: async () => (await api.tokens())?.accessToken ?? null },
    db: { retry: false },
  })
