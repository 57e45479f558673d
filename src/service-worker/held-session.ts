/**
 * A page's AuthFetch over a session that the worker holds: an ordinary one, whose store shows the worker's session without its
 * tokens, and whose scheme sets nothing. So what concerns a person (login, step-up, a 403) happens in the page that they look
 * at, as ever, and what concerns tokens happens in the worker.
 */
import { type AuthFetch, createAuthFetch } from '../auth-fetch.ts'
import { carrying, type Members } from '../auth-session.ts'
import { within } from '../clock.ts'
import { abortable } from '../coordination/abortable.ts'
import { type AuthEvents, Events, Subscribers } from '../events.ts'
import { jsonObject } from '../http/json.ts'
import { signalOf } from '../http/request.ts'
import type { AuthFetchOptions } from '../options.ts'
import { isSameSnapshot, sharedSession } from '../pipeline/shared-session.ts'
import type { AuthScheme, LoginResult, SessionSnapshot, StoredSession, TokenSet, TokenStore } from '../ports.ts'
import { isKept, receiveTokens } from '../tokens.ts'
import type { Connection } from './connection.ts'
import { confirmation, ERROR_HEADER, type ErrorParts, errorOf, type Question, TOLD_EVENTS } from './protocol.ts'

/** Stands where a token would, so that the session has a subject; no scheme sends it. */
const STAND_IN = 'held-by-the-service-worker'
/** How long a 401 waits to hear what the worker knows. */
const LOOK_MS = 1_000

export function heldSession(connection: Connection, options: AuthFetchOptions): AuthFetch {
  const mirror = new Mirror(connection)
  const { onLoginRequired, onStepUp } = options
  /** Tokens that a callback brings go to the worker, before whoever waits for them goes on. */
  const handIn = async (result: LoginResult, isStepUp: boolean): Promise<null> => {
    if (result) await session.enter(result, isStepUp)
    return null
  }
  const core = createAuthFetch({
    ...options,
    store: mirror,
    refresh: undefined,
    scheme: schemeOf(connection),
    fetch: transportOf(connection, options.fetch),
    onLoginRequired: onLoginRequired && (async (need) => handIn(await onLoginRequired(need), false)),
    onStepUp: onStepUp && (async (need) => handIn(await onStepUp(need), true)),
  })
  const session = new HeldSession(connection, core, mirror)
  const fetch: typeof globalThis.fetch = (...args) => core(...args)
  return carrying(session, fetch)
}

/** A 401 that comes here was the worker's to cure: with a session it has tried, without one only a person can help. */
const schemeOf = (connection: Connection): AuthScheme => ({
  name: 'service-worker',
  headers: [],
  attach: () => {},
  cure() {
    const { sessionId, canRefresh } = connection.state()
    return sessionId === null || !canRefresh ? 'login' : 'nothing'
  },
})

function transportOf(connection: Connection, given: typeof fetch | undefined): typeof fetch {
  const transport = given ?? ((...args: Parameters<typeof fetch>) => globalThis.fetch(...args))
  const look = async (): Promise<void> => {
    await within(connection.look(), LOOK_MS, () => undefined).catch(() => {})
  }
  return async (...args) => {
    const signal = signalOf(...args)
    const control = connection.control()
    if (control) await abortable(control, signal).catch(() => signal?.throwIfAborted())
    const response = await transport(...args)
    const mark = response.headers.get(ERROR_HEADER)
    // What becomes of a 401 depends on what the worker knows by now, and its news may be later than its answer.
    if (response.status === 401 || (mark !== null && !connection.isMark(mark))) await abortable(look(), signal)
    if (!connection.isMark(mark)) return response
    const { error } = jsonObject(await response.text()) ?? {}
    throw errorOf(error as ErrorParts)
  }
}

/** The worker's session as a store: what pages may know of it. The worker alone writes. */
class Mirror implements TokenStore {
  readonly #connection: Connection
  #shown: StoredSession | null = null
  #count = 0

  constructor(connection: Connection) {
    this.#connection = connection
  }

