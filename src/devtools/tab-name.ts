/**
 * What this tab is called among the tabs of one origin, and what their devtools tell each other: who refreshed, signed in or
 * out, and when. Never a URL or a token. Whatever comes in is judged by its shape: any script of the origin can speak here (C4).
 */
import type { Hearsay } from './session-rows.ts'

export interface TabName {
  /** A letter, the first that no other tab has. */
  name(): string
  tell(type: Hearsay['type']): void
  close(): void
}

const CHANNEL = 'relatch-devtools'
const KEY = 'relatch-devtools-tab'
const LETTERS = 26

/** A..Z, then 27, 28, … */
const nameOf = (index: number): string => (index < LETTERS ? String.fromCharCode(65 + index) : String(index + 1))

type Message = { type: 'here' | Hearsay['type']; tab: number; at: number }

function isMessage(value: unknown): value is Message {
  if (typeof value !== 'object' || value === null) return false
  const { type, tab, at } = value as Record<string, unknown>
  const isType = type === 'here' || type === 'refreshed' || type === 'signed-in' || type === 'signed-out'
  return isType && Number.isInteger(tab) && (tab as number) >= 0 && (tab as number) < 1000 && Number.isFinite(at)
}

export function openTabName(onHeard: (said: Hearsay) => void, onRename: () => void): TabName {
  const channel = globalThis.BroadcastChannel === undefined ? null : new BroadcastChannel(CHANNEL)
  let index = remembered()
  const say = (type: Message['type'], at: number): void => channel?.postMessage({ type, tab: index, at })
  // Unlike any other tab's, and the same for everything on this page: it tells a namesake from ourselves.
  const born = performance.timeOrigin
  const here = (): void => say('here', born)

  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (!isMessage(data)) return
      const { type, tab, at } = data
      if (type !== 'here') {
        if (tab !== index) onHeard({ type, tab: nameOf(tab) })
        return
      }
      // A new tab that its opener's storage was copied to: the older of the two keeps the name, and says so.
      if (tab !== index || at === born) return
      if (at < born) {
        remember(++index)
        onRename()
      }
      here()
    }
    here()
  }
  return {
    name: () => nameOf(index),
    tell: (type) => say(type, Date.now()),
    close: () => channel?.close(),
  }
}

function remembered(): number {
  try {
    const index = Number(sessionStorage.getItem(KEY))
    return Number.isInteger(index) && index >= 0 && index < 1000 ? index : 0
  } catch {
    // Blocked: named anew with every load.
    return 0
  }
}

function remember(index: number): void {
  try {
    sessionStorage.setItem(KEY, String(index))
  } catch {
    // See above.
  }
}
