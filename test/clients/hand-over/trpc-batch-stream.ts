import { createTRPCClient, httpBatchStreamLink } from '@trpc/client'
import type { AuthFetch } from 'relatch'
import type { App } from '../suite/trpc-api.ts'

export const connect = (api: AuthFetch, url: string) =>
  createTRPCClient<App>({ links: [httpBatchStreamLink({ url: `${url}/trpc`, fetch: api })] })
