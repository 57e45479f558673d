import { BetterFetchError } from '@better-fetch/fetch'
import { expect } from 'vitest'
import { connect } from './hand-over/better-fetch.ts'
import { describeClient } from './suite/describe-client.ts'
import { TIMEOUT_IS_OFF } from './suite/notes.ts'
import { keepsOwnAuthorization, timeoutDuringRefresh } from './suite/own-settings.ts'

describeClient({
  name: 'better-fetch',
  package: '@better-fetch/fetch',
  handOver: 'better-fetch.ts',
  needs: 'no stream: it reads every answer whole',
  mind: [
    'Without `throw: true` it does not reject for a 403: it resolves with an `error` of `status` and the body.',
    'Its `retry`, off by default, tries any answer that is not ok again, a 403 too.',
    'A `shouldRetry` leaves that out: `(response) => (response?.status ?? 0) >= 500`.',
    TIMEOUT_IS_OFF,
    'What its `auth` option sets is left alone and gets no recovery: leave it out.',
    'It reads every answer whole: for one that streams, call `api` itself.',
  ],
  connect,
  get: (client, signal) => client('/items/1', { signal, throw: true }),
  post: async (client, text) => (await client<{ text: string }>('/messages', { body: { text } })).data?.text,
  deny: (client) => client('/reports', { throw: true }),
  denied(error) {
    expect(error).toBeInstanceOf(BetterFetchError)
    const { status, error: body } = error as BetterFetchError
    expect(status).toBe(403)
    return body
  },
  aborted: (error) => expect(error).toHaveProperty('name', 'AbortError'),
  also(shows) {
    shows('D1 without throw the 403 is in what it resolves to', async (world, client) => {
      const { error } = await client('/reports')
      expect(error).toMatchObject({ status: 403, error_description: 'This takes reports:read' })
      expect(world.denials).toHaveLength(1)
    })

    shows(
      'D1 retries that it is told to make take in a 403, but not with a shouldRetry of your own',
      async (world, client) => {
        await client('/reports', { retry: { type: 'linear', attempts: 1, delay: 0 } })
        expect(world.denials).toHaveLength(2)
        const shouldRetry = (response: Response | null) => (response?.status ?? 0) >= 500
        await client('/reports', { retry: { type: 'linear', attempts: 1, delay: 0, shouldRetry } })
        expect(world.denials).toHaveLength(3)
      },
    )

    shows('A1 its timeout ends the call and not the refresh', async (world, client) => {
      const error = await timeoutDuringRefresh(world, () => client('/items/1', { timeout: 1000 }))
      expect(error).toHaveProperty('name', 'AbortError')
    })

    shows('O3 what its auth option sets goes as it is, without recovery', (world, client) =>
      keepsOwnAuthorization(world, 'Bearer mine', () =>
        client('/items/1', { auth: { type: 'Bearer', token: 'mine' }, throw: true }),
      ),
    )
  },
})
