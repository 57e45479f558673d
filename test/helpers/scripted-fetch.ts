/** A transport with a script: each request takes the next step. A step too many, or one too few, fails the test. */
import { expect, onTestFinished } from 'vitest'

/** A status, a response, what to throw, or how to answer. */
export type Step = number | Response | Error | ((request: Request) => Response | Promise<Response>)

export interface ScriptedFetch {
  readonly fetch: typeof fetch
  /** What was sent, bodies unread. */
  readonly requests: readonly Request[]
}

export function scriptedFetch(...steps: Step[]): ScriptedFetch {
  const requests: Request[] = []
  const surplus: string[] = []
  onTestFinished(() => {
    expect(surplus, 'requests beyond the script').toEqual([])
    expect(requests.length, 'how many steps of the script were played').toBe(steps.length)
  })
  return {
    requests,
    async fetch(input, init) {
      const request = new Request(input, init)
      const step = steps[requests.length]
      if (step === undefined) {
        surplus.push(`${request.method} ${request.url}`)
        throw new Error('The script has ended')
      }
      requests.push(request)
      if (step instanceof Error) throw step
      if (typeof step === 'function') return step(request.clone())
      return typeof step === 'number' ? new Response(step === 204 ? null : `status ${step}`, { status: step }) : step
    },
  }
}
