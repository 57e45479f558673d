// Who waits for whom once a nonce was refused, and for how long at most.
import { describe, expect, it } from 'vitest'
import { dpopNonces } from '../../../src/schemes/dpop-nonces.ts'
import { fakeTime, flush, pass } from '../../helpers/fake-time.ts'

fakeTime()

/** So many sends that are under way, and a record of the nonces that later ones begin with. */
async function underWay(count: number) {
  const nonces = dpopNonces()
  const urls = Array.from({ length: count }, (_, index) => new URL(`https://api.example/${index}`))
  for (const url of urls) await nonces.begin(url)
  await pass(1)
  const begun: unknown[] = []
  return {
    begun,
    begin: (index: number, signal?: AbortSignal): void =>
      void nonces.begin(urls[index] as URL, signal).then((nonce) => begun.push(nonce)),
    answer(index: number, nonce: string | null, isRefusal = false): void {
      nonces.learn(urls[index] as URL, nonce, isRefusal)
      nonces.answered(urls[index] as URL)
    },
  }
}

describe('after a refusal', () => {
  it('a send alone goes on at once', async () => {
    const { begin, begun, answer } = await underWay(1)
    answer(0, 'n-1', true)
    begin(0)
    await flush()
    expect(begun).toEqual(['n-1'])
  })

  it('sends wait for the answers under way, and those refused the same nonce go together', async () => {
    const { begin, begun, answer } = await underWay(3)
    answer(0, 'n-1', true)
    begin(0)
    answer(1, 'n-1', true)
    begin(1)
    await flush()
    expect(begun).toEqual([])
    answer(2, null)
    await flush()
    expect(begun).toEqual(['n-1', 'n-1'])
  })

  it('where nonces live for one answer they go one by one, each with what the answer before brought', async () => {
    const { begin, begun, answer } = await underWay(3)
    for (const index of [0, 1, 2]) {
      answer(index, `n-${index}`, true)
      begin(index)
    }
    await flush()
    expect(begun).toEqual(['n-2'])
    answer(0, 'n-3')
    await flush()
    expect(begun).toEqual(['n-2', 'n-3'])
    answer(1, 'n-4')
    await flush()
    expect(begun).toEqual(['n-2', 'n-3', 'n-4'])
  })

  it('where nonces live for some answers, as many go at once as the newest one has left', async () => {
    const { begin, begun, answer } = await underWay(12)
    // The first may have been in use for long: its single answer here says nothing. The second one brought four.
    const brought = ['n-1', ...Array(4).fill('n-2'), 'n-3', ...Array(6).fill('n-3')].slice(0, 7)
    for (const [index, nonce] of brought.entries()) answer(index, nonce, true)
    for (let index = 7; index < 12; index++) answer(index, null)
    for (let index = 0; index < 12; index++) begin(index)
    await flush()
    // n-3 has brought two answers; the second of them used it.
    expect(begun).toEqual(Array(3).fill('n-3'))
    answer(0, 'n-3')
    answer(1, 'n-3')
    await flush()
    expect(begun).toHaveLength(3)
    answer(2, 'n-4')
    await flush()
    expect(begun).toEqual([...Array(3).fill('n-3'), ...Array(4).fill('n-4')])
  })

  it('an answer that is shown twice counts once', async () => {
    const { begin, begun, answer } = await underWay(5)
    for (const [index, nonce] of ['n-1', 'n-2', 'n-2', 'n-2', 'n-3'].entries()) {
      answer(index, nonce, true)
      answer(index, nonce, true)
    }
    for (let index = 0; index < 5; index++) begin(index)
    await flush()
    expect(begun).toEqual(['n-3', 'n-3', 'n-3'])
  })

  it('an answer that comes late does not bring back the nonce before', async () => {
    const { begin, begun, answer } = await underWay(4)
    answer(0, 'n-1', true)
    answer(1, 'n-2', true)
    answer(2, 'n-1', true)
    answer(3, 'n-1')
    begin(0)
    await flush()
    expect(begun).toEqual(['n-2'])
  })

  it('one that was sent since then does: a server may take up an older one again', async () => {
    const { begin, begun, answer } = await underWay(1)
    answer(0, 'n-1')
    answer(0, 'n-2')
    await pass(1)
    begin(0)
    await flush()
    answer(0, 'n-1')
    begin(0)
    await flush()
    expect(begun).toEqual(['n-2', 'n-1'])
  })

  it('once nobody waits and nobody who waited is on the way, sends go as they come again', async () => {
    const { begin, begun, answer } = await underWay(3)
    answer(0, 'n-1', true)
    answer(1, 'n-2', true)
    answer(2, null)
    begin(0)
    await flush()
    begin(1)
    await flush()
    expect(begun).toEqual(['n-2'])
    answer(0, 'n-3')
    await flush()
    answer(1, 'n-4')
    await flush()
    begin(0)
    begin(1)
    begin(2)
    await flush()
    expect(begun).toEqual(['n-2', 'n-3', 'n-4', 'n-4', 'n-4'])
  })

  it('who aborts leaves the line at once, and takes nobody his place', async () => {
    const { begin, begun, answer } = await underWay(3)
    answer(0, 'n-1', true)
    answer(1, 'n-2', true)
    const leaving = new AbortController()
    begin(0, leaving.signal)
    begin(1)
    await flush()
    expect(begun).toEqual([])
    leaving.abort()
    await flush()
    expect(begun).toEqual(['n-2'])
    answer(2, null)
    await flush()
    expect(begun).toEqual(['n-2', 'n-2'])
  })

  it('an aborted send is not waited for', async () => {
    const { begin, begun, answer } = await underWay(2)
    const leaving = new AbortController()
    begin(1, leaving.signal)
    await flush()
    leaving.abort()
    await pass(1)
    answer(0, 'n-1', true)
    begin(0)
    await flush()
    expect(begun).toEqual([undefined, 'n-1'])
  })

  it('another origin is not kept waiting', async () => {
    const nonces = dpopNonces()
    const [here, there] = [new URL('https://api.example/'), new URL('https://other.example/')]
    await nonces.begin(here)
    nonces.learn(here, 'n-1', true)
    expect(await nonces.begin(there)).toBeUndefined()
  })
})

