// What a watch of a file hears, with the notices of the system and without.
import { EventEmitter, once } from 'node:events'
import fs, { renameSync, rmSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { watchFile } from '../../../src/coordination/file-watch.ts'
import type { StoredSession, TokenStore } from '../../../src/ports.ts'
import { fileStore } from '../../../src/stores/file.ts'
import { quickFolder } from '../../helpers/quick-folder.ts'

// Each look is a second after the last one, and a machine may be busy.
vi.setConfig({ testTimeout: 20_000 })

const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})
afterEach(() => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
})

function testPath(...names: string[]): string {
  const folder = quickFolder('watch')
  folders.push(folder)
  return path.join(folder, ...names, 'session.json')
}

/** As a write does: another file in the place of the old one. */
function replace(file: string, text = 'x'): void {
  writeFileSync(`${file}.new`, text)
  renameSync(`${file}.new`, file)
}

/** Counts what is heard; `next()` resolves with the next of it. */
function listenTo(file: string) {
  const changes = new EventEmitter()
  let count = 0
  const end = watchFile(file, () => {
    count++
    changes.emit('change')
  })
  return {
    count: () => count,
    next: (limitMs = 8000) => once(changes, 'change', { signal: AbortSignal.timeout(limitMs) }),
    end,
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function withoutNotices(watch: typeof fs.watch): void {
  vi.spyOn(fs, 'watch').mockImplementation(watch as never)
  syncBuiltinESMExports()
}
const noWatchesLeft = (): never => {
  throw Object.assign(new Error('on purpose'), { code: 'ENOSPC' })
}

/** What a watch has to hear. Runs once with the notices of the system and once without. */
const changes: Record<string, (file: string) => void> = {
  'a first write': (file) => replace(file),
  'a write': (file) => replace(file, 'a'),
  'a write over the same file, by hand': (file) => writeFileSync(file, 'something longer'),
  'a removal by hand': (file) => rmSync(file),
  'a folder that is removed': (file) => rmSync(path.dirname(file), { recursive: true }),
}

async function hear(change: string): Promise<void> {
  const file = testPath('folder')
  fs.mkdirSync(path.dirname(file))
  if (change !== 'a first write') writeFileSync(file, 'first')
  const heard = listenTo(file)
  const next = heard.next()
  changes[change]?.(file)
  await next
  heard.end()
}

describe.concurrent('with the notices of the system', () => {
  it.each(Object.keys(changes))('S1 %s is heard of', hear)

  it('S1 a folder that comes later is watched from then on, and so is one that is made anew', async () => {
    const file = testPath('folder')
    const heard = listenTo(file)
    for (const name of ['first', 'second', 'third']) {
      fs.mkdirSync(path.dirname(file))
      const [next, startedAt] = [heard.next(), performance.now()]
      replace(file, name)
      await next
      expect(performance.now() - startedAt).toBeLessThan(5000)
      const gone = heard.next()
      rmSync(path.dirname(file), { recursive: true })
      await gone
    }
    heard.end()
  })

  it('S1 what is beside the file is nobody’s business, and after its end nothing is heard', async () => {
    const file = testPath()
    const heard = listenTo(file)
    writeFileSync(`${file}.lock`, 'x')
    writeFileSync(path.join(path.dirname(file), 'other'), 'x')
    await pause(50)
    expect(heard.count()).toBe(0)
    const next = heard.next()
    replace(file)
    await next
    heard.end()
    const count = heard.count()
    replace(file, 'second')
    rmSync(file)
    await pause(1200)
    expect(heard.count()).toBe(count)
  })

  it('S1 a store hears of writes and removals of another one, and of a removal by hand', async () => {
    const file = testPath('deep', 'folder')
    const [store, other] = [fileStore({ path: file }), fileStore({ path: file })] as Required<TokenStore>[]
    if (!store || !other) throw new Error('Expected two')
    const session = (version: number): StoredSession => ({ sessionId: 's', version, tokens: { accessToken: 'a' } })
    const seen: unknown[] = []
    const told = new EventEmitter()
    const end = store.watch(async () => {
      seen.push((await store.read())?.version ?? null)
      told.emit('told')
    })
    const steps: [expected: number | null, act: () => unknown][] = [
      [1, () => other.write(session(1), null)],
      [2, () => other.write(session(2), 1)],
      [null, () => other.write(null, 2)],
      [3, () => other.write(session(3), null)],
      [null, () => rmSync(file)],
    ]
    for (const [expected, act] of steps) {
      await act()
      while (seen.at(-1) !== expected) await once(told, 'told', { signal: AbortSignal.timeout(8000) })
    }
    end()
  })
})

it('S1 a store tells of a file that cannot be read any more: whoever reads it finds out why', async () => {
  const file = testPath()
  const store = fileStore({ path: file }) as Required<TokenStore>
  await store.write({ sessionId: 's', version: 1, tokens: null }, null)
  const told = new Promise<unknown>((resolve) => {
    const end = store.watch(() => resolve(end()))
  })
  fs.symlinkSync('elsewhere', `${file}.new`)
  renameSync(`${file}.new`, file)
  await told
  await expect(store.read()).rejects.toThrow('symbolic link')
})

describe('without', () => {
  it('S1 where the system has no watches left, all of it is heard of within a second or two', async () => {
    withoutNotices(noWatchesLeft)
    await Promise.all(Object.keys(changes).map(hear))
  })

  it('S1 a watch that breaks is made anew', async () => {
    const watchers: EventEmitter[] = []
    withoutNotices(() => {
      const watcher = Object.assign(new EventEmitter(), { close: vi.fn() })
      watchers.push(watcher)
      return watcher as never
    })
    const file = testPath()
    const heard = listenTo(file)
    watchers[0]?.emit('error', new Error('on purpose'))
    expect((watchers[0] as unknown as fs.FSWatcher).close).toHaveBeenCalled()
    await vi.waitFor(() => expect(watchers).toHaveLength(2), { timeout: 8000 })
    heard.end()
    expect((watchers[1] as unknown as fs.FSWatcher).close).toHaveBeenCalled()
  })

  it('S1 after its end there is no timer left', () => {
    vi.useFakeTimers()
    const heard = listenTo(testPath())
    expect(vi.getTimerCount()).toBe(1)
    heard.end()
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  it('S1 a system that names no files, or spells them in its own way, is believed', () => {
    let notify = (_: string | null): void => {}
    withoutNotices(((_folder: string, _options: unknown, listener: (event: string, name: string | null) => void) => {
      notify = (name) => listener('rename', name)
      return Object.assign(new EventEmitter(), { close: () => {} })
    }) as never)
    const heard = listenTo(path.join(tmpdir(), 'Sitzung-ü.json'))
    for (const name of [null, 'Sitzung-ü.json', 'sitzung-u\u0308.JSON']) notify(name)
    for (const name of ['Sitzung.json', 'Sitzung-ü.json.lock', '']) notify(name)
    expect(heard.count()).toBe(3)
    heard.end()
  })
})
