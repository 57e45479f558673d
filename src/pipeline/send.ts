/** Sends a call with a session's credentials, once. Knows nothing of answers other than redirects. */
import { abortable } from '../coordination/abortable.ts'
import { notify } from '../events.ts'
import { CREDENTIAL_HEADERS, followRedirects, type Hop, isRedirect } from '../http/redirects.ts'
import type { Live } from '../live.ts'
import type { Settings } from '../options.ts'
import type { SchemeRequest } from '../ports.ts'
import type { TokenSet } from '../tokens.ts'
import { type Call, ownInit } from './call.ts'
import { secretsOf, withoutSecrets } from './secrets.ts'

/**
 * @param live whose tokens to attach; null = none
 * @param body what to send in place of the body that has already been sent
 */
export function send(settings: Settings, call: Call, live: Live | null, body?: BodyInit): Promise<Response> {
  const headers = call.sends === 0 && !settings.isAmbient ? call.headers : cleanHeaders(settings, call)
  // No promise and no closure where the scheme makes no promise: this is the hot path.
  const attached = attach(settings, headers, live, call)
  return attached
    ? abortable(attached, call.signal).then(() => transmit(settings, call, live, initOf(settings, call, headers, body)))
    : transmit(settings, call, live, initOf(settings, call, headers, body))
}

function transmit(settings: Settings, call: Call, live: Live | null, init: RequestInit): Promise<Response> {
  const { forwardedHeaders } = settings
  if (
    forwardedHeaders.length > 0 &&
    (init.redirect ?? call.request?.redirect ?? 'follow') === 'follow' &&
    forwardedHeaders.some((name) => (init.headers as Headers).has(name))
  ) {
    return sendFollowing(settings, call, live, init)
  }
  return hand(settings, call.target, init, call.rest)
}

/** Shows an answer to the scheme, whose mistakes must not cost the caller a response. */
export function observe({ scheme }: Settings, { method, url }: Pick<Call, 'method' | 'url'>, response: Response): void {
  if (typeof scheme.observe === 'function') notify(() => scheme.observe?.(response, { method, url }))
}

/** Calls the transport detached, with whatever the client hands its fetch beyond init. */
export function hand(
  { transport }: Settings,
  target: RequestInfo | URL,
  init: RequestInit | undefined,
  rest: readonly unknown[] | null,
): Promise<Response> {
  return rest === null ? transport(target, init) : transport(target, init, ...(rest as []))
}

/**
 * The caller's headers without ours, which the scheme is about to set anew: none of those was the caller's, or the call would not
 * be here (O3). Those of an ambient scheme may be; so there the first send has added to a copy.
 */
function cleanHeaders({ ourHeaders, isAmbient }: Settings, call: Call): Headers {
  if (!call.hasHeaders) return new Headers()
  const headers = new Headers(call.headers)
  if (!isAmbient) for (const name of ourHeaders) headers.delete(name)
  return headers
}

function initOf(settings: Settings, call: Call, headers: Headers, body: BodyInit | undefined): RequestInit {
  const init = call.sends++ === 0 ? call.init : ownInit(call.init)
  const { replay } = call
  if (settings.credentials !== undefined && isCrossOrigin(call)) init.credentials ??= settings.credentials
  init.headers = headers
  if (body !== undefined) {
    init.body = body
  } else if (replay?.body !== undefined) {
    init.body = replay.body
    if (replay.isStream) Object.assign(init, { duplex: 'half' })
  }
  return init
}

/** Whether cookies go along only if that is said, and the caller has not said anything. */
const isCrossOrigin = ({ url, request }: Call): boolean =>
  url.origin !== globalThis.location?.origin && (request?.credentials ?? 'same-origin') === 'same-origin'

function attach(
  { scheme, isAmbient }: Settings,
  headers: Headers,
  live: Pick<Live, 'tokens'> | null,
  { method, url, signal }: SchemeRequest,
): Promise<void> | void {
  // What an ambient scheme is given may be null; others are never asked without tokens.
  const tokens = (live?.tokens ?? null) as TokenSet
  if (tokens === null && !isAmbient) return
  const fail = (error: unknown): never => {
    throw withoutSecrets(error, secretsOf(tokens))
  }
  try {
    return scheme.attach(headers, tokens, { method, url, signal })?.catch(fail)
  } catch (error) {
    fail(error)
  }
}

async function sendFollowing(settings: Settings, call: Call, live: Live | null, init: RequestInit): Promise<Response> {
  const { replay, request, target, rest, url } = call
  // A Request that has a body has a replay.
  const hasBody = (init.body ?? replay) != null
  const first = await hand(settings, target, Object.assign(ownInit(init), { redirect: 'manual' }), rest)
  // The last answer of a chain is shown by whoever gets it.
  if (isRedirect(first)) observe(settings, call, first)
  return followRedirects(first, { url, method: call.method.toUpperCase(), hasBody }, async (hop: Hop) => {
    const headers = cleanHeaders(settings, call)
    for (const name of hop.isHome
      ? hop.droppedHeaders
      : [...hop.droppedHeaders, ...CREDENTIAL_HEADERS, ...settings.ourHeaders])
      headers.delete(name)
    if (hop.isHome) await attach(settings, headers, live, { ...hop, signal: call.signal })
    const body = hop.hasBody ? (replay ? await replay.again() : init.body) : null
    if (hop.hasBody && body === null) throw new TypeError('fetch failed: a redirect asks for a body that is gone')
    const { mode, credentials, cache, referrer, referrerPolicy, integrity, keepalive } = request ?? ({} as Request)
    const inherited = request ? { mode, credentials, cache, referrer, referrerPolicy, integrity, keepalive } : {}
    const next = Object.assign(ownInit(inherited), init, { method: hop.method, headers, body, redirect: 'manual' })
    if (call.signal !== undefined) next.signal = call.signal
    const answer = await hand(settings, hop.url.href, next, rest)
    if (hop.isHome) observe(settings, hop, answer)
    return answer
  })
}
