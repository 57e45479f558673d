/**
 * The connection that listens. A client that is one connection is duplicated, since one that has subscribed may be good for
 * nothing else; a cluster or a sentinel keeps a connection for that itself. It holds no process, and does not reconnect: who
 * opened it is told, and opens another.
 */
import { notify } from '../events.ts'
import { isIoRedis, type RedisLike } from './redis-client.ts'

export interface Line {
  /** Resolves when it is connected. */
  readonly opened: Promise<unknown>
  subscribe(channel: string): Promise<unknown>
  close(): void
}

type Hear = (channel: string, message: string) => void
type Listener = (...args: unknown[]) => void

interface NodeRedisConnection {
  subscribe(channel: string, listener: Listener): Promise<unknown>
  on(event: string, listener: Listener): unknown
  unsubscribe(channel: string, listener: Listener): Promise<unknown>
  duplicate(overrides: object): NodeRedisConnection
  connect(): Promise<unknown>
  unref(): void
  destroy(): void
}

interface IoRedisConnection {
  readonly isCluster: boolean
  subscribe(channel: string): Promise<unknown>
  readonly stream?: { unref?(): void }
  on(event: string, listener: Listener): unknown
  off(event: string, listener: Listener): unknown
  unsubscribe(channel: string): Promise<unknown>
  duplicate(overrides: object): IoRedisConnection
  connect(): Promise<unknown>
  disconnect(): void
}

/** @param onLost may be called more than once, and where `opened` rejects */
export function openLine(client: RedisLike, hear: Hear, onLost: () => void): Line {
  const open = isIoRedis(client) ? ioRedisLine : nodeRedisLine
  // The rest of what they can do is no concern of who has such a client.
  return open(client as never, hear, onLost)
}

function nodeRedisLine(client: NodeRedisConnection, hear: Hear, onLost: () => void): Line {
  const channels = new Set<string>()
  const listener: Listener = (message, channel) => hear(String(channel), String(message))
  // A cache that it shared would be emptied whenever it goes.
  const duplicate = (): NodeRedisConnection => client.duplicate({ clientSideCache: undefined, emitInvalidate: false })
  const own = 'unref' in client ? duplicate() : undefined
  const destroy = (): void => notify(() => own?.destroy())
  // At once, or it would reconnect, and hold the process while it waits to.
  own?.on('error', () => {
    destroy()
    onLost()
  })
  own?.unref()
  const opened = Promise.resolve(own?.connect())
  return {
    opened,
    subscribe(channel) {
      channels.add(channel)
      return (own ?? client).subscribe(channel, listener)
    },
    close() {
      // Not before it is there: one that is destroyed in the middle of its handshake is kept by node-redis for ever.
      if (own) opened.then(destroy, destroy)
      else for (const channel of channels) client.unsubscribe(channel, listener).catch(() => {})
    },
  }
}

function ioRedisLine(client: IoRedisConnection, hear: Hear, onLost: () => void): Line {
  const channels = new Set<string>()
  const listener: Listener = (channel, message) => hear(String(channel), String(message))
  const duplicate = (): IoRedisConnection =>
    // Its check of a server that is ready warns on the console where INFO is denied.
    client.duplicate({ lazyConnect: true, retryStrategy: null, enableReadyCheck: false })
  const own = client.isCluster ? undefined : duplicate()
  // Without a listener they would end on the console.
  own?.on('error', () => {})
  own?.on('end', onLost)
  const connection = own ?? client
  connection.on('message', listener)
  return {
    opened: Promise.resolve(own?.connect()).then(() => own?.stream?.unref?.()),
    subscribe(channel) {
      channels.add(channel)
      return connection.subscribe(channel)
    },
    close() {
      connection.off('message', listener)
      if (own) own.disconnect()
      else for (const channel of channels) client.unsubscribe(channel).catch(() => {})
    },
  }
}
