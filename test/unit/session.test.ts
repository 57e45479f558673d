// R8, R11, R12, S2: the session engine by itself: what is current, and how memory and store come to agree.
import { describe, expect, it, vi } from 'vitest'
import { type Change, Engine } from '../../src/session.ts'
import { receiveTokens } from '../../src/tokens.ts'
import { deferred } from '../helpers/deferred.ts'
import { fakeTime, flush, pass, settled } from '../helpers/fake-time.ts'
import { createMedium, type Traits } from '../helpers/medium.ts'

fakeTime()

const received = (accessToken: string, more = {}) => receiveTokens({ accessToken, ...more })

function engineOn(medium = createMedium(), traits: Traits = { hasWatch: true }) {
  const changes: Change[] = []
  const engine = new Engine(medium.store(traits), { onChange: (change) => changes.push(change) })
  engine.open()
  const events = () => changes.map(({ event }) => event).filter((event) => event !== 'status')
  return { engine, medium, events, current: () => engine.current()?.tokens?.accessToken ?? null }
}

/** Refreshes as the pipeline does, and says what is current then. */
async function refresh({ engine, current }: ReturnType<typeof engineOn>, accessToken: string): Promise<string | null> {
  const base = engine.current()
  await settled(engine.commit(base, engine.epoch(), received(accessToken)))
  return current()
}

describe('one engine', () => {
  it('S1 a synchronous store is read at once, an asynchronous one before anything is said', async () => {
    const stored = { sessionId: 's', version: 1, tokens: { accessToken: 'a' } }
    const at = engineOn(createMedium(stored))
    expect([at.engine.loading(), at.current()]).toEqual([null, 'a'])
    const later = engineOn(createMedium(stored), { latencyMs: () => 10 })
    expect(later.engine.loading()).not.toBeNull()
    expect(later.current()).toBeNull()
    await settled(later.engine.loading() as Promise<void>)
    expect([later.engine.loading(), later.current()]).toEqual([null, 'a'])
  })

  it('R12 each sign-in is a session of its own, and a refresh keeps its id', async () => {
    const one = engineOn()
    await one.engine.signIn(received('a'))
    const first = one.engine.current()?.sessionId
    await refresh(one, 'b')
    expect(one.engine.current()?.sessionId).toBe(first)
    await one.engine.signIn(received('c'))
    expect(one.engine.current()?.sessionId).not.toBe(first)
  })

  it('S1 versions grow with every write, over sign-outs too', async () => {
    const one = engineOn()
    for (let round = 0; round < 5; round++) {
      await one.engine.signIn(received(`a${round}`))
      await refresh(one, `b${round}`)
      await one.engine.signOut()
    }
    const versions = one.medium.writes.flatMap((write) => (write ? [write.version] : []))
    expect(versions).toHaveLength(10)
    expect(new Set(versions).size).toBe(10)
    expect(versions.every(Number.isSafeInteger)).toBe(true)
  })

  it('R12 a refresh that ends after a sign-out, or after another sign-in, is dropped', async () => {
    const one = engineOn()
    await one.engine.signIn(received('a'))
    const [base, epoch] = [one.engine.current(), one.engine.epoch()]
    await one.engine.signOut()
    await one.engine.commit(base, epoch, received('late'))
    expect([one.current(), one.medium.stored]).toEqual([null, null])
    await one.engine.signIn(received('b'))
    await one.engine.commit(base, epoch, received('later'))
    expect(one.medium.stored?.tokens?.accessToken).toBe('b')
  })

  it('R12 first tokens that come after a sign-out of nobody are dropped', async () => {
    const one = engineOn()
    const [base, epoch] = [one.engine.current(), one.engine.epoch()]
    await one.engine.signOut()
    await one.engine.commit(base, epoch, received('late'))
    expect(one.current()).toBeNull()
  })

  it('R10 a refresh keeps what its answer leaves out', async () => {
    const one = engineOn()
    await one.engine.signIn(received('a', { refreshToken: 'r', scope: 's', subject: 'u' }))
    await refresh(one, 'b')
    expect(one.engine.current()?.tokens).toEqual({ accessToken: 'b', refreshToken: 'r', scope: 's', subject: 'u' })
  })

  it('R12 a refresh that speaks for another subject starts another session, without the old one’s tokens', async () => {
    const one = engineOn()
    await one.engine.signIn(received('a', { refreshToken: 'r', subject: 'u' }))
    const before = one.engine.current()?.sessionId
    await one.engine.commit(one.engine.current(), one.engine.epoch(), received('b', { subject: 'v' }))
    expect(one.engine.current()?.sessionId).not.toBe(before)
    expect(one.engine.current()?.tokens).toEqual({ accessToken: 'b', subject: 'v' })
  })

  it('C5 what happened under a lock is told of after it', async () => {
    const one = engineOn(createMedium(), { hasLock: true })
    await one.engine.signIn(received('a'))
    const told: number[] = []
    await settled(
      one.engine.locked(async () => {
        one.engine.report({ event: 'adopted', payload: { sessionId: 's', version: 1 } })
        told.push(one.events().filter((event) => event === 'adopted').length)
      }, 1000),
    )
    told.push(one.events().filter((event) => event === 'adopted').length)
    expect(told).toEqual([0, 1])
  })

  it('S1 the store gets copies: what it does to them changes nothing here', async () => {
    const kept: Array<{ tokens: { accessToken: string } }> = []
    const engine = new Engine({ read: () => null, write: (next) => kept.push(next as never) > 0 }, { onChange() {} })
    await engine.signIn(received('a'))
    for (const { tokens } of kept) tokens.accessToken = 'meddled-with'
    expect(engine.current()?.tokens?.accessToken).toBe('a')
  })
})

