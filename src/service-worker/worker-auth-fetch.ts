/**
 * createWorkerAuthFetch: the page's half. It finds out whether there is a worker to hold the session and stands for whichever
 * AuthFetch that makes: one over the worker, or an ordinary one of the page's own.
 */
import { type AuthFetch, createAuthFetch } from '../auth-fetch.ts'
import { carrying, type Members } from '../auth-session.ts'
import { abortable } from '../coordination/abortable.ts'
import { type AuthEvents, notify } from '../events.ts'
import { expected, ownOptions } from '../option-check.ts'
import { type AuthFetchOptions, OPTIONS, readOptions } from '../options.ts'
import type { SessionSnapshot, TokenSet } from '../ports.ts'
import { connect, type WorkerOptions } from './connection.ts'
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
  const { worker, ...own } = ownOptions(options, [...OPTIONS, 'worker'])
  readOptions(own)
  const session = new EitherSession(connectTo(worker), own)
  const fetch: typeof globalThis.fetch = (...args) => session.fetch(...args)
  const ready = { __proto__: null, value: session.ready, enumerable: true } as PropertyDescriptor
  return Object.defineProperty(carrying(session, fetch), 'ready', ready) as WorkerAuthFetch
}

function connectTo(worker: WorkerAuthFetchOptions['worker']): ReturnType<typeof connect> {
  const isUrl = typeof worker === 'string' || worker instanceof URL
  const options = isUrl ? { url: worker } : ownOptions(worker ?? {}, ['url', 'scope', 'type', 'timeoutMs'])
  const { url, timeoutMs = 0 } = options as Partial<WorkerOptions>
  if (!(typeof url === 'string' || url instanceof URL) || String(url) === '') {
    throw expected('worker', 'the URL of a script that calls serveSession(), or an object with it as `url`')
  }
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) throw expected('timeoutMs', 'a number that is not negative')
  return connect(options)
}

const SIGNED_OUT: SessionSnapshot = Object.freeze({ status: 'signed-out' })

class EitherSession implements Members {
  readonly ready: Promise<'worker' | 'page'>
  readonly #ready: Promise<AuthFetch>
  #chosen: AuthFetch | null = null
  #isDisposed = false
  readonly #subscribers = new Set<() => void>()

  constructor(connecting: ReturnType<typeof connect>, options: AuthFetchOptions) {
    this.#ready = connecting.then((connection) => {
      const chosen = connection ? heldSession(connection, options) : createAuthFetch(options)
      this.#chosen = chosen
      chosen.subscribe(() => this.#notify())
      if (chosen.snapshot().status !== 'signed-out') this.#notify()
      if (this.#isDisposed) chosen.dispose()
      return chosen
    })
    this.ready = this.#ready.then(() => connecting).then((connection) => (connection ? 'worker' : 'page'))
  }

  fetch(...args: Parameters<typeof fetch>): Promise<Response> {
    if (this.#chosen) return this.#chosen(...args)
    const [input, init] = args
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined)
    return abortable(this.#ready, signal).then((chosen) => chosen(...args))
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
    const entry = (): void => listener()
    this.#subscribers.add(entry)
    return () => void this.#subscribers.delete(entry)
  }

  on<E extends keyof AuthEvents>(event: E, listener: (payload: AuthEvents[E]) => void): () => void {
    if (this.#chosen) return this.#chosen.on(event, listener)
    let end: (() => void) | undefined
    let hasEnded = false
    void this.#ready.then((chosen) => {
      if (!hasEnded) end = chosen.on(event, listener)
    })
    return () => {
      hasEnded = true
      end?.()
    }
  }

  dispose(): void {
    this.#isDisposed = true
    this.#subscribers.clear()
    this.#chosen?.dispose()
  }

  #notify(): void {
    for (const subscriber of [...this.#subscribers]) notify(subscriber)
  }
}
