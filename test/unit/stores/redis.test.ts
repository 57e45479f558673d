// S1, S5, E1 without a server: what the store makes of replies that are not its own, of clients that fail, and of its options.
import { describe, expect, it, vi } from 'vitest'
import { redisLease } from '../../../src/coordination/redis-lease.ts'
import type { StoredSession } from '../../../src/index.ts'
import { type RedisLike, redisStore } from '../../../src/stores/redis.ts'
import { exposures, marksIn, OLD } from '../../helpers/canary.ts'

type Reply = (key: string, args: [nonce: string, ...more: string[]], script: string) => unknown

const session: StoredSession = { sessionId: 'session-1', version: 1, tokens: OLD }
const text = (key: string): string => JSON.stringify({ stamp: 'ab12', key, session })

/** A client of node-redis or of ioredis that answers so. */
const answering = (kind: 'node-redis' | 'ioredis', answer: Reply): RedisLike => {
  const rest = { subscribe: async () => {}, duplicate: () => ({}) }
  const reply = (script: string, key: unknown, args: string[]) => answer(String(key), args as [string], script)
  return kind === 'ioredis'
    ? {
        ...rest,
        status: 'ready',
        isCluster: false,
        eval: async (script, _count, key, ...args) => reply(script, key, args),
      }
    : {
        ...rest,
        isReady: true,
        eval: async (script: string, { keys, arguments: args }: Record<'keys' | 'arguments', string[]>) =>
          reply(script, keys[0], args),
      }
}

describe.each(['node-redis', 'ioredis'] as const)('a client of %s', (kind) => {
  const storeOf = (reply: Reply) => redisStore({ client: answering(kind, reply), key: 'alice' })

  it('S5 is asked under the name of the session, and what it answers is read', async () => {
    const reply = vi.fn<Reply>((key, [nonce]) => nonce + text(key))
    expect(await storeOf(reply).read()).toEqual(session)
    expect(reply.mock.calls[0]?.[0]).toBe('relatch:{alice}')
  })

  it('S5 may answer with bytes', async () => {
    expect(await storeOf((key, [nonce]) => Buffer.from(nonce + text(key))).read()).toEqual(session)
  })

  it.each<[string, Reply]>([
    ['the session of another', () => `${'0'.repeat(32)}${text('relatch:{bob}')}`],
    ['our own, asked for by somebody else', (key) => `${'0'.repeat(32)}${text(key)}`],
    ['nothing, for another', () => '0'.repeat(32)],
    ['the value of a plain GET', (key) => text(key)],
    ['null', () => null],
    ['undefined', () => undefined],
    ['an empty text', () => ''],
    ['OK', () => 'OK'],
    ['a number', () => 1],
    ['a list', () => [1, 2]],
    ['an object', () => ({})],
    ['the session of another behind our own nonce', (_, [nonce]) => nonce + text('relatch:{bob}')],
    ['the session of another prefix', (_, [nonce]) => nonce + text('app:{alice}')],
  ])('S5 refuses a reply that is not its own: %s', async (_, reply) => {
    const store = storeOf(reply)
    await expect(store.read()).rejects.toThrow(/another (command|key)/)
    await expect(store.write(session, null)).rejects.toThrow(/another (command|key)/)
    await expect(store.write(null, 1)).rejects.toThrow(/another (command|key)/)
  })

  it('S5 takes no yes for its own that was meant for another write', async () => {
    const store = storeOf((_, [nonce, ...args]) => (args.length > 0 ? `${'0'.repeat(32)}1` : nonce))
    await expect(store.write(session, null)).rejects.toThrow('another command')
  })

  it('S5 a client that is out of step by one never hands out what is another’s', async () => {
    const records: Record<string, string> = { 'relatch:{alice}': text('relatch:{alice}'), 'relatch:{bob}': '' }
    let late: unknown = 'OK'
    const outOfStep: Reply = (key, [nonce]) => {
      const reply = late
      late = nonce + records[key]
      return reply
    }
    const client = answering(kind, outOfStep)
    const stores = ['alice', 'bob'].map((key) => redisStore({ client, key }))
    for (let round = 0; round < 20; round++) {
      await expect(stores[round % 2]?.read()).rejects.toThrow('another command')
    }
  })

  it('S5 asks under another name each time, so that no reply can be made up', async () => {
    const nonces = new Set<string | undefined>()
    const store = storeOf((_, [nonce]) => {
      nonces.add(nonce)
      return nonce
    })
    for (let count = 0; count < 100; count++) await store.read()
    expect(nonces.size).toBe(100)
  })

  it.each<[string, () => unknown]>([
    ['with its arguments', () => Object.assign(new Error(OLD.accessToken), { command: { args: [OLD.refreshToken] } })],
    ['with a cause', () => new Error('failed', { cause: new Error(OLD.accessToken) })],
    ['with a code of its own', () => Object.assign(new Error('failed'), { code: OLD.accessToken, name: OLD.idToken })],
    ['as Redis quotes it', () => new Error(`ERR unknown command, with args beginning with: '${OLD.refreshToken}'`)],
    ['and is no error', () => OLD.refreshToken],
    ['and is nothing', () => undefined],
    ['and is null', () => null],
  ])('E1 no token is in the error of a command that fails %s', async (_, makeError) => {
    const fail: Reply = () => {
      throw makeError()
    }
    const failing = storeOf(fail)
    const failingWrite = storeOf((key, args, script) => (args.length > 1 ? fail(key, args, script) : args[0]))
    const half = storeOf((_, [nonce]) => `${nonce}{"stamp":"ab12","key":"relatch:{alice}","session":{"tokens":${OLD}`)
    expect(await half.read()).toBeNull()
    const lease = redisLease({ client: answering(kind, fail), prefix: 'relatch:', key: 'alice' })
    const calls = [
      () => failing.read(),
      () => failing.write(session, null),
      () => lease.take('ab12', 1000),
      () => lease.release('ab12'),
      () => failingWrite.write(session, null),
    ]
    for (const call of calls) {
      const error = await Promise.resolve(call()).then(
        () => expect.unreachable(),
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(Error)
      expect(String(error)).toContain('Redis, or the connection to it, failed')
      expect(marksIn(exposures(error))).toEqual([])
    }
  })

  it('E1 nor in the one of a reply that is refused', async () => {
    for (const reply of [
      () => text('relatch:{alice}'),
      (_: string, [nonce]: string[]) => nonce + text('relatch:{bob}'),
    ]) {
      const error = await Promise.resolve(storeOf(reply).read()).catch((reason: unknown) => reason)
      expect(marksIn(exposures(error))).toEqual([])
    }
  })

  it.each([
    ['as the system says it', () => Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })],
    ['as node-redis says it', () => new (class SocketClosedUnexpectedlyError extends Error {})('Socket closed')],
  ])('S5 what was under way when a connection broke is sent again, once: %s', async (_, makeError) => {
    const sent: string[] = []
    const breaking = (times: number): Reply => {
      let left = times
      return (key, args) => {
        sent.push([key, ...args].join(' '))
        if (left-- > 0) throw makeError()
        return args[0] + text(key)
      }
    }
    expect(await storeOf(breaking(1)).read()).toEqual(session)
    // The very same, so that Redis can tell that it has been done.
    expect(sent[1]).toBe(sent[0])
    await expect(storeOf(breaking(2)).read()).rejects.toThrow('the connection to it, failed')
    expect(sent).toHaveLength(4)
  })

  it('S5 what Redis refused is not sent again', async () => {
    const refuse = vi.fn<Reply>(() => {
      throw new Error('OOM command not allowed')
    })
    await expect(storeOf(refuse).read()).rejects.toThrow('OOM')
    expect(refuse).toHaveBeenCalledTimes(1)
  })

  it.each([
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'WRONGTYPE'],
    ['NOPERM User quiet has no permissions to run the eval command', 'NOPERM'],
    ['OOM command not allowed when used memory > maxmemory', 'OOM'],
    ['The client is closed', 'ClientClosedError'],
  ])('E1 the kind of failure is named: %s', async (message, kindOfFailure) => {
    class ClientClosedError extends Error {}
    const store = storeOf(() => {
      throw new ClientClosedError(message)
    })
    await expect(store.read()).rejects.toThrow(kindOfFailure)
  })
})