describe('two engines on one medium', () => {
  const pair = (traits: Traits = { hasWatch: true }) => {
    const medium = createMedium()
    return { medium, a: engineOn(medium, traits), b: engineOn(medium, traits) }
  }

  it('R8 sign-in, refresh and sign-out of one reach the other', async () => {
    const { a, b } = pair()
    await a.engine.signIn(received('x'))
    await pass(2000)
    expect(b.current()).toBe('x')
    await refresh(a, 'y')
    await pass(2000)
    expect(b.current()).toBe('y')
    await a.engine.signOut()
    await pass(2000)
    expect(b.current()).toBeNull()
    expect(b.events()).toEqual(['signed-in', 'adopted', 'signed-out'])
  })

  it('R8 who loses the race takes over the winner’s tokens', async () => {
    const { a, b } = pair({ hasWatch: false })
    await a.engine.signIn(received('x'))
    await b.engine.reread()
    await refresh(a, 'winner')
    expect(await refresh(b, 'loser')).toBe('winner')
  })

  it('R8 a refusal clears nothing where somebody has stored newer tokens', async () => {
    const { medium, a, b } = pair({ hasWatch: false })
    await a.engine.signIn(received('x'))
    await b.engine.reread()
    await refresh(a, 'newer')
    await b.engine.endOver(b.engine.current() as NonNullable<ReturnType<typeof b.engine.current>>)
    expect(b.current()).toBe('newer')
    expect(medium.stored?.tokens?.accessToken).toBe('newer')
  })

  it('R8 a refusal clears the store where nobody has', async () => {
    const { medium, a } = pair({ hasWatch: false })
    await a.engine.signIn(received('x'))
    await a.engine.endOver(a.engine.current() as NonNullable<ReturnType<typeof a.engine.current>>)
    expect([a.current(), medium.stored]).toEqual([null, null])
    expect(a.engine.lastEnded()?.reason).toBe('over')
  })

  it('S1 sign-ins of two processes in the same millisecond do not share a version', async () => {
    const random = vi.spyOn(Math, 'random')
    const versions: unknown[] = []
    for (const value of [0.1, 0.5, 0.9]) {
      random.mockReturnValue(value)
      const { engine } = engineOn()
      await engine.signIn(received('x'))
      versions.push(engine.current()?.version)
    }
    random.mockRestore()
    expect(new Set(versions).size).toBe(3)
  })

  it('R11 of two readings the later one counts, whichever arrives last', async () => {
    const { medium, a, b } = pair({ hasWatch: false })
    await a.engine.signIn(received('x'))
    await b.engine.reread()
    const held = deferred<void>()
    medium.faults.read = async (work) => {
      const before = work()
      await held.promise
      return before
    }
    const slow = b.engine.reread()
    medium.faults = {}
    await a.engine.signIn(received('y'))
    await b.engine.reread()
    expect(b.current()).toBe('y')
    held.resolve()
    await settled(slow)
    expect(b.current()).toBe('y')
  })

  it('R12 two sign-ins at once: both end with the one that is stored', async () => {
    const { medium, a, b } = pair({ hasWatch: true, latencyMs: () => 10 })
    await settled(Promise.all([a.engine.signIn(received('x')), b.engine.signIn(received('y'))]))
    await pass(10_000)
    const stored = medium.stored?.tokens?.accessToken
    expect(['x', 'y']).toContain(stored)
    expect([a.current(), b.current()]).toEqual([stored, stored])
  })

  it('R11 memory that is ahead gives way to what another has stored since, and to nothing else', async () => {
    const { medium, a, b } = pair({ hasWatch: false })
    await a.engine.signIn(received('x'))
    await b.engine.reread()
    medium.faults.write = () => Promise.reject(new Error('broken'))
    await refresh(a, 'unstored')
    await a.engine.reread()
    expect(a.current()).toBe('unstored')
    medium.faults = {}
    await refresh(b, 'stored')
    await refresh(b, 'stored-again')
    await pass(120_000)
    await flush()
    expect(medium.stored?.tokens?.accessToken).toBe(a.current())
  })
})
