/**
 * What pages and the worker that holds their session say to each other, and how each reads what it hears: by shape, since any
 * script of the origin can speak here (C4). Tokens go one way, to the worker; no message to a page has a place for one.
 */
import { AuthError, type AuthErrorCode } from '../errors.ts'
import type { AuthEvents } from '../events.ts'
import type { SessionSnapshot, TokenSet } from '../ports.ts'
import { own } from '../tokens.ts'

/** Names our messages among others, and grows with each change that an older half would not understand. */
const RELATCH = 1

/** Asked by a page, with a port for the answer. */
export type Question =
  | { ask: 'state'; isUncontrolled: boolean }
  /** `tokens`: null for a cookie session. `isStepUp`: a stronger login of the session that there is. */
  | { ask: 'sign-in'; tokens: TokenSet | null; isFresh: boolean; isStepUp: boolean }
  /** To begin the session of tokens that wait for it, by their id. `scope`: what they were asked for, should they not say. */
  | { ask: 'confirm'; held: string; scope: string | undefined; isStepUp: boolean }
  | { ask: 'sign-out' }
  | { ask: 'refresh' }

/**
 * Asked by a worker that is to take over, of the one that is active, with a port for the key. `nonce` tells the one who asks when
 * that is itself: the browser has ended it and started it again.
 */
export interface HandOver {
  ask: 'hand-over'
  nonce: string
}

/** The session as pages may know it. */
export interface WorkerState {
  snapshot: SessionSnapshot
  sessionId: string | null
  /** How the last session ended, where there is none. */
  ended: AuthEvents['signed-out']['reason'] | null
  /** Whether a 401 has been tried to cure, where there is a session; without a refresher a login is all that can help. */
  canRefresh: boolean
  /** In the header of an answer that this worker made itself, because a request could not be sent. No server knows it. */
  mark: string
}

/** What an `AuthError` is made of again on the other side. */
export interface ErrorParts {
  code: string
  message: string
  retryable: boolean
  retryAfterMs?: number
  oauthError?: string
  status?: number
}

export type Answer = { state: WorkerState } | { error: ErrorParts }

/** Told to every page, unasked: the state after a change, and the event that it comes from. */
export interface News {
  state: WorkerState
  event?: ToldEvent
}

/** Those that a page hears of from the worker; who waits for a person is the page's own affair. */
export const TOLD_EVENTS = [
  'refreshed',
  'refresh-failed',
  'adopted',
  'recovered',
  'denied',
  'signed-in',
  'signed-out',
  'subject-changed',
  'not-replayed',
  'store-failed',
] as const
export type ToldName = (typeof TOLD_EVENTS)[number]
export type ToldEvent = { [E in ToldName]: { name: E; payload: AuthEvents[E] } }[ToldName]

/** The header of an answer that holds an error of ours; its value is the worker's mark. */
export const ERROR_HEADER = 'relatch-error'

/** What to ask of the worker to sign in with an answer that it has kept the tokens of; where they do not wait, they are the session. */
export function confirmation(answer: object, isStepUp: boolean): Question {
  const [held, scope] = [own(answer, 'held'), own(answer, 'scope')]
  if (typeof held !== 'string') return { ask: 'state', isUncontrolled: false }
  return { ask: 'confirm', held, scope: typeof scope === 'string' ? scope : undefined, isStepUp }
}

export const message = <T extends object>(content: T): T & { relatch: number } => ({ ...content, relatch: RELATCH })

/** The content of one of our messages, on no prototype; null for any other. */
function contentOf(data: unknown): Record<string, unknown> | null {
  if (typeof data !== 'object' || data === null || own(data, 'relatch') !== RELATCH) return null
  return { __proto__: null, ...data } as unknown as Record<string, unknown>
}

export function readQuestion(data: unknown): Question | null {
  const content = contentOf(data)
  switch (content?.ask) {
    case 'state':
      return { ask: 'state', isUncontrolled: content.isUncontrolled === true }
    case 'sign-in': {
      const { tokens, isFresh, isStepUp } = content
      // Whether they are tokens is judged by what judges all tokens.
      return {
        ask: 'sign-in',
        tokens: tokens as TokenSet | null,
        isFresh: isFresh === true,
        isStepUp: isStepUp === true,
      }
    }
    case 'confirm': {
      const { held, isStepUp, scope } = content
      return {
        ask: 'confirm',
        held: String(held),
        scope: typeof scope === 'string' ? scope : undefined,
        isStepUp: isStepUp === true,
      }
    }
    case 'sign-out':
    case 'refresh':
      return { ask: content.ask }
    default:
      return null
  }
}

export function readHandOver(data: unknown): HandOver | null {
  const content = contentOf(data)
  if (content?.ask !== 'hand-over' || typeof content.nonce !== 'string') return null
  return { ask: 'hand-over', nonce: content.nonce }
}

export function readAnswer(data: unknown): Answer | null {
  const content = contentOf(data)
  if (typeof content?.error === 'object' && content.error !== null) return { error: content.error as ErrorParts }
  const state = readState(content)
  return state && { state }
}

export function readNews(data: unknown): News | null {
  const content = contentOf(data)
  const state = readState(content)
  if (content === null || state === null) return null
  const event = content.event as ToldEvent | undefined
  return TOLD_EVENTS.some((name) => name === event?.name) ? { state, event: event as ToldEvent } : { state }
}

function readState(content: Record<string, unknown> | null): WorkerState | null {
  const state = content?.state as Partial<WorkerState> | null | undefined
  return typeof state?.snapshot?.status === 'string' && typeof state.mark === 'string' ? (state as WorkerState) : null
}

/** What of an error may be shown on the other side: the code and the message, which never hold a token (E1). */
export function partsOf({ code, message, retryable, retryAfterMs, oauthError, status }: AuthError): ErrorParts {
  return {
    code,
    message,
    retryable,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(oauthError !== undefined && { oauthError }),
    ...(status !== undefined && { status }),
  }
}

/** The worker's error as the page's own. */
export function errorOf({ code, message, retryable, retryAfterMs, oauthError, status }: ErrorParts): AuthError {
  const error = new AuthError(code as AuthErrorCode, message, { retryable, retryAfterMs })
  if (oauthError !== undefined) Object.assign(error, { oauthError })
  if (status !== undefined) Object.assign(error, { status })
  return error
}
