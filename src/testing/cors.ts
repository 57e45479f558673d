/** CORS, Fetch standard: whoever asks is let in, with credentials. Fit for tests, and for nothing else. */
import type { Outcome } from './answers.ts'
import type { Handle } from './caller.ts'
import type { RequestLog } from './request-log.ts'

const EXPOSED = 'www-authenticate, retry-after'

/** The same server, open to browsers on other origins. */
export function withCors(handle: Handle, log: RequestLog): Handle {
  return async (request, caller) => {
    const origin = request.headers.get('origin')
    if (origin === null) return handle(request, caller)
    const isPreflight = request.method === 'OPTIONS' && request.headers.has('access-control-request-method')
    if (!isPreflight) return allow(await handle(request, caller), origin)
    const end = log.arrive(request, { kind: 'preflight' })
    return allow(end(preflight(request)), origin)
  }
}

function preflight({ headers }: Request): Response {
  const allowed = {
    'access-control-allow-methods': headers.get('access-control-request-method') ?? '',
    'access-control-allow-headers': headers.get('access-control-request-headers') ?? '',
    'access-control-max-age': '600',
  }
  return new Response(null, { status: 204, headers: allowed })
}

function allow(outcome: Outcome, origin: string): Outcome {
  if (outcome === 'dropped') return outcome
  // A handler may have answered with a response whose headers cannot be changed.
  const answer = new Response(outcome.body, outcome)
  answer.headers.set('access-control-allow-origin', origin)
  answer.headers.set('access-control-allow-credentials', 'true')
  answer.headers.set('access-control-expose-headers', EXPOSED)
  answer.headers.append('vary', 'Origin')
  return answer
}
