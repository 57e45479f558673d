/** Requests that wait: for a time, or until they are let go. Whoever closes the server, or leaves, ends the wait. */

export interface Waiting {
  /** Whether to go on: false when the server was closed or the caller left. */
  sleep(ms: number, signal: AbortSignal): Promise<boolean>
  /** The same, until `release()`. */
  hold(signal: AbortSignal): Promise<boolean>
  release(): void
  close(): void
}

export function createWaiting(): Waiting {
  const held = new Set<() => void>()
  const closing = new AbortController()

  const wait = (begin: (goOn: () => void) => () => void, signal: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      const ends = [signal, closing.signal]
      if (ends.some((end) => end.aborted)) return resolve(false)
      const settle = (canGoOn: boolean): void => {
        cancel()
        for (const end of ends) end.removeEventListener('abort', giveUp)
        resolve(canGoOn)
      }
      const giveUp = (): void => settle(false)
      const cancel = begin(() => settle(true))
      for (const end of ends) end.addEventListener('abort', giveUp)
    })

  return {
    sleep: (ms, signal) =>
      wait((goOn) => {
        const timer = setTimeout(goOn, ms)
        return () => clearTimeout(timer)
      }, signal),
    hold: (signal) =>
      wait((goOn) => {
        held.add(goOn)
        return () => held.delete(goOn)
      }, signal),
    release() {
      for (const goOn of [...held]) goOn()
    },
    close: () => closing.abort(),
  }
}
