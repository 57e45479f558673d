/**
 * How tokens become the worker's session: a page hands them over, or they are kept out of a token endpoint's answer. What an answer
 * to a code brings waits for the page that asked: it alone can say whether the ID token is its own (OpenID Connect Core §3.1.3.7).
 */
import { AuthError, isAuthError } from '../errors.ts'
import { createId } from '../id.ts'
import { isOtherSubject } from '../live.ts'
import type { TokenStore } from '../ports.ts'
import type { SessionEngine } from '../session.ts'
import { KEPT, own, type ReceivedTokens, receiveTokens, type TokenSet } from '../tokens.ts'
import type { Question } from './protocol.ts'
import { type Receive, unsigned } from './token-endpoint.ts'
import { TAKEN, Waiting } from './waiting.ts'

/** RFC 6749 §4.1.3, RFC 8628 §3.4. */
const JUDGED_BY_PAGES = ['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code']

export class SignIns {
  readonly #engine: SessionEngine
  readonly #waiting: Waiting

  /** @param rest where tokens wait for a page, beside memory */
  constructor(engine: SessionEngine, rest: TokenStore) {
    this.#engine = engine
    this.#waiting = new Waiting(rest)
  }

  /** @param isStepUp whether it is the same session, only surer of its user */
  enter(received: ReceivedTokens, isStepUp: boolean, sessionId: string = createId()): Promise<void> {
    const current = this.#engine.current()
    const isSame = isStepUp && !isOtherSubject(current?.tokens, received.tokens)
    return this.#engine.signIn(received, (isSame && current?.sessionId) || sessionId)
  }

  /**
   * Called before a token request is sent: a sign-out that comes before its answer wins (R12).
   *
   * @param grantType of the request. What renews tokens, or is a login of another kind, is the session at once: nobody may sign in
   * with it
   */
  expect(grantType: Promise<unknown> | null = null): Receive {
    const [epoch, clears] = [this.#engine.epoch(), this.#waiting.clears()]
    return async (answer) => {
      const received = usable(answer)
      // The page finds out when it signs in with it.
      if (received === null) return { held_by: undefined, held: undefined }
      if (JUDGED_BY_PAGES.includes(String(await grantType))) {
        const held = createId()
        if (this.#waiting.clears() === clears) await this.#waiting.add(held, received)
        return { ...KEPT, held, id_token: unsigned(own(answer, 'id_token')) }
      }
      // Whether it was a step-up only the page knows. The same person is the same session, so that what waits for one goes on.
      const isSame = [received, this.#engine.current()].every(hasSubject)
      if (this.#engine.epoch() === epoch) await this.enter(received, isSame)
      return { ...KEPT, held: undefined }
    }
  }

  /** Signs in with what waits under that id; once. @throws AuthError `store-failed` where nothing does */
  async confirm({ held, scope, isStepUp }: Extract<Question, { ask: 'confirm' }>): Promise<void> {
    if (this.#engine.current()?.sessionId === held) return
    const received = await this.#waiting.take(held)
    if (received === TAKEN && this.#engine.current() !== null) return
    if (received === null || received === TAKEN || received.tokens === null) {
      throw new AuthError('store-failed', 'The service worker does not have these tokens any more')
    }
    const tokens = { ...(scope !== undefined && { scope }), ...received.tokens }
    await this.enter({ ...received, tokens }, isStepUp, held)
  }

  /** Forgets what waits; gives the tokens that it was. */
  clear(): Promise<TokenSet[]> {
    return this.#waiting.clear()
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
