/**
 * What a client remembers between sending a user away and seeing him come back: each sign-in once, for ten minutes, the newest
 * eight. It decides nothing about an answer but whether somebody here has asked for it.
 */
import { wallNow } from '../clock.ts'
import { own } from '../tokens.ts'
import type { Binding } from './protocol.ts'
import { SignInCopies } from './sign-in-copies.ts'

/** One sign-in under way. */
export interface Transaction extends Binding {
  /** Whom it was begun with (RFC 9700 §4.4), by whom, and where the answer is awaited. */
  issuer: string
  clientId: string
  redirectUri: string
  /** Where to bring the user back to. */
  returnTo: string
  /** Unix milliseconds. */
  startedAt: number
}

type Place = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

const KEY = 'relatch:sign-ins'
const LIFETIME_MS = 600_000
const MOST = 8
/** Of all tabs together, which may all be sent to log in at once. */
const MOST_COPIES = 64

/** Sign-ins in storage, or in memory where that is missing, blocked or full; of those in `sessionStorage` copies in `localStorage`. */
export class Transactions {
  readonly #place: () => Place
  /** null: a storage that was given is good for itself. */
  readonly #copies: SignInCopies | null
  #memory: Transaction[] = []
  /** Those that were used while the storage could not be written. */
  #spent: string[] = []

  constructor(storage: Place | undefined) {
    // Looked up when it is used: storage that is blocked throws at the very look.
    this.#place = () => storage ?? globalThis.sessionStorage
    this.#copies = storage === undefined ? new SignInCopies() : null
  }

  add(transaction: Transaction): void {
    this.#copies?.add(transaction.state, JSON.stringify([transaction]))
    this.#prune()
    const stored = this.#stored()
    if (stored !== null && this.#store([...without(stored, transaction.state), transaction])) return
    this.#memory = [...this.#memory, transaction].slice(-MOST)
  }

  /** The sign-in that was begun with this state, if it is this client's own; never a second time. */
  take(state: string, isOwn: (transaction: Transaction) => boolean): Transaction | null {
    this.#prune()
    const stored = this.#stored() ?? []
    const found = [...stored, ...this.#memory, ...this.#copied(state)].find((each) => each.state === state)
    if (found === undefined || !isOwn(found) || !isCurrent(found) || this.#spent.includes(state)) return null
    this.#memory = without(this.#memory, state)
    this.#copies?.remove(state)
    if (stored.includes(found) && !this.#store(without(stored, state))) {
      this.#spent = [...this.#spent, state].slice(-MOST)
    }
    return found
  }

  /** Puts one back that could not be used: its answer has not reached the server. */
  restore(transaction: Transaction): void {
    this.#spent = this.#spent.filter((state) => state !== transaction.state)
    this.add(transaction)
  }

  /** What nobody has come back for is not to lie there. */
  #prune(): void {
    const states = this.#copies?.states() ?? []
    const kept = states
      .flatMap((state) => this.#copied(state))
      .filter(isCurrent)
      .sort((one, other) => one.startedAt - other.startedAt)
      .slice(-MOST_COPIES)
    for (const state of states) if (!kept.some((each) => each.state === state)) this.#copies?.remove(state)
  }

  #copied(state: string): Transaction[] {
    return transactionsIn(this.#copies?.read(state) ?? null)
  }

  /** null: the storage cannot be read. Garbage in it counts as nothing. */
  #stored(): Transaction[] | null {
    let text: string | null
    try {
      text = this.#place().getItem(KEY)
    } catch {
      return null
    }
    return transactionsIn(text)
  }

  #store(transactions: Transaction[]): boolean {
    try {
      const kept = transactions.filter(isCurrent).slice(-MOST)
      if (kept.length === 0) this.#place().removeItem(KEY)
      else this.#place().setItem(KEY, JSON.stringify(kept))
      return true
    } catch {
      return false
    }
  }
}

function transactionsIn(text: string | null): Transaction[] {
  try {
    return (JSON.parse(text ?? '[]') as unknown[]).filter(isTransaction)
  } catch {
    return []
  }
}

const without = (transactions: Transaction[], state: string): Transaction[] =>
  transactions.filter((each) => each.state !== state)

const TEXTS = ['state', 'verifier', 'issuer', 'clientId', 'redirectUri', 'returnTo'] as const
const OPTIONAL_TEXTS = ['nonce', 'scope'] as const

/** Anybody's script can write into the storage of an origin: what is not whole is not there. */
function isTransaction(value: unknown): value is Transaction {
  if (typeof value !== 'object' || value === null) return false
  const maxAge = own(value, 'maxAgeSeconds')
  const isText = (name: string): boolean => typeof own(value, name) === 'string'
  return (
    TEXTS.every(isText) &&
    OPTIONAL_TEXTS.every((name) => own(value, name) === undefined || isText(name)) &&
    (maxAge === undefined || Number.isFinite(maxAge))
  )
}

/** Either way: one from the future was begun before the clock was set back. What is no instant is none of these. */
const isCurrent = ({ startedAt }: Transaction): boolean => Math.abs(wallNow() - startedAt) < LIFETIME_MS
