// Tokens that wait for a page: who gets them, how long they stay, and what a place that is slow or out of order does to that.
import { describe, expect, it } from 'vitest'
import type { StoredSession, TokenStore } from '../../../src/index.ts'
import { TAKEN, Waiting } from '../../../src/service-worker/waiting.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import type { ReceivedTokens } from '../../../src/tokens.ts'
import { fakeTime, pass } from '../../helpers/fake-time.ts'

fakeTime()

const tokens = (name: string): ReceivedTokens => ({ tokens: { accessToken: name }, isFresh: true })
const named = (name: string): object => ({ tokens: { accessToken: name } })

/** A store whose calls wait until they are let go. */
class Gated implements TokenStore {
  readonly #inner = memoryStore()
  #gate: Promise<void> = Promise.resolve()
  open: () => void = () => {}

  close(): void {
    this.#gate = new Promise((resolve) => {
      this.open = resolve
    })
  }

  async read(): Promise<StoredSession | null> {
    await this.#gate
    return this.#inner.read()
  }

  async write(next: StoredSession | null, expected: number | null): Promise<boolean> {
    await this.#gate
    return this.#inner.write(next, expected)
  }
}

describe('tokens that wait', () => {
  it('are taken once, by whichever worker is asked', async () => {
    const rest = memoryStore()
    const [before, after] = [new Waiting(rest), new Waiting(rest)]
    await before.add('a', tokens('at-a'))
    expect(await after.take('a')).toMatchObject(named('at-a'))
    expect(await after.take('a')).toBe(TAKEN)
    expect(await after.take('other')).toBeNull()
  })

  it('are all there in the worker that has them, and the newest in its successor', async () => {
    const rest = memoryStore()
    const waiting = new Waiting(rest)
    for (const id of ['a', 'b']) await waiting.add(id, tokens(`at-${id}`))
    expect(await waiting.take('a')).toMatchObject(named('at-a'))
    // The taking of one is not the end of another.
    expect(await new Waiting(rest).take('b')).toMatchObject(named('at-b'))
  })

  it('are gone after ten minutes, here and at rest', async () => {
    const rest = memoryStore()
    const waiting = new Waiting(rest)
    await waiting.add('a', tokens('at-a'))
    await pass(600_001)
    expect(await waiting.take('a')).toBeNull()
    expect(await new Waiting(rest).take('a')).toBeNull()
  })

  it('R12 are gone once they are cleared, which gives each once, and those of a worker before', async () => {
    const rest = memoryStore()
    await new Waiting(rest).add('a', tokens('at-a'))
    const waiting = new Waiting(rest)
    expect(await waiting.clear()).toEqual([{ accessToken: 'at-a' }])
    for (const id of ['b', 'c']) await waiting.add(id, tokens(`at-${id}`))
    expect(await waiting.clear()).toEqual([{ accessToken: 'at-b' }, { accessToken: 'at-c' }])
    for (const id of ['a', 'b', 'c']) {
      expect(await waiting.take(id)).toBeNull()
      expect(await new Waiting(rest).take(id)).toBeNull()
    }
    expect(await rest.read()).toBeNull()
  })
})

describe('R12 a clear wins', () => {
  it('over tokens that are on their way to rest, however slow that is', async () => {
    const rest = new Gated()
    const waiting = new Waiting(rest)
    rest.close()
    const adding = waiting.add('a', tokens('at-a'))
    await pass(2_000)
    await adding
    const clearing = waiting.clear()
    await pass(2_000)
    expect(await clearing).toEqual([{ accessToken: 'at-a' }])
    rest.open()
    await pass(0)
    expect(await new Waiting(rest).take('a')).toBeNull()
    expect(await rest.read()).toBeNull()
  })

  it('over a write that comes after its own', async () => {
    const rest = memoryStore()
    let delayMs = 2_000
    const slow: TokenStore = {
      read: () => rest.read(),
      async write(...args) {
        await new Promise((done) => setTimeout(done, delayMs))
        return rest.write(...args)
      },
    }
    const waiting = new Waiting(slow)
    void waiting.add('a', tokens('at-a'))
    await pass(0)
    delayMs = 0
    void waiting.clear()
    await pass(3_000)
    expect(await rest.read()).toBeNull()
  })

  it('over a sign-in that is looking for what rests', async () => {
    const rest = new Gated()
    await new Waiting(rest).add('a', tokens('at-a'))
    const waiting = new Waiting(rest)
    rest.close()
    const taking = waiting.take('a')
    const clearing = waiting.clear()
    rest.open()
    expect(await taking).toBeNull()
    expect(await clearing).toEqual([{ accessToken: 'at-a' }])
  })
})

describe('S2 a place that is out of order', () => {
  const failing = (): never => {
    throw new Error('no database')
  }
  const never = (): Promise<never> => new Promise(() => {})
  it.each<[string, TokenStore]>([
    ['throws', { read: failing, write: failing }],
    ['never answers', { read: never, write: never }],
  ])('that %s costs no sign-in in this worker, and holds none up for more than a second', async (_how, rest) => {
    const waiting = new Waiting(rest)
    const adding = waiting.add('a', tokens('at-a'))
    await pass(900)
    await adding
    expect(await waiting.take('a')).toMatchObject(named('at-a'))
    const unknown = waiting.take('other')
    await pass(900)
    expect(await unknown).toBeNull()
  })
})
