/**
 * createWorkerAuthFetch: the page's half. It finds out whether there is a worker to hold the session and stands for whichever
 * AuthFetch that makes: one over the worker, or an ordinary one of the page's own.
 */
import { type AuthFetch, createAuthFetch } from '../auth-fetch.ts'
import { carrying, type Members } from '../auth-session.ts'
import { abortable } from '../coordination/abortable.ts'
import { type AuthEvents, Subscribers } from '../events.ts'
import { signalOf } from '../http/request.ts'
import { expected, ownOptions } from '../option-check.ts'
import { type AuthFetchOptions, OPTIONS, readOptions } from '../options.ts'
import type { SessionSnapshot, TokenSet } from '../ports.ts'
import { type Connection, connect, type WorkerOptions } from './connection.ts'
import { heldSession } from './held-session.ts'

/** `refresh`, `store` and `scheme` are for the page's own session, where there is no worker. */
export interface WorkerAuthFetchOptions extends AuthFetchOptions {
  /** The service worker that calls `serveSession()`: its script, or that and how it is registered. */
  worker: string | URL | WorkerOptions
}

/** An AuthFetch that says where its session is. */
export type WorkerAuthFetch = AuthFetch & {
  /** Resolves once it is known who holds the session: the worker, which is in control of the page then, or the page itself. */
  readonly ready: Promise<'worker' | 'page'>
}

/**
 * Makes an AuthFetch whose session is held by a service worker: the page sees the snapshot and the events, never a token.
 * `tokens()` and `refresh()` resolve with null. Where there is no worker to be had (an insecure context, a browser that blocks
 * them, a script that does not load), the page has a session of its own, made of the same options.
 *
 * @throws TypeError with an `ERR_…` code, as `createAuthFetch` does
 * @example
 * const api = createWorkerAuthFetch({
 *   worker: '/worker.js',
 *   baseUrl: 'https://api.example',
 *   refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }),
 *   onLoginRequired: loginRedirect({ to: '/login' }),
 * })
 */
export function createWorkerAuthFetch(options: WorkerAuthFetchOptions): WorkerAuthFetch {
  const { worker, ...rest } = ownOptions(options, [...OPTIONS, 'worker'])
  // On no prototype, as all options are (O4).
  const own = { __proto__: null, ...rest } as AuthFetchOptions
  readOptions(own)
  const session = new EitherSession(workerOptions(worker), own)
  const fetch: typeof globalThis.fetch = (...args) => session.fetch(...args)
  const ready = { __proto__: null, value: session.ready, enumerable: true } as PropertyDescriptor
  return Object.defineProperty(carrying(session, fetch), 'ready', ready) as WorkerAuthFetch
}

function workerOptions(worker: WorkerAuthFetchOptions['worker']): WorkerOptions {
  const isUrl = typeof worker === 'string' || worker instanceof URL
  const given = isUrl ? { url: worker } : ownOptions(worker ?? {}, ['url', 'scope', 'type', 'timeoutMs'])
  const options = { __proto__: null, ...given } as WorkerOptions
  const { url, scope, type = 'classic', timeoutMs = 0 } = options as Partial<WorkerOptions>
  if (!(typeof url === 'string' || url instanceof URL) || String(url) === '') {
    throw expected('worker', 'the URL of a script that calls serveSession(), or an object with it as `url`')
  }
  if (scope !== undefined && typeof scope !== 'string') throw expected('scope', 'a path')
  if (type !== 'classic' && type !== 'module') throw expected('type', "'classic' or 'module'")
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) throw expected('timeoutMs', 'a number that is not negative')
  return options
}

/** A call as it was made, whatever becomes of the objects that it was made with. */
function captured(...[input, init]: Parameters<typeof fetch>): Parameters<typeof fetch> {
  const where = input instanceof URL ? new URL(input) : input
  if (init === undefined) return [where]
  const { headers, body } = init
  const own = { __proto__: null, ...init } as RequestInit
  if (headers !== undefined) own.headers = new Headers(headers)
  if (body instanceof ArrayBuffer) own.body = body.slice(0)
  if (ArrayBuffer.isView(body)) own.body = new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice()
  if (body instanceof URLSearchParams) own.body = new URLSearchParams(body)
  return [where, own]
}

