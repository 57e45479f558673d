/** What a parent and its children say to each other over IPC: plain values only. */
import type { AuthEvents, StoredSession, TokenResponse } from '../../../src/index.ts'
import type { Place, RedisClient } from './places.ts'

/** Where a child can be made to wait, in the order in which a refresh comes by. */
export type Stage =
  /** It has the lock. */
  | 'locked'
  /** It has read the store under the lock, and nobody has been told what. */
  | 'read'
  /** The refresher has been called and has sent nothing. */
  | 'asking'
  /** The new session is about to be written. */
  | 'writing'
  /** It has been written, and the lock is not released. */
  | 'written'

export interface ChildOptions {
  place: Place
  /** @default 'node-redis' */
  client?: RedisClient
  baseUrl: string
  refreshTimeoutMs?: number
  refreshRetries?: number
  /** Calls that need a login wait for one, as with an app that shows a dialog. @default false: they get their 401 */
  hasDialog?: boolean
  /** The store tells of nothing; whoever wants to know has to read. @default false */
  isDeaf?: boolean
}

/** What came of a call: the status or, where it rejected, the code or the name of the error; and how long that took. */
export interface Answer {
  status: number | string
  ms: number
}

/** What a child can be asked to do. */
export interface Kit {
  /** So many calls at once. */
  call(count: number, path?: string): Promise<Answer[]>
  signIn(tokens: TokenResponse): Promise<void>
  signOut(): Promise<void>
  accessToken(): Promise<string | null>
  /** Waits at these stages from now on; whatever waits elsewhere goes on. */
  pauseAt(...stages: Stage[]): void
  readStore(): Promise<StoredSession | null>
  /** Past the session, as another program would. */
  writeStore(next: StoredSession | null, expectedVersion: number | null): Promise<boolean>
  /** What the store has said to the writes of the session so far. */
  writes(): boolean[]
}

/** Something that the session of a child has told, and when by the wall clock. */
export type Heard = { [E in keyof AuthEvents]: { event: E; at: number } & AuthEvents[E] }[keyof AuthEvents]

export type Question = { [K in keyof Kit]: { id: number; ask: K; args: Parameters<Kit[K]> } }[keyof Kit]

export type Word =
  | { kind: 'ready' }
  | { kind: 'heard'; heard: Heard }
  | { kind: 'reached'; stage: Stage }
  | { kind: 'answer'; id: number; value?: unknown; error?: string }
