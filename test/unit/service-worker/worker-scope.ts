/** A service worker's global object, put in the place of the test's, and what a browser does to it. */
import { expect, vi } from 'vitest'
import { type ServeSessionOptions, serveSession } from '../../../src/service-worker/serve-session.ts'
import { memoryStore } from '../../../src/stores/memory.ts'

export const ORIGIN = 'https://app.example'
export const SCRIPT: string = `${ORIGIN}/worker.js`

type Listener = (event: object) => void

export class Scope {
  readonly listeners: Map<string, Listener> = new Map()
  readonly told: unknown[] = []
  readonly kept: Array<Promise<unknown>> = []

  constructor(active: object | null = null) {
    vi.stubGlobal('location', new URL(SCRIPT))
    const hear = (event: string, listener: Listener): unknown => this.listeners.set(event, listener)
    vi.stubGlobal('registration', { scope: `${ORIGIN}/`, active, addEventListener: hear })
    vi.stubGlobal('skipWaiting', async () => {})
    const page = { postMessage: (message: unknown) => this.told.push(message) }
    vi.stubGlobal('clients', { claim: async () => {}, matchAll: async () => [page] })
    vi.stubGlobal('addEventListener', hear)
  }

  serve(options: ServeSessionOptions = {}): ReturnType<typeof serveSession> {
    return serveSession({ store: memoryStore({ accessToken: 'at-1' }), ...options })
  }

  /** What the worker answers to a request of a page. */
  fetch(request: Request): Promise<Response> {
    return new Promise((respondWith) => this.listeners.get('fetch')?.({ request, respondWith }))
  }

  /** Sends a message; resolves with what is answered on its port, or null once the worker is done with it. */
  async ask(content: object, sender: object = {}): Promise<unknown> {
    const answers: unknown[] = []
    const port = { postMessage: (answer: unknown) => answers.push(answer) }
    const kept: Array<Promise<unknown>> = []
    const event = {
      data: { relatch: 1, ...content },
      origin: ORIGIN,
      source: { frameType: 'top-level' },
      ports: [port],
      waitUntil: (work: Promise<unknown>) => kept.push(work),
      ...sender,
    }
    this.listeners.get('message')?.(event)
    this.kept.push(...kept.slice(1))
    await kept[0]
    await vi.waitFor(() => answers.length > 0 || kept.length === 0 || expect.fail())
    return answers[0] ?? null
  }
}
