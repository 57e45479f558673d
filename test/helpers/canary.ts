/** Tokens that can be found again wherever they end up, whole or in part, and the search for them. */
import { inspect } from 'node:util'
import type { TokenResponse, TokenSet } from '../../src/index.ts'

/** The first characters of each canary; no two alike, none of them a word. */
export const MARKS = ['Xq7AccOl', 'Xq7RefOl', 'Xq7IdtOl', 'Xq7AccNw', 'Xq7RefNw', 'Xq7IdtNw'] as const
const [oldAccess, oldRefresh, oldId, newAccess, newRefresh, newId] = MARKS

/** Long, repetitive, and with the characters that encodings change. */
const token = (mark: string): string => `${mark}-${mark}+${mark}/${mark}==`

export const OLD: Required<Pick<TokenSet, 'accessToken' | 'refreshToken' | 'idToken'>> = {
  accessToken: token(oldAccess),
  refreshToken: token(oldRefresh),
  idToken: token(oldId),
}

export const NEW: TokenResponse = {
  access_token: token(newAccess),
  refresh_token: token(newRefresh),
  id_token: token(newId),
  expires_in: 3600,
}

/** Every way in which a value may get into a log. */
export function exposures(value: unknown): string {
  const texts = [
    inspect(value, {
      depth: Infinity,
      showHidden: true,
      getters: true,
      maxStringLength: Infinity,
      maxArrayLength: Infinity,
    }),
  ]
  const attempts = [
    () => inspect(value),
    () => String(value),
    () => JSON.stringify(value),
    () => JSON.stringify(value, Object.getOwnPropertyNames(Object(value))),
  ]
  for (const attempt of attempts) {
    try {
      texts.push(attempt() ?? '')
    } catch {
      // A cycle, or a symbol: no text, no leak.
    }
  }
  if (value instanceof Error) texts.push(value.message, value.stack ?? '', value.name, exposures(value.cause))
  return texts.join('\n')
}

/** The marks that a text holds, as they are or percent-encoded. */
export const marksIn = (text: string): string[] => MARKS.filter((mark) => text.includes(mark))
