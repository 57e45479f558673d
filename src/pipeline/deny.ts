/** A 403: one callback with the reason, then the response goes back as it came. Never refreshes, never sends again (D1). */
import { patiently } from '../coordination/patience.ts'
import { boundedText } from '../http/body-text.ts'
import type { Denial, ProblemDetails } from '../ports.ts'
import { type Call, summaryOf } from './call.ts'
import { challengesOf, remember, scopesOf } from './failures.ts'
import type { Pipeline } from './shared-session.ts'

const PROBLEM_BYTES = 65_536
const PROBLEM_MS = 10_000

/** Tells the app why, waits for it, and hands the response back. What the callback throws rejects the call, unchanged. */
export async function deny({ shared, settings, events }: Pipeline, call: Call, response: Response): Promise<Response> {
  const denial = remember(response, denialOf(call, response))
  const { request, reason, requiredScopes } = denial
  events.emit('denied', { request, reason, requiredScopes })
  const { onPermissionDenied } = settings
  // A callback whose own request is denied must not be called for that, and so on without end.
  if (onPermissionDenied && !shared.callbacks.isInside(call.signal)) {
    // Cloned now: the callback may keep the denial and look into it after the caller has read the response.
    void denial.response
    const left = new AbortController()
    try {
      await patiently(
        shared.callbacks.enter(left.signal, async () => onPermissionDenied(denial)),
        call.signal,
      )
    } finally {
      left.abort()
    }
  }
  return response
}

function denialOf(call: Call, response: Response): Denial {
  const challenges = challengesOf(response)
  const isScope = challenges.some(({ params }) => params.error === 'insufficient_scope')
  let clone: Response | undefined
  let problem: Promise<ProblemDetails | null> | undefined
  return {
    reason: isScope ? 'insufficient-scope' : 'forbidden',
    request: summaryOf(call),
    challenges,
    requiredScopes: scopesOf(challenges),
    // Lazily, because a clone that nobody reads keeps what the caller reads in memory.
    get response() {
      clone ??= response.bodyUsed ? new Response(null, response) : response.clone()
      return clone
    },
    problem() {
      problem ??= readProblem(this.response)
      return problem
    },
  }
}

/** RFC 9457 §3: an object under the problem's own media type; any other JSON is the app's business. */
async function readProblem(response: Response): Promise<ProblemDetails | null> {
  try {
    if (!/^application\/problem\+json\b/i.test(response.headers.get('content-type') ?? '')) return null
    const value: unknown = JSON.parse((await boundedText(response.clone(), PROBLEM_BYTES, PROBLEM_MS)) ?? 'null')
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : null
  } catch {
    return null
  }
}
