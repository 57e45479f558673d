/** Sign-ins that leave the page: how they begin, who waits for them where the page stays after all, and how they end. */
import { isAuthError, misuse } from '../errors.ts'
import { loginRedirect, loopGuard } from '../login/redirect.ts'
import type { LoginNeed, LoginResult } from '../ports.ts'
import type { TokenResponse } from '../tokens.ts'
import { authorizationRequest, type SignInOptions } from './authorization.ts'
import { cleanAddress, exchanged, goingOn, stateOf, taken } from './callback.ts'
import type { Settings } from './options.ts'
import type { Protocol } from './protocol.ts'
import { Transactions } from './transactions.ts'

type Place = NonNullable<Settings['storage']>

/** Why the page is left without a click. Each is counted apart: who has just signed in may well be asked for more. */
export type Cause = 'login' | 'step-up' | `scopes ${string}`

interface Waiter {
  isStepUp: boolean
  end(tokens: TokenResponse | null): void
}

/** How to leave the page; undefined where there is none. */
export function exitOf({ navigate }: Pick<Settings, 'navigate'>): ((url: string) => unknown) | undefined {
  const { location } = globalThis as { location?: Location }
  // Detached, a native one throws.
  return navigate ?? (location?.assign && ((url) => location.assign(url)))
}

export class Redirects {
  readonly #settings: Settings
  readonly #protocol: Protocol
  readonly #transactions: Transactions
  /** Those who wait for an answer, by its state. */
  readonly #waiting: Map<string, Waiter> = new Map()

  constructor(settings: Settings, protocol: Protocol) {
    this.#settings = settings
    this.#protocol = protocol
    this.#transactions = new Transactions(settings.storage)
  }

  /** The URL to go to; what its answer will be judged by is remembered. */
  async begin(options: SignInOptions): Promise<{ url: URL; state: string }> {
    const { url, transaction } = await authorizationRequest(this.#settings, this.#protocol, { options })
    this.#transactions.add(transaction)
    return { url, state: transaction.state }
  }

  /**
   * @param cause counts it: what an app may ask for without a click must not go in circles (L3)
   * @throws TypeError `ERR_NO_PAGE`; AuthError `login-loop`
   */
  async leave(options: SignInOptions, cause?: Cause): Promise<void> {
    const { maxRedirects = 2, windowMs = 60_000, storage } = this.#settings
    const exit = exitOf(this.#settings)
    if (!exit) throw noPage()
    if (cause) loopGuard(maxRedirects, windowMs, () => shelf(storage, cause))()
    await exit((await this.begin(options)).url.href)
  }

  /** The same for who waits, unless it goes in circles. null where there is no page: then nothing is asked of the server. */
  async leaveFor(
    need: Pick<LoginNeed, 'returnTo' | 'signal'>,
    options: SignInOptions,
    cause: Cause,
  ): Promise<LoginResult> {
    const { navigate, maxRedirects, windowMs, storage } = this.#settings
    if (!exitOf(this.#settings)) return null
    const { url, state } = await this.begin({ ...options, returnTo: need.returnTo })
    const counted = cause === 'login' ? storage : shelf(storage, cause)
    const away = loginRedirect({ to: () => url, navigate, maxRedirects, windowMs, storage: counted })(need as LoginNeed)
    // A router or a desktop program stays where it is: the answer comes to this very page, and ends the waiting.
    const answered = new Promise<LoginResult>((end) => this.#waiting.set(state, { end, isStepUp: cause === 'step-up' }))
    return Promise.race([answered, away]).finally(() => this.#waiting.delete(state))
  }

  /**
   * Ends the sign-in that an answer belongs to. A server that is not reached leaves it to be tried once more, by a reload.
   *
   * @param signIn gets the tokens, unless a step-up waits for them: then the same session goes on with them
   * @throws AuthError `callback-refused`, `authorization-failed`, `unusable-token-response` or `metadata-refused`
   */
  async end(back: URL, signIn: (tokens: TokenResponse) => Promise<void>): Promise<{ returnTo: string }> {
    const state = stateOf(back)
    const transaction = taken(this.#settings, this.#transactions, state)
    const waiter = this.#waiting.get(state)
    let isSpent = false
    try {
      const tokens = await exchanged(this.#protocol, back.searchParams, transaction)
      // A code that is sent twice costs the tokens that it brought (RFC 6749 §4.1.2).
      isSpent = true
      if (!waiter?.isStepUp) await signIn(tokens)
      waiter?.end(waiter.isStepUp ? tokens : null)
    } catch (error) {
      if (isAuthError(error) && error.retryable && !isSpent) {
        this.#transactions.restore(transaction)
        throw error
      }
      waiter?.end(null)
      cleanAddress(back)
      throw error
    }
    cleanAddress(back)
    return { returnTo: goingOn(transaction) }
  }
}

/** The same storage under other keys. Looked up when it is used: one that is blocked throws at the very look. */
function shelf(storage: Place | undefined, name: string): Place {
  const place = (): Place => storage ?? globalThis.sessionStorage
  return {
    getItem: (key) => place().getItem(`${key}:${name}`),
    setItem: (key, value) => place().setItem(`${key}:${name}`, value),
    removeItem: (key) => place().removeItem(`${key}:${name}`),
  }
}

const noPage = (): TypeError =>
  misuse(
    'ERR_NO_PAGE',
    'Expected a page, or the option `navigate`: programs use `authorizationUrl`, `deviceLogin` or `clientCredentials`',
  )
