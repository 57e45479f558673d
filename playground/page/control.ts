/** The switches of the server, and what it saw: asked for now and then while somebody looks, and after each turn of a switch. */
import type { Action, PlaygroundState } from '../contract.ts'
import { type Observable, observable } from './observable.ts'

/** No stream of events: it would hold one of the six connections that a browser has for all tabs together. */
const POLL_MS = 1_000

export interface ControlSnapshot {
  state: PlaygroundState | null
  /** Nobody answers: the playground has been ended. */
  isGone: boolean
}

export interface Control extends Observable<ControlSnapshot> {
  look(since?: number): Promise<PlaygroundState>
  act(action: Exclude<Action, { do: 'code' }>): Promise<void>
}

export function createControl(): Control {
  const seen = observable<ControlSnapshot>({ state: null, isGone: false })

  const look = async (since?: number): Promise<PlaygroundState> => {
    const query = since === undefined ? '' : `?since=${since}`
    return show(await ask<PlaygroundState>(`/control/state${query}`))
  }
  /** Nothing is shown where nothing has changed, so that the page is not drawn again each second. */
  const show = (state: PlaygroundState): PlaygroundState => {
    const before = seen.snapshot()
    const isSame = JSON.stringify({ ...before.state, lines: [] }) === JSON.stringify({ ...state, lines: [] })
    if (before.isGone || !isSame) seen.set({ state, isGone: false })
    return state
  }
  const poll = async (): Promise<void> => {
    if (document.visibilityState === 'visible') {
      await look().catch(() => seen.set(({ state }) => ({ state, isGone: true })))
    }
    setTimeout(poll, POLL_MS)
  }
  void poll()

  return {
    subscribe: seen.subscribe,
    snapshot: seen.snapshot,
    look,
    async act(action) {
      show(await command<PlaygroundState>(action))
    },
  }
}

export const command = <T>(action: Action): Promise<T> => post('/control', action)

export const post = <T>(path: string, body: object): Promise<T> =>
  ask(path, { method: 'POST', body: JSON.stringify(body) })

async function ask<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await fetch(path, { cache: 'no-store', ...init })
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response.json()
}
