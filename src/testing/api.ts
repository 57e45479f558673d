/** The API: who calls, which route, may they, the answer. */
import type { Accounts } from './accounts.ts'
import { insufficientScope, invalidToken, noCredentials, type Outcome, problem } from './answers.ts'
import type { Caller, Handle } from './caller.ts'
import type { RequestLog } from './request-log.ts'
import type { MatchedRoute, RouteContext, RouteOptions, Router } from './route.ts'
import type { Judged, Sessions } from './sessions.ts'

export interface ApiParts {
  accounts: Accounts
  sessions: Sessions
  log: RequestLog
  router: Router
  /** Paths that are served elsewhere, and only to POST. */
  endpointPaths: readonly string[]
  /** The cookie that may hold the access token; null where none may. */
  accessCookie: string | null
  isRejectingAll: () => boolean
}

const NOBODY: Judged = { credential: 'none', session: null, scopes: [] }
const DESCRIPTIONS = {
  valid: 'The server rejects every token for now',
  expired: 'The access token expired',
  revoked: 'The access token was revoked',
  spent: 'The access token was revoked',
  unknown: 'The access token is unknown',
}

export function createApi({
  accounts,
  sessions,
  log,
  router,
  endpointPaths,
  accessCookie,
  isRejectingAll,
}: ApiParts): Handle {
  const judge = (request: Request, { cookies }: Caller): Judged => {
    const header = request.headers.get('authorization')
    const cookie = accessCookie === null ? undefined : cookies.get(accessCookie)
    if (header === null) return cookie === undefined ? NOBODY : sessions.judgeAccess(cookie)
    return sessions.judgeAccess(/^bearer +([^\s]+)$/i.exec(header)?.[1] ?? '')
  }

  const contextOf = ({ session, scopes }: Judged, { params }: MatchedRoute, { signal }: Caller): RouteContext => ({
    user: session?.user ?? null,
    roles: session ? accounts.rolesOf(session.user) : [],
    scopes,
    session: session?.id ?? null,
    acr: session?.acr ?? null,
    authenticatedAt: session?.authenticatedAt ?? null,
    params,
    signal,
  })

  return async (request, caller) => {
    const judged = judge(request, caller)
    const end = log.arrive(request, {
      kind: 'api',
      credential: judged.credential,
      session: judged.session?.id ?? null,
    })
    const outcome = end(await serve(request, judged, caller))
    return request.method === 'HEAD' && outcome !== 'dropped' ? new Response(null, outcome) : outcome
  }

  async function serve(request: Request, judged: Judged, caller: Caller): Promise<Outcome> {
    const { pathname } = new URL(request.url)
    const found = router.match(request.method, pathname)
    if ('allowed' in found) {
      return unmatched(request.method, endpointPaths.includes(pathname) ? [...found.allowed, 'POST'] : found.allowed)
    }
    const { route } = found
    const isIn = judged.credential === 'valid' && !isRejectingAll()
    const context = contextOf(isIn ? judged : NOBODY, found, caller)
    const denial = denialOf(route, judged, isIn, context)
    if (denial && !route.isJudgedLate) return denial
    const outcome = await attempt(route, request, context)
    return denial ?? outcome
  }
}

/** The 401 or 403 that a route answers to this caller; null: come in. */
function denialOf(route: RouteOptions, { credential }: Judged, isIn: boolean, context: RouteContext): Response | null {
  if (route.isPublic) return null
  if (!isIn) return credential === 'none' ? noCredentials() : invalidToken(DESCRIPTIONS[credential])
  if (route.role !== undefined && !context.roles.includes(route.role)) {
    return problem(403, 'Forbidden', { type: 'urn:relatch:problem:role', detail: `This takes the role ${route.role}` })
  }
  const hasScope = route.scope === undefined || context.scopes.includes(route.scope)
  return hasScope ? null : insufficientScope(route.scope as string)
}

function unmatched(method: string, allowed: readonly string[]): Response {
  if (allowed.length === 0) return problem(404, 'No such path')
  const headers = { allow: [...allowed, 'OPTIONS'].join(', ') }
  if (method === 'OPTIONS') return new Response(null, { status: 204, headers })
  const answer = problem(405, 'No such method here')
  answer.headers.set('allow', headers.allow)
  return answer
}

async function attempt(route: RouteOptions, request: Request, context: RouteContext): Promise<Outcome> {
  try {
    return await route.handle(request, context)
  } catch (error) {
    // A body that broke off means that the caller left; anything else is a mistake in a handler, and its author wants to know.
    if (context.signal.aborted) return 'dropped'
    return problem(500, 'The route threw', {
      detail: error instanceof Error ? error.message : 'Something that is no Error',
    })
  }
}
