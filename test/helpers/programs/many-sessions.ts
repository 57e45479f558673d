/**
 * A program: one process that holds a session for each of many users, as a server does. Prints as JSON what a session costs
 * beyond its tokens, in bytes of heap: live (created, its store read, one request sent, idle since), after a refresh, and what
 * is left of it once it is disposed of and dropped; and what still listens or holds a timer at each of these.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createClient } from 'redis'
import {
  type AuthFetch,
  createAuthFetch,
  memoryStore,
  type StoredSession,
  type TokenSet,
  type TokenStore,
} from '../../../src/index.ts'
import { redisStore } from '../../../src/stores/redis.ts'

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')
const [, , kind = 'client', count = '20000', redisUrl = ''] = process.argv
const users = Number(count)

/** Those that are armed, also where they hold no process. */
const timers = new Set<unknown>()
const { setTimeout: arm, clearTimeout: disarm } = globalThis
globalThis.setTimeout = ((task: () => void, delayMs?: number) => {
  const timer = arm(() => {
    timers.delete(timer)
    task()
  }, delayMs)
  timers.add(timer)
  return timer
}) as typeof setTimeout
globalThis.clearTimeout = (timer) => {
  timers.delete(timer)
  disarm(timer)
}

/** One client for all, which keeps texts under keys and tells of changes: as much of a Redis as a session asks for. */
const client = { texts: new Map<string, string>(), listeners: new Map<string, () => void>() }
const keyOf = (user: number): string => `session:${user}`

class ClientStore implements TokenStore {
  readonly #key: string

  constructor(key: string) {
    this.#key = key
  }

  async read(): Promise<StoredSession | null> {
    return JSON.parse(client.texts.get(this.#key) ?? 'null')
  }

  async write(next: StoredSession | null, expectedVersion: number | null): Promise<boolean> {
    if (((await this.read())?.version ?? null) !== expectedVersion) return false
    client.texts.set(this.#key, JSON.stringify(next))
    return true
  }

  watch(listener: () => void): () => void {
    client.listeners.set(this.#key, listener)
    return () => void client.listeners.delete(this.#key)
  }
}

/** The same with a real one. */
const redis = createClient({ url: redisUrl })
if (redisUrl !== '') await redis.connect()
const storeOf = (user: number): TokenStore => redisStore({ client: redis, key: keyOf(user) })

/** The letter that access tokens begin with which the server honours. */
let honoured = 'a'
/** What all sessions have in common is made once. */
const options = {
  baseUrl: 'https://api.test',
  async fetch(_input: unknown, init?: RequestInit): Promise<Response> {
    const isGood = new Headers(init?.headers).get('authorization')?.startsWith(`Bearer ${honoured}`)
    return new Response(null, { status: isGood ? 200 : 401 })
  },
  async refresh({ tokens }: { tokens: TokenSet | null }): Promise<TokenSet> {
    return { ...(tokens as TokenSet), accessToken: `${honoured}${tokens?.accessToken.slice(1)}` }
  },
}
const tokensOf = (user: number): TokenSet => ({
  accessToken: `aF_9.B5f-4.1JqM.${user}`.repeat(3),
  refreshToken: `rt-${user}`,
  expiresAt: Date.now() + 3_600_000,
})
/** As they come out of a client or a response: texts of their own. */
const parsed = <T>(value: T): T => JSON.parse(JSON.stringify(value))

const kinds: Record<string, (user: number) => Promise<AuthFetch>> = {
  client: async (user) => createAuthFetch({ ...options, store: new ClientStore(keyOf(user)) }),
  redis: async (user) => createAuthFetch({ ...options, store: storeOf(user) }),
  memory: async (user) => createAuthFetch({ ...options, store: memoryStore(parsed(tokensOf(user))) }),
  async 'signed-in'(user) {
    const api = createAuthFetch(options)
    await api.signIn(parsed(tokensOf(user)))
    return api
  },
}
const open = kinds[kind] as (typeof kinds)[string]

async function live(user: number): Promise<AuthFetch> {
  const api = await open(user)
  await send(api)
  return api
}

async function send(api: AuthFetch): Promise<void> {
  const { status } = await api('/me')
  if (status !== 200) throw new Error(`Expected 200, not ${status}`)
}

async function fill(user: number): Promise<void> {
  const session = { sessionId: `s-${user}`, version: Date.now() * 1000, tokens: tokensOf(user) }
  if (kind === 'redis') await storeOf(user).write(session, null)
  else client.texts.set(keyOf(user), JSON.stringify(session))
}

/** Bytes in use, once finalizers, and what they let go, have been through. */
async function heap(): Promise<number> {
  for (let round = 0; round < 5; round++) {
    gc()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return process.memoryUsage().heapUsed
}
const held = (): { timers: number; listeners: number } => ({ timers: timers.size, listeners: client.listeners.size })

// What the engine compiles and grows for the first thousand is not theirs.
for (let user = users; user < users + 1000; user++) {
  await fill(user)
  ;(await live(user)).dispose()
}
for (let user = 0; user < users; user++) await fill(user)

let before = await heap()
const tokens = Array.from({ length: users }, (_, user) => parsed(tokensOf(user)))
const tokenBytes = ((await heap()) - before) / users
tokens.length = 0

before = await heap()
const apis: AuthFetch[] = []
for (let user = 0; user < users; user++) apis.push(await live(user))
const liveBytes = ((await heap()) - before) / users - tokenBytes
const whileLive = held()

honoured = 'b'
for (const api of apis) await send(api)
const refreshedBytes = ((await heap()) - before) / users - tokenBytes
const whileRefreshed = held()

for (const api of apis) api.dispose()
const onceDisposed = held()
apis.length = 0
const leftBytes = ((await heap()) - before) / users

const bytes = { tokens: tokenBytes, live: liveBytes, refreshed: refreshedBytes, left: leftBytes }
process.stdout.write(JSON.stringify({ bytes, whileLive, whileRefreshed, onceDisposed }))
if (redis.isOpen) await redis.close()
