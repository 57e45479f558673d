/**
 * createAuthFetch, and below it the one path of a request, top to bottom. The order is fixed because the order is security:
 * nothing is attached before the URL is decided on, nothing is refreshed before the sessions are compared.
 */
import { type AuthSession, carrying, Session } from './auth-session.ts'
import { monotonicNow, within } from './clock.ts'
import { abortable } from './coordination/abortable.ts'
import { drain } from './http/body-text.ts'
import type { Replay } from './http/replay.ts'
import { isRequest } from './http/request.ts'
import type { Live } from './live.ts'
import { type AuthFetchOptions, readOptions, type Settings } from './options.ts'
import { type Call, endpointOf, openCall, summaryOf } from './pipeline/call.ts'
import { byStatus, classified } from './pipeline/classify.ts'
import { deny } from './pipeline/deny.ts'
import { remember } from './pipeline/failures.ts'
import { isReady, prepare } from './pipeline/prepare.ts'
import { recover, stillOurs } from './pipeline/recover.ts'
import { hand, observe, send } from './pipeline/send.ts'
import { type Pipeline, sharedSession } from './pipeline/shared-session.ts'
import { tellerOf, told } from './pipeline/trace.ts'
import type { Verdict } from './ports.ts'

/** A drop-in fetch (its call type is exactly `typeof globalThis.fetch`) that carries a session. */
export type AuthFetch = typeof globalThis.fetch & AuthSession

/**
 * Makes a fetch that recovers: a 401 becomes one refresh and one retry, or a login; a 403 a callback with the reason.
 *
 * @param options all optional, except that outside a browser `baseUrl` or `origins` must say who may get credentials
 * @throws TypeError with `ERR_ORIGINS_REQUIRED`, `ERR_ORIGIN`, `ERR_INSECURE_ORIGIN`, `ERR_INVALID_OPTION` or
 * `ERR_UNKNOWN_OPTION`
 * @see RFC 9110 §15.5.2 and §15.5.4, RFC 6750 §3
 *
 * @example
 * const api = createAuthFetch({
 *   baseUrl: 'https://api.example',
 *   refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }),
 * })
 * await api.signIn({ accessToken: 'at-1', refreshToken: 'rt-1' })
 * const response = await api('/orders')
 */
export function createAuthFetch(options: AuthFetchOptions = {}): AuthFetch {
  const { store, settings } = readOptions(options)
  const session = new Session(sharedSession(store), settings)
  const bound: typeof globalThis.fetch = authFetch.bind(session)
  const { preconnect } = globalThis.fetch as { preconnect?: unknown }
  // Bun's fetch has it, and `typeof fetch` there asks for it.
  if (preconnect !== undefined) Object.assign(bound, { preconnect })
  return carrying(session, bound)
}

/** Bound to its session, because a closure takes twice the memory. */
function authFetch(this: Session, input: RequestInfo | URL, init?: RequestInit, ...rest: unknown[]): Promise<Response> {
  return request(this, input, init, rest.length === 0 ? null : rest)
}

const ABSOLUTE = /^https?:\/\//i

/** 1. Foreign requests, and those whose caller brings credentials, are none of our business. */
function request(
  pipeline: Pipeline,
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  rest: readonly unknown[] | null,
): Promise<Response> {
  const { shared, settings, events } = pipeline
  try {
    const url = locate(input, settings)
    if (url === null || !settings.isOurs(url)) return passOn(settings, url, input, init, rest)
    // A Request given as init has its members on a prototype, where no copy finds them.
    if (init && isRequest(init)) return request(pipeline, new Request(url, init), undefined, rest)
    const call = openCall(settings, url, input, init, rest, shared.failedLogins)
    if (call === null) return passOn(settings, url, input, init, rest)
    call.signal?.throwIfAborted()
    call.tell = tellerOf(events, call)
    const answer = carry(pipeline, call)
    return call.tell === null ? answer : told(call.tell, call.signal, answer)
  } catch (error) {
    return Promise.reject(error)
  }
}

