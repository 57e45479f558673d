/**
 * `relatch/ky`: a ky over an AuthFetch. Recovery is the AuthFetch's alone; this file only sees to it that ky does not get in
 * its way (a timeout that runs while a person signs in, a retry of what no retry cures) and says on ky's error what the
 * AuthFetch knows. It never sends, refreshes or reads a response itself.
 */
import ky, {
  type BeforeErrorHook,
  type BeforeRetryHook,
  type HTTPError,
  type InitHook,
  isHTTPError,
  type KyInstance,
  type Options as KyOptions,
  TimeoutError,
} from 'ky'
import {
  type AuthFetch,
  authFailureOf,
  type Denial,
  isAuthError,
  type LoginNeed,
  onAuthWait,
  type StepUpNeed,
} from '../index.ts'

export type { KyInstance, KyOptions }

type AuthFailure = Denial | LoginNeed | StepUpNeed

declare module 'ky' {
  interface HTTPError<T = unknown> {
    /**
     * Why the AuthFetch handed this response back, as `authFailureOf` says it; null where it has nothing to do with it, and
     * absent from the errors of instances that `createKy` did not make. Not enumerable, so that logs stay as they are.
     */
    readonly auth?: Denial | LoginNeed | StepUpNeed | null
  }
}

/**
 * Makes a ky whose requests go through an AuthFetch: whatever ky can do, with the session on top.
 *
 * - ky's `timeout` does not count the wait for a refresh or a login; `totalTimeout` is the time for everything, and does.
 * - ky never retries a 401, a 403 or an `AuthError`, whatever `retry` says. `ky.retry()` from a hook of yours is your own will.
 * - ky's `HTTPError` gets `auth`: why, and what it would take.
 *
 * `extend()` keeps all of this. `create()` starts with new defaults over the same AuthFetch. Hooks that take the place of all
 * others (`replaceOption()`, `init: undefined`) take that of ours too: the session stays, the three points above go.
 *
 * @param options ky's own, as for `ky.create()`; `fetch` among them takes the place of the AuthFetch
 * @throws TypeError `ERR_AUTH_FETCH` where there is no AuthFetch
 * @see https://github.com/sindresorhus/ky#options
 *
 * @example
 * import { isHTTPError } from 'ky'
 * import { createAuthFetch, refreshEndpoint } from 'relatch'
 * import { createKy } from 'relatch/ky'
 *
 * const authFetch = createAuthFetch({ baseUrl: 'https://api.example', refresh: refreshEndpoint({ url: '/token' }) })
 * const api = createKy(authFetch, { prefix: 'https://api.example' })
 *
 * try {
 *   console.log(await api.get('reports').json())
 * } catch (error) {
 *   if (!isHTTPError(error) || !error.auth) throw error
 *   if ('requiredScopes' in error.auth) console.log('This takes', error.auth.requiredScopes)
 * }
 */
