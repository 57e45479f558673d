/** What a case is, what it is given, and how a runtime may differ. */

import type { WorldOptions } from './wire.ts'
import type { World } from './world.ts'

/** Where the suite runs: the columns of the table. workerd-2025 is workerd as it is with an old compatibility date. */
export type Runtime = Server | Browser
type Server = 'node-22' | 'node-24' | 'node-26' | 'bun' | 'deno' | 'workerd' | 'workerd-2025'
type Browser = 'chromium' | 'firefox' | 'webkit'

/** Those that are no browser. */
export const SERVERS: readonly Server[] = ['node-22', 'node-24', 'node-26', 'bun', 'deno', 'workerd', 'workerd-2025']
export const BROWSERS: readonly Browser[] = ['chromium', 'firefox', 'webkit']

export interface Context {
  readonly runtime: Runtime
  /** A server of its own, as far as the case can tell; closed after the case. */
  world(options?: WorldOptions): Promise<World>
  /** What has been reported so far: rejections that nobody handled, lines on the console. A case that expects one takes it out. */
  readonly reports: string[]
  /**
   * Does a job (jobs.ts) as a server does one for somebody who asks: in workerd in a request of its own to this very worker,
   * elsewhere at once. An abort is the one who asks, leaving.
   */
  ask(job: string, world: World, signal?: AbortSignal): Promise<string>
}

/** What a runtime does instead, and why: stands in docs/runtimes.md, which has a text for each. */
export interface Difference {
  /** The section of the page. */
  readonly note: string
  readonly on: readonly Runtime[]
  /** Passes there, where the case itself must fail: a difference that is gone has to go from the page too. */
  readonly instead: (context: Context) => Promise<void>
}

export interface Case {
  /** The promise, `R1`. */
  readonly id: string
  readonly title: string
  readonly run: (context: Context) => Promise<void>
  readonly differs?: readonly Difference[]
}

/** How a case came out. */
export interface Result {
  readonly id: string
  readonly title: string
  /** null: passed. */
  readonly failure: string | null
  /** The note of the difference that was shown instead. */
  readonly note: string | null
}
