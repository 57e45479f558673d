/**
 * The auth server of the playground, with what the page needs beside it: the built files, the switches under /control, and an
 * account of what the server saw. It listens nowhere by itself, and no token goes through /control but the ones it hands out.
 */
import { type AuthServer, createAuthServer, type RouteOptions, type SeenRequest } from 'relatch/testing'
import { type Action, type PlaygroundState, REDEEM, type Roles, type SeenLine, type Switches } from './contract.ts'
import type { PageFiles } from './page-files.ts'

const ACCESS_TOKEN_TTL_MS = 60_000
const SLOW_MS = 2_000
const REMEMBERED = 2_000
const SOUND: Switches = { down: false, slow: false, rejectAll: false, rotation: true, reuseDetection: true }
const ROLES: Roles = { viewer: ['viewer'], admin: ['viewer', 'admin'] }

export interface World {
  server: AuthServer
  state(since?: number): PlaygroundState
}

export function createWorld(files: PageFiles): World {
  const switches: Switches = { ...SOUND }
  const roles: Roles = { ...ROLES }
  const codes = new Map<string, string>()
  const counts = { requests: 0, unauthorized: 0, forbidden: 0 }
  let seen: Array<SeenRequest & { number: number }> = []
  let last = 0

  const server: AuthServer = createAuthServer({
    accessTokenTtlMs: ACCESS_TOKEN_TTL_MS,
    // The page shows who is signed in.
    idToken: true,
    logLimit: 0,
    routes: {
      ...files.routes,
      'GET /control/state': open((request) =>
        Response.json(state(Number(new URL(request.url).searchParams.get('since') ?? Number.POSITIVE_INFINITY))),
      ),
      'POST /control': ours(async (request) => act(await request.json())),
      [`POST ${REDEEM}`]: ours(async (request) => redeem((await request.json()).code)),
    },
  })

  server.onRequest((request) => {
    if (files.owns(request.path) || request.path.startsWith('/control')) return
    if (request.kind === 'api') {
      counts.requests++
      if (request.status === 401) counts.unauthorized++
      if (request.status === 403) counts.forbidden++
    }
    seen = [...seen.slice(1 - REMEMBERED), { ...request, number: ++last }]
  })

  const state = (since = Number.POSITIVE_INFINITY): PlaygroundState => {
    const { refreshes, refreshAttempts, reuses, logins } = server.stats
    const lines = folded(seen.filter(({ number }) => number > since))
    return { counts: { ...counts, refreshes, refreshAttempts, reuses, logins }, switches, roles, last, lines }
  }

  /** Faults cannot be taken back one by one: everything is healed, and what is switched on is broken again. */
  const apply = (): void => {
    server.heal()
    server.down = switches.down
    server.rejectAll = switches.rejectAll
    server.rotation = switches.rotation
    server.reuseDetection = switches.reuseDetection
    if (switches.slow) server.failRefresh({ slowMs: SLOW_MS }, Number.POSITIVE_INFINITY)
  }

  const act = (action: Action): object => {
    if (action.do === 'code') return { code: issueCode(action.user) }
    turn(action)
    return state()
  }

  function turn(action: Exclude<Action, { do: 'code' }>): void {
    switch (action.do) {
      case 'switch':
        switches[action.name] = action.isOn
        apply()
        break
      case 'heal':
        Object.assign(switches, SOUND)
        apply()
        break
      case 'expire':
        server.expireAccessTokens()
        break
      case 'revoke':
        server.revokeSession()
        break
      case 'roles':
        roles[action.user] = action.isAdmin ? ROLES.admin : ROLES.viewer
        server.setRoles(action.user, roles[action.user])
        break
      case 'reset':
        server.reset()
        Object.assign(counts, { requests: 0, unauthorized: 0, forbidden: 0 })
    }
  }

  /** As an authorization server does at the end of its login page (RFC 6749 §4.1.2): good once, and worth nothing in a log. */
  function issueCode(user: string): string {
    const code = crypto.randomUUID()
    codes.set(code, user)
    return code
  }

  function redeem(code: string): object {
    const user = codes.get(code)
    codes.delete(code)
    return user === undefined ? { error: 'invalid_grant' } : server.signIn(user)
  }

  return { server, state }
}

const open = (handle: RouteOptions['handle']): RouteOptions => ({ isPublic: true, handle })

/** Any page of the world could reach a server on loopback; only ours may turn its switches. */
const ours = (answer: (request: Request) => Promise<object>): RouteOptions =>
  open(async (request) =>
    request.headers.get('origin') === new URL(request.url).origin
      ? Response.json(await answer(request))
      : new Response(null, { status: 403 }),
  )

/** Equal requests in one line, in the order of their answers. */
function folded(requests: readonly SeenRequest[]): SeenLine[] {
  const lines = new Map<string, SeenLine>()
  for (const { method, path, status, kind, credential } of requests) {
    const key = [method, path, status, kind, credential].join(' ')
    const line = lines.get(key) ?? { count: 0, method, path, status: status ?? 0, kind, credential }
    line.count++
    lines.set(key, line)
  }
  return [...lines.values()]
}
