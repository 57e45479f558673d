/**
 * Tokens that are nobody's session yet, for the page that asked for them: in memory, and the newest at rest, for a worker that takes
 * over before the page has said its word.
 */
import { wallNow, within } from '../clock.ts'
import type { StoredSession, TokenStore } from '../ports.ts'
import type { ReceivedTokens, TokenSet } from '../tokens.ts'

const LIFETIME_MS = 600_000
const MOST = 8
/** For how long a sign-in waits for the place where they rest. Where that is out of order, memory is all there is. */
const REST_MS = 800

/** What `take` gives for tokens that have been taken: a page asks again where the worker was replaced before it could answer. */
export const TAKEN: unique symbol = Symbol('taken')

export class Waiting {
  readonly #rest: TokenStore
  /** By their ids, the oldest first. */
  readonly #here = new Map<string, { received: ReceivedTokens; since: number }>()
  /** One write after the other, however long each takes: what is erased must not be there again. */
  #writing: Promise<unknown> = Promise.resolve()
  #clears = 0

  /** @param rest its `sessionId` is the id, its `version` when that was, and `tokens: null` says that they were taken */
  constructor(rest: TokenStore) {
    this.#rest = rest
  }

  /** How often all were forgotten: tokens that were asked for before are not to wait. */
  clears(): number {
    return this.#clears
  }

  async add(id: string, received: ReceivedTokens): Promise<void> {
    const [oldest = ''] = this.#here.keys()
    if (this.#here.size === MOST) this.#here.delete(oldest)
    this.#here.set(id, { received, since: wallNow() })
    await this.#write(() => ({ id, tokens: received.tokens }))
  }

  async take(id: string): Promise<ReceivedTokens | typeof TAKEN | null> {
    const here = this.#here.get(id)
    const found = here ?? (await this.#resting(id))
    if (!found || Math.abs(wallNow() - found.since) > LIFETIME_MS) return null
    this.#here.delete(id)
    // Another's, which has come since, stays.
    void this.#write((kept) => (kept === null || kept.sessionId === id ? { id, tokens: null } : undefined))
    return found.received ?? TAKEN
  }

  /** Forgets all of them; gives what they were. */
  async clear(): Promise<TokenSet[]> {
    this.#clears++
    const all = [...this.#here].map(([id, { received }]) => ({ id, tokens: received.tokens }))
    this.#here.clear()
    await this.#write((kept) => {
      if (kept && !all.some(({ id }) => id === kept.sessionId)) all.push({ id: kept.sessionId, tokens: kept.tokens })
      return null
    })
    return all.flatMap(({ tokens }) => tokens ?? [])
  }

  async #resting(id: string): Promise<{ received: ReceivedTokens | null; since: number } | null> {
    const clears = this.#clears
    const reading = this.#writing.then(() => this.#rest.read())
    const kept = await within(reading, REST_MS, () => undefined).catch(() => null)
    if (kept?.sessionId !== id || clears !== this.#clears) return null
    return { received: kept.tokens && { tokens: kept.tokens, isFresh: false }, since: kept.version }
  }

  /** @param decide what is to rest in place of what does; null: nothing, undefined: the same */
  async #write(
    decide: (kept: StoredSession | null) => { id: string; tokens: TokenSet | null } | null | undefined,
  ): Promise<void> {
    const write = async (): Promise<void> => {
      for (let hasWon = false; !hasWon; ) {
        const kept = await this.#rest.read()
        const next = decide(kept)
        const version = Math.max(wallNow(), (kept?.version ?? 0) + 1)
        const session = next && { sessionId: next.id, version, tokens: next.tokens }
        hasWon = session === undefined || (await this.#rest.write(session, kept?.version ?? null))
      }
    }
    const writing = this.#writing.then(write).catch(() => {})
    this.#writing = writing
    await within(writing, REST_MS, () => undefined).catch(() => {})
  }
}
