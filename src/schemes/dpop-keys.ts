/**
 * Where the key pair of a DPoP scheme rests, and which one stands. A private key never leaves WebCrypto: it is made so that
 * nothing can export it, and IndexedDB keeps the handle. A key store that fails costs no session.
 */
import { within } from '../clock.ts'
import { indexedDbJudge } from '../coordination/indexeddb-judge.ts'
import type { Stamped } from '../coordination/judge.ts'
import { AuthError, misuse } from '../errors.ts'
import { createId } from '../id.ts'

/** A place for one key pair, shared by everyone who is given it. */
export interface DpopKeys {
  /** The pair that stands; null = none. */
  read(): CryptoKeyPair | null | Promise<CryptoKeyPair | null>
  /** Puts a pair where none stands. Returns the one that stands now: the first writer's. */
  add(pair: CryptoKeyPair): CryptoKeyPair | Promise<CryptoKeyPair>
  /** @param pair the only one to remove: what `read` or `add` returned. Another that stands by then stays. Default: any */
  remove(pair?: CryptoKeyPair): void | Promise<void>
}

interface PairRecord extends Stamped {
  readonly pair: CryptoKeyPair
}

/** A key store that takes longer counts as failing: a request shall not wait longer than a second for it. */
const KEYS_LIMIT_MS = 800
/** Errors in a row that mean a place which is shut for good, as where a browser blocks it. */
const MOST_ERRORS = 3
const TOO_SLOW = Symbol('too slow')

/** Keeps the pair in IndexedDB: across reloads, and one for all tabs. @param name of the database */
export function indexedDbKeys(name: string): DpopKeys {
  const judge = indexedDbJudge<PairRecord>('dpop', name)
  /** Each read makes another object of the pair that is kept; its record says which one it is. */
  const records = new WeakMap<CryptoKeyPair, PairRecord>()
  const noted = (record: PairRecord | undefined): CryptoKeyPair | null => {
    if (!isPair(record?.pair)) return record?.pair ?? null
    records.set(record.pair, record)
    return record.pair
  }
  const add = async (pair: CryptoKeyPair): Promise<CryptoKeyPair> => {
    const kept = await judge.read()
    if (isPair(kept?.pair)) return noted(kept) as CryptoKeyPair
    const record = { stamp: createId(), pair }
    return (await judge.swap(record, kept)) ? (noted(record) as CryptoKeyPair) : add(pair)
  }
  return {
    read: async () => noted(await judge.read()),
    add,
    async remove(pair) {
      const record = pair === undefined ? await judge.read() : records.get(pair)
      if (record !== undefined) await judge.swap(undefined, record)
    },
  }
}

export function memoryKeys(): DpopKeys {
  let pair: CryptoKeyPair | null = null
  return {
    read: () => pair,
    add: (next) => (pair ??= next),
    remove(given = pair ?? undefined) {
      if (given === pair) pair = null
    },
  }
}

export interface StandingPair {
  /**
   * The pair that stands; made when there is none. The keys are read again for a token that was not seen before, and each time
   * without one: another tab may have signed out, forgotten the key and signed in with a new one, and what a sign-in binds its
   * tokens to must be what all tabs prove afterwards.
   *
   * @param accessToken left out = a sign-in, which has none yet
   * @throws AuthError `store-failed` where tokens are bound to a pair that is out of reach for now; TypeError
   *   `ERR_NO_WEBCRYPTO`; whatever `make` rejects with
   */
  current(accessToken?: string): Promise<CryptoKeyPair>
  /** Removes the pair that stands now. One that is made later stays, even where the place is slow to remove. */
  forget(): Promise<void>
}

/** @param make makes a new pair */
export function standingPair(make: () => Promise<CryptoKeyPair>, keys: DpopKeys): StandingPair {
  const memory = memoryKeys()
  let place = keys
  let known: CryptoKeyPair | null = null
  let seenToken: string | undefined
  let finding: { accessToken: string | undefined; pair: Promise<CryptoKeyPair> } | null = null
  let forgetting: Promise<void> = Promise.resolve()
  let forgets = 0
  let errors = 0

  const ask = <T>(call: (place: DpopKeys) => T | Promise<T>): Promise<T> =>
    within(
      Promise.resolve().then(() => call(place)),
      KEYS_LIMIT_MS,
      () => TOO_SLOW,
    )
  const find = async (accessToken: string | undefined): Promise<CryptoKeyPair> => {
    requireWebCrypto()
    const epoch = forgets
    const settle = (pair: CryptoKeyPair): CryptoKeyPair => {
      if (epoch === forgets) {
        known = pair
        seenToken = accessToken ?? seenToken
      }
      return pair
    }
    try {
      const kept = await ask((place) => place.read())
      errors = 0
      if (isPair(kept)) return settle(kept)
    } catch (reason) {
      errors++
      // Most likely it stands still; whoever comes next looks again.
      if (known !== null) return known
      // Tokens are bound to a pair that we cannot see now: a proof by another one would end their session.
      if (accessToken !== undefined && (reason === TOO_SLOW || errors < MOST_ERRORS)) throw outOfReach()
      place = memory
    }
    // Removed under our feet, perhaps: the session is bound to the pair that we know.
    const made = known ?? (await make())
    const added = await ask((place) => place.add(made)).catch(() => {
      place = memory
      return memory.add(made)
    })
    return settle(isPair(added) ? added : made)
  }
  return {
    async current(accessToken) {
      if (known !== null && accessToken !== undefined && accessToken === seenToken) return known
      if (finding === null || (accessToken !== undefined && accessToken !== finding.accessToken)) {
        const mine = { accessToken, pair: forgetting.then(() => find(accessToken)) }
        const end = (): void => {
          if (finding === mine) finding = null
        }
        finding = mine
        mine.pair.then(end, end)
      }
      return finding.pair
    },
    forget() {
      const before = finding?.pair
      const last = known
      finding = null
      known = null
      seenToken = undefined
      forgets++
      forgetting = forgetting.then(async () => {
        await before?.catch(() => {})
        await memory.remove()
        // Asked even where it failed before: it may hold a key of an earlier time.
        place = keys
        errors = 0
        const standing = await ask((place) => place.read()).catch(() => last)
        if (standing === null) return
        await ask((place) => place.remove(isPair(standing) ? standing : undefined)).catch(() => {})
      })
      return forgetting
    },
  }
}

const outOfReach = (): AuthError =>
  new AuthError('store-failed', 'The key that the tokens are bound to could not be read in time; the session is kept', {
    retryable: true,
  })

function requireWebCrypto(): void {
  if (typeof globalThis.crypto?.subtle?.generateKey === 'function') return
  throw misuse('ERR_NO_WEBCRYPTO', 'DPoP needs WebCrypto, which browsers offer on https and on localhost only')
}

const isPair = (value: unknown): value is CryptoKeyPair => {
  const { privateKey, publicKey } = (value ?? {}) as Partial<CryptoKeyPair>
  return privateKey instanceof CryptoKey && privateKey.type === 'private' && publicKey instanceof CryptoKey
}
