// What tabs are called and tell each other. A second tab is a channel that speaks for itself: one process is one page.
import { expect, it, onTestFinished, vi } from 'vitest'
import { openTabName, type TabName } from '../../../src/devtools/tab-name.ts'
import { deferred } from '../../helpers/deferred.ts'

const CHANNEL = 'relatch-devtools'

function open(onHeard: (said: unknown) => void = () => {}, onRename: () => void = () => {}): TabName {
  const tabName = openTabName(onHeard, onRename)
  onTestFinished(() => tabName.close())
  return tabName
}

/** Another tab, which notes what it hears. */
function otherTab(onMessage: (data: Record<string, unknown>) => void = () => {}): BroadcastChannel {
  const channel = new BroadcastChannel(CHANNEL)
  channel.onmessage = ({ data }) => onMessage(data)
  onTestFinished(() => channel.close())
  return channel
}

/** Resolves when a message has gone there and back so often: whatever there was to say has been said by then. */
function roundTrips(count: number): Promise<void> {
  const done = deferred<void>()
  const echo = otherTab(({ ping }) => void (ping !== undefined && echo.postMessage({ pong: ping })))
  const caller = otherTab(({ pong }) => {
    if (pong === 0) done.resolve()
    else if (typeof pong === 'number') caller.postMessage({ ping: pong - 1 })
  })
  caller.postMessage({ ping: count })
  return done.promise
}

const storage = (initial: string | null) => {
  const items = new Map(initial === null ? [] : [['relatch-devtools-tab', initial]])
  vi.stubGlobal('sessionStorage', {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
  })
  onTestFinished(() => void vi.unstubAllGlobals())
  return items
}

it('is the letter A, and after a reload what it was before', () => {
  storage(null)
  expect(open().name()).toBe('A')
  storage('2')
  expect(open().name()).toBe('C')
  storage('26')
  expect(open().name()).toBe('27')
})

it.each(['-1', '1.5', '1e9', 'Z', ''])('makes nothing of %o in the storage', (text) => {
  storage(text)
  expect(open().name()).toBe('A')
})

it('S2 works where the storage throws, and where there are no channels', () => {
  vi.stubGlobal('sessionStorage', {
    getItem() {
      throw new DOMException('blocked', 'SecurityError')
    },
    setItem() {
      throw new DOMException('blocked', 'SecurityError')
    },
  })
  vi.stubGlobal('BroadcastChannel', undefined)
  onTestFinished(() => void vi.unstubAllGlobals())
  const tabName = open()
  tabName.tell('refreshed')
  expect(tabName.name()).toBe('A')
})

it('gives way to a tab of that name that was there before, and remembers it', async () => {
  const items = storage(null)
  const renamed = deferred<void>()
  const said: unknown[] = []
  const again = deferred<void>()
  const other = otherTab((data) => {
    said.push(data)
    if (data.tab === 0) other.postMessage({ type: 'here', tab: 0, at: performance.timeOrigin - 1000 })
    else again.resolve()
  })
  const tabName = open(undefined, renamed.resolve)
  await renamed.promise
  await again.promise
  expect(tabName.name()).toBe('B')
  expect(items.get('relatch-devtools-tab')).toBe('1')
  expect(said).toEqual([
    { type: 'here', tab: 0, at: performance.timeOrigin },
    { type: 'here', tab: 1, at: performance.timeOrigin },
  ])
})

it('keeps its name against a tab that came later, and tells it so', async () => {
  storage(null)
  const answers: unknown[] = []
  const answered = deferred<void>()
  const tabName = open()
  const other = otherTab((data) => {
    answers.push(data)
    answered.resolve()
  })
  other.postMessage({ type: 'here', tab: 0, at: performance.timeOrigin + 1000 })
  await answered.promise
  expect(answers).toEqual([{ type: 'here', tab: 0, at: performance.timeOrigin }])
  expect(tabName.name()).toBe('A')
})

it('is one for all elements of a page, which do not argue', async () => {
  storage(null)
  const said: unknown[] = []
  otherTab((data) => void (data.type === 'here' && said.push(data)))
  const tabNames = [open(), open()]
  await roundTrips(10)
  expect(said).toHaveLength(2)
  expect(tabNames.map((tabName) => tabName.name())).toEqual(['A', 'A'])
})

it('tells what was done here with a name and a time, and nothing more', async () => {
  storage(null)
  const heard = deferred<Record<string, unknown>>()
  otherTab((data) => void (data.type === 'refreshed' && heard.resolve(data)))
  open().tell('refreshed')
  expect(await heard.promise).toEqual({ type: 'refreshed', tab: 0, at: expect.any(Number) })
})

it('C4 hears what has the right shape, and nothing else', async () => {
  storage(null)
  const heard: unknown[] = []
  const last = deferred<void>()
  open((said) => {
    heard.push(said)
    if (heard.length === 2) last.resolve()
  })
  const other = otherTab()
  const wrong = [
    null,
    'refreshed',
    [],
    { type: 'refreshed' },
    { type: 'toString', tab: 1, at: 1 },
    { type: 'refreshed', tab: '<img>', at: 1 },
    { type: 'refreshed', tab: -1, at: 1 },
    { type: 'refreshed', tab: 1e6, at: 1 },
    { type: 'refreshed', tab: 1, at: Number.NaN },
  ]
  for (const message of [
    ...wrong,
    { type: 'refreshed', tab: 1, at: 1 },
    { type: 'signed-out', tab: 2, at: 1, token: 'x' },
  ])
    other.postMessage(message)
  await last.promise
  expect(heard).toEqual([
    { type: 'refreshed', tab: 'B' },
    { type: 'signed-out', tab: 'C' },
  ])
})
