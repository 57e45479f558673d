/**
 * The worker's half: the session, and the pipeline that every request of the pages goes through. Pages may sign in and out, ask
 * for a refresh, and hear what becomes of the session; there is no question that a token is the answer to.
 */
import { type AuthFetch, createAuthFetch } from '../auth-fetch.ts'
import { after } from '../clock.ts'
import { AuthError, isAuthError, misuse } from '../errors.ts'
import { pageUrl, secureUrl } from '../http/origins.ts'
import { createId } from '../id.ts'
import { expected, ownOptions } from '../option-check.ts'
import { type AuthFetchOptions, OPTIONS, readOptions } from '../options.ts'
import { sharedSession } from '../pipeline/shared-session.ts'
import type { TokenStore } from '../ports.ts'
import { receiveTokens, type TokenSet } from '../tokens.ts'
import { interceptor } from './intercept.ts'
import {
  type Answer,
  message,
  type News,
  partsOf,
  type Question,
  readQuestion,
  TOLD_EVENTS,
  type WorkerState,
} from './protocol.ts'
import type { WorkerMessageEvent, WorkerScope } from './scope.ts'
import { SignIns } from './sign-ins.ts'
import { openVault } from './vault.ts'

type PagesOwn = 'onLoginRequired' | 'onStepUp' | 'onPermissionDenied'

/** What `createAuthFetch` takes, but for the callbacks: those are the page's, where the person is. */
export interface ServeSessionOptions extends Omit<AuthFetchOptions, PagesOwn> {
  /**
   * Where tokens come from when a page asks: login and refresh endpoints, relative to the worker's script. What a page gets from
   * there is the answer without its tokens, which are the session from then on (those for a code of OAuth: once the page signs in
   * with it); `signIn` and the login callbacks take it as they take tokens. JSON, with the tokens at its top level: of any other
   * answer that succeeds a page gets nothing. An ID token comes without its signature, to be checked.
   * @default []
   */
  tokenEndpoints?: ReadonlyArray<string | URL> | undefined
  /**
   * What the session is sealed with while it rests: 32 random characters or more, which the server puts into this script for this
   * browser and shows to nobody but a service worker (both `Sec-Fetch-Dest: serviceworker` and `Service-Worker: script`, and
   * `Cache-Control: no-store`). Default: a key
   * in the worker's memory, handed from version to version; the session then ends when the browser ends the worker.
   */
  key?: string | undefined
  /**
   * Called with tokens that are the worker's no more, because a page has signed out: `oauthClient().revoke` fits. The page does not
   * wait for it.
   */
  revoke?: ((tokens: TokenSet) => unknown) | undefined
}

const CALLBACKS: readonly PagesOwn[] = ['onLoginRequired', 'onStepUp', 'onPermissionDenied']
/** Browsers end a worker that has had nothing to do for half a minute; what a page asks keeps it for so long. */
const AWAKE_MS = 120_000
/** For tokens that wait, where the app keeps sessions in a place of its own. */
const NOWHERE: TokenStore = { read: () => null, write: () => true }
/** Longer than an installation takes. */
const RELEASED_MS = 60_000

/**
 * Makes the service worker that this is called in the home of the session: what its pages request from `origins` is sent and
 * recovered here. Call it once, while the script is evaluated. The worker takes over at once (`skipWaiting`, `clients.claim`),
 * and has the session of the one that it takes over from.
 *
 * @param options `origins` says which requests are taken: an API that shares the page's origin is best told by its paths
 * @returns the session, for what else the worker does
 * @throws TypeError with an `ERR_…` code, as `createAuthFetch` does; `ERR_NOT_A_SERVICE_WORKER` where this is none
 * @see RFC 9700, draft-ietf-oauth-browser-based-apps §6.3
 * @example
 * serveSession({
 *   baseUrl: 'https://api.example',
 *   refresh: refreshEndpoint({ url: 'https://auth.example/token', clientId: 'web' }),
 *   tokenEndpoints: ['https://auth.example/login'],
 * })
 */
