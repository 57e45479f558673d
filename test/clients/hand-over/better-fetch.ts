import { createFetch } from '@better-fetch/fetch'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => createFetch({ customFetchImpl: api, baseURL: url })
