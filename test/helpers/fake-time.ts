/** Time that a test moves on by itself. What is not a timer (promises, streams) goes on as ever. */
import { afterEach, beforeEach, vi } from 'vitest'

const START = new Date('2026-03-01T12:00:00Z')

/** Fakes Date, performance and timers for every test of the file. */
export function fakeTime(): void {
  beforeEach(startFakeTime)
  afterEach(() => void vi.useRealTimers())
}

export function startFakeTime(): void {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'], now: START })
}

/** Lets everything happen that waits for no timer. */
export async function flush(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((done) => setImmediate(done))
}

/** Moves time on; whatever becomes due on the way happens in its order. */
export async function pass(ms: number): Promise<void> {
  await flush()
  const end = performance.now() + ms
  for (;;) {
    const stop = setTimeout(() => {}, end - performance.now())
    vi.advanceTimersToNextTimer()
    clearTimeout(stop)
    await flush()
    if (performance.now() >= end) return
  }
}

/** Moves time on from timer to timer until `work` has settled. Fails where there is nothing left that could settle it. */
export async function settled<T>(work: Promise<T>): Promise<T> {
  let isSettled = false
  const settle = (): void => {
    isSettled = true
  }
  work.then(settle, settle)
  for (await flush(); !isSettled; await flush()) {
    if (vi.getTimerCount() === 0) throw new Error('Expected it to settle, and nothing is left to wait for')
    vi.advanceTimersToNextTimer()
  }
  return work
}

/** How long `work` takes to settle, in milliseconds. */
export async function durationOf(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now()
  let endedAt = startedAt
  const end = (): void => {
    endedAt = performance.now()
  }
  await settled(work.then(end, end))
  return endedAt - startedAt
}
