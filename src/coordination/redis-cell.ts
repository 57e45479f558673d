/**
 * Texts in Redis that are known by the stamp they begin with, and changed by compare-and-swap in one script. What does not begin
 * with a stamp is garbage and counts as none (S1); what is no text at all is an error.
 */
import { type RedisLike, runScript } from './redis-client.ts'

/** Whose session, and in which Redis. */
export interface RedisSpot {
  readonly client: RedisLike
  readonly prefix: string
  readonly key: string
}

export interface Swap {
  /** What its name ends with. @default '' */
  suffix?: string
  /** The stamp that has to stand; undefined = none. */
  expected: string | undefined
  /** Begins with `{"stamp":"<hexadecimal>"`; null = remove. */
  next: string | null
  /** How long it stands, in milliseconds; left out = until it is replaced. */
  ttlMs?: number | null | undefined
  /** What others hear of it; left out = nothing. */
  word?: string
}

/** What is said where no stamp stands. */
export const NOTHING = 'nothing'

/** As in the script. */
const STAMPED = /^\{"stamp":"([\da-f]+)"/i

const READ = `return ARGV[1] .. (redis.call('GET', KEYS[1]) or '')`

// Who may not publish can still write: hence pcall. What stands already was put there by this very command, which ioredis sends
// again where the connection broke before the reply came.
const SWAP = `
local function stampOf(text) return text and string.match(text, '^{"stamp":"(%x+)"') or '' end
local standing, nonce, expected, text, ttl = stampOf(redis.call('GET', KEYS[1])), unpack(ARGV)
if standing ~= expected then return nonce .. (standing == stampOf(text) and '1' or '0') end
if text == '' then redis.call('DEL', KEYS[1])
elseif ttl == '' then redis.call('SET', KEYS[1], text)
else redis.call('SET', KEYS[1], text, 'PX', ttl) end
if ARGV[6] then redis.pcall('PUBLISH', ARGV[5], ARGV[6]) end
return nonce .. '1'`

/** Always in braces, even where the key has some: no two keys get one name, and what has a suffix is in the same slot. */
export const nameOf = ({ prefix, key }: RedisSpot): string => `${prefix}{${key}}`

export const channelOf = ({ prefix }: RedisSpot): string => `${prefix}changes`

export const stampOf = (text: string): string | undefined => STAMPED.exec(text)?.[1]

/** Always from the primary and never from the client's cache: a script may write, for all that they know. */
export const readCell = (spot: RedisSpot): Promise<string> => runScript(spot.client, READ, nameOf(spot))

/** Says whether `next` stands now. */
export async function swapCell(
  spot: RedisSpot,
  { suffix = '', expected = '', next, ttlMs, word }: Swap,
): Promise<boolean> {
  const ttl = ttlMs == null ? '' : String(Math.max(1, Math.ceil(ttlMs)))
  const told = word === undefined ? [] : [channelOf(spot), `${word} ${spot.key}`]
  const args = [expected, next ?? '', ttl, ...told]
  return (await runScript(spot.client, SWAP, nameOf(spot) + suffix, args)) === '1'
}
