/** Waiting that one caller can leave without disturbing what it waits for. */

/**
 * Settles as `work` does, or rejects with the signal's own reason as soon as it aborts. `work` goes on for the others (A2),
 * and the listener is gone either way: 100 000 requests on one long-lived signal must not pile up listeners (A3).
 */
export function abortable<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      stay()
      reject(signal.reason)
    }
    const stay = (): void => signal.removeEventListener('abort', leave)
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave)
    work.then(resolve, reject).finally(stay)
  })
}
