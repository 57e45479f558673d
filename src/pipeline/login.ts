/**
 * When only a person can help: one login for everyone who needs it (L1), calls parked until tokens come from wherever (L2), and
 * step-up for the request that asks for it (L5). The callbacks are the user's; no lock is held while they run.
 */
import { after } from '../clock.ts'
import { AuthError } from '../errors.ts'
import { isOtherSubject, type Live } from '../live.ts'
import type { LoginNeed, LoginResult, StepUpNeed } from '../ports.ts'
import { own, receiveTokens } from '../tokens.ts'
import type { Call } from './call.ts'
import type { LoginOutcome, LoginUnderWay, Pipeline } from './shared-session.ts'
import { waitFor } from './trace.ts'

/**
 * Parks a call on the login under way, or starts one.
 *
 * @param makeNeed called only where this call starts the login
 * @returns the session to go on with, or null where nobody signed in
 * @throws whatever the callback threw, unchanged; AuthError `login-timeout`
 */
export async function login(
  pipeline: Pipeline,
  call: Call,
  used: Live | null,
  makeNeed: (signal: AbortSignal) => LoginNeed,
): Promise<Live | null> {
  const { shared, settings } = pipeline
  if (shared.callbacks.isInside(call.signal)) return null
  if (shared.login === null) {
    if (settings.onLoginRequired === undefined) return null
    // This call was already under way when a login failed: it shares in that instead of asking again (L1).
    if (shared.failedLogins !== call.failedLogins) return settle(pipeline, used, shared.lastFailure)
    shared.login = startLogin(pipeline, used, makeNeed)
  }
  const underWay = shared.login
  if (underWay.parked >= settings.parkedLimit) return null
  underWay.parked++
  let outcome: LoginOutcome
  try {
    outcome = await waitFor(call, 'login', underWay.outcome)
  } finally {
    underWay.parked--
  }
  return settle(pipeline, used, outcome)
}

function settle({ shared }: Pipeline, used: Live | null, outcome: LoginOutcome): Live | null {
  if (outcome.kind === 'threw') throw outcome.value
  const current = shared.engine.current()
  // Somebody else has signed in: their token must not carry out what the first user asked for.
  return outcome.kind === 'declined' || isOtherSubject(used?.tokens, current?.tokens) ? null : current
}

/** Whether a login that was asked for when `used` ended has brought `current`: then a late 401 goes on as the parked ones did. */
export const isResumed = ({ shared: { resumed } }: Pipeline, used: Live, current: Live): boolean =>
  resumed?.from === used.sessionId && resumed.to === current.sessionId && !isOtherSubject(used.tokens, current.tokens)

function startLogin(
  { shared, settings, events }: Pipeline,
  used: Live | null,
  makeNeed: (signal: AbortSignal) => LoginNeed,
): LoginUnderWay {
  const { engine } = shared
  const { onLoginRequired, loginTimeoutMs } = settings
  const unneeded = new AbortController()
  let finish: (outcome: LoginOutcome) => void = () => {}
  const underWay: LoginUnderWay = {
    parked: 0,
    resume: () => finish({ kind: 'resumed' }),
    decline: () => finish({ kind: 'declined' }),
    outcome: new Promise((resolve) => {
      finish = (outcome) => {
        if (shared.login !== underWay) return
        shared.login = null
        if (outcome.kind === 'resumed') shared.resumed = { from: used?.sessionId, to: engine.current()?.sessionId }
        else {
          shared.failedLogins++
          shared.lastFailure = outcome
        }
        cancelTimer()
        unneeded.abort()
        resolve(outcome)
        engine.announce({ event: 'status' })
      }
    }),
  }
  const cancelTimer = after(loginTimeoutMs, () => {
    const message = `Nobody signed in within ${loginTimeoutMs} ms`
    finish({ kind: 'threw', value: new AuthError('login-timeout', message, { retryable: true }) })
  })

  const run = async (): Promise<void> => {
    // Somebody has signed in between the decision and now.
    if (unneeded.signal.aborted) return
    const need = makeNeed(unneeded.signal)
    events.emit('login-required', { request: need.request, reason: need.reason })
    const result = await shared.callbacks.enter(unneeded.signal, async () => onLoginRequired?.(need))
    // Too late for those who waited, and still a login that somebody has just gone through.
    if (result && !(unneeded.signal.aborted && engine.current())) await engine.signIn(receiveTokens(result))
    underWay.decline()
  }
  // Only once this login is the one under way: a callback that signs in at once must find it there.
  void Promise.resolve()
    .then(() => engine.announce({ event: 'status' }))
    // Somebody who shares the store may have signed in, and the hint be late or lost.
    .then(() => engine.reread())
    .then(run)
    .catch((value: unknown) => finish({ kind: 'threw', value }))
  return underWay
}

/**
 * Asks for a stronger login, once for the request that needs it.
 *
 * @returns the session to go on with, or null where there is nobody to ask or nothing came of it
 * @throws whatever the callback threw, unchanged
 */
export async function stepUp(
  { shared, settings: { onStepUp }, events }: Pipeline,
  call: Call,
  used: Live | null,
  makeNeed: (signal: AbortSignal) => StepUpNeed,
): Promise<Live | null> {
  const { engine, callbacks } = shared
  if (onStepUp === undefined || call.hasSteppedUp || callbacks.isInside(call.signal)) return null
  call.hasSteppedUp = true
  const left = new AbortController()
  const grantedScope = used?.tokens && (own(used.tokens, 'scope') as string | undefined)
  const need: StepUpNeed = { ...makeNeed(left.signal), ...(grantedScope && { grantedScope }) }
  const { request, acrValues, maxAgeSeconds } = need
  events.emit('step-up', { request, acrValues, ...(maxAgeSeconds !== undefined && { maxAgeSeconds }) })
  const before = engine.current()?.sessionId
  let result: LoginResult
  try {
    result = await waitFor(
      call,
      'step-up',
      callbacks.enter(left.signal, async () => onStepUp(need)),
    )
  } finally {
    left.abort()
  }
  // A sign-out, or somebody else's sign-in, came in between: what the first user proved is not the second one's (R12).
  if (engine.current()?.sessionId !== before) return null
  if (result) {
    const received = receiveTokens(result)
    // The same person, only surer of it: other requests of this session may go on with the stronger tokens.
    const isSame = !isOtherSubject(engine.current()?.tokens, received.tokens)
    await waitFor(call, 'step-up', engine.signIn(received, isSame ? before : undefined))
  }
  const current = engine.current()
  return current !== used && !isOtherSubject(used?.tokens, current?.tokens) ? current : null
}
