import type { AuthFetch } from 'relatch'
import wretch from 'wretch'

export const connect = (api: AuthFetch, url: string) => wretch(url).fetchPolyfill(api)