describe('options', () => {
  const client = answering('ioredis', () => '')
  const make = (options: object) => () => redisStore(options as never)

  it.each<[string, object]>([
    ['no client', { key: 'a' }],
    ['a URL', { client: 'redis://127.0.0.1', key: 'a' }],
    ['a promise of a client', { client: Promise.resolve(client), key: 'a' }],
    ['a client that cannot listen', { client: { ...client, subscribe: undefined }, key: 'a' }],
    ['no key', { client }],
    ['an empty key', { client, key: '' }],
    ['a key that is a number', { client, key: 1 }],
    ['a prefix that is a number', { client, key: 'a', prefix: 1 }],
    ['a lifetime of nothing', { client, key: 'a', ttlMs: 0 }],
    ['a negative lifetime', { client, key: 'a', ttlMs: -1 }],
    ['an endless lifetime', { client, key: 'a', ttlMs: Number.POSITIVE_INFINITY }],
    ['a lifetime beyond what Redis counts', { client, key: 'a', ttlMs: 1e22 }],
    ['a lifetime that is a text', { client, key: 'a', ttlMs: '1000' }],
    ['a lifetime that is no number', { client, key: 'a', ttlMs: Number.NaN }],
  ])('are refused when the store is made: %s', (_, options) => {
    expect(make(options)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_OPTION' }))
  })

  it('an unknown one is refused, with the one that was meant', () => {
    expect(make({ client, key: 'a', tllMs: 1 })).toThrow(/`ttlMs`/)
  })

  it('nothing is asked of the client when the store is made', () => {
    const reply = vi.fn()
    redisStore({ client: answering('node-redis', reply), key: 'a' })
    expect(reply).not.toHaveBeenCalled()
  })
})
