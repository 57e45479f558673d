/** What the two arguments of fetch say together. */

/** By shape, because a Request may be another realm's or another package's. */
export const isRequest = (value: unknown): value is Request =>
  typeof value === 'object' && value !== null && 'clone' in value && 'headers' in value && 'url' in value

/** What ends the call: null takes a Request's signal away, undefined leaves it. */
export function signalOf(input: unknown, init: RequestInit | undefined): AbortSignal | null | undefined {
  if (init?.signal !== undefined) return init.signal
  return isRequest(input) ? input.signal : undefined
}
