import { TRPCClientError } from '@trpc/client'
import { expect } from 'vitest'
import { connect } from './hand-over/trpc-batch-stream.ts'
import { describeClient, rejectionOf } from './suite/describe-client.ts'
import { trpcRoutes } from './suite/trpc-api.ts'
import { textOf } from './suite/world.ts'

describeClient<ReturnType<typeof connect>>({
  name: 'tRPC, batched and streamed',
  package: '@trpc/client',
  handOver: 'trpc-batch-stream.ts',
  line: 'httpBatchStreamLink({ url, fetch: api })',
  needs: 'tokens that are checked before tRPC',
  mind: [
    'Let the server check the token before tRPC sees the request: with this link tRPC itself always answers 200, and what a procedure or `createContext` throws, `UNAUTHORIZED` too, stands in the body, where relatch does not look.',
    'In the same way a procedure that throws `FORBIDDEN` calls no `onPermissionDenied`. What tells is the error: `error.data?.code`.',
    'What stands above of its type of a fetch holds here too.',
  ],
  routes: trpcRoutes,
  requestsOfFive: 1,
  connect,
  get: (client, signal) => client.item.query('1', { signal }),
  post: (client, text) => client.send.mutate(text),
  deny: (client) => client.reports.query(),
  denied(error) {
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error).toHaveProperty('data.httpStatus', 403)
    return error instanceof TRPCClientError && error.shape
  },
  aborted(error) {
    expect(error).toBeInstanceOf(TRPCClientError)
    expect(error).toHaveProperty('cause.name', 'AbortError')
  },
  download: async (client, sawPart) => textOf(await client.lines.query(), sawPart),

  also(shows) {
    shows('what a procedure refuses is a 200: no callback', async (world, client) => {
      expect(await rejectionOf(client.audit.query())).toHaveProperty('data.code', 'FORBIDDEN')
      expect(world.arrivals.map(({ status }) => status)).toEqual([200])
      expect(world.denials).toEqual([])
    })
  },
})
