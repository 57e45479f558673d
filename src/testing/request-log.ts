/**
 * What the server really saw. An entry holds kinds, verdicts and short ids; never a token, a query or a body, so that a
 * failing test can print it.
 */
import type { Outcome } from './answers.ts'

/** What a request was for, by its path; `refresh` also covers `/token` with the grant refresh_token. */
export type RequestKind = 'api' | 'token' | 'refresh' | 'login' | 'revoke' | 'preflight'

/** What the credential of a request was worth: the access token at the API, the refresh token of a refresh. */
export type CredentialState = 'none' | 'valid' | 'expired' | 'revoked' | 'spent' | 'unknown'

export type Grant = 'password' | 'refresh_token' | 'client_credentials'

/** One request, as it arrived and as it was answered. */
export interface SeenRequest {
  /** When it arrived, Unix milliseconds. */
  readonly at: number
  readonly method: string
  readonly origin: string
  /** Without the query. */
  readonly path: string
  readonly kind: RequestKind
  /** null: not answered yet. 0: the connection was dropped, or the caller left. */
  readonly status: number | null
  readonly credential: CredentialState
  /** A short id such as `s1`, where the credential is one that the server knows. */
  readonly session: string | null
  readonly grant: Grant | null
  /** The fault that was played, by name: `503`, `html`, `hang`. */
  readonly fault: string | null
}

/** What has happened since the start, or since `reset()`. */
export interface AuthServerStats {
  /** Refreshes that brought new tokens, those whose answer was lost on purpose included. */
  readonly refreshes: number
  /** Refreshes that were asked for, whatever became of them. */
  readonly refreshAttempts: number
  /** Spent refresh tokens that came again, beyond `graceMs`. */
  readonly reuses: number
  /** Sessions that were started: passwords, client credentials and `signIn()`. */
  readonly logins: number
  /** Requests to the API, preflights not counted. */
  readonly apiRequests: number
  /** Those of them that were answered 401. */
  readonly rejected: number
}

/** Members that have to be equal, or a function that says so. */
export type SeenFilter = Partial<SeenRequest> | ((request: SeenRequest) => boolean)

export type Counts = { -readonly [K in keyof AuthServerStats]: number }
export const noCounts = (): Counts => ({
  refreshes: 0,
  refreshAttempts: 0,
  reuses: 0,
  logins: 0,
  apiRequests: 0,
  rejected: 0,
})

/** What is known of a request by the time it is written down. */
export type Facts = Pick<SeenRequest, 'kind'> & Partial<Pick<SeenRequest, 'credential' | 'session' | 'grant' | 'fault'>>

/** Ends an entry, whose status is the last fact, and hands the outcome on. */
export type EndEntry = (outcome: Outcome) => Outcome

export interface RequestLog {
  readonly entries: readonly SeenRequest[]
  /** Only once all facts but the status are known: a filter must never match what turns out to be something else. */
  arrive(request: Request, facts: Facts): EndEntry
  seen(n: number, filter: SeenFilter): Promise<readonly SeenRequest[]>
  onRequest(listener: (request: SeenRequest) => void): () => void
  clear(): void
}

interface Waiter {
  matches: (request: SeenRequest) => boolean
  found: Set<SeenRequest>
  n: number
  resolve: (found: readonly SeenRequest[]) => void
}

export function createRequestLog(limit: number, counts: Counts): RequestLog {
  let entries: SeenRequest[] = []
  const waiters = new Set<Waiter>()
  const listeners = new Set<(request: SeenRequest) => void>()

  /** Each waiter keeps its own finds, so that a fact costs the same however long the log is. */
  const check = (waiter: Waiter, entry: SeenRequest): void => {
    if (waiter.matches(entry)) waiter.found.add(entry)
    if (waiter.found.size < waiter.n) return
    waiters.delete(waiter)
    waiter.resolve([...waiter.found])
  }
  const tell = (entry: SeenRequest): void => {
    for (const waiter of [...waiters]) check(waiter, entry)
  }

  return {
    get entries() {
      return entries
    },
    arrive({ method, url }, facts) {
      const { origin, pathname } = new URL(url)
      const entry: { -readonly [K in keyof SeenRequest]: SeenRequest[K] } = {
        at: Date.now(),
        method,
        origin,
        path: withoutTokens(pathname),
        status: null,
        credential: 'none',
        session: null,
        grant: null,
        fault: null,
        ...facts,
      }
      entries.push(entry)
      if (entries.length > limit) entries.shift()
      if (entry.kind === 'api') counts.apiRequests++
      if (entry.kind === 'refresh') counts.refreshAttempts++
      tell(entry)
      return (outcome) => {
        const status = outcome === 'dropped' ? 0 : outcome.status
        if (entry.kind === 'api' && status === 401) counts.rejected++
        entry.status = status
        Object.freeze(entry)
        tell(entry)
        for (const listener of [...listeners]) attempt(() => listener(entry))
        return outcome
      }
    },
    seen(n, filter) {
      return new Promise((resolve) => {
        const waiter: Waiter = { matches: asPredicate(filter), found: new Set(), n, resolve }
        waiters.add(waiter)
        for (const entry of entries) if (waiters.has(waiter)) check(waiter, entry)
      })
    },
    onRequest(listener) {
      const own = (request: SeenRequest): void => listener(request)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    clear() {
      entries = []
      for (const waiter of waiters) waiter.found.clear()
    },
  }
}

/** A listener that throws must not change what the server answers. */
function attempt(task: () => void): void {
  try {
    task()
  } catch {}
}

/** Our opaque tokens, should a caller have put one into a path. */
const withoutTokens = (path: string): string => path.replace(/[ar]t_[\w-]{16,}/g, '<token>')

function asPredicate(filter: SeenFilter): (request: SeenRequest) => boolean {
  if (typeof filter === 'function') return filter
  const wanted = Object.entries(filter)
  return (request) => wanted.every(([member, value]) => request[member as keyof SeenRequest] === value)
}
