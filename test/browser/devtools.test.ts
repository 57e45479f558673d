// <relatch-devtools> as whoever looks at it sees it: rows and their stages, keys, filters, and what it must never show or leave.
import { build } from 'esbuild'
import type { Page, SerializedAXNode } from 'puppeteer-core'
import { describe, expect, it } from 'vitest'
import type { RelatchDevtoolsElement } from '../../src/devtools/index.ts'
import { type AnyBench, type Bench, describeBrowsers, type Tab } from './bench/browsers.ts'
import type { World } from './bench/page-server.ts'
import type { StoreName } from './bench/stores.ts'

type Devtools = typeof import('../../src/devtools/index.ts')

declare global {
  // What pages/devtools.js puts there.
  var devtools: Devtools['devtools']
  var defineDevtools: Devtools['defineDevtools']
  var showDevtools: (store?: StoreName) => void
  var panel: RelatchDevtoolsElement
  var rows: () => string[]
  var rowOf: (text: string) => HTMLElement
  var rowsBecome: (expected: string[]) => Promise<string[]>
  var becomes: <T>(read: () => T, expected: T) => Promise<T>
  var inside: (selector: string) => HTMLElement
  var buttonOf: (name: string) => HTMLButtonElement
  var markup: () => string
  var drawn: () => Promise<void>
  var pending: (start: string, end: string) => Set<unknown>
  var silentSession: () => typeof api & { listeners: Set<unknown> }
  var leastContrast: () => { contrast: number; where: string }
}

async function openTab<T extends Tab>(bench: AnyBench<T>, world: World): Promise<T> {
  const tab = await bench.tab(world, '/page/devtools.js')
  // WebKit's tabs are there before their modules are.
  await tab.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const look = (): unknown => ('showDevtools' in globalThis ? resolve() : setTimeout(look, 10))
        look()
      }),
  )
  return tab
}

/** A page with devtools, and a viewer who is signed in. */
async function openPage<T extends Tab>(bench: AnyBench<T>): Promise<{ world: World; tab: T }> {
  const world = await bench.world()
  const tab = await openTab(bench, world)
  await tab.evaluate(async (tokens) => {
    showDevtools()
    await api.signIn(tokens)
  }, world.server.signIn('viewer'))
  return { world, tab }
}

const REFRESHED = ['GET /items 401 → 200 [rejected waits replay]', 'refresh by this tab [refresh]']

