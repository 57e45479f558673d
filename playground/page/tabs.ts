/** Eight tabs in one: frames of the same origin, each with a session of its own on the store that all of them share. */
import { hrefOf, type StoreName } from './choices.ts'
import type { Tally } from './runs.ts'

export const TABS = 8
export const CALLS_PER_TAB = 20
const READY_MS = 10_000

/** What a frame says to the page: that it has the session, and then what its calls came to. */
export type FrameMessage = { from: 'frame'; ready: true } | { from: 'frame'; outcomes: readonly string[] }

/**
 * @param start called when all of them have the session, and before any of them calls
 * @returns how many tabs had all of their answers
 */
export async function callFromTabs(store: StoreName, start: () => Promise<void>, tally: Tally): Promise<number> {
  const frames = Array.from({ length: TABS }, () => openFrame(store))
  try {
    await Promise.all(frames.map((frame) => heard(frame, 'ready')))
    await start()
    tally.expect(TABS * CALLS_PER_TAB)
    const answered = frames.map(async (frame) => {
      const { outcomes } = await heard(frame, 'outcomes')
      for (const outcome of outcomes) tally.add(outcome)
      return outcomes.every((outcome) => outcome === '200')
    })
    for (const { contentWindow } of frames) contentWindow?.postMessage('go', location.origin)
    return (await Promise.all(answered)).filter(Boolean).length
  } finally {
    for (const frame of frames) frame.remove()
  }
}

function openFrame(store: StoreName): HTMLIFrameElement {
  const frame = document.createElement('iframe')
  frame.src = hrefOf({ store, login: 'dialog' }, 'tab')
  frame.hidden = true
  document.body.append(frame)
  return frame
}

function heard<K extends 'ready' | 'outcomes'>(
  frame: HTMLIFrameElement,
  member: K,
): Promise<Extract<FrameMessage, Record<K, unknown>>> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      removeEventListener('message', hear)
      clearTimeout(timer)
      end()
    }
    const hear = ({ source, data }: MessageEvent): void => {
      if (source === frame.contentWindow && data?.from === 'frame' && member in data) settle(() => resolve(data))
    }
    const timer = setTimeout(
      () => settle(() => reject(new Error('A tab did not get the session in time.'))),
      member === 'ready' ? READY_MS : 6 * READY_MS,
    )
    addEventListener('message', hear)
  })
}
