/** What a client's own settings do beside ours: its timeout, and an Authorization that it sets itself. */
import { expect } from 'vitest'
import { rejectionOf } from './describe-client.ts'
import type { World } from './world.ts'

/** A client's own timeout ends the call, and not the refresh that the call waits for. @returns what the client threw */
export async function timeoutDuringRefresh(world: World, call: () => Promise<unknown>): Promise<unknown> {
  await call()
  world.server.expireAccessTokens()
  world.server.failRefresh('hang')
  const [error] = await Promise.all([rejectionOf(call()), world.server.seen(1, { kind: 'refresh' })])
  world.server.release()
  await call()
  expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1 })
  return error
}

/** A client's own Authorization reaches the server as it is, and its 401 is handed back without a refresh. */
export async function keepsOwnAuthorization(world: World, authorization: string, call: () => Promise<unknown>) {
  await rejectionOf(call())
  expect(world.arrivals.map(({ status, headers }) => [status, headers.authorization])).toEqual([[401, authorization]])
  expect(world.server.stats.refreshAttempts).toBe(0)
}
