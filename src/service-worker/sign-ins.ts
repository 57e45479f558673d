/**
 * How tokens become the worker's session: a page hands them over, or they are kept out of a token endpoint's answer. What an answer
 * to a code brings waits for the page that asked: it alone can say whether the ID token is its own (OpenID Connect Core §3.1.3.7).
 */
import { within } from '../clock.ts'
import { AuthError, isAuthError } from '../errors.ts'
import { createId } from '../id.ts'
import { isOtherSubject } from '../live.ts'
import type { TokenStore } from '../ports.ts'
import type { SessionEngine } from '../session.ts'
import { KEPT, own, type ReceivedTokens, receiveTokens, type TokenSet } from '../tokens.ts'
import type { Question } from './protocol.ts'
import { type Receive, unsigned } from './token-endpoint.ts'

/** RFC 6749 §4.1.3, RFC 8628 §3.4. */
const JUDGED_BY_PAGES = ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code']
/** Sign-ins that pages may have begun and not ended. */
const MOST_WAITING = 8
/** For how long a sign-in waits for its tokens to rest. */
const REST_MS = 800

export class SignIns {
  readonly #engine: SessionEngine
  /** By their ids, the oldest first. */
  readonly #waiting = new Map<string, ReceivedTokens>()
  /** What waits came last, for a worker that takes over meanwhile. */
  readonly #rest: TokenStore
  /** How often a page has signed out. */
  #clears = 0

  constructor(engine: SessionEngine, rest: TokenStore) {
    this.#engine = engine
    this.#rest = rest
  }

  /** @param isStepUp whether it is the same session, only surer of its user */
  enter(received: ReceivedTokens, isStepUp: boolean, sessionId: string = createId()): Promise<void> {
    const current = this.#engine.current()
    const isSame = isStepUp && !isOtherSubject(current?.tokens, received.tokens)
    return this.#engine.signIn(received, isSame ? current?.sessionId : sessionId)
  }

  /**
   * Called before a token request is sent: a sign-out that comes before its answer wins (R12).
   *
   * @param grantType of the request. What renews tokens, or is a login of another kind, is the session at once: nobody may sign in
   * with it
   */
  expect(grantType: Promise<string | null> | null = null): Receive {
    const [epoch, clears] = [this.#engine.epoch(), this.#clears]
    return async (answer) => {
      const received = usable(answer)
      // The page finds out when it signs in with it.
      if (received === null) return { held_by: undefined, held: undefined }
      if (JUDGED_BY_PAGES.includes(String(await grantType))) {
        const held = createId()
        if (this.#clears === clears) await this.#wait(held, received)
        return { ...KEPT, held, id_token: unsigned(own(answer, 'id_token')) }
      }
      // Whether it was a step-up only the page knows. The same person is the same session, so that what waits for one goes on.
      const isSame = [received, this.#engine.current()].every(hasSubject)
      if (this.#engine.epoch() === epoch) await this.enter(received, isSame)
      return { ...KEPT, held: undefined }
    }
  }

  /** Signs in with what waits under that id. @throws AuthError `store-failed` where nothing does */
  async confirm({ held, scope, isStepUp }: Extract<Question, { ask: 'confirm' }>): Promise<void> {
    // A page asks again where the worker was replaced before it could answer.
    if (this.#engine.current()?.sessionId === held) return
    const received = this.#waiting.get(held) ?? (await this.#resting(held))
    if (!received?.tokens) throw new AuthError('store-failed', 'The service worker does not have these tokens any more')
    this.#waiting.delete(held)
    const tokens = { ...(scope !== undefined && { scope }), ...received.tokens }
    await this.enter({ ...received, tokens }, isStepUp, held)
    await this.#setToRest(null)
  }

  /** Forgets what waits, as nobody is to be signed in; returns it. */
  clear(): TokenSet[] {
    this.#clears++
    const waiting = [...this.#waiting.values()].flatMap(({ tokens }) => tokens ?? [])
    this.#waiting.clear()
    void this.#setToRest(null)
    return waiting
  }

  async #wait(held: string, received: ReceivedTokens): Promise<void> {
    const [oldest = ''] = this.#waiting.keys()
    if (this.#waiting.size === MOST_WAITING) this.#waiting.delete(oldest)
    this.#waiting.set(held, received)
    await this.#setToRest({ held, tokens: received.tokens })
  }

  async #resting(held: string): Promise<ReceivedTokens | null> {
    const kept = await this.#rest.read()
    return kept?.sessionId === held ? { tokens: kept.tokens, isFresh: false } : null
  }

  /** As well as it goes: where nothing can rest, it is in memory all the same. */
  async #setToRest(next: { held: string; tokens: TokenSet | null } | null): Promise<void> {
    const write = async (): Promise<unknown> => {
      const version = (await this.#rest.read())?.version ?? null
      return this.#rest.write(
        next && { sessionId: next.held, version: (version ?? 0) + 1, tokens: next.tokens },
        version,
      )
    }
    await within(write(), REST_MS, () => undefined).catch(() => {})
  }
}

function usable(answer: object): ReceivedTokens | null {
  try {
    return receiveTokens(answer)
  } catch (error) {
    if (isAuthError(error)) return null
    throw error
  }
}

const hasSubject = (session: Pick<ReceivedTokens, 'tokens'> | null): boolean =>
  Object.hasOwn(session?.tokens ?? {}, 'subject')
