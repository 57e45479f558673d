// S5: two users on one client never get to see each other's session, with a connection that is slow and commands that are given
// up on (a client that loses step then is what CVE-2023-28858 was about).
import { Command, Redis } from 'ioredis'
import { createClient } from 'redis'
import { expect, it, vi } from 'vitest'
import { type RedisLike, redisStore } from '../../src/stores/redis.ts'
import { seededRandom } from '../helpers/latency.ts'
import { connect } from '../helpers/redis-clients.ts'
import { startRedis } from '../helpers/redis-server.ts'
import { tcpProxy } from '../helpers/tcp-proxy.ts'

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const READS = 10_000
const AT_ONCE = 500
const USERS = ['alice', 'bob'] as const

interface Slow {
  client: RedisLike
  /** Sends a command of the user's own, between those of the stores, and gives up on it. Rejects for that reason. */
  giveUp(): Promise<unknown>
  close(): unknown
}

/** Aborts, as node-redis has them: what is queued is taken back, what is sent stays sent. */
async function nodeRedis(port: number): Promise<Slow> {
  const client = createClient({ socket: { host: '127.0.0.1', port } })
  await client.on('error', () => {}).connect()
  return {
    client,
    giveUp() {
      const leaving = new AbortController()
      const reply = client.withAbortSignal(leaving.signal).get('relatch:{alice}')
      leaving.abort()
      return reply
    },
    close: () => client.destroy(),
  }
}

/** Timeouts, as ioredis has them: the command rejects, and its reply comes all the same. */
async function ioRedis(port: number): Promise<Slow> {
  const client = new Redis({ port, host: '127.0.0.1' })
  client.on('error', () => {})
  return {
    client,
    giveUp() {
      const command = new Command('get', ['relatch:{bob}'])
      command.setTimeout(1)
      client.sendCommand(command)
      return command.promise
    },
    close: () => client.disconnect(),
  }
}

it.concurrent.each([
  ['node-redis, whose commands are aborted', nodeRedis],
  ['ioredis, whose commands time out', ioRedis],
])('S5 two users on one client of %s: 0 of 10,000 reads cross over', async (_, open) => {
  await using redis = await startRedis()
  await using proxy = await tcpProxy(redis.port)
  await using undisturbed = await connect('ioredis', redis.port)
  for (const user of USERS) {
    const session = { sessionId: user, version: 1, tokens: { accessToken: user } }
    expect(await redisStore({ client: undisturbed.client, key: user }).write(session, null)).toBe(true)
  }
  const { client, giveUp, close } = await open(proxy.port)
  const stores = USERS.map((user) => redisStore({ client, key: user }))
  const random = seededRandom(1)
  proxy.delayMs = () => random() * 15

  let givenUp = 0
  const seen = { own: 0, others: 0, nobody: 0 }
  const read = async (index: number): Promise<void> => {
    const user = USERS[index % 2] as string
    if (index % 5 === 0) giveUp().catch(() => givenUp++)
    // Somebody writes now and then, so that replies of many kinds are on their way.
    if (index % 50 === 0) {
      const version = Number((await stores[index % 2]?.read())?.version)
      await stores[index % 2]?.write({ sessionId: user, version: version + 1, tokens: { accessToken: user } }, version)
    }
    const session = await stores[index % 2]?.read()
    if (session?.sessionId === user && session.tokens?.accessToken === user) seen.own++
    else if (session) seen.others++
    else seen.nobody++
  }
  let reads = 0
  while (reads < READS) await Promise.all(Array.from({ length: AT_ONCE }, () => read(reads++)))
  close()
  expect(givenUp).toBeGreaterThan(READS / 50)
  expect(seen).toEqual({ own: READS, others: 0, nobody: 0 })
})
