import ky from 'ky1'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => ky.create({ fetch: api, prefixUrl: url })
