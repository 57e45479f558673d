/** An API whose answers wait for the test, so that it decides in which order they arrive. */
import { unauthorized } from './answer.ts'
import { type Deferred, deferred } from './deferred.ts'

export interface HeldRequest {
  readonly path: string
  /** What stood after `Bearer `; null where there was no Authorization header. */
  readonly token: string | null
  accept(): void
  reject(): void
}

export interface HeldApi {
  readonly fetch: typeof fetch
  readonly requests: readonly HeldRequest[]
  /** The request with that number, as soon as it has arrived; the first is 0. */
  request(index: number): Promise<HeldRequest>
}

export function heldApi(): HeldApi {
  const requests: HeldRequest[] = []
  const arrivals: Deferred<HeldRequest>[] = []
  const arrival = (index: number): Deferred<HeldRequest> => {
    arrivals[index] ??= deferred()
    return arrivals[index]
  }
  return {
    requests,
    request: (index) => arrival(index).promise,
    async fetch(input, init) {
      const request = new Request(input, init)
      const answer = deferred<Response>()
      const held: HeldRequest = {
        path: new URL(request.url).pathname,
        token: request.headers.get('authorization')?.replace('Bearer ', '') ?? null,
        accept: () => answer.resolve(Response.json({ ok: true })),
        reject: () => answer.resolve(unauthorized()),
      }
      requests.push(held)
      arrival(requests.length - 1).resolve(held)
      return answer.promise
    },
  }
}
