/**
 * What an event says, as the attributes of a span or a metric. Names are those of OpenTelemetry's semantic conventions where there
 * is one, and begin with `relatch.` where there is none. Texts that a server chose (scopes, acr values) are left out: one that
 * wants to could put a token there.
 */
import type { AuthEvents, RequestStage, RequestSummary } from '../index.ts'

export type Refreshed = AuthEvents['refreshed'] | AuthEvents['refresh-failed']

type Values = Record<string, string | number>

/** Those of RFC 9110 and RFC 5789, and QUERY. */
const KNOWN_METHODS = /^(?:CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|QUERY|TRACE)$/

/** The method as the name of a span may hold it: anybody can make up more of them. */
export const methodOf = ({ method }: RequestSummary): string => (KNOWN_METHODS.test(method) ? method : 'HTTP')

export function requestAttributes(request: RequestSummary): Values {
  const { method } = request
  const isKnown = methodOf(request) === method
  const { protocol, hostname, port, pathname } = new URL(request.url)
  return {
    'http.request.method': isKnown ? method : '_OTHER',
    ...(!isKnown && { 'http.request.method_original': method }),
    // That of an IPv6 address stands in brackets.
    'server.address': hostname.replace(/^\[|\]$/g, ''),
    'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
    'url.scheme': protocol.slice(0, -1),
    'url.path': pathname,
  }
}

/** The same for the span and the metric, so that one leads to the other. */
export function refreshAttributes(told: Refreshed): Values {
  const attributes: Values = { 'relatch.refresh.reason': told.reason }
  if (!('verdict' in told)) return attributes
  const { verdict, oauthError = verdict } = told
  return { ...attributes, 'relatch.refresh.verdict': verdict, 'error.type': oauthError }
}

/** The `error.type` of a call that was rejected; null where it is none, because its caller has given up on purpose. */
export function failureOf({ code, abortedBy }: Extract<RequestStage, { stage: 'failed' }>): string | null {
  if (code === undefined && abortedBy === 'caller') return null
  return code ?? (abortedBy === 'timeout' ? 'timeout' : '_OTHER')
}
