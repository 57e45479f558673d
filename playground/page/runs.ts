/** What a button set off: the calls, what came of each, and what the server saw meanwhile. */
import { type AuthFetch, isAuthError } from 'relatch'
import type { SeenLine } from '../contract.ts'
import type { Control } from './control.ts'
import type { Endpoint } from './endpoints.ts'
import { type Observable, observable } from './observable.ts'

const KEPT = 12

export interface Run {
  id: number
  title: string
  /** Answers by what they were: a status, or the code of the error. */
  outcomes: ReadonlyArray<readonly [outcome: string, count: number]>
  pending: number
  /** null: not over yet. */
  durationMs: number | null
  seen: readonly SeenLine[]
  note?: string
}

export interface Runs extends Observable<readonly Run[]> {
  call(endpoint: Endpoint, times: number, before?: () => Promise<void>): Promise<void>
  /** Anything else that is worth a card: what it returns is its note. */
  record(title: string, work: (tally: Tally) => Promise<string | undefined>): Promise<void>
  clear(): void
}

/** Counts calls as they end. */
export interface Tally {
  expect(calls: number): void
  add(outcome: string): void
}

export function createRuns(api: AuthFetch, control: Control): Runs {
  const shown = observable<readonly Run[]>([])
  let last = 0

  const record: Runs['record'] = async (title, work) => {
    const id = ++last
    shown.set((runs) => [{ id, title, outcomes: [], pending: 0, durationMs: null, seen: [] }, ...runs].slice(0, KEPT))
    const change = (part: Partial<Run> | ((run: Run) => Partial<Run>)): void =>
      shown.set((runs) =>
        runs.map((run) => (run.id === id ? { ...run, ...(typeof part === 'function' ? part(run) : part) } : run)),
      )
    const tally: Tally = {
      expect: (calls) => change(({ pending }) => ({ pending: pending + calls })),
      add: (outcome) =>
        change(({ pending, outcomes }) => ({ pending: pending - 1, outcomes: counted(outcomes, outcome) })),
    }
    const { last: mark } = await control.look()
    const startedAt = performance.now()
    const note = await work(tally).catch((error: unknown) => (error instanceof Error ? error.message : 'It failed.'))
    const durationMs = Math.round(performance.now() - startedAt)
    const { lines } = await control.look(mark)
    change({ durationMs, seen: lines, pending: 0, ...(note !== undefined && { note }) })
  }

  return {
    subscribe: shown.subscribe,
    snapshot: shown.snapshot,
    record,
    clear: () => shown.set([]),
    call: (endpoint, times, before) =>
      record(titleOf(endpoint, times, before !== undefined), async (tally) => {
        await before?.()
        tally.expect(times)
        const calls = Array.from({ length: times }, () => outcomeOf(api, endpoint).then(tally.add))
        await Promise.all(calls)
        return undefined
      }),
  }
}

const titleOf = ({ method, path }: Endpoint, times: number, isExpired: boolean): string =>
  `${times > 1 ? `${times} × ` : ''}${method} ${path}${isExpired ? ' on an expired token' : ''}`

function counted(outcomes: Run['outcomes'], outcome: string): Run['outcomes'] {
  const counts = new Map(outcomes)
  return [...counts.set(outcome, (counts.get(outcome) ?? 0) + 1)]
}

/** The status, or why there is none. */
export async function outcomeOf(api: AuthFetch, { method, path, body }: Endpoint): Promise<string> {
  try {
    const sent = body?.()
    // no-store: a cache would make equal requests wait for each other.
    const init: RequestInit = { method, cache: 'no-store', ...(sent !== undefined && { body: sent }) }
    const response = await api(path, init)
    if (response.ok && sent instanceof Blob) return `${response.status} ${await compare(sent, response)}`
    return String(response.status)
  } catch (error) {
    if (isAuthError(error)) return error.code
    return error instanceof TypeError ? 'network error' : 'failed'
  }
}

async function compare(sent: Blob, response: Response): Promise<string> {
  const { sha256 } = (await response.json()) as { sha256: string }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await sent.arrayBuffer()))
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex === sha256 ? 'whole' : 'damaged'
}
