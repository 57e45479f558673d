// `useAuthSession` where React really runs it: StrictMode, hydration, several renderings. On a server: test/unit/adapters/react.test.ts.
import type { Page } from 'puppeteer-core'
import { afterEach, expect, it } from 'vitest'
import { describeBrowsers } from './bench/browsers.ts'
import type { World } from './bench/page-server.ts'
import type {} from './pages/react.tsx'

/** A development build of React marks its own work, and advertises its tools. */
const isOfReact = (report: string): boolean => /^console\.(timeStamp|info: .*Download the React DevTools)/.test(report)

describeBrowsers('useAuthSession', (bench) => {
  afterEach(() => {
    bench.reports.push(...bench.reports.splice(0).filter((report) => !isOfReact(report)))
  })

  const openApp = async (): Promise<{ world: World; tab: Page }> => {
    const world = await bench.world()
    const tab = await bench.tab(world)
    await tab.evaluate(`import('/pages/react.js').then(() => {})`)
    return { world, tab }
  }

  it('shows what the session is, and what becomes of it', async () => {
    const { world, tab } = await openApp()
    const rendered = await tab.evaluate(async (tokens) => {
      openSession('sharedTabs')
      app.show()
      await app.shows('signed-out')
      await api.signIn(tokens)
      await app.shows('signed-in')
      await api.signOut()
      await app.shows('signed-out')
      return app.rendered
    }, world.server.signIn('viewer'))
    // Runs of the same status are one: StrictMode renders everything twice.
    expect(rendered.filter((status, index) => status !== rendered[index - 1])).toEqual([
      'signed-out',
      'signed-in',
      'signed-out',
    ])
  })

  it('requests that change nothing render nothing', async () => {
    const { world, tab } = await openApp()
    const [before, after, statuses] = await tab.evaluate(async (tokens) => {
      openSession('sharedTabs')
      app.show()
      await api.signIn(tokens)
      await app.shows('signed-in')
      const count = app.rendered.length
      const answers = await statusesOf(20)
      // A rendering that was asked for would come before this one.
      await api.signOut()
      await app.shows('signed-out')
      const atSignOut = app.rendered.indexOf('signed-out', count)
      return [count, atSignOut, answers] as const
    }, world.server.signIn('viewer'))
    expect(statuses).toEqual(Array(20).fill(200))
    expect(after).toBe(before)
  })

  it('StrictMode, a new session in place of the old one, and the end: no listener is left', async () => {
    const { tab } = await openApp()
    const counts = await tab.evaluate(async () => {
      openSession('sharedTabs')
      const first = app.counted(api)
      const second = app.counted({ subscribe: () => () => {}, snapshot: api.snapshot })
      // Effects run when the browser has painted; two frames later they have.
      const painted = (): Promise<void> =>
        new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve))))
      const seen: number[][] = []
      for (const step of [() => app.show(first), () => app.show(first), () => app.show(second), () => app.unmount()]) {
        step()
        await painted()
        seen.push([first.listeners, second.listeners])
      }
      return seen
    })
    expect(counts).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
      [0, 0],
    ])
  })

  it('hydrates the HTML of a server that knows nobody, on a browser that knows its user, without a repair', async () => {
    const { world, tab } = await openApp()
    await tab.evaluate(async (tokens) => {
      openSession('webStorage')
      await api.signIn(tokens)
    }, world.server.signIn('viewer'))
    await tab.reload()
    await tab.evaluate(`import('/pages/react.js').then(() => {})`)
    const { known, rendered, repaired } = await tab.evaluate(async () => {
      openSession('webStorage')
      const { status } = api.snapshot()
      app.hydrate('<output>signed-out</output>')
      await app.shows('signed-in')
      return { known: status, rendered: app.rendered, repaired: app.repaired }
    })
    // Before React has rendered anything: the case that would go wrong.
    expect(known).toBe('signed-in')
    expect(rendered[0]).toBe('signed-out')
    expect(repaired).toEqual([])
  })
})
