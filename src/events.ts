/**
 * What relatch tells about itself: event names, payloads, and the emitter. A payload holds ids, reasons, durations, counts and
 * query-less URLs; never a token, a header value or a body. A listener that throws hurts nobody but itself.
 */
import type { AuthErrorCode } from './errors.ts'
import type { Denial, LoginNeed, RefreshReason, RequestSummary } from './ports.ts'

/** What a call is doing now. `sent` and `answered` come once a send; the last stage is `ended` or `failed`. */
export type RequestStage =
  /** `sends`: 1 for the first, more for what is sent again. */
  | { stage: 'sent'; sends: number }
  | { stage: 'answered'; status: number }
  /** `permission`: for `onPermissionDenied`. */
  | { stage: 'waiting'; waitsFor: 'refresh' | 'login' | 'step-up' | 'permission' }
  | { stage: 'resumed' }
  /** The caller has its response. */
  | { stage: 'ended'; status: number }
  /** The call was rejected; `code` where that was with an `AuthError`, `abortedBy` where the caller's signal had been aborted. */
  | { stage: 'failed'; code?: AuthErrorCode; abortedBy?: 'caller' | 'timeout' }

/** How a call tells of its stages. */
export type Tell = (stage: RequestStage) => void

/** Every event and its payload. Durations are milliseconds. */
export interface AuthEvents {
  /** A refresh brought new tokens. */
  refreshed: { refreshId: string; reason: RefreshReason; durationMs: number; attempts: number }
  /** A refresh failed. `over`: the session is gone. `misconfigured`, `transient`: it is kept. */
  'refresh-failed': {
    refreshId: string
    reason: RefreshReason
    durationMs: number
    attempts: number
    verdict: 'over' | 'misconfigured' | 'transient'
    /** The OAuth error code, where the answer named a known one. */
    oauthError?: string
    retryAfterMs?: number
  }
  /** Newer tokens that someone else got (another tab, another process) were taken over. */
  adopted: { sessionId: string; version: number }
  /**
   * A stage in the life of a request, for traces: several a call, and nothing is made of them where nobody listens. `request` is the
   * same object in every event of a call.
   */
  request: { requestId: string; request: RequestSummary } & RequestStage
  /** A request that had a 401 now has its answer. */
  recovered: { request: RequestSummary; status: number; sends: number; durationMs: number }
  /** A 403 was handed back. */
  denied: { request: RequestSummary; reason: Denial['reason']; requiredScopes: readonly string[] }
  'login-required': { request: RequestSummary; reason: LoginNeed['reason'] }
  'step-up': { request: RequestSummary; acrValues: readonly string[]; maxAgeSeconds?: number }
  'signed-in': { sessionId: string; where: 'here' | 'elsewhere' }
  /** `over`: a refresh was refused for good. */
  'signed-out': { sessionId: string; reason: 'requested' | 'over' | 'elsewhere' }
  /**
   * The session that began speaks for another known `subject` than the last one, be there a sign-out between them or not. In a
   * browser somebody else has signed in; on a server one instance serves several users, and that is a bug.
   */
  'subject-changed': { sessionId: string; previousSessionId: string }
  /** A one-shot body could not be sent again; the 401 was handed back, the refresh already done. */
  'not-replayed': { request: RequestSummary; limitBytes: number }
  /** The store threw, did not answer within its second, or refused; the session lives on in memory. */
  'store-failed': { operation: 'read' | 'write' | 'lock' | 'watch'; reason: 'threw' | 'timed-out' | 'refused' }
}

/** Calls a listener of the user's, whose failures (async ones too) are its own. */
export function notify<T extends unknown[]>(listener: (...args: T) => unknown, ...args: T): void {
  try {
    const result = listener(...args) as PromiseLike<unknown> | undefined
    if (typeof result?.then === 'function') result.then(undefined, () => {})
  } catch {
    // E3: no listener breaks the pipeline by throwing.
  }
}

/** Those who are told that something has changed, and not what. */
export class Subscribers {
  /** Made by the first: a server has thousands of sessions that nobody follows. */
  #all: Set<() => void> | null = null

  /** @returns what ends it */
  add(subscriber: () => void): () => void {
    // Wrapped, as a listener is.
    const entry = (): void => subscriber()
    this.#all ??= new Set()
    const all = this.#all.add(entry)
    return () => void all.delete(entry)
  }

  tell(): void {
    for (const entry of [...(this.#all ?? [])]) notify(entry)
  }

  clear(): void {
    this.#all = null
  }
}

export class Events {
  /** Made by the first listener: a server has thousands of sessions that nobody listens to. */
  #listeners: Map<string, Set<(payload: never) => void>> | null = null

  on<E extends keyof AuthEvents>(event: E, listener: (payload: AuthEvents[E]) => void): () => void {
    // Wrapped, so that the same function registered twice is heard twice and each registration ends on its own.
    const entry = (payload: never): void => notify(listener as (payload: never) => void, payload)
    this.#listeners ??= new Map()
    const set = this.#listeners.get(event) ?? new Set()
    this.#listeners.set(event, set.add(entry))
    return () => void set.delete(entry)
  }

  emit<E extends keyof AuthEvents>(event: E, payload: AuthEvents[E]): void {
    for (const listener of [...(this.#listeners?.get(event) ?? [])]) listener(Object.freeze(payload) as never)
  }

  /** Whether a payload would reach anybody: not worth making where it would not. */
  isHeard(event: keyof AuthEvents): boolean {
    return (this.#listeners?.get(event)?.size ?? 0) > 0
  }

  clear(): void {
    this.#listeners = null
  }
}
