import ky from 'ky'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => ky.create({ fetch: api, baseUrl: url })
