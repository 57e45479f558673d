// R2, R6, R12: shared work. Whoever asks for the same thing while it is under way waits for the one that is.
import { expect, it } from 'vitest'
import { SingleFlight } from '../../src/coordination/single-flight.ts'
import { deferred } from '../helpers/deferred.ts'
import { rejectionOf } from '../helpers/rejection.ts'

function flights() {
  let changes = 0
  const starts: Array<ReturnType<typeof deferred<number>>> = []
  const flight = new SingleFlight<string, number>({ onFlight: () => changes++ })
  const start = (): Promise<number> => {
    const work = deferred<number>()
    starts.push(work)
    return work.promise
  }
  return { flight, starts, run: (key: string) => flight.run(key, start), changes: () => changes }
}

it('R2 all who ask for one key get one piece of work', async () => {
  const { run, starts } = flights()
  const all = Array.from({ length: 100 }, () => run('a'))
  starts[0]?.resolve(7)
  expect(await Promise.all(all)).toEqual(Array(100).fill(7))
  expect(starts).toHaveLength(1)
})

it('R6 after it has landed, the next one starts anew, also after a failure', async () => {
  const { run, starts } = flights()
  const failed = rejectionOf(run('a'))
  starts[0]?.reject('failed')
  expect(await failed).toBe('failed')
  const again = run('a')
  starts[1]?.resolve(2)
  expect(await again).toBe(2)
})

it('R12 another key does not wait for it', async () => {
  const { run, starts } = flights()
  const slow = run('a')
  const other = run('b')
  starts[1]?.resolve(2)
  expect(await other).toBe(2)
  starts[0]?.resolve(1)
  expect(await slow).toBe(1)
})

it('R12 an old flight that lands late does not clear its successor', async () => {
  const { run, starts, flight } = flights()
  const old = run('a')
  const successor = run('b')
  starts[0]?.resolve(1)
  await old
  expect(flight.isFlying()).toBe(true)
  expect(run('b')).toBe(successor)
  expect(starts).toHaveLength(2)
})

it('C5 tells when work starts and when it has landed, with the state already changed', async () => {
  const seen: boolean[] = []
  const flight = new SingleFlight<string, number>({
    onFlight: () => seen.push(flight.isFlying()),
  })
  await flight.run('a', async () => 1)
  await flight.run('a', () => Promise.reject(new Error('failed'))).catch(() => {})
  expect(seen).toEqual([true, false, true, false])
})

it('E3 work that fails and that nobody waits for is no unhandled rejection of the flight’s own making', async () => {
  const { run, starts } = flights()
  run('a').catch(() => {})
  starts[0]?.reject(new Error('failed'))
  await new Promise((done) => setImmediate(done))
})
