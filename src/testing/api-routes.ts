/** The built-in routes of the API: one for each thing that a client has to tell apart. */
import { insufficientAuthentication, invalidToken, json, problem } from './answers.ts'
import type { StepUpOptions } from './auth-server-options.ts'
import { echo } from './echo.ts'
import type { RouteContext, RouteHandler, RouteOptions } from './route.ts'
import type { Waiting } from './waiting.ts'

const ITEMS = Array.from({ length: 25 }, (_, index) => ({ id: String(index + 1), name: `Item ${index + 1}` }))
/** Statuses whose answers have no body, Fetch standard. */
const BODILESS = [204, 205, 304]

const whoAmI: RouteHandler = (_request, { user, roles, scopes, session, acr }) =>
  json({ user, roles, scopes, session, acr })
const hash: RouteHandler = (request, { signal }) => echo(request, signal)

export function apiRoutes(
  stepUp: Required<StepUpOptions>,
  waiting: Waiting,
): Record<string, RouteHandler | RouteOptions> {
  return {
    'GET /public': { isPublic: true, handle: () => json({ message: 'Anyone may read this' }) },
    'GET /me': whoAmI,
    'GET /items': (request) => json({ items: ITEMS, query: Object.fromEntries(new URL(request.url).searchParams) }),
    'GET /items/:id': (_request, { params }) => {
      const item = ITEMS.find(({ id }) => id === params.id)
      return item ? json(item) : problem(404, 'No such item')
    },
    'POST /echo': hash,
    'PUT /echo': hash,
    'POST /echo/late': { isJudgedLate: true, handle: hash },
    'PUT /echo/late': { isJudgedLate: true, handle: hash },
    'GET /admin': { role: 'admin', handle: whoAmI },
    'GET /reports': { scope: 'reports:read', handle: () => json({ reports: ['Q1', 'Q2'] }) },
    'POST /payments': (_request, context) =>
      satisfies(context, stepUp) ? json({ isPaid: true }, 201) : stepUpNeeded(stepUp),
    'GET /slow': async (request, { signal }) => {
      const ms = Number(new URL(request.url).searchParams.get('ms') ?? 1_000)
      if (!(ms >= 0 && ms < 2 ** 31)) return problem(400, 'Expected ?ms= to be milliseconds')
      return (await waiting.sleep(ms, signal)) ? json({ waitedMs: ms }) : 'dropped'
    },
    'GET /status/:code': (_request, { params }) => answerWith(Number(params.code)),
    'GET /csrf': () =>
      problem(403, 'CSRF token missing or wrong', {
        type: 'urn:relatch:problem:csrf',
        code: 'csrf',
        detail: 'Send X-CSRF-Token',
      }),
  }
}

/** RFC 9470: the right context class, and recent enough. */
function satisfies({ acr, authenticatedAt }: RouteContext, stepUp: Required<StepUpOptions>): boolean {
  if (stepUp.isNeverMet || acr === null || authenticatedAt === null) return false
  return stepUp.acrValues.includes(acr) && Date.now() - authenticatedAt <= stepUp.maxAgeSeconds * 1000
}

const stepUpNeeded = ({ acrValues, maxAgeSeconds }: Required<StepUpOptions>): Response =>
  insufficientAuthentication(acrValues, maxAgeSeconds)

/** 401 and 403 in the shape that the rest of the API gives them. */
function answerWith(status: number): Response {
  if (!Number.isInteger(status) || status < 200 || status > 599)
    return problem(400, 'Expected a status from 200 to 599')
  if (status === 401) return invalidToken('This path accepts no token')
  if (status >= 400) return problem(status, `Status ${status}, as asked for`)
  return BODILESS.includes(status) ? new Response(null, { status }) : json({ status }, status)
}
