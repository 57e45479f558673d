/**
 * The nonces that servers ask for in DPoP proofs: one an origin, the newest that an answer brought (RFC 9449 §8 and §9). Where
 * nonces change faster than answers come, sends go in batches, no more at once than one nonce lives for, so that a second proof
 * is not late again. Knows no keys, makes no proofs, and keeps nobody waiting for long.
 */
import { monotonicNow, within } from '../clock.ts'

/** NQCHAR (RFC 9449 §8.1); longer than this is no nonce but somebody who fills our memory. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,2048}$/
const MAX_ORIGINS = 100
/** How many nonces of an origin are counted; with those, a life is measured. */
const MAX_COUNTS = 32
/** An answer counts as under way for so many times what the latest refusal took, within these bounds. Later it is slow. */
const SLOW_FACTOR = 3
const SLOW_MS = { least: 500, most: 10_000 }
/** The longest that one send waits for its turn. */
const PATIENCE_MS = 30_000

interface Send {
  readonly at: number
  readonly signal: AbortSignal | null | undefined
}

interface Origin {
  nonce: string | undefined
  /** When an answer brought it first. */
  nonceAt: number
  /** How many answers brought each nonce, in the order in which they came up. */
  readonly counts: Map<string, number>
  /** Each send that has no answer yet, by its URL object; those that nobody hears of again stay until they count as slow. */
  readonly sends: Map<URL, Send>
  /** When the first nonce was refused since the line was last empty; null = sends go as they come. */
  refusedAt: number | null
  /** How long the latest refusal took. */
  refusalMs: number
  /** What the latest refusal brought. */
  offered: string | undefined
  /** Refusals have brought different nonces: they change while answers are on their way. */
  isChanging: boolean
  /** What lets each send go that waits for its turn. */
  readonly line: Set<() => void>
  isMoving: boolean
  onQuiet: (() => void) | null
}

export interface DpopNonces {
  /**
   * Begins a send and returns the nonce for its proof. Waits only where a nonce of this origin has just been refused.
   *
   * @param signal aborted = nobody waits for this send
   */
  begin(url: URL, signal?: AbortSignal | null): Promise<string | undefined>
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
    async begin(url, signal) {
      const origin = originOf(url)
      if (origin.refusedAt === null) setOut(origin, url, signal)
      else await turn(origin, url, signal)
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
      const sentAt = origin.sends.get(url)?.at
      count(origin, nonce, sentAt)
      if (isRefusal) {
        const now = monotonicNow()
        origin.refusedAt ??= now
        if (sentAt !== undefined) origin.refusalMs = now - sentAt
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
  nonceAt: 0,
  counts: new Map(),
  sends: new Map(),
  refusedAt: null,
  refusalMs: 0,
  offered: undefined,
  isChanging: false,
  line: new Set(),
  isMoving: false,
  onQuiet: null,
})

/**
 * The newest nonce counts. One that is known already, in an answer to what was sent before the newest came, is late itself.
 *
 * @param sentAt undefined = that answer was shown before, or nobody waited for it any more
 */
function count(origin: Origin, nonce: string, sentAt: number | undefined): void {
  const { counts } = origin
  const isLate = counts.has(nonce) && (sentAt ?? 0) < origin.nonceAt
  if (nonce !== origin.nonce && !isLate) {
    counts.delete(nonce)
    origin.nonce = nonce
    origin.nonceAt = monotonicNow()
  }
  counts.set(nonce, (counts.get(nonce) ?? 0) + (sentAt === undefined ? 0 : 1))
  if (counts.size > MAX_COUNTS) counts.delete(counts.keys().next().value as string)
}

const slowAfterMs = ({ refusalMs }: Origin): number =>
  Math.min(Math.max(SLOW_MS.least, SLOW_FACTOR * refusalMs), SLOW_MS.most)

/** Counts a send as under way, and those that are slow by now no more. */
function setOut(origin: Origin, url: URL, signal: AbortSignal | null | undefined): void {
  const { sends } = origin
  const at = monotonicNow()
  for (const [sent, send] of sends) {
    if (at - send.at < slowAfterMs(origin)) break
    sends.delete(sent)
  }
  sends.delete(url)
  sends.set(url, { at, signal })
}

/** Waits in line until this send has set out; ends as well where its caller has left. */
async function turn(origin: Origin, url: URL, signal: AbortSignal | null | undefined): Promise<void> {
  if (signal?.aborted) return
  const { line } = origin
  let go = (): void => {}
  const mine = new Promise<void>((resolve) => {
    const leave = (): void => {
      line.delete(go)
      signal?.removeEventListener('abort', leave)
      resolve()
    }
    go = () => {
      setOut(origin, url, signal)
      leave()
    }
    signal?.addEventListener('abort', leave)
  })
  line.add(go)
  if (!origin.isMoving) void move(origin)
  await within(mine, PATIENCE_MS, () => null).catch(go)
}

/**
 * Moves the line: whenever the answers that are on their way have come, because each of them may bring a newer nonce, the next
 * ones go. Until nobody waits, and, where nonces keep changing, nobody who waited is on the way.
 */
async function move(origin: Origin): Promise<void> {
  origin.isMoving = true
  do {
    await quiet(origin)
    let places = batchOf(origin)
    for (const go of origin.line) if (places-- > 0) go()
  } while (origin.line.size > 0 || !isQuiet(origin))
  Object.assign(origin, { isMoving: false, refusedAt: null, offered: undefined, isChanging: false })
}

/**
 * How many may go at once. Whoever was refused the same nonce goes together. Where nonces keep changing, as many as the newest
 * one has answers left: the shortest life of those before it, less the answers that it was used for, which the first one to
 * bring it was not.
 */
function batchOf({ isChanging, counts, nonce }: Origin): number {
  if (!isChanging) return Infinity
  const lives = [...counts].filter(([replaced]) => replaced !== nonce).map(([, answers]) => answers)
  // Nobody knows how old the first one was.
  if (lives.length > 1) lives.shift()
  const used = (counts.get(nonce as string) ?? 0) - 1
  return Math.max(1, Math.min(...lives) - used)
}

async function quiet(origin: Origin): Promise<void> {
  if (isQuiet(origin)) return
  const answers = new Promise<void>((resolve) => {
    origin.onQuiet = resolve
  })
  await within(answers, slowAfterMs(origin), () => null).catch(() => {})
  origin.onQuiet = null
}

function isQuiet(origin: Origin): boolean {
  const { sends, refusedAt, isChanging } = origin
  const now = monotonicNow()
  for (const { at, signal } of sends.values()) {
    if (signal?.aborted) continue
    if (now - at < slowAfterMs(origin) && (isChanging || at < (refusedAt ?? 0))) return false
  }
  return true
}
