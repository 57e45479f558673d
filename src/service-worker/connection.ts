/**
 * A page's line to the worker that holds its session: registered, in control of the page, and asked with a port for each
 * answer. Knows what the worker told last; decides nothing about it.
 */
import { after, within } from '../clock.ts'
import { AuthError } from '../errors.ts'
import { notify } from '../events.ts'
import { isSameSnapshot, SNAPSHOT_MEMBERS } from '../pipeline/shared-session.ts'
import type { SessionSnapshot } from '../ports.ts'
import { errorOf, message, type News, type Question, readAnswer, readNews, type WorkerState } from './protocol.ts'

export interface WorkerOptions {
  /** The worker's script, relative to the page. */
  url: string | URL
  /** The pages that it controls. Default: those at and below the path of its script. */
  scope?: string | undefined
  /** @default 'classic' */
  type?: 'classic' | 'module' | undefined
  /**
   * How long requests wait at the start for the worker to be in control, in milliseconds. After that the page has a session of
   * its own.
   * @default 5 000
   */
  timeoutMs?: number | undefined
}

export interface Connection {
  /** Whether an answer with this mark was made by the worker, or by one that it has replaced. */
  isMark(mark: string | null): boolean
  /** What the worker said last; its `snapshot` is frozen, and the same object until it changes. */
  state(): WorkerState
  /**
   * Asks the worker, and has its state anew.
   *
   * @throws AuthError what the worker answers; `store-failed` where it does not answer at all
   */
  ask(question: Question): Promise<void>
  /** Asks for the state alone. */
  look(): Promise<void>
  /** A promise where the page has to wait before the worker takes its requests. */
  control(): Promise<void> | null
  /** Hears whatever the worker tells; returns what ends it. */
  listen(listener: (news: News) => void): () => void
  close(): void
}

/** Long enough for a refresh with its retries. */
const ANSWER_MS = 30_000
/** For how long a request waits to be taken by the worker; then it goes without. */
const CONTROL_MS = 3_000
/** Below the half minute after which a browser ends a worker. */
const PULSE_MS = 20_000

/**
 * A connection to the worker, or null where there is none to be had in time. Never rejects.
 *
 * @param onLate told of one that comes after that
 */
export async function connect(
  { url, scope, type, timeoutMs = 5_000 }: WorkerOptions,
  onLate: (connection: Connection) => void,
): Promise<Connection | null> {
  const container = workers()
  if (container === undefined) return null
  const line = new Line(container)
  const registration = { __proto__: null, ...(scope !== undefined && { scope }), ...(type !== undefined && { type }) }
  const start = async (): Promise<Connection> => {
    await container.register(url, registration)
    await container.ready
    await line.control()
    await line.look()
    return line
  }
  const starting = start()
  starting.catch(() => line.close())
  return within(starting, timeoutMs, noAnswer).catch(() => {
    starting.then(onLate).catch(() => {})
    return null
  })
}

/** Undefined in an insecure context; in a sandboxed frame the very look throws. */
function workers(): ServiceWorkerContainer | undefined {
  try {
    return (globalThis.navigator as Navigator | undefined)?.serviceWorker
  } catch {
    return undefined
  }
}

