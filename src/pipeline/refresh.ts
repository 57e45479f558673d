/**
 * One refresh for everyone who needs it: lock, read the store again, ask the refresher, judge its answer, commit. It settles
 * within `refreshTimeoutMs` of the refresher's start whatever the refresher does, and no caller's abort can end it (A2).
 */
import pRetry from 'p-retry'
import { monotonicNow, sleep, within } from '../clock.ts'
import { AuthError, isAuthError } from '../errors.ts'
import { bareFetch } from '../http/bare-fetch.ts'
import { createId } from '../id.ts'
import type { Live } from '../live.ts'
import type { Settings } from '../options.ts'
import type { Refresher, RefreshReason } from '../ports.ts'
import { type ReceivedTokens, receiveTokens } from '../tokens.ts'
import { secretsOf, withoutSecrets } from './secrets.ts'
import { isOver, type RefreshOutcome, refreshKey, type SharedSession } from './shared-session.ts'
import { type Failure, judgeFailure } from './verdict.ts'

/** What a lock must be held for beyond the refresher: one read and one write of the store, a second each at most. */
const STORE_ROUND_TRIP_MS = 2000
/** Before the first retry; doubled and randomised by p-retry from there. */
const FIRST_RETRY_MS = 300

/** A failed attempt, judged. An Error because p-retry retries nothing else. */
class Refused extends Error {
  readonly failure: Failure
  readonly error: AuthError

  constructor(failure: Failure, error: AuthError) {
    super()
    this.failure = failure
    this.error = error
  }
}

/**
 * Refreshes `base`, joining the refresh that is under way for it. Never rejects.
 *
 * @param base the current session; null = nobody is signed in
 */
export function refresh(
  shared: SharedSession,
  settings: Settings,
  base: Live | null,
  reason: RefreshReason,
): Promise<RefreshOutcome> {
  const { engine, refreshes, backoff } = shared
  const refusal = refreshes.isFlying() ? null : backoff.refusal()
  if (refusal !== null) return Promise.resolve({ kind: 'failed', error: refusal })
  const underLock = async (): Promise<RefreshOutcome> => {
    const outcome = await engine.locked<RefreshOutcome | null>(async (isLate, isHeld) => {
      const lockedAt = monotonicNow()
      // C1: whoever held the lock before us may have refreshed already.
      await engine.reread()
      // No read takes so long: we were frozen, the lock is somebody else's by now, and what we read is old (C2).
      if (monotonicNow() - lockedAt > STORE_ROUND_TRIP_MS || !isHeld()) return null
      if (engine.current() !== base) return whatCameOf(shared, base, { isAdopted: true, hasAsked: false })
      // Others are at it, one after the other, and the server hangs: beside them we would spend the same refresh token.
      if (isLate) return { kind: 'failed', error: lockedOut() }
      return attempt(shared, settings, base, { reason, isHeld })
    }, settings.refreshTimeoutMs + STORE_ROUND_TRIP_MS)
    return outcome ?? underLock()
  }
  return refreshes.run(refreshKey(engine, base), underLock)
}

const lockedOut = (): AuthError =>
  new AuthError('refresh-timeout', 'Others who share the session were refreshing it for too long; it is kept', {
    retryable: true,
  })

/** What the waiting calls find once the refresh of `base` has settled. */
function whatCameOf(
  shared: SharedSession,
  base: Live | null,
  found: { isAdopted: boolean; hasAsked: boolean },
): RefreshOutcome {
  const current = shared.engine.current()
  if (current === null) return { kind: base !== null && isOver(shared, base) ? 'over' : 'ended' }
  return base === null || current.sessionId === base.sessionId ? { kind: 'fresh', ...found } : { kind: 'ended' }
}

async function attempt(
  shared: SharedSession,
  settings: Settings,
  base: Live | null,
  { reason, isHeld }: { reason: RefreshReason; isHeld: () => boolean },
): Promise<RefreshOutcome> {
  const { engine, backoff } = shared
  const startedAt = monotonicNow()
  const told = { refreshId: createId(), reason, attempts: 0, epoch: engine.epoch(), isHeld }
  const report = (failure?: Failure): void => {
    const { epoch: _, isHeld: __, ...named } = told
    const payload = { ...named, durationMs: Math.round(monotonicNow() - startedAt) }
    if (failure) engine.report({ event: 'refresh-failed', payload: { ...payload, ...failure } })
    else engine.report({ event: 'refreshed', payload })
  }

  const answer = await ask(shared, settings, base, told)
  if (!(answer instanceof Refused)) {
    backoff.reset()
    await engine.commit(base, told.epoch, answer)
    const outcome = whatCameOf(shared, base, { isAdopted: false, hasAsked: true })
    if (outcome.kind === 'fresh') report()
    return outcome
  }

  if (answer.failure.verdict === 'over') {
    backoff.reset()
    // Nobody was signed in, and the refresher cannot start a session from nothing: that is an answer, not a failure.
    if (base === null) {
      engine.setVacant()
      return { kind: 'over' }
    }
    report(answer.failure)
    await engine.endOver(base)
    // Whoever else cleared it, it was refused to us too; only a sign-out here is no reason to ask for a login.
    const ended = engine.lastEnded()
    const isGone = engine.current() === null && ended?.sessionId === base.sessionId && ended.reason !== 'requested'
    return isGone ? { kind: 'over' } : whatCameOf(shared, base, { isAdopted: true, hasAsked: true })
  }

  // Somebody who shares the store may have been luckier in the meantime.
  await engine.reread()
  if (engine.current() !== base) return whatCameOf(shared, base, { isAdopted: true, hasAsked: true })
  const error = backoff.failed(answer.error)
  report(answer.failure)
  return { kind: 'failed', error }
}

