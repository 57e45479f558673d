// A3, T2: a server that makes an instance for each request: nothing is left of one that is dropped, disposed of or not, and making
// one is cheap.
import { describe, expect, it } from 'vitest'
import { cookieSessions } from '../../src/stores/cookies.ts'
import { Browser } from '../helpers/cookie-jar.ts'
import { costOf, floor, instance, serve } from '../helpers/request-instances.ts'

const REQUESTS = 10_000
const PATIENT = { timeout: 20_000 }
const gc = globalThis.gc as () => void

/** Lets finalizers, and what they let go, run. */
async function collect(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function liveBytes(): Promise<number> {
  await collect()
  return process.memoryUsage().heapUsed
}

describe('10 000 instances, one a request', () => {
  it.each([
    ['that are disposed of', true],
    ['that are simply dropped', false],
  ])('A3 T2 %s: all of them are collected, and the heap is as it was', async (_, isDisposed) => {
    // What the engine compiles and grows for the first ones is not theirs.
    for (let request = 0; request < 1000; request++) await serve(isDisposed)
    let collected = 0
    const registry = new FinalizationRegistry(() => collected++)
    const before = await liveBytes()
    for (let request = 0; request < REQUESTS; request++) await serve(isDisposed, (api) => registry.register(api, null))
    await expect.poll(() => collect().then(() => collected), PATIENT).toBe(REQUESTS)
    // 30 bytes each would be a reference and little else; the registry's own are among them.
    expect((await liveBytes()) - before).toBeLessThan(REQUESTS * 30)
  })

  it('A3 T2 with sessions in cookies, dropped in the middle of it all', async () => {
    const sessions = cookieSessions({ secret: 'a secret of more than 32 characters, for tests' })
    const browser = new Browser()
    await sessions(browser.cookies()).write({ sessionId: 's', version: 1, tokens: { accessToken: 'at' } }, null)
    let collected = 0
    const registry = new FinalizationRegistry(() => collected++)
    const visit = async (): Promise<void> => {
      const api = instance(sessions(browser.request().cookies))
      registry.register(api, null)
      expect((await api('/me')).status).toBe(200)
    }
    for (let request = 0; request < 1000; request += 10) await Promise.all(Array.from({ length: 10 }, visit))
    await expect.poll(() => collect().then(() => collected), PATIENT).toBe(1000)
  })
})

it.each([
  ['dropping', () => instance()],
  ['disposing of', () => instance().dispose()],
])('making one and %s it costs at most 20 µs of processor time', (_, make) => {
  // What 20 µs are on a machine of our time; on a slow one, that many times its floor.
  const most = Math.max(20, 20 * costOf(floor, 20))
  expect(costOf(make, 60, most)).toBeLessThan(most)
})
