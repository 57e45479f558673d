// C1 in the playground: its button for eight tabs, which are frames there, and what the page says came of them.
import { expect, it } from 'vitest'
import { type Bench, describeBrowsers } from './bench/browsers.ts'
import { type Card, counters, run, visit } from './bench/playground-page.ts'

describeBrowsers('playground tabs', (bench) => {
  it('C1 eight tabs with twenty requests each', () => eightTabs(bench, 'indexeddb'))
})

// What differs from browser to browser is in rotation.test.ts.
describeBrowsers(
  'playground tabs, store by store',
  (bench) => {
    it.each(['web-storage', 'shared-tabs'])('C1 %s: eight tabs, too', (store) => eightTabs(bench, store))

    it('C1 one worker for eight tabs', async () => {
      const { page } = await visit(bench, '/service-worker/')
      // The page is there once its worker is.
      await page.waitForSelector('.runs')
      expectWhole(await run(page, '8 tabs × 20 requests'))
      // How many of them it had sent before the first 401 is not ours to say.
      expect(await counters(page)).toMatchObject({ refreshes: 1, reuses: 0, logins: 1 })
    })
  },
  ['chrome'],
)

async function eightTabs(bench: Bench, store: string): Promise<void> {
  const { page } = await visit(bench, `/?store=${store}`)
  // Nobody is signed in: it sees to that too.
  expectWhole(await run(page, '8 tabs × 20 requests'))
  expect(await counters(page)).toMatchObject({ requests: 320, '401': 160, refreshes: 1, reuses: 0, logins: 1 })
  expect(await page.$$('iframe')).toEqual([])
}

function expectWhole({ page, server }: Card): void {
  expect(page).toEqual(['160 × 200', '8 of 8 tabs have all of their answers.'])
  expect(server).toContain('1 × refresh 200')
}
