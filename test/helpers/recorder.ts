/** A transport that writes down what it is called with, and answers as it is told. Nothing leaves the process. */

/** One call of the transport, as it was at that moment. */
export interface Sent {
  readonly input: RequestInfo | URL
  readonly init: RequestInit | undefined
  /** What came after `init`. */
  readonly rest: readonly unknown[]
  readonly self: unknown
  readonly argumentCount: number
  /** Where it goes, as the platform reads `input`. */
  readonly url: string
  readonly method: string
  /** `init.headers` where given, else those of the Request, as the platform does. */
  readonly headers: Headers
  /** The `Authorization` header. */
  readonly credential: string | null
}

export interface Recorder {
  readonly fetch: typeof globalThis.fetch
  readonly sent: readonly Sent[]
  /** The credential of each call, in order. */
  credentials(): Array<string | null>
}

export type Answering = (sent: Sent, index: number) => Response | Promise<Response>

/** @param answer default: 200 for everything */
export function recorder(answer: Answering = () => new Response('ok')): Recorder {
  const sent: Sent[] = []
  return {
    sent,
    credentials: () => sent.map(({ credential }) => credential),
    // Not an arrow: whoever calls it as a method is found out.
    fetch: async function (this: unknown, ...args: unknown[]): Promise<Response> {
      const [input, init, ...rest] = args as [RequestInfo | URL, RequestInit | undefined]
      const request = input instanceof Request ? input : undefined
      const headers = new Headers(init?.headers ?? request?.headers)
      const call: Sent = {
        input,
        init,
        rest,
        self: this,
        argumentCount: args.length,
        url: request?.url ?? String(input),
        method: init?.method ?? request?.method ?? 'GET',
        headers,
        credential: headers.get('authorization'),
      }
      return answer(call, sent.push(call) - 1)
    } as typeof globalThis.fetch,
  }
}
