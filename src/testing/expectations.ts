/** What a contract expects, without a test framework: each failure says what was expected and what came, in one line. */

/** Well below the time after which test runners give up, so that our message is the one that is read. */
const SOON_MS = 1_500

export function expect(isMet: boolean, expectation: string): void {
  if (!isMet) throw new Error(`Expected ${expectation}`)
}

/** Deep, by own members; an `undefined` member is not the same as none. */
export function expectEqual(actual: unknown, expected: unknown, subject: string): void {
  expect(isEqual(actual, expected), `${subject} to be ${show(expected)}, got ${show(actual)}`)
}

/** The outcome of `work`, or a failure where it takes too long. */
export function soon<T>(work: T | PromiseLike<T>, subject: string, limitMs: number = SOON_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Expected ${subject} within ${limitMs} ms`)), limitMs)
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}

/** Time for something that must not happen to happen. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A promise that somebody else settles. */
export interface Signal {
  promise: Promise<void>
  fire: () => void
}

export function signal(): Signal {
  let fire = (): void => {}
  const promise = new Promise<void>((resolve) => {
    fire = resolve
  })
  return { promise, fire }
}

function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))]
  return left.length === right.size && left.every(([name, value]) => right.has(name) && isEqual(value, right.get(name)))
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 300 ? `${text.slice(0, 300)}…` : text
}