/** Asks until there is an answer, the retries are used up, or the time is. Never rejects. */
async function ask(
  shared: SharedSession,
  settings: Settings,
  base: Live | null,
  told: { reason: RefreshReason; attempts: number; epoch: number; isHeld: () => boolean },
): Promise<ReceivedTokens | Refused> {
  const { refreshTimeoutMs } = settings
  const deadline = monotonicNow() + refreshTimeoutMs
  const timeout = new AbortController()
  let notBefore = 0

  const attemptOnce = async (): Promise<ReceivedTokens> => {
    await sleep(notBefore - monotonicNow())
    timeout.signal.throwIfAborted()
    // A frozen tab or process wakes with all its timers due at once; by then somebody else holds the lock, and may have
    // rotated (C2).
    if (monotonicNow() >= deadline) throw onLate()
    requireLock()
    told.attempts++
    const received = await askOnce(shared, settings, base, { ...told, signal: timeout.signal, requireLock })
    // R11: too late for those who waited, and yet the only tokens that the server still honours.
    if (timeout.signal.aborted) {
      shared.backoff.reset()
      await shared.engine.commit(base, told.epoch, received)
    }
    return received
  }
  /** Again at each send: a refresher may have had something else to do, and we may have been stopped in it. */
  const requireLock = (): void => {
    if (!told.isHeld()) throw giveUp('The lock of the store was lost before the refresh was sent; the session is kept')
  }
  const giveUp = (message: string): Refused => {
    const late = new Refused({ verdict: 'transient' }, new AuthError('refresh-timeout', message, { retryable: true }))
    timeout.abort(late.error)
    return late
  }
  const onLate = (): Refused => giveUp(`The refresh did not answer within ${refreshTimeoutMs} ms`)
  const retried = pRetry(attemptOnce, {
    retries: shared.backoff.isProbing() ? 0 : settings.refreshRetries,
    minTimeout: FIRST_RETRY_MS,
    // Its defaults, said: what is left out would be read off a polluted prototype (O4).
    factor: 2,
    maxTimeout: Number.POSITIVE_INFINITY,
    maxRetryTime: refreshTimeoutMs,
    unref: false,
    signal: undefined,
    randomize: true,
    shouldRetry: ({ error }) => {
      if (!(error instanceof Refused) || timeout.signal.aborted) return false
      const { verdict, retryAfterMs = 0 } = error.failure
      // The answer came, with a token that cannot be sent: asking again would spend the same refresh token twice.
      if (isAuthError(error.error.cause) && error.error.cause.code === 'invalid-token') return false
      notBefore = monotonicNow() + retryAfterMs
      // A session that was signed out meanwhile is not refreshed any more.
      return verdict === 'transient' && notBefore < deadline && shared.engine.current() === base
    },
  })
  return within(retried, refreshTimeoutMs, onLate).catch((thrown: unknown) =>
    thrown instanceof Refused ? thrown : refused({ verdict: 'transient' }, thrown),
  )
}

async function askOnce(
  { reentry }: SharedSession,
  settings: Settings,
  base: Live | null,
  { reason, signal, requireLock }: { reason: RefreshReason; signal: AbortSignal; requireLock: () => void },
): Promise<ReceivedTokens> {
  const { refresh: refresher, base: baseUrl, isOurs, refresherFetch } = settings
  const transport: typeof fetch = async (...args) => {
    requireLock()
    return settings.transport(...args)
  }
  const tokens = base?.tokens ? { ...base.tokens } : null
  let answer: Awaited<ReturnType<Refresher>> | undefined
  try {
    const schemed = refresherFetch?.(transport, { tokens, isOurs }) ?? transport
    const context = { tokens, reason, signal, fetch: bareFetch(schemed, baseUrl(), signal) }
    answer = await reentry.enter(signal, async () => refresher?.(context))
    if (answer !== null) return receiveTokens(answer)
  } catch (thrown) {
    if (thrown instanceof Refused) throw thrown
    // An answer without usable tokens is judged by what it says: many refreshers hand back the error body as it came.
    throw refused(await judgeFailure(answer ?? thrown), withoutSecrets(thrown, secretsOf(tokens)))
  }
  throw refused({ verdict: 'over' }, undefined)
}

function refused(failure: Failure, cause: unknown): Refused {
  const { verdict, oauthError, retryAfterMs } = failure
  const named = oauthError === undefined ? '' : ` (${oauthError})`
  const message =
    verdict === 'misconfigured'
      ? `The authorization server refuses this client's refreshes${named}; the session is kept`
      : `The refresh failed for now${named}; the session is kept`
  const error = new AuthError('refresh-unavailable', message, {
    retryable: verdict === 'transient',
    retryAfterMs,
    cause,
  })
  return new Refused(failure, Object.assign(error, oauthError !== undefined && { oauthError }))
}
