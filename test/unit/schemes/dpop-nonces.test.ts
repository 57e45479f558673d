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
    begin: (index: number): void => void nonces.begin(urls[index] as URL).then((nonce) => begun.push(nonce)),
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

  it('where nonces change they go one by one, each with what the answer before brought', async () => {
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

  it('once the line is empty, sends go as they come again', async () => {
    const { begin, begun, answer } = await underWay(2)
    answer(0, 'n-1', true)
    answer(1, 'n-2', true)
    begin(0)
    await flush()
    begin(1)
    await flush()
    expect(begun).toEqual(['n-2', 'n-2'])
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
    answer(0, 'n-1', true)
    begin(0)
    await flush()
    expect(begun).toEqual(['n-1'])
  })

  it('nobody stands in line for more than five seconds', async () => {
    const { begin, begun, answer } = await underWay(30)
    for (let index = 0; index < 30; index++) {
      answer(index, `n-${index}`, true)
      begin(index)
    }
    await pass(4999)
    expect(begun).toHaveLength(10)
    begin(0)
    await pass(1)
    expect(begun).toHaveLength(30)
    // Whoever came last does not wait for those who have left the line.
    await pass(1000)
    expect(begun).toHaveLength(31)
  })
})
