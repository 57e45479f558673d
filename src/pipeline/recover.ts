/**
 * A 401: which session to send the request with again, if any. Compares the session a request was sent with to the current one
 * before anything else (R3), and spends each of a call's allowances at most once (R1).
 */
import { challengesOf } from '../http/challenge.ts'
import { isSameCredential, type Live } from '../live.ts'
import type { AuthScheme, Challenge, Cure, LoginNeed, RefreshReason } from '../ports.ts'
import { type Call, endpointOf } from './call.ts'
import { loginNeed, mayAskForStepUp, stepUpChallenge, stepUpNeed } from './failures.ts'
import { isResumed, login, stepUp } from './login.ts'
import { refresh } from './refresh.ts'
import { isOver, type Pipeline, type RefreshOutcome, type SharedSession } from './shared-session.ts'
import { waitFor } from './trace.ts'

/**
 * @param used the session that the rejected request was sent with; null = none
 * @returns the session to send with again; null = hand this 401 back
 * @throws AuthError where the refresh failed for now; whatever a callback threw; the caller's abort reason
 */
export async function recover(
  pipeline: Pipeline,
  call: Call,
  used: Live | null,
  response: Response,
): Promise<Live | null> {
  const { shared, settings } = pipeline
  const { scheme } = settings
  const current = shared.engine.current()
  call.explain = () => loginNeed(call, 'session-over', challengesOf(response))

  if (call.hasLoggedIn) return null
  if (current !== null && used !== null && current.sessionId !== used.sessionId) {
    if (!isResumed(pipeline, used, current)) return null
    call.hasLoggedIn = true
    return current
  }
  if (current !== null && (used === null || !isSameCredential(current, used))) {
    if (call.hasAdopted) return null
    call.hasAdopted = true
    return current
  }

  const challenges = scheme.cure || mayAskForStepUp(response) ? challengesOf(response) : []
  const wanted = cureOf(scheme, challenges)
  const stronger = stepUpChallenge(challenges) ?? (wanted === 'step-up' ? (challenges[0] ?? UNSPECIFIED) : undefined)
  if (stronger !== undefined) {
    call.explain = () => stepUpNeed(call, stronger, challenges)
    return stepUp(pipeline, call, used, (signal) => stepUpNeed(call, stronger, challenges, signal))
  }

  // The refresh before the send has failed, and that is this call's answer: asking again would be a second refresh.
  if (call.failure !== null) throw call.failure
  const next = current === null ? whyNobody(pipeline, used) : await cure(pipeline, call, current, wanted)
  if (next === null || typeof next === 'object') return next
  call.explain = () => loginNeed(call, next, challengesOf(response))
  call.hasLoggedIn = true
  return login(pipeline, call, used, (signal) => loginNeed(call, next, challengesOf(response), signal))
}

/** What a scheme's 'step-up' stands on where the 401 says nothing. */
const UNSPECIFIED: Challenge = { scheme: '', params: {} }

/** What the scheme says would help; a mistake in it must not cost the caller a response. */
function cureOf(scheme: AuthScheme, challenges: readonly Challenge[]): Cure {
  try {
    return typeof scheme.cure === 'function' ? scheme.cure(challenges) : 'refresh'
  } catch {
    return 'refresh'
  }
}

/** Nobody is signed in: whether that is for a login to mend. A session that was signed out on purpose is not (R12). */
function whyNobody({ shared }: Pipeline, used: Live | null): LoginNeed['reason'] | null {
  if (used === null) return 'no-session'
  return isOver(shared, used) ? 'refresh-refused' : null
}

/** The current session was rejected: the session to go on with, null to hand the 401 back, or why a login is needed. */
async function cure(
  pipeline: Pipeline,
  call: Call,
  current: Live,
  wanted: Cure,
): Promise<Live | LoginNeed['reason'] | null> {
  const { shared, settings } = pipeline
  if (wanted === 'again') {
    if (call.hasTriedAgain) return null
    call.hasTriedAgain = true
    return current
  }
  if (wanted === 'nothing') return null
  if (wanted === 'login' || settings.refresh === undefined) return 'session-over'
  if (call.hasRefreshed || !shared.breaker.allows(endpointOf(call), current)) return null
  const outcome = await waitFor(call, 'refresh', refreshFor(pipeline, call, current, 'rejected'))
  switch (outcome.kind) {
    case 'fresh':
      return stillOurs(shared, current)
    case 'over':
      return 'refresh-refused'
    case 'ended':
      return null
    case 'failed':
      throw outcome.error
  }
}

/**
 * Refreshes on behalf of one call, which may do so once; taking over what someone else got is its other allowance. Never
 * rejects; how long to wait for it is the caller's to say.
 */
export async function refreshFor(
  { shared, settings }: Pipeline,
  call: Call,
  base: Live | null,
  reason: RefreshReason,
): Promise<RefreshOutcome> {
  call.hasRefreshed = true
  const outcome = await refresh(shared, settings, base, reason)
  if (outcome.kind === 'fresh' && outcome.isAdopted) {
    if (!call.hasAdopted) call.hasRefreshed = outcome.hasAsked
    call.hasAdopted = true
  }
  return outcome
}

/** The current session if it is the one that `base` belongs to: a sign-out may have come between a refresh and us (R12). */
export function stillOurs({ engine }: SharedSession, base: Live | null): Live | null {
  const current = engine.current()
  return base === null || current?.sessionId === base.sessionId ? current : null
}
