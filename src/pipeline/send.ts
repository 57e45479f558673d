/** Sends a call with a session's credentials, once. Knows nothing of answers other than redirects. */
import { abortable } from '../coordination/abortable.ts'
import { CREDENTIAL_HEADERS, followRedirects, type Hop } from '../http/redirects.ts'
import type { Live } from '../live.ts'
import type { Settings } from '../options.ts'
import type { TokenSet } from '../tokens.ts'
import { type Call, ownInit } from './call.ts'
import { secretsOf, withoutSecrets } from './secrets.ts'

/**
 * @param live whose tokens to attach; null = none
 * @param body what to send in place of the body that has already been sent
 */
export function send(settings: Settings, call: Call, live: Live | null, body?: BodyInit): Promise<Response> {
  const headers = call.sends === 0 ? call.headers : cleanHeaders(settings, call)
  // No promise and no closure where the scheme makes no promise: this is the hot path.
  const attached = live?.tokens ? attach(settings, headers, live.tokens, call) : undefined
  return attached
    ? abortable(attached, call.signal).then(() => transmit(settings, call, live, initOf(call, headers, body)))
    : transmit(settings, call, live, initOf(call, headers, body))
}

function transmit(settings: Settings, call: Call, live: Live | null, init: RequestInit): Promise<Response> {
  if (settings.followsRedirects && (init.redirect ?? call.request?.redirect ?? 'follow') === 'follow') {
    return sendFollowing(settings, call, live, init)
  }
  return hand(settings, call.target, init, call.rest)
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

/** The caller's headers without ours: none of those was the caller's, or the call would not be here (O3). */
function cleanHeaders({ callerHeaders }: Settings, call: Call): Headers {
  if (!call.hasHeaders) return new Headers()
  const headers = new Headers(call.headers)
  for (const name of callerHeaders) headers.delete(name)
  return headers
}

function initOf(call: Call, headers: Headers, body: BodyInit | undefined): RequestInit {
  const init = call.sends++ === 0 ? call.init : ownInit(call.init)
  const { replay } = call
  init.headers = headers
  if (body !== undefined) {
    init.body = body
  } else if (replay?.body !== undefined) {
    init.body = replay.body
    if (replay.isStream) Object.assign(init, { duplex: 'half' })
  }
  return init
}

function attach(
  { scheme }: Settings,
  headers: Headers,
  tokens: TokenSet,
  { method, url }: Pick<Call, 'method' | 'url'>,
): Promise<void> | void {
  const fail = (error: unknown): never => {
    throw withoutSecrets(error, secretsOf(tokens))
  }
  try {
    return scheme.attach(headers, tokens, { method, url })?.catch(fail)
  } catch (error) {
    fail(error)
  }
}

async function sendFollowing(settings: Settings, call: Call, live: Live | null, init: RequestInit): Promise<Response> {
  const { replay, request, target, rest, url } = call
  const hasBody = (init.body ?? request?.body ?? null) !== null
  const first = await hand(settings, target, Object.assign(ownInit(init), { redirect: 'manual' }), rest)
  return followRedirects(first, { url, method: call.method.toUpperCase(), hasBody }, async (hop: Hop) => {
    const headers = cleanHeaders(settings, call)
    for (const name of hop.isHome ? hop.droppedHeaders : [...hop.droppedHeaders, ...CREDENTIAL_HEADERS])
      headers.delete(name)
    if (hop.isHome && live?.tokens) await attach(settings, headers, live.tokens, hop)
    const body = hop.hasBody ? (replay ? await replay.again() : init.body) : null
    if (hop.hasBody && body === null) throw new TypeError('fetch failed: a redirect asks for a body that is gone')
    const { mode, credentials, cache, referrer, referrerPolicy, integrity, keepalive } = request ?? ({} as Request)
    const inherited = request ? { mode, credentials, cache, referrer, referrerPolicy, integrity, keepalive } : {}
    const next = Object.assign(ownInit(inherited), init, { method: hop.method, headers, body, redirect: 'manual' })
    if (call.signal !== undefined) next.signal = call.signal
    return hand(settings, hop.url.href, next, rest)
  })
}