  read(): StoredSession | null {
    const { sessionId, ended, snapshot } = this.#connection.state()
    if (sessionId === null) {
      // One that was refused, or lost with its worker, stays: its 401s ask for a login. One that was signed out does not (R12).
      if (ended === 'requested' || ended === 'elsewhere') this.#shown = null
    } else if (sessionId !== this.#shown?.sessionId || snapshot.scope !== this.#shown.tokens?.scope)
      this.#show(sessionId)
    return this.#shown
  }

  /** Only ever called to sign out; the worker is told by whoever does. */
  write(): boolean {
    this.#shown = null
    return true
  }

  watch(listener: () => void): () => void {
    return this.#connection.listen(listener)
  }

  /** The same session with other tokens, so that what was refused before is worth another send. */
  renew(): void {
    const { sessionId } = this.#connection.state()
    if (sessionId !== null) this.#show(sessionId)
  }

  #show(sessionId: string): void {
    const { subject, scope } = this.#connection.state().snapshot
    const version = ++this.#count
    const tokens: TokenSet = { accessToken: `${STAND_IN}-${version}` }
    if (subject !== undefined) tokens.subject = subject
    if (scope !== undefined) tokens.scope = scope
    this.#shown = { sessionId, version, tokens }
  }
}

type Listener<E extends keyof AuthEvents> = (payload: AuthEvents[E]) => void

class HeldSession implements Members {
  readonly #connection: Connection
  readonly #core: AuthFetch
  readonly #mirror: Mirror
  readonly #events = new Events()
  readonly #subscribers = new Subscribers()
  #snapshot: SessionSnapshot

  constructor(connection: Connection, core: AuthFetch, mirror: Mirror) {
    this.#connection = connection
    this.#core = core
    this.#mirror = mirror
    this.#snapshot = connection.state().snapshot
    connection.listen(({ event }) => {
      if (event) this.#events.emit(event.name, event.payload)
      this.#notify()
    })
    core.subscribe(() => this.#notify())
  }

  async signIn(tokens: Parameters<Members['signIn']>[0]): Promise<void> {
    await this.enter(tokens, false)
  }

  /**
   * @param tokens also the answer of a token endpoint without them: the worker has them, and what it knows is asked for before
   * its news arrives
   * @param isStepUp whether it is the same session, only surer of its user
   */
  async enter(tokens: unknown, isStepUp: boolean): Promise<void> {
    const question: Question = isKept(tokens)
      ? confirmation(tokens as object, isStepUp)
      : { ask: 'sign-in', ...receiveTokens(tokens), isStepUp }
    await this.#connection.ask(question)
    if (isStepUp) this.#mirror.renew()
    // Before this resolves, whoever waits for a login has heard of it.
    await sharedSession(this.#mirror).engine.reread()
  }

  async signOut(): Promise<void> {
    const told = this.#connection.ask({ ask: 'sign-out' })
    await this.#core.signOut()
    await told
  }

  async tokens(): Promise<null> {
    return null
  }

  async refresh(): Promise<null> {
    await this.#connection.ask({ ask: 'refresh' })
    return null
  }

  snapshot(): SessionSnapshot {
    const { snapshot } = this.#connection.state()
    const isWaiting = this.#core.snapshot().status === 'login-required'
    const next: SessionSnapshot = isWaiting ? { ...snapshot, status: 'login-required' } : snapshot
    if (!isSameSnapshot(next, this.#snapshot)) this.#snapshot = Object.freeze(next)
    return this.#snapshot
  }

  subscribe(listener: () => void): () => void {
    return this.#subscribers.add(listener)
  }

  on<E extends keyof AuthEvents>(event: E, listener: Listener<E>): () => void {
    return TOLD_EVENTS.some((name) => name === event)
      ? this.#events.on(event, listener)
      : this.#core.on(event, listener)
  }

  dispose(): void {
    this.#connection.close()
    this.#core.dispose()
    this.#events.clear()
    this.#subscribers.clear()
  }

  #notify(): void {
    const before = this.#snapshot
    if (this.snapshot() !== before) this.#subscribers.tell()
  }
}