describeBrowsers('devtools', (bench) => {
  it('shows a request that is answered, recovered, denied, parked and failed, each with its stages', async () => {
    const { world, tab } = await openPage(bench)
    const { server } = world
    await tab.evaluate(() => statusesOf(1, '/me'))
    server.expireAccessTokens()
    await tab.evaluate(() => statusesOf(1, '/items'))
    await tab.evaluate(() => statusesOf(1, '/admin'))
    await tab.evaluate(() => api('/slow?ms=60000', { signal: AbortSignal.timeout(20) }).catch(() => {}))
    const before = [
      'signed in here [event]',
      'GET /me 200 [sent]',
      ...REFRESHED,
      'GET /admin 403 [denied permission]',
      'GET /slow failed [failed]',
    ]
    expect(await tab.evaluate((expected) => rowsBecome(expected), before)).toEqual(before)

    server.revokeSession()
    await tab.evaluate(() => {
      void api('/items/1')
      return hearing('login-required')
    })
    const parked = [
      'GET /items/1 parked [rejected waits login open]',
      'refresh over [failed]',
      'signed out over [event]',
      'login required refresh-refused [event]',
    ]
    const during = [...before, ...parked]
    expect(await tab.evaluate((expected) => rowsBecome(expected), during)).toEqual(during)
    await tab.evaluate((tokens) => api.signIn(tokens), server.signIn('viewer'))
    const after = [
      ...before,
      'GET /items/1 401 → 200 [rejected waits login replay]',
      ...parked.slice(1),
      'signed in here [event]',
    ]
    expect(await tab.evaluate((expected) => rowsBecome(expected), after)).toEqual(after)
  })

  it('shows the state of the session, and how long its token lives', async () => {
    const { tab } = await openPage(bench)
    const shown = await tab.evaluate(async () => {
      await becomes(() => inside('.badge').textContent, 'Signed in')
      return [inside('.badge').textContent, inside('[role=timer]').textContent, inside('.tab').textContent]
    })
    expect(shown).toEqual(['Signed in', expect.stringMatching(/^expires in [45]:\d\d$/), 'this is tab A'])
    const said = await tab.evaluate(async () => {
      await api.signOut()
      await becomes(() => inside('.badge').textContent, 'Signed out')
      return [inside('[role=status]').textContent, inside('[role=timer]').textContent]
    })
    expect(said).toEqual(['Session: Signed out', ''])
  })

  it('E1 has no token in it, after everything that can happen, with every row looked at', async () => {
    const { world, tab } = await openPage(bench)
    const { server } = world
    const tokens = [await tab.evaluate(() => api.tokens())]
    server.expireAccessTokens()
    await tab.evaluate(() => Promise.all([statusesOf(5, '/items'), statusesOf(1, '/admin'), statusesOf(1, '/reports')]))
    tokens.push(await tab.evaluate(() => api.tokens()))
    await tab.evaluate(
      ({ accessToken } = { accessToken: '' }) => api(`/me?token=${accessToken}#${accessToken}`),
      tokens[1] ?? undefined,
    )
    server.revokeSession()
    const next = server.signIn('admin')
    const html = await tab.evaluate(async (login) => {
      const parked = api('/me')
      await hearing('login-required')
      await api.signIn(login)
      await parked
      await api.signOut()
      await becomes(() => rows().at(-1), 'signed out requested [event]')
      const all = [markup()]
      for (const row of panel.shadowRoot?.querySelectorAll<HTMLElement>('[aria-level]') ?? []) {
        row.click()
        await becomes(
          () =>
            inside('.detail h2').textContent?.includes(row.querySelector('.name')?.textContent?.split(' ')[0] ?? ''),
          true,
        )
        await drawn()
        all.push(markup())
      }
      return all.join('\n')
    }, next)
    expect(html).toContain('insufficient-scope')
    const secrets = [...tokens, { accessToken: next.access_token, refreshToken: next.refresh_token }]
      .flatMap((each) => [each?.accessToken, each?.refreshToken])
      .filter((each) => each !== undefined)
    expect(secrets).toHaveLength(6)
    const parts = secrets.flatMap((each) =>
      Array.from({ length: each.length - 7 }, (_, index) => each.slice(index, index + 8)),
    )
    expect(parts.filter((part) => html.includes(part))).toEqual([])
  })

  it('folds what is alike, and opens it', async () => {
    const { world, tab } = await openPage(bench)
    world.server.expireAccessTokens()
    const [folded, opened] = await tab.evaluate(async () => {
      await statusesOf(50, '/items')
      const fold = 'GET /items ×50 401 → 200 [18 lines]'
      await becomes(() => rows().includes(fold), true)
      const before = rows()
      rowOf('×50').querySelector<HTMLElement>('.name')?.click()
      await becomes(() => rows().length, before.length + 50)
      return [before, rows()] as const
    })
    expect(folded).toHaveLength(3)
    expect(folded).toContain('GET /items ×50 401 → 200 [18 lines]')
    expect(opened.filter((line) => line === 'GET /items 401 → 200 [rejected waits replay]')).toHaveLength(50)
  })

  it('filters by words and by kinds, and clears', async () => {
    const { tab } = await openPage(bench)
    const [me, admin, signedIn] = ['GET /me 200 [sent]', 'GET /admin 403 [denied permission]', 'signed in here [event]']
    const steps: [what: string, expected: string[]][] = [
      ['', [signedIn, me, admin]],
      ['type ADMIN', [admin]],
      ['type 200', [me]],
      ['type nothing like it', ['Nothing matches the filter.']],
      ['type ', [signedIn, me, admin]],
      ['press 403', [admin]],
      ['press session', [signedIn, admin]],
      ['press 403', [signedIn]],
      ['press session', [signedIn, me, admin]],
      ['press Clear', ['Waiting for the first request.']],
    ]
    await tab.evaluate(async () => [...(await statusesOf(1, '/me')), ...(await statusesOf(1, '/admin'))])
    for (const [step, expected] of steps) {
      const seen = await tab.evaluate(
        (what, wanted) => {
          const text = /^type (.*)/.exec(what)?.[1]
          const button = /^press (.*)/.exec(what)?.[1]
          const search = inside('input') as HTMLInputElement
          if (text !== undefined) search.value = text
          search.dispatchEvent(new Event('input'))
          if (button !== undefined) buttonOf(button).click()
          const empty = inside('.empty')
          return becomes(() => [...rows(), ...(empty.hidden ? [] : [empty.textContent ?? ''])], wanted)
        },
        step,
        expected,
      )
      expect(seen, step).toEqual(expected)
    }
  })

  it('keeps as many rows as `max` says', async () => {
    const { tab } = await openPage(bench)
    const counts = await tab.evaluate(async () => {
      panel.max = 5
      for (let index = 0; index < 20; index++) await api(`/items/${index}`)
      await becomes(() => rows().at(-1), 'GET /items/19 200 [sent]')
      return [rows().length, inside('.counts').textContent]
    })
    expect(counts).toEqual([5, '20 requests · 0 refreshes · 0 failed · newest 5 rows kept'])
  })

  it('draws nothing while it is collapsed, and everything once it is opened', async () => {
    const { tab } = await openPage(bench)
    const [mutations, frames, opened] = await tab.evaluate(async () => {
      await becomes(() => inside('.badge').textContent, 'Signed in')
      panel.open = false
      await becomes(() => inside('.opener').ariaExpanded, 'false')
      const seen: MutationRecord[] = []
      const observer = new MutationObserver((records) => seen.push(...records))
      if (panel.shadowRoot)
        observer.observe(panel.shadowRoot, { subtree: true, childList: true, attributes: true, characterData: true })
      const running = pending('requestAnimationFrame', 'cancelAnimationFrame')
      await statusesOf(3, '/me')
      const asked = running.size
      await drawn()
      seen.push(...observer.takeRecords())
      observer.disconnect()
      panel.open = true
      const expected = ['signed in here [event]', ...Array(3).fill('GET /me 200 [sent]')]
      return [seen.length, asked, await rowsBecome(expected)]
    })
    expect([mutations, frames]).toEqual([0, 0])
    expect(opened).toEqual(['signed in here [event]', ...Array(3).fill('GET /me 200 [sent]')])
  })

  it('leaves no listener, timer, frame or channel behind, and goes on where it is put back', async () => {
    const world = await bench.world()
    const tab = await openTab(bench, world)
    const counts = await tab.evaluate(async () => {
      let channels = 0
      const Channel = BroadcastChannel
      globalThis.BroadcastChannel = class extends Channel {
        constructor(name: string) {
          super(name)
          channels++
        }
        override close(): void {
          channels--
          super.close()
        }
      }
      const timers = pending('setTimeout', 'clearTimeout')
      const frames = pending('requestAnimationFrame', 'cancelAnimationFrame')
      const session = silentSession()
      const element = devtools(session)
      const count = () => [session.listeners.size > 0, channels, timers.size, frames.size]
      const all = [count()]
      document.body.append(element)
      await new Promise((resolve) => requestAnimationFrame(resolve))
      all.push(count().slice(0, 3))
      element.remove()
      all.push(count())
      document.body.append(element)
      element.toggleAttribute('open')
      all.push([...count().slice(0, 2), frames.size])
      Object.assign(element, { session: null })
      element.remove()
      all.push(count())
      return all
    })
    expect(counts).toEqual([
      [false, 0, 0, 0],
      [true, 1, 1],
      [false, 0, 0, 0],
      [true, 1, 1],
      [false, 0, 0, 0],
    ])
  })

  it('takes a session that was set before the element was defined, and one that takes its place', async () => {
    const world = await bench.world()
    const tab = await openTab(bench, world)
    const shown = await tab.evaluate(async (tokens) => {
      openSession('sharedTabs')
      const element = document.createElement('relatch-devtools')
      globalThis.panel = element
      element.setAttribute('open', '')
      element.session = api
      document.body.append(element)
      defineDevtools()
      defineDevtools()
      await api.signIn(tokens)
      const first = await rowsBecome(['signed in here [event]'])
      element.session = silentSession()
      return [first, await rowsBecome([]), element.session === api]
    }, world.server.signIn('viewer'))
    expect(shown).toEqual([['signed in here [event]'], [], false])
  })

  it('C3 says which tab refreshed, and which one signed out', async () => {
    const world = await bench.world()
    const one = await openTab(bench, world)
    const other = await openTab(bench, world)
    for (const tab of [one, other]) await tab.evaluate(() => showDevtools('webStorage'))
    await one.evaluate((tokens) => api.signIn(tokens), world.server.signIn('viewer'))
    await other.evaluate(() => statusIs('signed-in'))
    await one.evaluate(() => api.refresh())
    await other.evaluate(() => hearing('adopted'))
    await one.evaluate(() => api.signOut())
    const expected = [
      'signed in by tab A [event]',
      'newer tokens taken over by tab A [event]',
      'signed out by tab A [event]',
    ]
    expect(await other.evaluate((lines) => rowsBecome(lines), expected)).toEqual(expected)
    expect(await other.evaluate(() => inside('.tab').textContent)).toBe('this is tab B')
  })
})

