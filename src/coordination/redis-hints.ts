/**
 * Who hears of changes in Redis: one connection that listens and one timer for all stores on a client, however many. What is
 * heard are hints; a connection that died unnoticed loses some, so that every session is also looked at now and then.
 */
import { after, monotonicNow } from '../clock.ts'
import { notify } from '../events.ts'
import { channelOf, NOTHING, type RedisSpot, readCell, stampOf } from './redis-cell.ts'
import { isReady, type RedisLike } from './redis-client.ts'
import { type Line, openLine } from './redis-line.ts'

/** Who hears what is said of one session: the stamp that stands, when somebody has changed it, and now and then. */
export interface Ear {
  readonly spot: RedisSpot
  hear(word: string): unknown
}

/** By key. A list only where there are several, since most have one; replaced and never changed, somebody may go through it. */
type Ears = Map<string, Ear | readonly Ear[]>

interface Hub {
  readonly client: RedisLike
  readonly channels: Map<string, Ears>
  line: Line | undefined
  /** Whether what others say would be heard. */
  isListening: boolean
  /** When to open another line, and how long after that the next. */
  reopenAt: number
  pauseMs: number
  /** How many looks are due, how many have no answer yet, and whose turn it is. */
  owed: number
  pending: number
  turn: Iterator<readonly Ear[]>
  cancelBeat: () => void
}

const BEAT_MS = 500
/** How often everyone looks: where changes are heard of, and where they are not. */
const LISTENING_MS = 60_000
const DEAF_MS = 5000
/** At most so many looks a beat: in the background, and once something may have been missed. */
const SLOW_LOOKS = 50
const FAST_LOOKS = 500
const FIRST_PAUSE_MS = 200
const LAST_PAUSE_MS = 60_000

const hubs = new WeakMap<RedisLike, Hub>()

/** @param ear another one each time */
export function listen(ear: Ear): void {
  const { client, key } = ear.spot
  const channel = channelOf(ear.spot)
  const hub = hubs.get(client) ?? start(client)
  const ears: Ears = hub.channels.get(channel) ?? new Map()
  const others = ears.get(key)
  ears.set(key, others ? [others, ear].flat() : ear)
  if (hub.channels.has(channel)) return
  hub.channels.set(channel, ears)
  if (hub.isListening) subscribe(hub, hub.line as Line)
}

/** Ends what `listen` began; once is enough. */
export function leave(ear: Ear): void {
  const { client, key } = ear.spot
  const hub = hubs.get(client)
  const ears = hub?.channels.get(channelOf(ear.spot))
  const left = listOf(ears?.get(key)).filter((each) => each !== ear)
  if (left.length > 0) ears?.set(key, left)
  else ears?.delete(key)
  if (hub && sizeOf(hub) === 0) stop(hub)
}

/** Listens where somebody does already: it is not worth a connection of its own. Returns what ends it. */
export function overhear(ear: Ear): () => void {
  if (hubs.has(ear.spot.client)) listen(ear)
  return () => leave(ear)
}

const listOf = (ears: Ear | readonly Ear[] = []): readonly Ear[] => [ears].flat()

const sizeOf = ({ channels }: Hub): number => [...channels.values()].reduce((size, ears) => size + ears.size, 0)

function start(client: RedisLike): Hub {
  const hub: Hub = {
    client,
    channels: new Map(),
    line: undefined,
    isListening: false,
    reopenAt: 0,
    pauseMs: FIRST_PAUSE_MS,
    owed: 0,
    pending: 0,
    turn: [].values(),
    cancelBeat: () => {},
  }
  hubs.set(client, hub)
  // Once the first of them is in.
  hub.cancelBeat = after(0, () => beat(hub))
  return hub
}

function stop(hub: Hub): void {
  hubs.delete(hub.client)
  hub.cancelBeat()
  hang(hub, hub.line)
}

function beat(hub: Hub): void {
  hub.cancelBeat = after(BEAT_MS, () => beat(hub))
  // The line goes with the client, which its user may have closed; and who cannot ask need not be told to.
  if (!isReady(hub.client)) {
    hang(hub, hub.line)
    return
  }
  if (!hub.line && monotonicNow() >= hub.reopenAt) open(hub)
  const [everyMs, most] = hub.isListening ? [LISTENING_MS, SLOW_LOOKS] : [DEAF_MS, FAST_LOOKS]
  hub.owed += Math.min((sizeOf(hub) * BEAT_MS) / everyMs, most)
  look(hub)
}

function look(hub: Hub): void {
  // A server that hangs must not be asked ever more.
  const now = Math.min(Math.floor(hub.owed), FAST_LOOKS - hub.pending, sizeOf(hub))
  hub.owed -= now
  for (let looks = 0; looks < now; looks++) {
    let next = hub.turn.next()
    if (next.done) {
      hub.turn = everyone(hub)
      next = hub.turn.next()
    }
    const [ear] = next.done ? [] : next.value
    if (ear) lookAt(hub, ear)
  }
}

function* everyone({ channels }: Hub): Generator<readonly Ear[]> {
  for (const ears of channels.values()) for (const each of ears.values()) yield listOf(each)
}

async function lookAt(hub: Hub, { spot }: Ear): Promise<void> {
  hub.pending++
  try {
    tell(hub, channelOf(spot), `${stampOf(await readCell(spot)) ?? NOTHING} ${spot.key}`)
  } catch {
    // Whoever needs Redis finds out by itself that it fails.
  }
  hub.pending--
}

function open(hub: Hub): void {
  hub.reopenAt = monotonicNow() + hub.pauseMs * (0.5 + Math.random())
  hub.pauseMs = Math.min(hub.pauseMs * 2, LAST_PAUSE_MS)
  let line: Line | undefined
  const lose = (): void => hang(hub, line)
  try {
    line = openLine(hub.client, (channel, message) => tell(hub, channel, message), lose)
    hub.line = line
    line.opened.then(() => subscribe(hub, line as Line)).catch(lose)
  } catch {
    // Not a client that can be listened on: everyone looks by itself.
  }
}

async function subscribe(hub: Hub, line: Line): Promise<void> {
  try {
    await Promise.all([...hub.channels.keys()].map((channel) => line.subscribe(channel)))
  } catch {
    hang(hub, line)
  }
  if (hub.line !== line) return
  hub.isListening = true
  hub.pauseMs = FIRST_PAUSE_MS
  // What was said before went unheard.
  hub.owed = sizeOf(hub)
  look(hub)
}

function hang(hub: Hub, line: Line | undefined): void {
  if (!line || hub.line !== line) return
  hub.line = undefined
  hub.isListening = false
  notify(line.close)
}

/** @param message a word, a space and a key */
function tell({ channels }: Hub, channel: string, message: string): void {
  const end = message.indexOf(' ')
  if (end < 0) return
  const [word, key] = [message.slice(0, end), message.slice(end + 1)]
  for (const ear of listOf(channels.get(channel)?.get(key))) notify(() => ear.hear(word))
}
