/** Remembers why a response that was handed back is a 401 or a 403, for the code that holds only the response. */
import type { Challenge } from '../http/challenge.ts'
import { isSecure } from '../http/origins.ts'
import { currentPage } from '../login/current-page.ts'
import type { LoginNeed, StepUpNeed } from '../ports.ts'
import { type AuthFailure, type Call, summaryOf } from './call.ts'

const STEP_UP = 'insufficient_user_authentication'

/** Weak: the reason goes when the response does. */
const failures = new WeakMap<Response, () => AuthFailure>()

/**
 * Why a response that fetch handed back was a 401 or a 403; null for every other response, and for those of requests that
 * relatch left alone. Ask before you read the body, if you want a denial's `problem()` or `response`.
 *
 * @example
 * const response = await api('/reports')
 * const failure = authFailureOf(response)
 * if (failure && 'requiredScopes' in failure) askFor(failure.requiredScopes)
 */
export function authFailureOf(response: Response): AuthFailure | null {
  return failures.get(response)?.() ?? null
}

/** @param make called when somebody asks, and then once */
export function remember(response: Response, make: () => AuthFailure): void {
  let failure: AuthFailure | undefined
  failures.set(response, () => (failure ??= make()))
}

/** The scopes that challenges name, each once. */
export const scopesOf = (challenges: readonly Challenge[]): readonly string[] =>
  Object.freeze([...new Set(challenges.flatMap(({ params }) => words(params.scope)))])

const words = (list: string | undefined): string[] => list?.split(' ').filter(Boolean) ?? []

/** Whether a 401 has to be read before it can be acted on; most never are. */
export const mayAskForStepUp = (response: Response): boolean =>
  response.headers.get('www-authenticate')?.includes(STEP_UP) ?? false

/** RFC 9470: the challenge that asks for a stronger or a more recent login. */
export const stepUpChallenge = (challenges: readonly Challenge[]): Challenge | undefined =>
  challenges.find(({ params }) => params.error === STEP_UP)

/** The first address that a challenge names and that may be followed at all, RFC 9728 §5.1. */
function resourceMetadataOf(challenges: readonly Challenge[]): Pick<LoginNeed, 'resourceMetadata'> {
  const addresses = challenges.map(({ params }) => params.resource_metadata ?? '')
  const resourceMetadata = addresses.find((address) => URL.canParse(address) && isSecure(new URL(address)))
  return resourceMetadata === undefined ? {} : { resourceMetadata }
}

/** @param signal default: one that never fires, for a need that nobody waits on */
export function loginNeed(
  call: Call,
  reason: LoginNeed['reason'],
  challenges: readonly Challenge[],
  signal: AbortSignal = new AbortController().signal,
): LoginNeed {
  return {
    reason,
    request: summaryOf(call),
    challenges,
    ...resourceMetadataOf(challenges),
    returnTo: currentPage(),
    signal,
  }
}

export function stepUpNeed(
  call: Call,
  { params }: Challenge,
  challenges: readonly Challenge[],
  signal: AbortSignal = new AbortController().signal,
): StepUpNeed {
  const maxAge = params.max_age
  return {
    acrValues: Object.freeze(words(params.acr_values)),
    ...(maxAge !== undefined && /^\d{1,15}$/.test(maxAge) && { maxAgeSeconds: Number(maxAge) }),
    scopes: Object.freeze(words(params.scope)),
    request: summaryOf(call),
    challenges,
    ...resourceMetadataOf(challenges),
    signal,
  }
}
