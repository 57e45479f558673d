/**
 * Time, and nothing but time: the only file of the core that touches Date, performance or timers, so that a test which
 * replaces those replaces all of it.
 */

/** setTimeout keeps its delay in 32 bits; anything longer would fire at once (a 30-day token: a refresh storm). */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** The wall clock, Unix milliseconds. It may be wrong and it may jump: for instants that leave this process. */
export const wallNow = (): number => Date.now()

/** Milliseconds that only grow, from an arbitrary start: what lifetimes are measured with. */
export const monotonicNow = (): number => performance.now()

/**
 * Runs `task` after `delayMs`; returns what cancels it. A delay beyond 32 bits is waited for in legs. `holdsProcess` says
 * whether Node stays alive for it: yes where a caller waits for the outcome, never for what runs in the background.
 */
export function after(delayMs: number, task: () => void, holdsProcess = false): () => void {
  let timer: ReturnType<typeof setTimeout>
  const arm = (leftMs: number): void => {
    const legMs = Math.min(leftMs, LONGEST_TIMER_MS)
    timer = setTimeout(() => (leftMs > legMs ? arm(leftMs - legMs) : task()), legMs)
    // Node returns an object; browsers return a number, which has no unref.
    if (!holdsProcess && typeof timer === 'object') timer.unref?.()
  }
  arm(Math.max(0, delayMs))
  return () => clearTimeout(timer)
}

/** Settles as `work` does, or rejects with `onLate()` once `limitMs` have passed. `work` itself goes on. */
export function within<T>(work: PromiseLike<T>, limitMs: number, onLate: () => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = after(limitMs, () => reject(onLate()), true)
    work.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error) => {
        cancel()
        reject(error)
      },
    )
  })
}

/**
 * The same for work that is done elsewhere: a timer that comes much too late says that we slept (a stopped process, a closed lid),
 * and the answer may have been here for long. It gets the limit once more.
 */
export function withinAwake<T>(work: PromiseLike<T>, limitMs: number, onLate: () => unknown): Promise<T> {
  const startedAt = monotonicNow()
  const slept = {}
  const first = within(work, limitMs, () => (monotonicNow() - startedAt > 1.5 * limitMs ? slept : onLate()))
  return first.catch((reason) => {
    if (reason !== slept) throw reason
    return within(work, limitMs, onLate)
  })
}

/** Resolves after `delayMs`, at once where that is not positive. Keeps Node alive: somebody waits. */
export const sleep = (delayMs: number): Promise<void> =>
  delayMs > 0 ? new Promise((resolve) => after(delayMs, resolve, true)) : Promise.resolve()
