/** A caller's mistake: says what was expected, never what was given (it might be a secret). */
export function misuse(code: `ERR_${string}`, expected: string): TypeError & { code: string } {
  return Object.assign(new TypeError(`Expected ${expected}`), { code })
}
