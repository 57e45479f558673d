import { hc } from 'hono/client'
import type { AuthFetch } from 'relatch'
import type { App } from '../suite/hono-app.ts'

export const connect = (api: AuthFetch, url: string) => hc<App>(url, { fetch: api })
