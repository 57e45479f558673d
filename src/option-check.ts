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

/** The known name with the fewest edits, Levenshtein's distance. */
function nearest(name: string, known: readonly string[]): string {
  const distance = (a: string, b: string): number => {
    let row = Array.from({ length: b.length + 1 }, (_, column) => column)
    for (const [index, letter] of [...a].entries()) {
      const next = [index + 1]
      for (let column = 1; column <= b.length; column++) {
        const cost = letter === b[column - 1] ? 0 : 1
        next.push(Math.min((next[column - 1] ?? 0) + 1, (row[column] ?? 0) + 1, (row[column - 1] ?? 0) + cost))
      }
      row = next
    }
    return row[b.length] ?? 0
  }
  const target = name.toLowerCase()
  return [...known].sort((a, b) => distance(target, a.toLowerCase()) - distance(target, b.toLowerCase()))[0] ?? ''
}
