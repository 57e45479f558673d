import { Gaxios } from 'gaxios'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => new Gaxios({ fetchImplementation: api, baseURL: url })
