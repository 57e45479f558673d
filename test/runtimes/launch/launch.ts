/** What it takes to run the suite somewhere. */
import type { Result, Runtime } from '../suite/case.ts'
import type { Places } from '../suite/world.ts'

export interface Run {
  readonly runtime: Runtime
  readonly places: Places
  /** As soon as a case is over. */
  readonly onResult: (result: Result) => void
  /** Fires when the time is up: whoever was started has to end then. */
  readonly signal: AbortSignal
}

/** Resolves with the version of what has run, once all of it has ended. */
export type Launch = (run: Run) => Promise<string>