/** A page without an import map or anything else inline, and its one script. */
async function strictPage() {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        import { createAuthFetch } from './dist/index.js'
        import { devtools } from './dist/devtools.js'
        globalThis.panel = document.body.appendChild(devtools(createAuthFetch()))
        void panel.session('/public')`,
      resolveDir: '.',
    },
    bundle: true,
    format: 'esm',
    write: false,
  })
  const script = outputFiles[0]?.text ?? ''
  const html = `<!doctype html><html lang="en"><title>strict</title><body><script type="module" src="/strict.js"></script>`
  const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'"
  const answer = (body: string, type: string) => ({
    isPublic: true,
    handle: () => new Response(body, { headers: { 'content-type': type, 'content-security-policy': policy } }),
  })
  return {
    'GET /strict': answer(html, 'text/html; charset=utf-8'),
    'GET /strict.js': answer(script, 'text/javascript; charset=utf-8'),
  }
}

// WebKitWebDriver could not look into such a page: it evaluates texts.
describeBrowsers('devtools on a strict page', (bench) => {
  it("works under default-src 'none'; style-src 'self'; script-src 'self'", async () => {
    const world = await bench.world({ routes: await strictPage() })
    const tab = await bench.tab(world, '/strict')
    const looks = await tab.evaluate(
      () =>
        new Promise((resolve) => {
          const look = (): void => {
            const bar = panel.shadowRoot?.querySelector('.bar.sent:not(.legend *)')
            const { backgroundColor = '', left = '', width = '' } = bar ? getComputedStyle(bar) : {}
            // One that has just begun is narrow.
            if (!(Number.parseFloat(width) > 10)) return void setTimeout(look, 10)
            resolve([backgroundColor !== 'rgba(0, 0, 0, 0)', left, Number.parseFloat(width) > 10])
          }
          look()
        }),
    )
    expect(looks).toEqual([true, '0px', true])
    // Firefox tells of its own favicon being blocked.
    if (bench.name === 'firefox') {
      await expect.poll(() => bench.reports).toEqual([expect.stringContaining('/favicon.ico')])
      bench.reports.length = 0
    }
  })
})

describeBrowsers('devtools by keyboard', (bench: Bench) => {
  const focused = (tab: Page): Promise<string> =>
    tab.evaluate(
      () =>
        panel.shadowRoot?.activeElement?.querySelector('.name')?.textContent ??
        panel.shadowRoot?.activeElement?.ariaLabel ??
        '',
    )

  it('is walked from row to row, into a fold and out of it, and into the details and back', async () => {
    const { world, tab } = await openPage(bench)
    world.server.expireAccessTokens()
    await tab.evaluate(async () => {
      await statusesOf(1, '/me')
      await statusesOf(6, '/items')
      await becomes(() => rows().at(-1), 'GET /items ×6 200 [6 lines]')
      buttonOf('session').focus()
    })
    const press = async (...keys: Parameters<Page['keyboard']['press']>[0][]): Promise<string> => {
      for (const key of keys) {
        await tab.keyboard.press(key)
        await tab.evaluate(() => drawn())
      }
      return focused(tab)
    }
    expect(await press('Tab')).toBe('signed in')
    expect(await press('ArrowDown')).toBe('/me')
    expect(await press('End')).toBe('/items ×6')
    expect(await press('ArrowRight', 'ArrowDown')).toBe('/items')
    expect(await tab.evaluate(() => rows().length)).toBe(10)
    expect(await press('ArrowLeft')).toBe('/items ×6')
    expect(await press('ArrowLeft', 'Home', 'ArrowDown')).toBe('/me')
    expect(await tab.evaluate(() => rows().length)).toBe(4)
    expect(await tab.evaluate(() => inside('.detail').hidden)).toBe(true)

    await press('Enter')
    const details = await tab.evaluate(() =>
      [...(inside('tbody').querySelectorAll('td:nth-child(2)') ?? [])].map((cell) => cell.textContent),
    )
    expect(details).toEqual(['sent, 401', 'waited for a refresh', 'sent again, 200', 'settled'])
    expect(await tab.evaluate(() => inside('.detail h2').textContent)).toBe('GET /me')
    await press('ArrowDown')
    expect(await tab.evaluate(() => inside('.detail h2').textContent)).toBe('refresh')
    expect(await press('Tab')).toBe('Close details')
    expect(await press('Escape')).toBe('refresh')
    expect(await tab.evaluate(() => inside('.detail').hidden)).toBe(true)
  })

  it('keeps the focus in the list when the row that had it is let go of', async () => {
    const { tab } = await openPage(bench)
    const focusedRow = await tab.evaluate(async () => {
      await becomes(() => rows().length, 1)
      panel.max = 2
      inside('[tabindex="0"]').focus()
      for (const path of ['/items/1', '/items/2', '/items/3']) await api(path)
      await rowsBecome(['GET /items/2 200 [sent]', 'GET /items/3 200 [sent]'])
      return panel.shadowRoot?.activeElement?.querySelector('.name')?.textContent
    })
    expect(focusedRow).toBe('/items/2')
  })
})

describeBrowsers(
  'devtools for eyes and ears',
  (bench) => {
    it('is a treegrid of rows that read as sentences, buttons with names, and one polite status', async () => {
      const { world, tab } = await openPage(bench)
      world.server.expireAccessTokens()
      await tab.evaluate(async () => {
        await statusesOf(1, '/me')
        const recovered = ['GET /me 401 → 200 [rejected waits replay]', 'refresh by this tab [refresh]']
        await rowsBecome(['signed in here [event]', ...recovered])
      })
      const nodes = flat(await tab.accessibility.snapshot({ interestingOnly: false }))
      const named = (role: string): string[] => nodes.filter((node) => node.role === role).map(({ name }) => name ?? '')
      expect(named('treegrid')).toEqual(['Requests'])
      expect(named('columnheader')).toEqual(['Method', 'Path', 'Status', 'Time', 'Waterfall'])
      expect(named('row').at(-2)).toMatch(
        /^GET \/me 401 → 200 \d+ ms sent, 401 \(\d+ ms\), waited for a refresh \(\d+ ms\), sent again, 200 \(\d+ ms\)$/,
      )
      expect(named('button')).toEqual([
        'relatch',
        'Clear',
        ...['sent', '401', 'waits for refresh', 'refresh', 'replay', '403', 'login, step-up', 'failed', 'session'],
      ])
      expect(named('searchbox')).toEqual(['Filter by method, path or status'])
      expect(nodes.find(({ role }) => role === 'button')?.expanded).toBe(true)
      expect(await tab.evaluate(() => inside('[role=status]').textContent)).toBe('Session: Signed in')
    })

    it('is announced once for a state, and never for a request or a second', async () => {
      const { world, tab } = await openPage(bench)
      world.server.failRefresh({ slowMs: 300 })
      const said = await tab.evaluate(async () => {
        await becomes(() => inside('.badge').textContent, 'Signed in')
        let changes = 0
        new MutationObserver((records) => {
          changes += records.length
        }).observe(inside('[role=status]'), { subtree: true, childList: true, characterData: true })
        const time = inside('[role=timer]').textContent
        await statusesOf(3, '/me')
        const refreshed = api.refresh()
        const during = await becomes(() => inside('.badge').textContent, 'Refreshing')
        await refreshed
        await becomes(() => inside('[role=timer]').textContent === time, false)
        return [during, changes]
      })
      expect(said).toEqual(['Refreshing', 0])
    })

    for (const scheme of ['light', 'dark'])
      describe(scheme, () => {
        it.each([390, 1280])(
          'every text has a contrast of 4.5 at least, at %d px, and nothing hangs over',
          async (width) => {
            const { world, tab } = await openPage(bench)
            await tab.setViewport({ width, height: 900 })
            await tab.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
            world.server.expireAccessTokens()
            await tab.evaluate(() =>
              Promise.all([statusesOf(5, '/me'), statusesOf(1, '/admin'), statusesOf(1, '/status/503')]),
            )
            world.server.revokeSession()
            const [least, overhang, background] = await tab.evaluate(async () => {
              void api('/items')
              await api('/slow?ms=60000', { signal: AbortSignal.timeout(20) }).catch(() => {})
              await becomes(() => rows().some((line) => line.includes('parked')), true)
              rowOf('/admin').click()
              await becomes(() => inside('.detail h2').textContent, 'GET /admin')
              const { scrollWidth, clientWidth } = document.documentElement
              return [
                leastContrast(),
                scrollWidth - clientWidth,
                getComputedStyle(inside('.panel')).backgroundColor,
              ] as const
            })
            expect(least).toSatisfy(({ contrast }: typeof least) => contrast >= 4.5, JSON.stringify(least))
            expect(overhang).toBe(0)
            expect(background).toBe(scheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(255, 255, 255)')
          },
        )

        it("a page's own colour scheme goes before what the user prefers", async () => {
          const { tab } = await openPage(bench)
          await tab.emulateMediaFeatures([
            { name: 'prefers-color-scheme', value: scheme === 'dark' ? 'light' : 'dark' },
          ])
          const background = await tab.evaluate((own) => {
            document.documentElement.style.colorScheme = own
            panel.remove()
            document.body.append(panel)
            return getComputedStyle(inside('.panel')).backgroundColor
          }, scheme)
          expect(background).toBe(scheme === 'dark' ? 'rgb(20, 23, 27)' : 'rgb(255, 255, 255)')
        })
      })
  },
  ['chrome'],
)

function flat(node: SerializedAXNode | null): SerializedAXNode[] {
  return node === null ? [] : [node, ...(node.children ?? []).flatMap(flat)]
}
