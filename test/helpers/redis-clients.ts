/** Redis clients of both kinds, as users make them, for tests on a server or cluster of their own. */
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster } from 'redis'
import type { RedisLike } from '../../src/stores/redis.ts'

export const KINDS = ['node-redis', 'ioredis'] as const
export type Kind = (typeof KINDS)[number]

export const otherKind = (kind: Kind): Kind => (kind === 'ioredis' ? 'node-redis' : 'ioredis')

export interface Connection extends AsyncDisposable {
  readonly client: RedisLike
  /** Ends the client, as its user would. */
  close(): Promise<void>
}

export interface ConnectOptions {
  /** @default false */
  cluster?: boolean
  username?: string
  password?: string
}

/** Resolves when it is connected. Its errors are nobody's: tests see what commands do. */
export async function connect(kind: Kind, port: number, options: ConnectOptions = {}): Promise<Connection> {
  const { cluster = false, ...user } = options
  const host = '127.0.0.1'
  if (kind === 'ioredis') {
    const client = cluster
      ? new Cluster([{ host, port }], { lazyConnect: true })
      : new Redis({ host, port, lazyConnect: true, ...user })
    client.on('error', () => {})
    await client.connect()
    return connection(client, () => client.quit())
  }
  const client = cluster
    ? createCluster({ rootNodes: [{ socket: { host, port } }] })
    : createClient({ socket: { host, port }, ...user })
  client.on('error', () => {})
  await client.connect()
  return connection(client, () => client.close())
}

function connection(client: RedisLike, end: () => Promise<unknown>): Connection {
  let ended: Promise<void> | undefined
  const close = (): Promise<void> => {
    // Who has lost its server has nothing to say goodbye to.
    ended ??= end().then(
      () => {},
      () => {},
    )
    return ended
  }
  return { client, close, [Symbol.asyncDispose]: close }
}

/** A connection that nothing else uses, to arrange things with and to see what has been done. */
export interface RedisAdmin extends AsyncDisposable {
  run(command: string, ...args: (string | Buffer | number)[]): Promise<unknown>
  /** How often scripts have been run so far. */
  scripts(): Promise<number>
  /** The ids of the connections that listen. */
  subscribers(): Promise<string[]>
}

export function redisAdmin(port: number): RedisAdmin {
  const client = new Redis({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  return {
    run: (command, ...args) => client.call(command, ...args),
    async scripts() {
      const line = /cmdstat_eval:calls=(\d+)/.exec(String(await client.call('INFO', 'commandstats')))
      return Number(line?.[1] ?? 0)
    },
    async subscribers() {
      const list = String(await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'))
      return [...list.matchAll(/^id=(\d+)/gm)].map((match) => String(match[1]))
    },
    [Symbol.asyncDispose]: async () => client.disconnect(),
  }
}
