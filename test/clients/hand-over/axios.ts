import axios from 'axios'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) =>
  axios.create({ adapter: 'fetch', env: { fetch: api }, baseURL: url })
