import { createTRPCClient, httpBatchLink, httpSubscriptionLink, splitLink } from '@trpc/client'
import { EventSource } from 'eventsource'
import type { AuthFetch } from 'relatch'
import type { App } from '../suite/trpc-api.ts'

export const connect = (api: AuthFetch, origin: string) => {
  const url = `${origin}/trpc`
  return createTRPCClient<App>({
    links: [
      splitLink({
        condition: ({ type }) => type === 'subscription',
        true: httpSubscriptionLink({ url, EventSource, eventSourceOptions: { fetch: api } }),
        false: httpBatchLink({ url, fetch: api }),
      }),
    ],
  })
}
