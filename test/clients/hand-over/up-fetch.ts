import type { AuthFetch } from 'relatch'
import { up } from 'up-fetch'

export const connect = (api: AuthFetch, url: string) => up(api, () => ({ baseUrl: url }))