class Line implements Connection {
  readonly #container: ServiceWorkerContainer
  readonly #listeners = new Set<(news: News) => void>()
  readonly #closed = new AbortController()
  #state: WorkerState = {
    snapshot: Object.freeze({ status: 'signed-out' }),
    sessionId: null,
    ended: null,
    canRefresh: true,
    mark: '',
  }
  /** One for each worker that the page has had. */
  readonly #marks = new Set<string>()
  #cancelPulse: () => void = () => {}
  #taking: Promise<void> | null = null

  constructor(container: ServiceWorkerContainer) {
    this.#container = container
    const listening = { signal: this.#closed.signal }
    container.addEventListener('message', (event) => this.#hear(event), listening)
    // Another version has taken over, or the page has been asleep: what we know may be old.
    container.addEventListener('controllerchange', () => this.#lookAgain(), listening)
    globalThis.addEventListener('pageshow', () => this.#lookAgain(), listening)
    globalThis.document?.addEventListener('visibilitychange', () => this.#lookAgain(), listening)
    container.startMessages()
  }

  state(): WorkerState {
    return this.#state
  }

  isMark(mark: string | null): boolean {
    return mark !== null && this.#marks.has(mark)
  }

  async ask(question: Question): Promise<void> {
    const answer = readAnswer(await this.#exchange(question))
    if (answer === null) throw noAnswer()
    if ('error' in answer) throw errorOf(answer.error)
    this.#learn({ state: answer.state })
  }

  look(): Promise<void> {
    return this.ask({ ask: 'state', isUncontrolled: false })
  }

  control(): Promise<void> | null {
    if (this.#container.controller !== null) return null
    this.#taking ??= this.#takeControl()
    return this.#taking
  }

  listen(listener: (news: News) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed.abort()
    this.#listeners.clear()
    this.#cancelPulse()
  }

  async #exchange(question: Question): Promise<unknown> {
    const container = this.#container
    const worker = container.controller ?? (await container.getRegistration())?.active
    if (!worker) throw noAnswer()
    const { port1, port2 } = new MessageChannel()
    const over = new AbortController()
    const answered = new Promise<unknown>((resolve) => {
      port1.onmessage = ({ data }) => resolve(data)
      // One that has been replaced, or does not know us, may never answer: its successor is asked.
      const again = (): void => resolve(this.#exchange(question))
      container.addEventListener('controllerchange', again, { once: true, signal: over.signal })
    })
    worker.postMessage(message(question), [port2])
    return within(answered, ANSWER_MS, noAnswer).finally(() => {
      over.abort()
      port1.close()
    })
  }

  /** A reload past the cache (shift) leaves a page without its worker, which may claim it back. */
  #takeControl(): Promise<void> {
    const inControl = new Promise<void>((resolve) => {
      const listening = { once: true, signal: this.#closed.signal }
      this.#container.addEventListener('controllerchange', () => resolve(), listening)
    })
    const claimed = this.ask({ ask: 'state', isUncontrolled: true }).then(() => inControl)
    return within(claimed, CONTROL_MS, noAnswer).finally(() => {
      this.#taking = null
    })
  }

  #lookAgain(): void {
    if (this.#container.controller) this.look().catch(() => {})
  }

  #hear({ data, origin, source }: MessageEvent): void {
    // Only the worker itself: whatever else the origin's scripts send around is not news.
    if (
      origin !== location.origin ||
      (source as ServiceWorker | null)?.scriptURL !== this.#container.controller?.scriptURL
    )
      return
    const news = readNews(data)
    if (news !== null) this.#learn(news)
  }

  #learn({ state, event }: News): void {
    const before = this.#state.snapshot
    this.#marks.add(state.mark)
    this.#state = { ...state, snapshot: isSameSnapshot(before, state.snapshot) ? before : shown(state.snapshot) }
    const news = event ? { state: this.#state, event } : { state: this.#state }
    for (const listener of [...this.#listeners]) notify(listener, news)
    this.#pulse()
  }

  /** A worker that holds a session must not fall asleep while there is a page that wants it. */
  #pulse(): void {
    this.#cancelPulse()
    if (this.#state.sessionId === null || this.#closed.signal.aborted) return
    this.#cancelPulse = after(PULSE_MS, () => {
      this.#lookAgain()
      this.#pulse()
    })
  }
}

/** Its members and no others, whoever sent it. */
function shown(snapshot: SessionSnapshot): SessionSnapshot {
  const members = SNAPSHOT_MEMBERS.filter((name) => snapshot[name] !== undefined).map((name) => [name, snapshot[name]])
  return Object.freeze(Object.fromEntries(members))
}

const noAnswer = (): AuthError =>
  new AuthError('store-failed', 'The service worker that holds the session did not answer', { retryable: true })
