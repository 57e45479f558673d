/**
 * A program: one of the processes that share a session. It does what its parent asks, tells what its session tells, waits where
 * it is told to wait, and ends with its parent.
 */
import { flushCompileCache } from 'node:module'
import { type AuthEvents, createAuthFetch, refreshEndpoint, type TokenStore } from '../../../src/index.ts'
import { openStore } from './places.ts'
import type { Answer, ChildOptions, Kit, Question, Stage, Word } from './protocol.ts'

const tell = (word: Word): void => void process.send?.(word)
// Whoever cannot be told any more is dead.
process.once('disconnect', () => process.exit())

const options: ChildOptions = JSON.parse(process.argv[2] ?? '')
const { place, client, baseUrl, hasDialog = false, isDeaf = false, ...settings } = options

let pauses = new Set<Stage>()
const waiting: Array<() => void> = []
async function reach(stage: Stage): Promise<void> {
  if (!pauses.has(stage)) return
  tell({ kind: 'reached', stage })
  await new Promise<void>((goOn) => waiting.push(goOn))
}

const { store: inner } = await openStore(place, client)
const writes: boolean[] = []
let isLocked = false
const store: TokenStore = {
  async read() {
    const stored = await inner.read()
    if (isLocked) await reach('read')
    return stored
  },
  async write(next, expectedVersion) {
    await reach('writing')
    const hasWritten = await inner.write(next, expectedVersion)
    writes.push(hasWritten)
    await reach('written')
    return hasWritten
  },
  watch: (listener) => (isDeaf ? undefined : inner.watch?.(listener)) ?? (() => {}),
  async lock(task, limits) {
    if (!inner.lock) return task()
    return inner.lock(async (isHeld) => {
      await reach('locked')
      isLocked = true
      return task(isHeld).finally(() => {
        isLocked = false
      })
    }, limits)
  },
}

const endpoint = refreshEndpoint({ url: '/token', clientId: 'cli' })
const api = createAuthFetch({
  ...settings,
  baseUrl,
  store,
  async refresh(context) {
    await reach('asking')
    return endpoint(context)
  },
  ...(hasDialog && { onLoginRequired: () => new Promise(() => {}) }),
})

const EVENTS = [
  'refreshed',
  'refresh-failed',
  'adopted',
  'login-required',
  'signed-in',
  'signed-out',
  'store-failed',
] as const
const hear = <E extends keyof AuthEvents>(event: E): unknown =>
  api.on(event, (payload) => tell({ kind: 'heard', heard: { event, at: Date.now(), ...payload } as never }))
EVENTS.forEach(hear)

async function callOnce(path: string): Promise<Answer> {
  const startedAt = performance.now()
  const answer = (status: Answer['status']): Answer => ({ status, ms: performance.now() - startedAt })
  try {
    const response = await api(path)
    await response.arrayBuffer()
    return answer(response.status)
  } catch (error) {
    const { code, name } = error as { code?: string; name: string }
    return answer(code ?? name)
  }
}

const kit: Kit = {
  call: (count, path = '/me') => Promise.all(Array.from({ length: count }, () => callOnce(path))),
  signIn: (tokens) => api.signIn(tokens),
  signOut: () => api.signOut(),
  accessToken: async () => (await api.tokens())?.accessToken ?? null,
  pauseAt(...stages) {
    pauses = new Set(stages)
    for (const goOn of waiting.splice(0)) goOn()
  },
  readStore: async () => inner.read(),
  writeStore: async (next, expectedVersion) => {
    await reach('writing')
    return inner.write(next, expectedVersion)
  },
  writes: () => writes,
}

process.on('message', async ({ id, ask, args }: Question) => {
  try {
    const value = await (kit[ask] as (...given: unknown[]) => unknown)(...args)
    tell({ kind: 'answer', id, value })
  } catch (error) {
    tell({ kind: 'answer', id, error: String(error) })
  }
})
// What the store holds is known before anybody is asked.
await api.tokens()
// Few come to the end at which it would be done by itself.
flushCompileCache()
tell({ kind: 'ready' })
