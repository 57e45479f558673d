/** A 403: one callback with the reason, then the response goes back as it came. Never refreshes, never sends again (D1). */
import { boundedText, drain } from '../http/body-text.ts'
import { challengesOf } from '../http/challenge.ts'
import { jsonObject } from '../http/json.ts'
import type { Denial, ProblemDetails } from '../ports.ts'
import { type Call, summaryOf } from './call.ts'
import { remember, scopesOf } from './failures.ts'
import type { Pipeline } from './shared-session.ts'
import { waitFor } from './trace.ts'

const PROBLEM_BYTES = 65_536
const PROBLEM_MS = 10_000

/** Tells the app why, waits for it, and hands the response back. What the callback throws rejects the call, unchanged. */
export async function deny({ shared, settings, events }: Pipeline, call: Call, response: Response): Promise<Response> {
  const { denial, keep, discard } = denialOf(call, response)
  remember(response, () => denial)
  const { request, reason, requiredScopes } = denial
  events.emit('denied', { request, reason, requiredScopes })
  const { onPermissionDenied } = settings
  // A callback whose own request is denied must not be called for that, and so on without end.
  if (onPermissionDenied === undefined || shared.callbacks.isInside(call.signal)) return response

  keep()
  const left = new AbortController()
  try {
    await waitFor(
      call,
      'permission',
      shared.callbacks.enter(left.signal, async () => onPermissionDenied(denial)),
    )
    return response
  } catch (error) {
    discard()
    throw error
  } finally {
    left.abort()
  }
}

interface KeptDenial {
  denial: Denial
  /** Makes sure that the body can be looked into after the caller has read the response. */
  keep(): void
  /** Frees the connection where nobody will get the response. */
  discard(): void
}

function denialOf(call: Call, response: Response): KeptDenial {
  const challenges = challengesOf(response)
  const isScope = challenges.some(({ params }) => params.error === 'insufficient_scope')
  // Ours alone, and cloned for everyone who asks. Made late where it can be: unread, it keeps in memory what the caller reads.
  let source: Response | undefined
  let handedOut: Response | undefined
  let problem: Promise<ProblemDetails | null> | undefined
  const keep = (): Response => {
    const isGone = response.bodyUsed || response.body?.locked === true
    source ??= isGone ? new Response(null, response) : response.clone()
    return source
  }
  const denial: Denial = {
    reason: call.denialReason ?? (isScope ? 'insufficient-scope' : 'forbidden'),
    request: summaryOf(call),
    challenges,
    requiredScopes: scopesOf(challenges),
    get response() {
      handedOut ??= keep().clone()
      return handedOut
    },
    problem() {
      // Looked at before cloning: a clone that nobody reads keeps the caller's cancel from ending.
      problem ??= isProblem(response) ? readProblem(keep().clone()) : Promise.resolve(null)
      return problem
    },
  }
  const discard = (): void => {
    for (const body of [response, source]) if (body) void drain(body)
  }
  return { denial, keep, discard }
}

/** RFC 9457 §3: only the problem's own media type counts; any other JSON is the app's business. */
const isProblem = ({ headers }: Response): boolean =>
  /^application\/problem\+json\b/i.test(headers.get('content-type') ?? '')

async function readProblem(response: Response): Promise<ProblemDetails | null> {
  return jsonObject(await boundedText(response, PROBLEM_BYTES, PROBLEM_MS))
}
