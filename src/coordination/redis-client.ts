/**
 * What is asked of a user's Redis client, and how node-redis and ioredis differ in it. It is never configured, subscribed or
 * closed here, and nothing that it was given (scripts have tokens in their arguments) gets into an error (E1).
 */
import { createId } from '../id.ts'

/** A client, cluster or sentinel of node-redis 6, as far as it is needed here. */
export interface NodeRedisLike {
  readonly isReady: boolean
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  duplicate(): unknown
}

/** A `Redis` or `Cluster` of ioredis 6, as far as it is needed here. */
export interface IoRedisLike {
  readonly status: string
  readonly isCluster: boolean
  eval(script: string, keyCount: number, ...keysAndArguments: string[]): Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  duplicate(): unknown
}

/** What `createClient()` or `createCluster()` of node-redis gives, or `new Redis()` or `new Cluster()` of ioredis. */
export type RedisLike = NodeRedisLike | IoRedisLike

export const isIoRedis = (client: RedisLike): client is IoRedisLike => 'status' in client

export const isReady = (client: RedisLike): boolean =>
  isIoRedis(client) ? client.status === 'ready' && !isClosing(client) : client.isReady

/**
 * Whether its user has closed it. A command behind a QUIT has the server break the connection off, and the user's `quit()`
 * reject; ioredis would send one, and says so nowhere else.
 */
const isClosing = (client: IoRedisLike): boolean => (client as { manuallyClosing?: boolean }).manuallyClosing === true

/**
 * Runs a script on one key; gives the text that it returns behind its first argument.
 *
 * @throws Error that names the kind of failure, and no more
 */
export async function runScript(client: RedisLike, script: string, key: string, args: string[] = []): Promise<string> {
  // A connection that is out of step answers one command with what was meant for another, and one user with the session of
  // another (CVE-2023-28858 was that): a reply is ours if it begins with what nobody else could have asked for.
  const nonce = createId()
  const reply = await send(client, script, key, [nonce, ...args])
  if (!reply.startsWith(nonce)) throw new Error('Redis gave a reply that belongs to another command')
  return reply.slice(nonce.length)
}

async function send(client: RedisLike, script: string, key: string, args: string[]): Promise<string> {
  for (let isAgain = false; ; isAgain = true) {
    if (isIoRedis(client) && isClosing(client)) throw new Error('The connection to Redis has been closed')
    try {
      const reply = isIoRedis(client)
        ? await client.eval(script, 1, key, ...args)
        : await client.eval(script, { keys: [key], arguments: args })
      // A Buffer where the client is set to give those.
      return String(reply)
    } catch (error) {
      // As ioredis does by itself: whoever waits for a lock must not take a restart for a store that fails, and go on without.
      if (!isAgain && isLost(error)) continue
      // Not even as a `cause`: ioredis hangs the arguments on its errors, and Redis quotes them in some.
      throw new Error(`Redis, or the connection to it, failed: ${kindOf(error)}`)
    }
  }
}

/** Whether the connection broke while it was under way, as node-redis or the system puts it. */
const isLost = (error: unknown): boolean =>
  /^E[A-Z]+$/.test(String(Object(error).code)) || classOf(error) === 'SocketClosedUnexpectedlyError'

const classOf = (error: unknown): unknown => Object(error).constructor?.name

/** `WRONGTYPE` or `NOPERM` from the server, `ECONNREFUSED` from the system, or the name of a class. */
function kindOf(error: unknown): string {
  const { message, code } = Object(error) as Record<string, unknown>
  const words = [/^[A-Z]{3,}(?= )/.exec(String(message))?.[0], code, classOf(error)]
  return words.map(String).find((word) => /^[A-Za-z_]{3,}$/.test(word) && word !== 'undefined') ?? 'Error'
}
