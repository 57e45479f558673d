/** Whoever sent a request, beyond the request itself. Cookies go here because browsers hide them from Request and Response. */
import type { Outcome } from './answers.ts'

export interface Caller {
  /** Fires when the caller has left. */
  signal: AbortSignal
  cookies: ReadonlyMap<string, string>
  /** What the answer sets, if it arrives: a lost answer sets nothing. */
  setCookies: SetCookie[]
}

/** Always HttpOnly. An empty value removes. */
export interface SetCookie {
  name: string
  value: string
  path: string
  maxAgeSeconds: number
}

/** The whole server in one function; `fetch` and `listen` differ in how they reach it. */
export type Handle = (request: Request, caller: Caller) => Promise<Outcome>
