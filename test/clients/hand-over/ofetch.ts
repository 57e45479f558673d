import { createFetch } from 'ofetch'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => createFetch({ fetch: api, defaults: { baseURL: url } })
