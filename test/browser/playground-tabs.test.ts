// C1 in the playground: its button for eight tabs, which are frames there, and what the page says came of them.
import { expect, it } from 'vitest'
import { type Bench, describeBrowsers } from './bench/browsers.ts'
import { counters, run, visit } from './bench/playground-page.ts'

describeBrowsers('playground tabs', (bench) => {
  it('C1 eight tabs with twenty requests each', () => eightTabs(bench, 'indexeddb'))
})

// What differs from browser to browser is in rotation.test.ts.
describeBrowsers(
  'playground tabs, store by store',
  (bench) => {
    it.each(['web-storage', 'shared-tabs'])('C1 %s: eight tabs, too', (store) => eightTabs(bench, store))
  },
  ['chrome'],
)

async function eightTabs(bench: Bench, store: string): Promise<void> {
  const { page } = await visit(bench, `/?store=${store}`)
  // Nobody is signed in: it sees to that too.
  const { page: answers, server } = await run(page, '8 tabs × 20 requests')
  expect(answers).toEqual(['160 × 200', '8 of 8 tabs have all of their answers.'])
  expect(server).toContain('1 × refresh 200')
  expect(await counters(page)).toMatchObject({ requests: 320, '401': 160, refreshes: 1, reuses: 0, logins: 1 })
  expect(await page.$$('iframe')).toEqual([])
}