describe('bounds', () => {
  it('an answer that is not there within half a second is not waited for', async () => {
    const { begin, begun, answer } = await underWay(2)
    answer(0, 'n-1', true)
    begin(0)
    await pass(499)
    expect(begun).toEqual([])
    await pass(1)
    expect(begun).toEqual(['n-1'])
  })

  it('one that is slow already costs nothing', async () => {
    const { begin, begun, answer } = await underWay(2)
    await pass(500)
    begin(0)
    await flush()
    answer(0, 'n-1', true)
    begin(0)
    await flush()
    expect(begun).toEqual([undefined, 'n-1'])
  })

  it('where answers take long they are waited for as long as three of them', async () => {
    const { begin, begun, answer } = await underWay(2)
    await pass(599)
    answer(0, 'n-1', true)
    begin(0)
    await pass(1799)
    expect(begun).toEqual([])
    await pass(1)
    expect(begun).toEqual(['n-1'])
  })

  it('and ten seconds at most', async () => {
    const { begin, begun, answer } = await underWay(2)
    await pass(8999)
    answer(0, 'n-1', true)
    begin(0)
    await pass(999)
    expect(begun).toEqual([])
    await pass(9001)
    expect(begun).toEqual(['n-1'])
  })

  it('answers that never come move the line on, and nobody stands in it for more than 30 seconds', async () => {
    const { begin, begun, answer } = await underWay(90)
    for (let index = 0; index < 90; index++) answer(index, `n-${index}`, true)
    for (let index = 0; index < 90; index++) begin(index)
    await pass(29_999)
    expect(begun).toHaveLength(60)
    await pass(1)
    expect(begun).toHaveLength(90)
  })
})