export function serveSession(options: ServeSessionOptions = {}): AuthFetch {
  const worker = globalThis as unknown as WorkerScope
  if (worker.registration === undefined || worker.skipWaiting === undefined) {
    throw misuse('ERR_NOT_A_SERVICE_WORKER', 'Expected serveSession() to be called in the script of a service worker')
  }
  const known = [...OPTIONS.filter((name) => !CALLBACKS.includes(name as PagesOwn)), 'tokenEndpoints', 'key', 'revoke']
  const { tokenEndpoints = [], key, revoke, ...rest } = ownOptions(options, known)
  // On no prototype, as all options are (O4).
  const given = { __proto__: null, ...rest } as AuthFetchOptions
  const endpoints = endpointsOf(tokenEndpoints)
  if (revoke !== undefined && typeof revoke !== 'function') throw expected('revoke', 'a function')
  const vault = openVault(worker, key)
  const core: AuthFetchOptions = { ...given, store: given.store ?? vault.store }
  const api = createAuthFetch(core)
  const { store, settings } = readOptions(core)
  const { engine } = sharedSession(store)
  const mark = createId()
  const pages = new Pages(worker)
  const signIns = new SignIns(engine, given.store ? NOWHERE : vault.waiting)
  const intercept = interceptor(api, { settings, tokenEndpoints: endpoints, signIns, mark })

  const stateNow = (): WorkerState => {
    const current = engine.current()
    const ended = current ? null : (engine.lastEnded()?.reason ?? null)
    const canRefresh = settings.refresh !== undefined
    return { snapshot: api.snapshot(), sessionId: current?.sessionId ?? null, ended, canRefresh, mark }
  }
  const answer = async (question: Question, event: WorkerMessageEvent): Promise<Answer> => {
    await engine.loading()
    try {
      await act(question, event)
      return { state: stateNow() }
    } catch (error) {
      return {
        error: partsOf(isAuthError(error) ? error : new AuthError('store-failed', 'The session could not do that')),
      }
    }
  }
  const signOut = async (event: WorkerMessageEvent): Promise<void> => {
    // As they are: a refresh now would only make more of what is to be revoked.
    const tokens = engine.current()?.tokens
    const waiting = signIns.clear()
    await api.signOut()
    const revoked = async (): Promise<unknown> => {
      const left = [...(tokens ? [tokens] : []), ...(await waiting)]
      return Promise.allSettled(left.map(async (each) => revoke?.(each)))
    }
    event.waitUntil(revoked())
  }
  const act = async (question: Question, event: WorkerMessageEvent): Promise<unknown> => {
    switch (question.ask) {
      case 'sign-in':
        return signIns.enter(
          { ...receiveTokens(question.tokens ?? true), isFresh: question.isFresh },
          question.isStepUp,
        )
      case 'confirm':
        return signIns.confirm(question)
      case 'sign-out':
        return signOut(event)
      case 'refresh':
        return api.refresh()
      case 'state':
        return question.isUncontrolled ? worker.clients.claim() : undefined
      default:
        return question satisfies never
    }
  }

  for (const name of TOLD_EVENTS) {
    api.on(name, (payload) => pages.tell({ state: stateNow(), event: { name, payload } as NonNullable<News['event']> }))
  }
  api.subscribe(() => pages.tell({ state: stateNow() }))

  // The key first: with the one that is active now goes the session.
  worker.addEventListener('install', (event) => event.waitUntil(vault.opened.then(() => worker.skipWaiting())))
  worker.addEventListener('activate', (event) => event.waitUntil(worker.clients.claim()))
  worker.addEventListener('fetch', (event) => {
    const response = intercept(event.request)
    if (response !== null) event.respondWith(response)
  })
  // A successor, be it ours or not, waits until nothing is under way here: from now on nothing is, for its own sake.
  worker.registration.addEventListener('updatefound', () => pages.release())
  worker.addEventListener('message', (event) => {
    if (vault.handOver(event)) return pages.release()
    const question = readQuestion(event.data)
    const [port] = event.ports
    if (question === null || port === undefined || !isPage(worker, event)) return
    event.waitUntil(answer(question, event).then((content) => port.postMessage(message(content))))
    event.waitUntil(pages.awake())
  })
  return api
}

/** Of this very origin, and a page or a worker of one: what else can speak here is asked nothing and told nothing. */
const isPage = ({ location }: WorkerScope, { origin, source }: WorkerMessageEvent): boolean =>
  origin === location.origin && source !== null && 'frameType' in source

function endpointsOf(tokenEndpoints: ServeSessionOptions['tokenEndpoints']): URL[] {
  if (!Array.isArray(tokenEndpoints)) throw expected('tokenEndpoints', 'an array of URLs')
  return tokenEndpoints.map((endpoint: unknown) => {
    const url = secureUrl(endpoint, pageUrl())
    if (url === null) throw expected('tokenEndpoints', 'URLs: https, or http on loopback, without userinfo')
    return url
  })
}

/** The pages of the origin, and how long the worker stays awake for them. */
class Pages {
  readonly #worker: WorkerScope
  #news: News[] = []
  #telling: Promise<void> | null = null
  #sleep: () => void = () => {}
  #isReleased = false

  constructor(worker: WorkerScope) {
    this.#worker = worker
  }

  /** In the order of what happened. */
  tell(news: News): void {
    this.#news.push(news)
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = null
    })
  }

  /** A burst of news asks for the pages once. */
  async #tellAll(): Promise<void> {
    while (this.#news.length > 0) {
      const all = await this.#worker.clients.matchAll({ type: 'all', includeUncontrolled: true }).catch(() => [])
      for (const news of this.#news.splice(0)) for (const page of all) page.postMessage(message(news))
    }
  }

  /** Pending for as long as the worker should be kept: the next page to ask takes over. */
  awake(): Promise<void> {
    this.#sleep()
    if (this.#isReleased) return Promise.resolve()
    return new Promise((resolve) => {
      const cancel = after(AWAKE_MS, resolve)
      this.#sleep = () => {
        cancel()
        resolve()
      }
    })
  }

  /** For a minute: a successor that fails to install leaves the pages to this one. */
  release(): void {
    this.#isReleased = true
    this.#sleep()
    after(RELEASED_MS, () => {
      this.#isReleased = false
    })
  }
}
