import { cacheExchange, createClient, fetchExchange } from '@urql/core'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) =>
  createClient({
    url: `${url}/graphql`,
    fetch: api,
    fetchSubscriptions: true,
    exchanges: [cacheExchange, fetchExchange],
  })
