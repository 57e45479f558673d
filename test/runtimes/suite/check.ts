/** What a case says of what it found: little enough to run anywhere. A message never holds more than what was compared. */

export function ok(condition: unknown, expected: string): asserts condition {
  if (!condition) throw new Error(`Expected ${expected}`)
}

/** By value, of what JSON can say. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [got, wanted] = [text(actual), text(expected)]
  if (got !== wanted) throw new Error(`Expected ${what} to be ${wanted}, got ${got}`)
}

const text = (value: unknown): string => JSON.stringify(value, sorted) ?? String(value)

const sorted = (_name: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** What a call rejects with. */
export async function rejection(call: Promise<unknown>): Promise<unknown> {
  const [outcome] = await Promise.allSettled([call])
  if (outcome.status === 'rejected') return outcome.reason
  throw new Error('Expected a rejection')
}

/** The code of the AuthError that a call rejects with, or the name of what else it is. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = (await rejection(call)) as { code?: string; name?: string }
  return error.code ?? error.name ?? String(error)
}

/** Statuses of calls that were made together; what rejected is there by its code or name. */
export const statuses = (calls: ReadonlyArray<Promise<Response>>): Promise<Array<number | string>> =>
  Promise.all(
    calls.map((call) =>
      call.then(
        async (response) => {
          await response.arrayBuffer()
          return response.status
        },
        (error: { code?: string; name: string }) => error.code ?? error.name,
      ),
    ),
  )

export async function sha256Of(body: BodyInit): Promise<string> {
  const bytes = await new Response(body).arrayBuffer()
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
