/** What every factory asks of its options: known names, own members, and a clear word where one is wrong. */
import { misuse } from './errors.ts'

/**
 * The options on no prototype, read once: a polluted one changes nothing (O4).
 *
 * @throws TypeError `ERR_INVALID_OPTION` where they are no object, `ERR_UNKNOWN_OPTION` with the nearest known name
 */
export function ownOptions<T extends object>(options: T, known: readonly string[]): T {
  if (typeof options !== 'object' || options === null)
    throw misuse('ERR_INVALID_OPTION', 'Expected the options to be an object')
  const own = { __proto__: null, ...options } as T
  for (const name of Object.keys(own)) {
    if (known.includes(name) || own[name as keyof T] === undefined) continue
    throw misuse('ERR_UNKNOWN_OPTION', `Unknown option \`${name}\`; did you mean \`${nearest(name, known)}\`?`)
  }
  return own
}

export const expected = (option: string, what: string): TypeError =>
  misuse('ERR_INVALID_OPTION', `Expected the option \`${option}\` to be ${what}`)

/** The known name that shares most with it, by pairs of letters (Dice's coefficient). */
function nearest(name: string, known: readonly string[]): string {
  const pairsOf = (text: string): string[] => [...text.toLowerCase()].map((letter, at, all) => letter + all[at + 1])
  const pairs = new Set(pairsOf(name))
  const likeness = (other: string): number => {
    const theirs = pairsOf(other)
    return theirs.filter((pair) => pairs.has(pair)).length / (pairs.size + theirs.length)
  }
  return [...known].sort((a, b) => likeness(b) - likeness(a))[0] ?? ''
}