/** Resolves once no refresh is under way. */
const hasRefreshed = (session: AuthFetch): Promise<void> =>
  new Promise((resolve) => {
    const look = (): void => {
      if (session.snapshot().status === 'refreshing') return
      end()
      resolve()
    }
    const end = session.subscribe(look)
    look()
  })

const SIGNED_OUT: SessionSnapshot = Object.freeze({ status: 'signed-out' })

class EitherSession implements Members {
  readonly ready: Promise<'worker' | 'page'>
  readonly #options: AuthFetchOptions
  #ready: Promise<AuthFetch>
  #chosen: AuthFetch | null = null
  #isDisposed = false
  readonly #subscribers = new Subscribers()
  /** What was asked to be told, of whichever session is chosen. */
  readonly #listening = new Set<(chosen: AuthFetch) => void>()

  constructor(worker: WorkerOptions, options: AuthFetchOptions) {
    this.#options = options
    const connecting = connect(worker, (late) => this.#moveTo(late))
    this.#ready = connecting.then((connection) =>
      this.#choose(connection ? heldSession(connection, options) : createAuthFetch(options)),
    )
    this.ready = connecting.then((connection) => (connection ? 'worker' : 'page'))
  }

  #choose(chosen: AuthFetch): AuthFetch {
    this.#chosen = chosen
    chosen.subscribe(() => this.#subscribers.tell())
    for (const listen of this.#listening) listen(chosen)
    if (chosen.snapshot().status !== 'signed-out') this.#subscribers.tell()
    if (this.#isDisposed) chosen.dispose()
    return chosen
  }

  /** The worker has come after all: the session that the page has begun goes there, and calls wait until it has. */
  #moveTo(connection: Connection): void {
    this.#ready = this.#ready.then(async (own) => {
      this.#chosen = null
      const held = heldSession(connection, this.#options)
      // A refresh under way spends the token that would be handed over.
      await hasRefreshed(own)
      const tokens = await own.tokens({ minValidityMs: Number.NEGATIVE_INFINITY }).catch(() => null)
      if (tokens !== null && connection.state().sessionId === null) await held.signIn(tokens).catch(() => {})
      await own.signOut()
      own.dispose()
      return this.#choose(held)
    })
  }

  fetch(...args: Parameters<typeof fetch>): Promise<Response> {
    if (this.#chosen) return this.#chosen(...args)
    const call = captured(...args)
    return abortable(this.#ready, signalOf(...args)).then((chosen) => chosen(...call))
  }

  async signIn(tokens: Parameters<Members['signIn']>[0]): Promise<void> {
    await (await this.#ready).signIn(tokens)
  }

  async signOut(): Promise<void> {
    await (await this.#ready).signOut()
  }

  async tokens(options?: Parameters<Members['tokens']>[0]): Promise<TokenSet | null> {
    return (await abortable(this.#ready, options?.signal)).tokens(options)
  }

  async refresh(rejectedAccessToken?: string): Promise<TokenSet | null> {
    return (await this.#ready).refresh(rejectedAccessToken)
  }

  snapshot(): SessionSnapshot {
    return this.#chosen?.snapshot() ?? SIGNED_OUT
  }

  subscribe(listener: () => void): () => void {
    return this.#subscribers.add(listener)
  }

  on<E extends keyof AuthEvents>(event: E, listener: (payload: AuthEvents[E]) => void): () => void {
    let end: (() => void) | undefined
    const listen = (chosen: AuthFetch): void => {
      end = chosen.on(event, listener)
    }
    this.#listening.add(listen)
    if (this.#chosen) listen(this.#chosen)
    return () => {
      this.#listening.delete(listen)
      end?.()
    }
  }

  dispose(): void {
    this.#isDisposed = true
    this.#subscribers.clear()
    this.#listening.clear()
    this.#chosen?.dispose()
  }
}
