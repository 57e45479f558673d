/** What a service worker's global object is to us: TypeScript's DOM types know only the page's half. Types alone. */

/** A tab, a frame or a worker of the origin. What makes these is the browser, so a script cannot forge one. */
export interface PageClient {
  readonly id: string
  readonly frameType: string
  postMessage(message: unknown): void
}

export interface WorkerEvent extends Event {
  waitUntil(work: Promise<unknown>): void
}

export interface WorkerFetchEvent extends WorkerEvent {
  readonly request: Request
  respondWith(answer: Promise<Response>): void
}

export interface WorkerMessageEvent extends WorkerEvent {
  readonly data: unknown
  readonly origin: string
  readonly source: PageClient | ServiceWorker | MessagePort | null
  readonly ports: readonly MessagePort[]
}

interface WorkerEvents {
  install: WorkerEvent
  activate: WorkerEvent
  fetch: WorkerFetchEvent
  message: WorkerMessageEvent
}

export interface WorkerScope {
  readonly location: Location
  readonly registration: ServiceWorkerRegistration
  readonly clients: {
    claim(): Promise<void>
    matchAll(options: { type: 'all'; includeUncontrolled: true }): Promise<readonly PageClient[]>
  }
  skipWaiting(): Promise<void>
  addEventListener<E extends keyof WorkerEvents>(event: E, listener: (event: WorkerEvents[E]) => void): void
}
