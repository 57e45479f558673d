/** The ways in which a refresh can go wrong, and which one is next. */
import { json, type Outcome, oauthError } from './answers.ts'
import { misuse } from './misuse.ts'
import type { Waiting } from './waiting.ts'

/** What happens to a refresh instead of, or on the way to, its answer. */
export type RefreshFault =
  /** That status, 400 to 599, with a body that is no OAuth error. */
  | number
  /** The same, with `Retry-After`: seconds, or an HTTP date. */
  | { status: number; retryAfter: number | string }
  /** That OAuth error, RFC 6749 §5.2. Status: 401 for `invalid_client`, else 400. */
  | { error: string; status?: number }
  /** A captive portal's page under 200. */
  | 'html'
  /** A firewall's page under 403. */
  | 'forbidden-html'
  /** No answer until `release()`; then the refresh is processed. */
  | 'hang'
  /** The connection ends before anything was processed. */
  | 'drop'
  /** The refresh is processed, the token rotated, and then the connection ends. */
  | 'lost'
  /** Processed, without a new refresh token: the old one stays good. */
  | 'no-rotation'
  /** 200 without a body. */
  | 'empty'
  /** 200 with broken JSON. */
  | 'garbage'
  /** Processed after so many milliseconds. */
  | { slowMs: number }
  /** A redirect to that URL. Status: 307. */
  | { redirect: string | URL; status?: 302 | 307 }

/** Whether the endpoints that hand out tokens work: `true` answers 503, `'refused'` ends each connection. */
export type Outage = boolean | 'refused'

export interface Faults {
  down: Outage
  /** @throws TypeError `ERR_REFRESH_FAULT` */
  fail(fault: RefreshFault, times: number): void
  heal(): void
  /** The fault of the request that has just arrived. */
  take(isRefresh: boolean): RefreshFault | null
  play(fault: RefreshFault | null, signal: AbortSignal, process: (rotates: boolean) => Response): Promise<Outcome>
}

const NAMES = ['html', 'forbidden-html', 'hang', 'drop', 'lost', 'no-rotation', 'empty', 'garbage'] as const
const EXPECTED = `a fault: a status from 400 to 599, one of ${NAMES.map((name) => `'${name}'`).join(', ')}, or an object \
with \`error\`, \`slowMs\`, \`redirect\`, or \`status\` and \`retryAfter\``

export function createFaults(waiting: Waiting): Faults {
  const queue: RefreshFault[] = []
  let standing: RefreshFault | null = null
  let down: Outage = false
  return {
    get down() {
      return down
    },
    set down(outage) {
      down = outage
    },
    fail(fault, times) {
      if (!isFault(fault)) throw misuse('ERR_REFRESH_FAULT', EXPECTED)
      if (times === Number.POSITIVE_INFINITY) standing = fault
      else if (Number.isSafeInteger(times) && times >= 1) queue.push(...Array<RefreshFault>(times).fill(fault))
      else throw misuse('ERR_REFRESH_FAULT', '`times` to be a whole number from 1, or Infinity')
    },
    heal() {
      queue.length = 0
      standing = null
      down = false
    },
    take(isRefresh) {
      if (down !== false) return down === 'refused' ? 'drop' : 503
      return isRefresh ? (queue.shift() ?? standing) : null
    },
    async play(fault, signal, process) {
      if (fault === null) return process(true)
      if (typeof fault === 'number') return refusal(fault)
      if (typeof fault === 'string') return playNamed(fault, () => waiting.hold(signal), process)
      if ('slowMs' in fault) return (await waiting.sleep(fault.slowMs, signal)) ? process(true) : 'dropped'
      if ('redirect' in fault) return redirect(fault.redirect, fault.status)
      if ('error' in fault) return oauthError(fault.error, undefined, fault.status ?? statusOf(fault.error))
      return refusal(fault.status, { 'retry-after': String(fault.retryAfter) })
    },
  }
}

/** How the request log calls a fault. */
export function faultName(fault: RefreshFault | null): string | null {
  if (fault === null) return null
  if (typeof fault !== 'object') return String(fault)
  if ('slowMs' in fault) return 'slow'
  if ('redirect' in fault) return 'redirect'
  return 'error' in fault ? fault.error : String(fault.status)
}

async function playNamed(
  fault: (typeof NAMES)[number],
  hold: () => Promise<boolean>,
  process: (rotates: boolean) => Response,
): Promise<Outcome> {
  switch (fault) {
    case 'html':
      return page('Welcome to the airport Wi-Fi', 200)
    case 'forbidden-html':
      return page('Blocked by the firewall', 403)
    case 'hang':
      return (await hold()) ? process(true) : 'dropped'
    case 'drop':
      return 'dropped'
    case 'lost':
      process(true)
      return 'dropped'
    case 'no-rotation':
      return process(false)
    case 'empty':
      return new Response(null, { headers: { 'content-length': '0' } })
    case 'garbage':
      return new Response('{"access_token":', { headers: { 'content-type': 'application/json' } })
  }
}

function isFault(fault: unknown): fault is RefreshFault {
  if (typeof fault === 'string') return (NAMES as readonly string[]).includes(fault)
  if (typeof fault === 'number') return isErrorStatus(fault)
  if (typeof fault !== 'object' || fault === null) return false
  const { error, status, retryAfter, slowMs, redirect: to } = fault as Record<string, unknown>
  if (to !== undefined) return URL.canParse(String(to)) && [undefined, 302, 307].includes(status as number)
  if (slowMs !== undefined) return typeof slowMs === 'number' && slowMs >= 0 && slowMs < 2 ** 31
  if (error !== undefined) return typeof error === 'string' && (status === undefined || isErrorStatus(status))
  return isErrorStatus(status) && ['number', 'string'].includes(typeof retryAfter)
}

const isErrorStatus = (status: unknown): boolean =>
  Number.isInteger(status) && Number(status) >= 400 && Number(status) < 600
const statusOf = (error: string): number => (error === 'invalid_client' ? 401 : 400)
const refusal = (status: number, headers = {}): Response => json({ message: 'Fault on purpose' }, status, headers)
const redirect = (to: string | URL, status = 307): Response =>
  new Response(null, { status, headers: { location: String(to) } })
const page = (title: string, status: number): Response =>
  new Response(`<!doctype html><title>${title}</title><h1>${title}</h1>`, {
    status,
    headers: { 'content-type': 'text/html; charset=utf-8' },
  })
