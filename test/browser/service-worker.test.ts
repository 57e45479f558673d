// relatch/service-worker: the session lives in the worker, the page has what it needs of it, and no token ever comes there.
import type { Page } from 'puppeteer-core'
import { expect, it } from 'vitest'
import { describeBrowsers } from './bench/browsers.ts'
import { workerWorld } from './bench/worker-world.ts'

/** A page whose session is in the worker, and that worker in control. */
async function withSession(page: Page): Promise<void> {
  await page.evaluate(async () => {
    openWorkerSession()
    await api('/public')
  })
}

describeBrowsers('service worker', (bench) => {
  it('R2 20 plain fetches and 20 of the page meet one expired token: one refresh, in the worker', async () => {
    const world = await workerWorld(bench)
    const page = await bench.tab(world)
    await withSession(page)
    await page.evaluate((tokens) => api.signIn(tokens), world.server.signIn('viewer'))
    world.server.expireAccessTokens()
    const statuses = await page.evaluate(async () => {
      const plain = Array.from({ length: 20 }, async (_, call) => (await fetch(`/me?plain=${call}`)).status)
      return [...(await statusesOf(20)), ...(await Promise.all(plain))]
    })
    expect(statuses).toEqual(Array(40).fill(200))
    expect(world.server.stats).toMatchObject({ refreshes: 1, refreshAttempts: 1, reuses: 0 })
    await page.evaluate(() => hearing('refreshed'))
    expect(await page.evaluate(async () => [await api.tokens(), api.snapshot().status])).toEqual([null, 'signed-in'])
  })
})