export function createKy(authFetch: AuthFetch, options: KyOptions = {}): KyInstance {
  if (typeof authFetch !== 'function') {
    throw Object.assign(new TypeError('Expected an AuthFetch'), { code: 'ERR_AUTH_FETCH' })
  }
  /** By the Request that ky sent: a hook of the user's may put another Response in the place of ours. */
  const failures = new WeakMap<Request, AuthFailure | null>()

  const authOf = ({ request, response }: HTTPError): AuthFailure | null =>
    authFailureOf(response) ?? failures.get(request) ?? null
  /** No retry cures these; what does, a refresh or a login, has already been tried. */
  const isFinal = (error: Error): boolean =>
    isAuthError(error) || (isHTTPError(error) && ([401, 403].includes(error.response?.status) || !!authOf(error)))

  const explain: BeforeErrorHook = ({ error }) => {
    // An error that comes through a second time, from a call inside a hook, keeps what it has.
    if (isHTTPError(error)) Reflect.defineProperty(error, 'auth', { value: authOf(error) })
    return error
  }
  /** For retry options that come from a hook after ours; thrown as it came, the error goes on to the error hooks. */
  const refuse: BeforeRetryHook = ({ error }) => {
    if (isFinal(error)) throw error
  }

  /** Before each call: the only place where ky shows the options as they are after all merging. */
  const attend: InitHook = (call) => {
    const { fetch = authFetch, hooks = {}, retry = {} } = call
    const { beforeError = [], beforeRetry = [] } = hooks
    // An instance that was extended with its own options has us twice.
    if (beforeError[0] === explain) return
    call.hooks = { ...hooks, beforeError: [explain, ...beforeError], beforeRetry: [refuse, ...beforeRetry] }

    const rules = typeof retry === 'number' ? { limit: retry } : retry
    // A null stays: it is for ky to refuse.
    call.retry = rules && {
      ...rules,
      shouldRetry: (state) => !isFinal(state.error) && rules.shouldRetry?.(state),
    }

    const startedAt = performance.now()
    call.fetch = (input, init) => {
      // ky hands over a Request, always.
      const request = input as Request
      // Looked at now: hooks after ours may have changed them.
      const { throwHttpErrors = true, timeout, totalTimeout } = call
      const send = async (signal: AbortSignal): Promise<Response> => {
        const response = await fetch(request, { ...init, signal })
        const failure = authFailureOf(response)
        failures.set(request, failure)
        // Read now: ky reads the body for `error.data`. Not where the caller may get it, who would find it cloned.
        if (throwHttpErrors === true && failure && 'problem' in failure) void failure.problem()
        return response
      }
      if (timeout === false) return send(request.signal)
      // ky's own default, which it applies after the hooks.
      return withoutTimer(inTime(request, timeout ?? 10_000, startedAt, totalTimeout, send))
    }
  }

  const over = (instance: KyInstance): KyInstance => {
    const { extend } = instance
    return Object.assign(instance, {
      create: (defaults?: KyOptions) => createKy(authFetch, defaults),
      extend: (defaults: Parameters<typeof extend>[0]) => over(extend(defaults)),
    })
  }
  return over(ky.create({ fetch: authFetch, hooks: { init: [attend] } }).extend(options))
}

/**
 * Sends within ky's limits: `limitMs` on a clock that stands still while this request waits for a refresh, a login or a
 * callback, and `totalMs` from `startedAt` on, whatever happens.
 */
function inTime(
  request: Request,
  limitMs: number,
  startedAt: number,
  totalMs: number | false | undefined,
  send: (signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const late = new AbortController()
    const expire = (): void => {
      const error = new TimeoutError(request)
      late.abort(error)
      // A transport that knows no signals must not keep the caller waiting.
      reject(error)
    }
    let now = performance.now()
    const total = totalMs ? setTimeout(expire, startedAt + totalMs - now) : undefined
    let timer = setTimeout(expire, limitMs)
    let leftMs = limitMs
    let isOver = false

    const signal = AbortSignal.any([request.signal, late.signal])
    onAuthWait(signal, (isWaiting) => {
      clearTimeout(timer)
      const before = now
      now = performance.now()
      if (isWaiting) leftMs -= now - before
      // A wait may end after us, where a fetch of the user's gave up on it.
      else if (!isOver) timer = setTimeout(expire, leftMs)
    })
    send(signal)
      .then(resolve, reject)
      .finally(() => {
        isOver = true
        clearTimeout(timer)
        clearTimeout(total)
      })
  })
}

/**
 * The same outcome, at which ky's own timer has nothing to do: it is cleared as soon as the attempt hands something over, and
 * this hands over the pending work itself. Switched off with `timeout: false`, ky would also let a body stall for ever.
 */
const withoutTimer = (work: Promise<Response>): Promise<Response> =>
  // biome-ignore lint/suspicious/noThenProperty: a promise could only hand over what it has been settled with
  ({ then: async (take: (value: Promise<Response>) => unknown) => take(work) }) as never
