/** One call on its way: what to send, and how much recovery it has had. Every allowance is spent once, so that it ends. */
import type { AuthError } from '../errors.ts'
import type { Tell } from '../events.ts'
import { type Replay, replayOf } from '../http/replay.ts'
import { isRequest, signalOf } from '../http/request.ts'
import type { Settings } from '../options.ts'
import type { Denial, LoginNeed, RequestSummary, StepUpNeed } from '../ports.ts'

/** Why an answer is a 401 or a 403. */
export type AuthFailure = Denial | LoginNeed | StepUpNeed

export interface Call {
  readonly url: URL
  readonly method: string
  /** What the transport gets first: the caller's Request or URL, or the string as it was decided on. */
  readonly target: RequestInfo | URL
  readonly request: Request | null
  /** The caller's init, on no prototype. */
  readonly init: RequestInit
  /** What a client hands its fetch beyond init (up-fetch does); null = nothing. */
  readonly rest: readonly unknown[] | null
  /** The caller's headers; the first send adds ours to this very object, later ones take them off a copy. */
  readonly headers: Headers
  /** Whether the caller gave any. */
  readonly hasHeaders: boolean
  readonly signal: AbortSignal | null | undefined
  /** What makes the body repeatable; null where the arguments can simply be used again. */
  readonly replay: Replay | null
  /** How many logins had come to nothing when this call began. */
  readonly failedLogins: number
  sends: number
  hasRefreshed: boolean
  hasAdopted: boolean
  hasTriedAgain: boolean
  hasSteppedUp: boolean
  hasLoggedIn: boolean
  /** Why its last answer is a denial, where the scheme knows. */
  denialReason: Denial['reason'] | undefined
  /** Why the refresh before the first send failed. */
  failure: AuthError | null
  /** Why its last answer was a 401, should that be the one handed back; most are recovered, and nobody asks. */
  explain: (() => AuthFailure) | null
  /** Whom to tell what becomes of it; null = nobody listens. */
  tell: Tell | null
  /** What `summaryOf` has made; null = nobody has asked. */
  summary: RequestSummary | null
}

/** An init that inherits nothing: a polluted `Object.prototype` must not become part of a request (O4). */
class OwnInit {}
Object.setPrototypeOf(OwnInit.prototype, null)

export const ownInit = (init: RequestInit | undefined): RequestInit => Object.assign(new OwnInit(), init)

/**
 * Opens a call; null where the caller has set credentials itself, which makes the request the caller's own (O3).
 *
 * @throws TypeError where the body is used already, as fetch does (B3)
 */
export function openCall(
  { callerHeaders, replayLimitBytes }: Settings,
  url: URL,
  input: RequestInfo | URL,
  given: RequestInit | undefined,
  rest: readonly unknown[] | null,
  failedLogins: number,
): Call | null {
  const init = ownInit(given)
  const request = isRequest(input) ? input : null
  // One Headers a call: it copies what the caller may change while we wait, and it is what the first send adds to.
  const theirs = init.headers ?? request?.headers
  const headers = new Headers(theirs)
  if (theirs !== undefined && callerHeaders.some((name) => headers.has(name))) return null
  const replay =
    request === null && typeof (init.body ?? '') === 'string' ? null : replayOf(request, init.body, replayLimitBytes)
  return {
    url,
    method: init.method ?? request?.method ?? 'GET',
    target: request ?? (input instanceof URL ? url : url.href),
    request,
    init,
    rest,
    headers,
    hasHeaders: theirs !== undefined,
    signal: signalOf(request, init),
    replay,
    failedLogins,
    sends: 0,
    hasRefreshed: false,
    hasAdopted: false,
    hasTriedAgain: false,
    hasSteppedUp: false,
    hasLoggedIn: false,
    denialReason: undefined,
    failure: null,
    explain: null,
    tell: null,
    summary: null,
  }
}

/**
 * The call as callbacks and events may see it: query, fragment and userinfo can hold secrets. One object a call, by which a trace
 * knows the events of a request.
 */
export function summaryOf(call: Pick<Call, 'method' | 'url' | 'summary'>): RequestSummary {
  const { method, url } = call
  call.summary ??= Object.freeze({ method: method.toUpperCase(), url: url.origin + url.pathname })
  return call.summary
}

/** What the breaker counts by. */
export const endpointOf = ({ method, url }: Call): string => `${method} ${url.origin}${url.pathname}`
