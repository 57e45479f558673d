/**
 * A program: makes instances and drops them, in two halves. Prints as JSON by how many bytes the second half grew the heap, how
 * many of its stores are still there, and how long each half took.
 */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createAuthFetch, memoryStore, type TokenStore } from '../../../src/index.ts'

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')
const [, , kind = '', count = ''] = process.argv

/** Outlives every instance, as a medium does. */
const watchers = new Set<() => void>()
const watched = (): TokenStore => ({
  ...memoryStore(),
  watch: (listener) => {
    watchers.add(listener)
    return () => void watchers.delete(listener)
  },
})
const common = memoryStore()
const session = new AbortController()
const transport: typeof fetch = async (_input, init) =>
  new Response(null, { status: new Headers(init?.headers).get('authorization') === 'Bearer b' ? 200 : 401 })

const make = (store: TokenStore) =>
  createAuthFetch({ baseUrl: 'https://api.test', fetch: transport, store, refresh: async () => ({ accessToken: 'b' }) })

const kinds: Record<string, () => Promise<TokenStore | undefined>> = {
  async untouched() {
    const store = memoryStore()
    make(store)
    return store
  },
  async used() {
    const store = memoryStore()
    const api = make(store)
    api.on('refreshed', () => {})
    api.subscribe(() => {})
    await api.signIn({ accessToken: 'a' })
    await api('/me', { signal: session.signal })
    return store
  },
  async watched() {
    const store = watched()
    const api = make(store)
    await api.signIn({ accessToken: 'a' })
    await api('/me')
    api.dispose()
    return store
  },
  async 'on-one-store'() {
    const api = make(common)
    await api.signIn({ accessToken: 'a' })
    await api('/me')
    api.dispose()
    return undefined
  },
}

let gone = 0
const registry = new FinalizationRegistry(() => gone++)
const life = kinds[kind] as (typeof kinds)[string]

async function live(lives: number): Promise<number> {
  const startedAt = performance.now()
  for (let index = 0; index < lives; index++) {
    const store = await life()
    if (store) registry.register(store, undefined)
  }
  return performance.now() - startedAt
}

async function heap(): Promise<number> {
  // Finalizers run in tasks of their own, and what they let go is for the next collection.
  for (let round = 0; round < 5; round++) {
    gc()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return process.memoryUsage().heapUsed
}

const half = Number(count) / 2
const firstMs = await live(half)
const before = await heap()
gone = 0
const secondMs = await live(half)
const grownBytes = (await heap()) - before
process.stdout.write(JSON.stringify({ grownBytes, gone, half, firstMs, secondMs, watchers: watchers.size }))
