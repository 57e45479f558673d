// S4 and C2 with real processes on a real disk: how the file gets from one session to the next.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { TokenStore } from '../../src/ports.ts'
import { fileStore } from '../../src/stores/file.ts'
import { howOften } from '../helpers/extent.ts'
import { startChild, testFolder } from './file-children.ts'
import { sessionAt } from './file-session.ts'

const KILLS = howOften(160, 40)
const LANES = 3

type Store = Required<TokenStore>

const openStore = (file: string): Store => fileStore({ path: file }) as Store
const versionIn = async (store: Store): Promise<number> => (await store.read())?.version ?? 0
/** A claim that nobody has completed. What else a write that was cut off leaves beside the file is litter. */
const claimsIn = (file: string): string[] =>
  readdirSync(path.dirname(file)).filter(
    (name) => name.endsWith('.next') && readdirSync(path.join(path.dirname(file), name)).length > 0,
  )

/** After a kill: old or new, whole, and the next write goes in at once. */
async function expectOldOrNew(file: string, before: number): Promise<number> {
  const store = openStore(file)
  const found = await store.read()
  const version = found?.version ?? 0
  expect([before, before + 1]).toContain(version)
  expect(found).toEqual(version === 0 ? null : sessionAt(version))
  expect(claimsIn(file)).toEqual([])
  const startedAt = performance.now()
  expect(await store.write(sessionAt(version + 1), version || null)).toBe(true)
  expect(performance.now() - startedAt).toBeLessThan(2000)
  return version + 1
}

/** Of a process that writes once, and is killed after each call to the disk in turn. Says which they were, and what was there. */
async function killAtEachStep(place: 'nothing' | 'session' | 'removal', count: () => unknown): Promise<string[]> {
  const steps: string[] = []
  for (;;) {
    const file = path.join(testFolder(), 'session.json')
    const store = openStore(file)
    if (place !== 'nothing') await store.write(sessionAt(4), null)
    if (place === 'removal') await store.write(null, 4)
    const before = await versionIn(store)
    const child = startChild('die', [file, steps.length])
    await child.ended
    const [step] = child.lines
    if (step === undefined) throw new Error('Expected a word before it died')
    if (step === 'survived') return steps
    count()
    steps.push(`${step}: ${(await expectOldOrNew(file, before)) - 1 === before ? 'old' : 'new'}`)
  }
}

/** Of processes that write and write, until `isOver`. Says whether each got its last write done. */
async function killAnywhere(isOver: () => boolean): Promise<boolean[]> {
  const file = path.join(testFolder(), 'session.json')
  await openStore(file).write(sessionAt(1), null)
  const outcomes: boolean[] = []
  while (!isOver()) {
    const child = startChild('rewrite', [file])
    await child.said(2)
    await sleep(Math.random() * 6)
    child.signal('SIGKILL')
    await child.ended
    const last = Number(child.lines.at(-1))
    outcomes.push((await expectOldOrNew(file, last)) - 1 > last)
  }
  return outcomes
}

it(`S4 kill -9 at each step of a write, and × ${KILLS} anywhere: old or new, never torn, never nothing; the next goes on at once`, async () => {
  let kills = 0
  const stepwise = (['nothing', 'session', 'removal'] as const).map((place) => killAtEachStep(place, () => kills++))
  const random = Array.from({ length: LANES }, () => killAnywhere(() => kills++ >= KILLS))
  for (const steps of await Promise.all(stepwise)) {
    expect(steps.length).toBeGreaterThan(12)
    // There is one step at which the old session gives way to the new one: the claim, for what is claimed is completed by others.
    const isNew = steps.map((step) => step.endsWith('new'))
    expect(isNew).toEqual(isNew.toSorted())
    expect(steps[isNew.indexOf(true)]).toBe('rename: new')
  }
  const outcomes = (await Promise.all(random)).flat()
  // Both occur, so the kills are where they should be.
  expect(new Set(outcomes)).toEqual(new Set([true, false]))
})

it('C2 six processes that add to one number, stopped and killed at random: each number is written once, none twice', async () => {
  const [target, processes, murders] = [howOften(600, 200), 6, 8]
  const file = path.join(testFolder(), 'session.json')
  const start = () => {
    const child = startChild('count', [file, target])
    child.tell('begin')
    return child
  }
  const children = Array.from({ length: processes }, () => startChild('count', [file, target]))
  const all = [...children]
  await Promise.all(children.map((child) => child.said(1)))
  for (const child of children) child.tell('begin')
  await children[0]?.said(2)
  let killed = 0
  for (let round = 0; round < 200; round++) {
    const version = Number(/"version":(\d+)/.exec(readFileSync(file, 'utf8'))?.[1])
    if (version >= target) break
    const index = Math.floor(Math.random() * processes)
    const victim = children[index]
    victim?.signal('SIGSTOP')
    await sleep(Math.random() * 40)
    if (killed < murders && round % 4 === 0) {
      victim?.signal('SIGKILL')
      killed++
      children[index] = start()
      all.push(children[index])
    } else victim?.signal('SIGCONT')
  }
  for (const child of children) child.signal('SIGCONT')
  await Promise.all(all.map((child) => child.ended))
  const lines = all.flatMap((child) => child.lines)
  expect(lines.filter((line) => line.startsWith('back'))).toEqual([])
  const written = lines.filter((line) => /^\d+$/.test(line)).map(Number)
  expect(new Set(written).size).toBe(written.length)
  // One may have been written, and its writer killed before it could say so.
  const unknown = lines.filter((line) => line === 'unknown').length + killed
  expect(written.length).toBeGreaterThanOrEqual(target - unknown)
  expect(killed).toBeGreaterThan(2)
  expect(all.filter(({ lines }) => lines.length > 10).length).toBeGreaterThan(processes / 2)
})
