/**
 * The grammar of `WWW-Authenticate`: a field value in, its challenges out (RFC 9110 §11.6.1). It never repairs, never guesses
 * and never throws: what the grammar does not produce is null, so that nobody acts on half a header. What the parameters mean
 * belongs to the schemes and the pipeline.
 */

/** One challenge of a `WWW-Authenticate` field: a scheme with either parameters or one opaque value. */
export interface Challenge {
  /** In lower case: schemes are compared case-insensitively (RFC 9110 §11.1). */
  scheme: string
  /** Names in lower case, quoted values unescaped. No prototype, so `__proto__` is a name like any other. */
  params: Readonly<Record<string, string>>
  /** Only where one opaque value stands in place of parameters, as with Negotiate. */
  token68?: string
}

// What one header may cost us (E4). A server that needs more is broken or hostile.
const MAX_LENGTH = 16_384
const MAX_CHALLENGES = 32
const MAX_PARAMS = 64
const MAX_EMPTY_ELEMENTS = 128

/**
 * Reads a `WWW-Authenticate` value, several fields joined by commas included, by the letter of RFC 9110.
 *
 * Linear in the length of the value, which may have up to 16 KiB, 32 challenges, 64 parameters in each and 128 empty list
 * elements.
 *
 * @param headerValue What `response.headers.get('www-authenticate')` gives.
 * @returns The challenges in their order, at least one; null where the value is malformed or over a bound. Never throws.
 * @see RFC 9110 §11.6.1 (the field), §11.2 (parameters and token68), §5.6.1.2 (empty list elements)
 * @example
 * const [challenge] = parseChallenges('Bearer error="insufficient_scope", scope="read write"') ?? []
 * challenge?.scheme // 'bearer'
 * challenge?.params.scope // 'read write'
 */
export function parseChallenges(headerValue: string): Challenge[] | null {
  if (typeof headerValue !== 'string' || headerValue.length > MAX_LENGTH) return null
  // HTAB, SP, VCHAR and obs-text are all that a quoted-string may hold (RFC 9110 §5.6.4). Checked once for the whole value, so
  // that `.` and `[^"\\]` below mean just these, and no value can carry an escape sequence to a terminal.
  if (/[^\t -~\x80-\xff]/.test(headerValue)) return null

  // Each quantifier stands on one character class, or on two that share no first character: no input makes them try the same
  // text twice. Made anew at each call, because a sticky expression carries its position.
  const whitespace = /[\t ]*/y
  const token = /[\w!#$%&'*+.^`|~-]+/y
  const token68 = /[\w.~+/-]+=*/y
  const quotedString = /"(?:[^"\\]|\\.)*"/y

  let position = 0
  const take = (lexeme: RegExp): string => {
    lexeme.lastIndex = position
    const text = lexeme.exec(headerValue)?.[0] ?? ''
    position += text.length
    return text
  }
  const isElementOver = (): boolean => (headerValue[position] ?? ',') === ','

  const challenges: Challenge[] = []
  let params: Record<string, string> | undefined // the newest challenge's, while it may still get one
  let paramCount = 0
  let emptyCount = 0

  do {
    take(whitespace)
    let name = take(token)
    const gap = take(whitespace)
    if (!name && ++emptyCount > MAX_EMPTY_ELEMENTS) return null

    if (name && headerValue[position] !== '=') {
      const own: Record<string, string> = Object.create(null)
      const challenge: Challenge = { scheme: name.toLowerCase(), params: own }
      if (challenges.push(challenge) > MAX_CHALLENGES) return null
      name = ''
      // A space opens the list of parameters, even where that begins with a comma: in `Basic , realm=x` the realm is Basic's,
      // in `Basic, realm=x` it is nobody's.
      params = gap[0] === ' ' ? own : undefined
      paramCount = 0
      if (!isElementOver()) {
        if (!/^ +$/.test(gap)) return null
        // `a=` is a token68, `a=b` a parameter: only the end of the element tells them apart.
        const start = position
        const opaque = take(token68)
        take(whitespace)
        if (isElementOver()) {
          challenge.token68 = opaque
          params = undefined
        } else {
          position = start
          name = take(token)
          take(whitespace)
        }
      }
    }

    if (name) {
      name = name.toLowerCase()
      // A second realm, or scope, would leave it to chance which one the server meant (RFC 9110 §11.2: each name once).
      if (headerValue[position++] !== '=' || !params || name in params || ++paramCount > MAX_PARAMS) return null
      take(whitespace)
      const isQuoted = headerValue[position] === '"'
      const value = take(isQuoted ? quotedString : token)
      if (!value) return null
      params[name] = isQuoted ? value.slice(1, -1).replace(/\\(.)/g, '$1') : value
      take(whitespace)
    }
  } while (headerValue[position++] === ',')

  return position > headerValue.length && challenges[0] ? challenges : null
}

/** The challenges of a response; none where the header is missing, malformed, or hidden by CORS. */
export const challengesOf = ({ headers }: Response): readonly Challenge[] =>
  parseChallenges(headers.get('www-authenticate') ?? '') ?? []
