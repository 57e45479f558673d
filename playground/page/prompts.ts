/** Questions that the session has for the person: sign in again, or prove more surely who you are. Requests wait meanwhile. */
import type { LoginNeed, LoginResult, StepUpNeed, TokenResponse } from 'relatch'
import { type Observable, observable } from './observable.ts'

export interface Prompt {
  kind: 'login' | 'step-up'
  /** Why it is asked, in the words of the library. */
  reason: string
  request: { method: string; url: string }
  acrValues: readonly string[]
  /** null: not now. */
  settle(tokens: TokenResponse | null): void
}

export interface Prompts extends Observable<Prompt | null> {
  onLoginRequired(need: LoginNeed): Promise<LoginResult>
  onStepUp(need: StepUpNeed): Promise<LoginResult>
}

export function createPrompts(): Prompts {
  const shown = observable<Prompt | null>(null)
  let stepUp: Promise<TokenResponse | null> | null = null

  const ask = (prompt: Omit<Prompt, 'settle'>, signal: AbortSignal): Promise<TokenResponse | null> =>
    new Promise((resolve) => {
      const settle = (tokens: TokenResponse | null): void => {
        shown.set((before) => (before === mine ? null : before))
        resolve(tokens)
      }
      const mine: Prompt = { ...prompt, settle }
      // Somebody signed in in another tab, or the time is up: nobody has to answer any more.
      signal.addEventListener('abort', () => settle(null), { once: true })
      shown.set(mine)
    })

  return {
    subscribe: shown.subscribe,
    snapshot: shown.snapshot,
    onLoginRequired: ({ reason, request, signal }) => ask({ kind: 'login', reason, request, acrValues: [] }, signal),
    /** One question for however many requests: each of them asks. */
    onStepUp({ acrValues, request, signal }) {
      const reason = 'insufficient_user_authentication'
      stepUp ??= ask({ kind: 'step-up', reason, request, acrValues }, signal).finally(() => {
        stepUp = null
      })
      return stepUp
    },
  }
}
