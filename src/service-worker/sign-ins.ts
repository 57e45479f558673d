/**
 * How tokens become the worker's session: a page hands them over, or they are kept out of a token endpoint's answer. Of those, what
 * only the page that asked can judge waits until it has.
 */
import { AuthError } from '../errors.ts'
import { jwtClaims } from '../http/jwt.ts'
import { createId } from '../id.ts'
import { isOtherSubject } from '../live.ts'
import type { SessionEngine } from '../session.ts'
import { HELD, type ReceivedTokens, receiveTokens, type TokenSet } from '../tokens.ts'
import type { Question } from './protocol.ts'
import type { Receive } from './token-endpoint.ts'

/** Sign-ins that pages may have begun and not ended. */
const MOST_WAITING = 8

export class SignIns {
  readonly #engine: SessionEngine
  /** By their ids, the oldest first. */
  readonly #waiting = new Map<string, ReceivedTokens>()

  constructor(engine: SessionEngine) {
    this.#engine = engine
  }

  /** @param isStepUp whether it is the same session, only surer of its user */
  enter(received: ReceivedTokens, isStepUp: boolean): Promise<void> {
    const current = this.#engine.current()
    const isSame = isStepUp && !isOtherSubject(current?.tokens, received.tokens)
    return this.#engine.signIn(received, isSame ? current?.sessionId : undefined)
  }

  /** Called before a token request is sent: a sign-out that comes before its answer wins (R12). */
  expect(): Receive {
    const epoch = this.#engine.epoch()
    return async (answer) => {
      const received = receiveTokens(answer)
      if (hasNonce(received.tokens)) return { ...HELD, held: this.#wait(received) }
      // Whether it was a step-up only the page knows. The same person is the same session, so that what waits for one goes on.
      const isSame = [received, this.#engine.current()].every(hasSubject)
      if (this.#engine.epoch() === epoch) await this.enter(received, isSame)
      return HELD
    }
  }

  /** @throws AuthError `store-failed` where nothing waits under that id */
  async confirm({ held, scope, isStepUp }: Extract<Question, { ask: 'confirm' }>): Promise<void> {
    const received = this.#waiting.get(held)
    if (!received?.tokens) throw new AuthError('store-failed', 'The service worker does not have these tokens any more')
    this.#waiting.delete(held)
    const tokens = { ...(scope !== undefined && { scope }), ...received.tokens }
    await this.enter({ ...received, tokens }, isStepUp)
  }

  #wait(received: ReceivedTokens): string {
    const [oldest = ''] = this.#waiting.keys()
    if (this.#waiting.size === MOST_WAITING) this.#waiting.delete(oldest)
    const held = createId()
    this.#waiting.set(held, received)
    return held
  }
}

/**
 * Whether it is the answer to whoever made the nonce, and no session before that page has found it good (OpenID Connect Core
 * §3.1.3.7). One that a page has got by a refresh of its own has none (§12.2), and would be lost if it had to wait.
 */
const hasNonce = (tokens: TokenSet | null): boolean =>
  tokens?.idToken !== undefined && Object.hasOwn(jwtClaims(tokens.idToken) ?? {}, 'nonce')

const hasSubject = (session: Pick<ReceivedTokens, 'tokens'> | null): boolean =>
  Object.hasOwn(session?.tokens ?? {}, 'subject')
