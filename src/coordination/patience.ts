/** Tells whoever runs a clock on a request when that request waits for somebody else: a timeout must not count it. */
import { notify } from '../events.ts'
import { abortable } from './abortable.ts'

/** By the signal of the request, and weak: it goes when the request does. */
const listeners = new WeakMap<AbortSignal, (isWaiting: boolean) => void>()

/**
 * Tells when the request that is sent with `signal` begins to wait for a refresh, a login or one of your callbacks (true), and
 * when it goes on (false). One listener a signal. For clients whose timeouts must not count those waits.
 *
 * @example
 * const controller = new AbortController()
 * onAuthWait(controller.signal, (isWaiting) => console.log(isWaiting ? 'clock stops' : 'clock goes on'))
 * await api('/orders', { signal: controller.signal })
 */
export function onAuthWait(signal: AbortSignal, listener: (isWaiting: boolean) => void): void {
  listeners.set(signal, listener)
}

/** Waits as `abortable` does, and tells whoever listens to this signal's request. */
export function patiently<T>(work: Promise<T>, signal: AbortSignal | null | undefined): Promise<T> {
  const listener = signal && listeners.get(signal)
  if (!listener) return abortable(work, signal)
  notify(listener, true)
  return abortable(work, signal).finally(() => notify(listener, false))
}
