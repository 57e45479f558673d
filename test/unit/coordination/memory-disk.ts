// A disk in memory with the promises of node:fs/promises, as far as a file judge needs them, for programs that can be stopped and
// killed before each step: every call waits until it is told to go on, and then happens at once, as a system call does.
import { AsyncLocalStorage } from 'node:async_hooks'
import path from 'node:path'

interface Step {
  actor: string
  go: () => void
}

/** What is on the disk: a text for a file, null for a folder. */
const entries = new Map<string, string | null>()
const steps: Step[] = []
const actors = new AsyncLocalStorage<string>()
let mtimeMs = 0

const fail = (code: string): never => {
  throw Object.assign(new Error(code), { code })
}
const isInside = (name: string, folder: string): boolean => name.startsWith(`${folder}/`)
const inside = (folder: string): string[] => [...entries.keys()].filter((name) => isInside(name, folder))

async function step<T>(act: () => T): Promise<T> {
  const actor = actors.getStore()
  if (actor !== undefined) await new Promise<void>((go) => steps.push({ actor, go }))
  return act()
}

const needs = (name: string): string | null => {
  const entry = entries.get(name)
  return entry === undefined ? fail('ENOENT') : entry
}
const statsOf = (name: string) => {
  const entry = needs(name)
  return {
    mode: 0o755,
    uid: process.geteuid?.() ?? 0,
    size: entry?.length ?? 0,
    mtimeMs,
    isFile: () => entry !== null,
    isDirectory: () => entry === null,
  }
}

function move(from: string, to: string): void {
  const entry = needs(from)
  if (entry === null) {
    if (inside(to).length > 0) fail('ENOTEMPTY')
    for (const name of [from, ...inside(from)]) {
      const text = entries.get(name) as string | null
      entries.delete(name)
      entries.set(to + name.slice(from.length), text)
    }
  } else {
    entries.delete(from)
    entries.set(to, entry)
  }
}

function removeFolder(folder: string): void {
  if (needs(folder) !== null) fail('ENOTDIR')
  if (inside(folder).length > 0) fail('ENOTEMPTY')
  entries.delete(folder)
}

/** Stands in for node:fs/promises. */
export const fs: object = {
  constants: { O_RDONLY: 0, O_WRONLY: 1, O_CREAT: 64, O_EXCL: 128, O_NOFOLLOW: 1024, O_NONBLOCK: 2048 },
  stat: (name: string) => step(() => statsOf(name)),
  lstat: (name: string) => step(() => statsOf(name)),
  mkdir: (name: string, { recursive = false }) =>
    step(() => {
      if (entries.has(name)) return recursive ? undefined : fail('EEXIST')
      return void entries.set(name, null)
    }),
  readdir: (folder: string) =>
    step(() => {
      if (needs(folder) !== null) fail('ENOTDIR')
      return inside(folder)
        .map((name) => path.relative(folder, name))
        .filter((name) => !name.includes('/'))
    }),
  rename: (from: string, to: string) => step(() => move(from, to)),
  unlink: (name: string) => step(() => (needs(name) === null ? fail('EISDIR') : void entries.delete(name))),
  rmdir: (folder: string) => step(() => removeFolder(folder)),
  async rm(folder: string) {
    const names = await step(() => inside(folder))
    for (const name of names) await step(() => void entries.delete(name))
    await step(() => entries.has(folder) && inside(folder).length === 0 && entries.delete(folder))
  },
  async open(name: string, flags: number) {
    const isWriting = (flags & 1) === 1
    // Of what was opened, whatever becomes of its name.
    const content = await step(() => {
      if (!isWriting) return needs(name)
      if (entries.get(path.dirname(name)) !== null) fail('ENOENT')
      if (entries.has(name)) fail('EEXIST')
      return void entries.set(name, '')
    })
    return {
      stat: async () => ({
        uid: process.geteuid?.() ?? 0,
        size: content?.length ?? 0,
        mtimeMs,
        isFile: () => content !== null,
      }),
      readFile: async () => content ?? fail('EISDIR'),
      writeFile: (text: string) => step(() => entries.has(name) && void entries.set(name, text)),
      sync: async () => {},
      close: async () => {},
    }
  },
}

/** A disk with one empty folder, on which everything is as old as `ageMs`. */
export function freshDisk(folder: string, ageMs: number): void {
  entries.clear()
  entries.set(folder, null)
  steps.length = 0
  mtimeMs = Date.now() - ageMs
}

export const namesOnDisk = (): string[] => [...entries.keys()]

/** As somebody does by hand. */
export const removeByHand = (name: string): void => void entries.delete(name)

/** Runs what a program does, step by step, as it is told to. */
export const runAs = <T>(actor: string, act: () => Promise<T>): Promise<T> => actors.run(actor, act)

/** Who waits to go on. */
export const waiting = (): string[] => [...new Set(steps.map(({ actor }) => actor))]

/** Lets one of an actor's steps happen. */
export function goOn(actor: string): void {
  const index = steps.findIndex((each) => each.actor === actor)
  steps.splice(index, 1)[0]?.go()
}

/** SIGKILL: nothing it waits for happens any more. */
export function kill(actor: string): void {
  for (let index = steps.length - 1; index >= 0; index--) if (steps[index]?.actor === actor) steps.splice(index, 1)
}
