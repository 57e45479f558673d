/** D: the 403, and answers that mean something else than their status. */
import type { Denial } from 'relatch'
import type { Case } from './case.ts'
import { equal, ok, rejection } from './check.ts'

export const DENIALS: readonly Case[] = [
  {
    id: 'D1',
    title: 'a 403 is one callback before the caller has it, one send and no refresh',
    async run({ world: open }) {
      const world = await open()
      const told: string[] = []
      const api = await world.api({
        async onPermissionDenied({ reason, request: { method, url } }) {
          await world.now()
          told.push(`${reason} ${method} ${url}`)
        },
      })
      const response = await api('admin?secret=1#x')
      equal(told, [`forbidden GET ${world.url}admin`], 'what was told')
      equal([response.status, response.bodyUsed], [403, false], 'the response')
      equal((await world.arrivals({ path: '/admin' })).length, 1, 'the sends')
      equal((await world.stats()).refreshAttempts, 0, 'the refreshes')
    },
  },
  {
    id: 'D1',
    title: 'what the callback throws rejects the call, unchanged',
    async run({ world: open }) {
      const world = await open()
      const own = { mine: true }
      const api = await world.api({
        onPermissionDenied() {
          throw own
        },
      })
      ok((await rejection(api('admin'))) === own, 'the very thing that was thrown')
    },
  },
  {
    id: 'D2',
    title: 'insufficient_scope names the scopes, and the body is the caller’s',
    async run({ world: open }) {
      const world = await open()
      let denial: Denial | undefined
      const api = await world.api({
        onPermissionDenied(told) {
          denial = told
        },
      })
      const response = await api('reports')
      ok(denial !== undefined, 'a denial')
      equal([denial.reason, denial.requiredScopes], ['insufficient-scope', ['reports:read']], 'the denial')
      const errorOf = async (body: Response): Promise<string> => ((await body.json()) as { error: string }).error
      equal(await errorOf(response), 'insufficient_scope', 'the body')
      // Read by the caller, and there for the callback all the same.
      equal(await errorOf(denial.response), 'insufficient_scope', 'the body of the clone')
    },
  },
  {
    id: 'D2',
    title: 'a problem body (RFC 9457) is parsed, and stays the caller’s',
    async run({ world: open }) {
      const world = await open()
      let title: unknown
      const api = await world.api({
        async onPermissionDenied(denial) {
          title = (await denial.problem())?.title
        },
      })
      const response = await api('admin')
      equal(title, 'Forbidden', 'the title')
      equal(((await response.json()) as { title: string }).title, 'Forbidden', 'the body')
    },
  },
  {
    id: 'D3',
    title: 'classify: a 419 and a 200 that means 401 recover, a 403 too, and a 401 may pass',
    async run({ world: open }) {
      const world = await open({
        scripts: {
          '/expired': [{ status: 419 }, { status: 200 }],
          '/graphql': [
            { status: 200, body: '{"errors":[{"code":"UNAUTHENTICATED"}]}' },
            { status: 200, body: '{"data":1}' },
          ],
          '/forbidden': [{ status: 403 }, { status: 200 }],
          '/passes': [{ status: 401 }],
        },
      })
      const api = await world.api({
        async classify(response, { url }) {
          if (url.endsWith('/passes')) return 'pass'
          const isAnError = url.endsWith('/graphql') && (await response.clone().text()).includes('UNAUTHENTICATED')
          return isAnError || response.status === 419 || response.status === 403 ? 'recover' : undefined
        },
      })
      for (const path of ['expired', 'graphql', 'forbidden'])
        equal((await api(path)).status, 200, `the status of ${path}`)
      equal((await world.stats()).refreshAttempts, 3, 'the refreshes')
      equal((await api('passes')).status, 401, 'the status of what passes')
      equal((await world.stats()).refreshAttempts, 3, 'the refreshes after that')
    },
  },
]
