// S1 for Redis: with node-redis and with ioredis, each against the other kind on a connection of its own.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisLike, redisStore } from '../../src/stores/redis.ts'
import { describeTokenStore } from '../../src/testing/index.ts'
import {
  type Connection,
  connect,
  KINDS,
  type Kind,
  otherKind,
  type RedisAdmin,
  redisAdmin,
} from '../helpers/redis-clients.ts'
import { type RedisServer, startRedis } from '../helpers/redis-server.ts'

const runner = { describe, it }
const SESSION = { sessionId: 'session-1', version: 5, tokens: { accessToken: 'a', refreshToken: 'r' } }
/** A record as it rests, in part. */
const HALF = '{"stamp":"0123456789abcdef0123456789abcdef","key":"relatch:{k}","session":{"sessionId":"session-1","ver'

let server: RedisServer
let admin: RedisAdmin
let connections: Record<Kind, Connection>
/** Somebody listens on each client, as wherever there are live sessions: so a lock that is released is heard of. */
let ends: ((() => void) | undefined)[]
let keys = 0
const clientOf = (kind: Kind): RedisLike => connections[kind].client
const freshKey = (): string => `user:${++keys}`

beforeAll(async () => {
  server = await startRedis()
  admin = redisAdmin(server.port)
  connections = {
    'node-redis': await connect('node-redis', server.port),
    ioredis: await connect('ioredis', server.port),
  }
  ends = KINDS.map((kind) => redisStore({ client: clientOf(kind), key: 'somebody' }).watch?.(() => {}))
})
afterAll(async () => {
  for (const end of ends) end?.()
  for (const kind of KINDS) await connections[kind].close()
  await admin[Symbol.asyncDispose]()
  await server.stop()
})

for (const kind of KINDS) {
  describeTokenStore(
    `redisStore with ${kind}`,
    () => {
      const key = freshKey()
      return {
        store: redisStore({ client: clientOf(kind), key }),
        sibling: () => redisStore({ client: clientOf(otherKind(kind)), key }),
        corrupt: async () => void (await admin.run('SET', `relatch:{${key}}`, HALF)),
      }
    },
    runner,
  )
}

describe.each(KINDS)('what else may be at the key, with %s', (kind) => {
  it.each([
    ['nothing at all', ''],
    ['a word', 'garbage'],
    ['half a record', HALF],
    ['a record of nothing', '{"stamp":"abc"}'],
    [
      'a record of no session',
      '{"stamp":"abc","session":{"sessionId":"s","version":5,"tokens":{"accessToken":"a b"}}}',
    ],
    ['a session that nobody stamped', JSON.stringify(SESSION)],
    ['a stamp of another kind', JSON.stringify({ stamp: 'no stamp', session: SESSION })],
    ['other JSON', 'null'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00, 0x80])],
    ['bytes that are no text, behind a stamp', Buffer.from([...Buffer.from('{"stamp":"abc"'), 0xff, 0xc0])],
    ['a number', '42'],
    ['a megabyte of it', '{"stamp":"'.padEnd(2 ** 20, 'a')],
  ])('S1 %s counts as nothing, and can be written over', async (_, garbage) => {
    const key = freshKey()
    const store = redisStore({ client: clientOf(kind), key })
    await admin.run('SET', `relatch:{${key}}`, garbage)
    expect(await store.read()).toBeNull()
    expect(await store.write(SESSION, 5)).toBe(false)
    expect(await store.write(SESSION, null)).toBe(true)
    expect(await redisStore({ client: clientOf(otherKind(kind)), key }).read()).toEqual(SESSION)
  })

  it.each([
    ['a list', 'RPUSH', ['a']],
    ['a hash', 'HSET', ['a', 'b']],
    ['a set', 'SADD', ['a']],
  ])('S1 %s is a failure that says so, and stays', async (_, command, members) => {
    const key = freshKey()
    const store = redisStore({ client: clientOf(kind), key })
    await admin.run(command, `relatch:{${key}}`, ...members)
    await expect(store.read()).rejects.toThrow('WRONGTYPE')
    await expect(store.write(SESSION, null)).rejects.toThrow('WRONGTYPE')
    expect(await admin.run('EXISTS', `relatch:{${key}}`)).toBe(1)
  })

  it('S1 the record of another key is refused, for reading and for writing, and stays', async () => {
    const [mine, theirs] = [freshKey(), freshKey()]
    await redisStore({ client: clientOf(kind), key: theirs }).write(SESSION, null)
    await admin.run('COPY', `relatch:{${theirs}}`, `relatch:{${mine}}`)
    const store = redisStore({ client: clientOf(kind), key: mine })
    await expect(store.read()).rejects.toThrow('another key')
    await expect(store.write(SESSION, null)).rejects.toThrow('another key')
    await expect(store.write(null, 5)).rejects.toThrow('another key')
    expect(await redisStore({ client: clientOf(kind), key: theirs }).read()).toEqual(SESSION)
  })
})

describe('names', () => {
  const NAMES = [
    'x',
    '{x}',
    'x}',
    '{x',
    '{x}:lock',
    'x}:lock',
    '}x',
    '{}x',
    'x y',
    ' ',
    'ключ',
    '*',
    'a\nb',
    'relatch:{x}',
  ]

  it('S1 no two keys share anything', async () => {
    const open = (key: string) => redisStore({ client: clientOf('ioredis'), key, prefix: 'names:' })
    const sessions = NAMES.map((key) => ({ ...SESSION, sessionId: key }))
    for (const [index, key] of NAMES.entries()) expect(await open(key).write(sessions[index] ?? null, null)).toBe(true)
    for (const [index, key] of NAMES.entries()) expect(await open(key).read()).toEqual(sessions[index])
  })

  it('S1 nor do two prefixes, and a prefix is what all names begin with', async () => {
    const options = { client: clientOf('node-redis'), key: 'prefixed' }
    await redisStore({ ...options, prefix: 'app:' }).write(SESSION, null)
    expect(await redisStore(options).read()).toBeNull()
    expect(await redisStore({ ...options, prefix: '' }).read()).toBeNull()
    expect(await admin.run('KEYS', '*prefixed*')).toEqual(['app:{prefixed}'])
  })
})
