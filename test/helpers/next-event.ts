import type { AuthEvents, AuthFetch } from '../../src/index.ts'

/** The payload of the next such event. */
export function nextEvent<E extends keyof AuthEvents>(api: AuthFetch, event: E): Promise<AuthEvents[E]> {
  return new Promise((resolve) => {
    const end = api.on(event, (payload) => {
      end()
      resolve(payload)
    })
  })
}

/** Every payload of such events from now on, in order. */
export function eventsOf<E extends keyof AuthEvents>(api: AuthFetch, event: E): AuthEvents[E][] {
  const payloads: AuthEvents[E][] = []
  api.on(event, (payload) => void payloads.push(payload))
  return payloads
}
