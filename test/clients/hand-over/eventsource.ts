import { EventSource } from 'eventsource'
import type { AuthFetch } from 'relatch'

export const connect = (api: AuthFetch, url: string) => (path: string) =>
  new EventSource(new URL(path, url), { fetch: api })
