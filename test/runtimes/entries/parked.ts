/** Leaves a session behind that waits: for a login that never comes, for minutes. */
import { createAuthFetch } from 'relatch'
import type { Places } from '../suite/world.ts'

export function parkForever({ home }: Places): void {
  const api = createAuthFetch({
    baseUrl: home,
    onLoginRequired: () => new Promise(() => {}),
    fetch: async () => new Response(null, { status: 401 }),
  })
  void api('/')
}
