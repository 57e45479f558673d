import { GraphQLClient } from 'graphql-request'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => new GraphQLClient(`${url}/graphql`, { fetch: api })
