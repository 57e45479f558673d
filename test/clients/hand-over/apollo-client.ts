import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) =>
  new ApolloClient({ link: new HttpLink({ uri: `${url}/graphql`, fetch: api }), cache: new InMemoryCache() })
