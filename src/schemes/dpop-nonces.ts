/**
 * The nonces that servers ask for in DPoP proofs: one an origin, the newest that an answer brought (RFC 9449 §8 and §9). Where
 * nonces change faster than answers come, whoever was refused goes alone, so that its second proof is not late again. Knows no
 * keys, makes no proofs, and keeps nobody waiting for long.
 */
import { monotonicNow, within } from '../clock.ts'

/** NQCHAR (RFC 9449 §8.1); longer than this is no nonce but somebody who fills our memory. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,2048}$/
const MAX_ORIGINS = 100
/** An answer that takes longer is slow, and nobody waits for it. */
const TURN_MS = 500
/** The longest that one send waits for its turn. */
const PATIENCE_MS = 5000

interface Origin {
  nonce: string | undefined
  /** When each send began that has no answer yet, by its URL object; aborted ones stay until they count as slow. */
  readonly sends: Map<URL, number>
  /** When the first nonce was refused since the line was last empty; null = sends go as they come. */
  refusedAt: number | null
  /** What the latest refusal brought. */
  offered: string | undefined
  /** Refusals have brought different nonces: they change while answers are on their way. */
  isChanging: boolean
  line: Promise<unknown>
  waiting: number
  onQuiet: (() => void) | null
}

export interface DpopNonces {
  /** Begins a send and returns the nonce for its proof. Waits only where a nonce of this origin has just been refused. */
  begin(url: URL): Promise<string | undefined>
  /** The send to `url` has its answer. */
  answered(url: URL): void
  /** Takes over what an answer of `url` brought, if it is a nonce at all; says whether it is. */
  learn(url: URL, nonce: string | null, isRefusal: boolean): boolean
  clear(): void
}

export function dpopNonces(): DpopNonces {
  /** The origin used last comes last. */
  const origins = new Map<string, Origin>()
  const originOf = (url: URL): Origin => {
    const known = origins.get(url.origin) ?? freshOrigin()
    origins.delete(url.origin)
    origins.set(url.origin, known)
    if (origins.size > MAX_ORIGINS) origins.delete(origins.keys().next().value as string)
    return known
  }
  return {
    async begin(url) {
      const origin = originOf(url)
      if (origin.refusedAt !== null) await turn(origin, url)
      setOut(origin, url)
      return origin.nonce
    },
    answered(url) {
      const origin = origins.get(url.origin)
      origin?.sends.delete(url)
      if (origin?.onQuiet && isQuiet(origin)) origin.onQuiet()
    },
    learn(url, nonce, isRefusal) {
      if (nonce === null || !NONCE.test(nonce)) return false
      const origin = originOf(url)
      origin.nonce = nonce
      if (isRefusal) {
        origin.refusedAt ??= monotonicNow()
        origin.isChanging ||= origin.offered !== undefined && origin.offered !== nonce
        origin.offered = nonce
      }
      return true
    },
    clear: () => origins.clear(),
  }
}

const freshOrigin = (): Origin => ({
  nonce: undefined,
  sends: new Map(),
  refusedAt: null,
  offered: undefined,
  isChanging: false,
  line: Promise.resolve(),
  waiting: 0,
  onQuiet: null,
})

/** Counts a send as under way, and those that are slow by now no more. */
function setOut({ sends }: Origin, url: URL): void {
  const now = monotonicNow()
  for (const [sent, at] of sends) {
    if (now - at < TURN_MS) break
    sends.delete(sent)
  }
  sends.delete(url)
  sends.set(url, now)
}

/**
 * Waits for the answers that are on their way, because each of them may bring a newer nonce. Whoever was refused the same nonce
 * goes on together; where nonces keep changing, one after the other, each with what the answer before it brought.
 */
async function turn(origin: Origin, url: URL): Promise<void> {
  origin.waiting++
  let isWaiting = true
  const mine = origin.line.then(async () => {
    await quiet(origin)
    // Already here: the next in line looks at once who is under way.
    if (isWaiting) setOut(origin, url)
  })
  origin.line = mine
  await within(mine, PATIENCE_MS, () => null).catch(() => {})
  isWaiting = false
  if (--origin.waiting > 0) return
  origin.refusedAt = null
  origin.offered = undefined
  origin.isChanging = false
}

/** One at a time: the line sees to that. */
async function quiet(origin: Origin): Promise<void> {
  if (isQuiet(origin)) return
  const answers = new Promise<void>((resolve) => {
    origin.onQuiet = resolve
  })
  await within(answers, TURN_MS, () => null).catch(() => {})
  origin.onQuiet = null
}

function isQuiet({ sends, refusedAt, isChanging }: Origin): boolean {
  const now = monotonicNow()
  for (const at of sends.values()) {
    if (now - at < TURN_MS && (isChanging || at < (refusedAt ?? 0))) return false
  }
  return true
}