async function carry(pipeline: Pipeline, call: Call): Promise<Response> {
  const { shared, settings } = pipeline
  // 2. The current session, made ready where it is about to expire. A refresher's own calls wait for nothing (R5).
  let live = shared.engine.current()
  const isRefreshers = shared.reentry.isInside(call.signal)
  if (!isRefreshers && !isReady(pipeline, live)) live = await prepare(pipeline, call, live)

  // 3. Send, and look at the answer.
  call.tell?.({ stage: 'sent', sends: 1 })
  const response = await send(settings, call, live)
  call.tell?.({ stage: 'answered', status: response.status })
  if (isRefreshers) return response
  const verdict =
    settings.looksCloser || response.redirected ? await judge(settings, call, response) : byStatus(response.status)
  observe(settings, call, response)
  if (verdict === 'pass') {
    call.replay?.release()
    if (!shared.breaker.isEmpty()) shared.breaker.accepted(endpointOf(call))
    return response
  }
  return act(pipeline, call, live, response, verdict)
}

/** 4. From the first answer that is not simply passed on to the one that the caller gets. Each turn spends an allowance. */
async function act(
  pipeline: Pipeline,
  call: Call,
  sentWith: Live | null,
  firstResponse: Response,
  firstVerdict: Verdict,
): Promise<Response> {
  const { shared, settings, events } = pipeline
  const startedAt = monotonicNow()
  let used = sentWith
  let response = firstResponse
  let verdict = firstVerdict
  try {
    while (verdict === 'recover') {
      const next = await recover(pipeline, call, used, response)
      if (next === null) return handBack(call, response)
      const body = call.replay ? await again(call.replay, settings, call) : undefined
      if (body === null) {
        events.emit('not-replayed', { request: summaryOf(call), limitBytes: settings.replayLimitBytes })
        return handBack(call, response)
      }
      await abortable(drain(response), call.signal)
      call.signal?.throwIfAborted()
      // A sign-out may have come while we waited: its tokens must not go out any more (R12). The 401 has been read by now, so
      // it goes back without its body.
      used = stillOurs(shared, next)
      if (used === null) return handBack(call, new Response(null, response))
      call.tell?.({ stage: 'sent', sends: call.sends + 1 })
      response = await send(settings, call, used, body)
      call.tell?.({ stage: 'answered', status: response.status })
      observe(settings, call, response)
      verdict = await judge(settings, call, response)
    }
  } catch (error) {
    // Nobody will read it, and unread it would hold its connection.
    void drain(response)
    throw error
  } finally {
    call.replay?.release()
  }
  if (!shared.breaker.isEmpty()) shared.breaker.accepted(endpointOf(call))
  if (call.sends > 1 && events.isHeard('recovered')) {
    const { status } = response
    const durationMs = Math.round(monotonicNow() - startedAt)
    events.emit('recovered', { request: summaryOf(call), status, sends: call.sends, durationMs })
  }
  return verdict === 'deny' ? deny(pipeline, call, response) : response
}

/** A 401 that stays one: unread, and with the reason for whoever asks. */
function handBack(call: Call, response: Response): Response {
  if (call.explain) remember(response, call.explain)
  return response
}

/** The body once more. A source that waits for this very answer would never end: such a body counts as gone. */
function again(replay: Replay, { refreshTimeoutMs }: Settings, { signal }: Call): Promise<BodyInit | null> {
  return abortable(
    within(replay.again(), refreshTimeoutMs, () => null).catch(() => null),
    signal,
  )
}

/** What an answer means; that of another origin, to which a redirect has led, means nothing to us (O1). */
async function judge(settings: Settings, call: Call, response: Response): Promise<Verdict> {
  if (response.redirected && response.url !== '' && !settings.isOurs(new URL(response.url))) return 'pass'
  if (!settings.looksCloser) return byStatus(response.status)
  try {
    return await abortable(classified(settings, call, response), call.signal)
  } catch (error) {
    void drain(response)
    throw error
  }
}

/** The parsed URL, or null where the transport is to say what is wrong with it. */
function locate(input: RequestInfo | URL, settings: Settings): URL | null {
  // A copy: what was decided on is what is sent, and sent again, whatever the caller does with the object meanwhile.
  if (input instanceof URL) return new URL(input)
  const text = isRequest(input) ? input.url : String(input)
  try {
    // With its two slashes it is absolute and needs no base; `https:host` is a path to a base of that scheme.
    return ABSOLUTE.test(text) ? new URL(text) : new URL(text, settings.base())
  } catch {
    return null
  }
}

function passOn(
  settings: Settings,
  url: URL | null,
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  rest: readonly unknown[] | null,
): Promise<Response> {
  // What was relative goes where it was resolved to, not where the transport would resolve it.
  const target = url !== null && typeof input === 'string' && !URL.canParse(input) ? url.href : input
  return hand(settings, target, init, rest)
}
