import createClient from 'openapi-fetch'
import type { AuthFetch } from 'relatch'
import type { paths } from '../suite/openapi-schema.ts'

export const connect = (api: AuthFetch, url: string) => createClient<paths>({ fetch: api, baseUrl: url })
