/** One test of the store contract, what it is run on, and the sessions it plays with. */
import type { StoredSession, TokenStore } from '../index.ts'

export interface Medium {
  store: TokenStore
  hasSibling: boolean
  /** Another store on the same medium; the same one where no other can be had. */
  sibling(): Promise<TokenStore>
  corrupt: (() => void | Promise<void>) | undefined
}

export interface Case {
  title: string
  run(medium: Medium): Promise<void>
}

/** A session that can be told from the others by its version and its token. */
export function session(version: number, label: string = String(version)): StoredSession {
  return {
    sessionId: 'session-1',
    version,
    tokens: { accessToken: `access-${label}`, refreshToken: `refresh-${label}` },
  }
}
