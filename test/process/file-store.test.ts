// S4, C2 and C1 for the file store, with processes of their own: modes under any umask, the lock of the dead and of the stopped.
import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { TokenStore } from '../../src/ports.ts'
import { fileStore } from '../../src/stores/file.ts'
import { startChild, testFolder } from './file-children.ts'
import { modesIn } from './file-modes.ts'
import { sessionAt } from './file-session.ts'

type Store = Required<TokenStore>

/** Runs nothing under the lock; says whether it was ours, or the wait was over. */
const hasLock = (store: Store, holdMs: number, waitMs = 20_000): Promise<boolean | undefined> =>
  store.lock(async (isHeld) => isHeld?.(), { waitMs, holdMs })

const testPath = (): string => path.join(testFolder(), 'session.json')
const openStore = (file: string): Store => fileStore({ path: file }) as Store

it('S4 folder 0700 and files 0600 at every instant, under umask 000, 002, 022 and 077', async () => {
  const umasks = ['000', '002', '022', '077']
  await Promise.all(
    umasks.map(async (umask) => {
      const top = path.join(testFolder(), umask)
      mkdirSync(top)
      const child = startChild('write', [path.join(top, 'session.json'), 6], { FILE_UMASK: umask })
      let isOver = false
      const ended = child.ended.finally(() => {
        isOver = true
      })
      // The child looks after each of its calls, and so do we all the while.
      const seen = new Set<string>()
      while (!isOver) {
        for (const each of modesIn(top)) seen.add(each)
        await new Promise(setImmediate)
      }
      expect(await ended).toBe(0)
      expect(child.lines.toSorted()).toEqual(['file 600', 'folder 700'])
      expect([...seen].toSorted()).toEqual(['file 600', 'folder 700'])
    }),
  )
})

it('C2 a holder that is killed costs others on its machine nothing', async () => {
  const file = testPath()
  const child = startChild('hold', [file, 60_000])
  await child.said(1)
  child.signal('SIGKILL')
  await child.ended
  const startedAt = performance.now()
  expect(await hasLock(openStore(file), 60_000)).toBe(true)
  // Half a hold is what they would wait if they did not see that it is dead.
  expect(performance.now() - startedAt).toBeLessThan(10_000)
})

it('C2 a holder that is stopped is waited for until its lease is over, knows it when it goes on, and frees nobody else', async () => {
  const [file, holdMs] = [testPath(), 2000]
  const child = startChild('hold', [file, holdMs])
  await child.said(1)
  const store = openStore(file)
  child.signal('SIGSTOP')
  const startedAt = performance.now()
  await store.lock(
    async (isHeld) => {
      expect(isHeld?.()).toBe(true)
      // Its last beat may be a third of a lease ago.
      expect(performance.now() - startedAt).toBeGreaterThan(holdMs / 4)
      expect(performance.now() - startedAt).toBeLessThan(holdMs / 2 + 5000)
      child.tell('end')
      child.signal('SIGCONT')
      await child.ended
      expect(child.lines).toEqual(['held', 'false'])
      expect(await hasLock(openStore(file), 60_000, 200)).toBeUndefined()
    },
    { waitMs: 20_000, holdMs: 60_000 },
  )
})

it('C1 programs with other timeouts wait for each other: a short one takes no lock from a long one', async () => {
  const file = testPath()
  const child = startChild('hold', [file, 62_000])
  await child.said(1)
  expect(await hasLock(openStore(file), 2100, 500)).toBeUndefined()
  child.tell('end')
  await child.ended
  expect(child.lines).toEqual(['held', 'true'])
  expect(await hasLock(openStore(file), 2100)).toBe(true)
})

it('S1 nothing keeps Node alive, and nothing is left but the file and its lock', async () => {
  const file = testPath()
  const [child, startedAt] = [startChild('leave', [file]), performance.now()]
  expect(await child.ended).toBe(0)
  expect(performance.now() - startedAt).toBeLessThan(20_000)
  expect(await openStore(file).read()).toEqual(sessionAt(2))
  expect(await hasLock(openStore(file), 60_000)).toBe(true)
  expect(readdirSync(path.dirname(file))).toEqual(['session.json', 'session.json.lock'])
})
