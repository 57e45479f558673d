/**
 * The judge between processes: a file that is changed by compare-and-swap, without a lock that somebody could die with. It rests
 * on two facts of file systems, POSIX and NTFS: a folder cannot be renamed to where a folder with something in it is, and a file
 * can be renamed away from its name only once.
 *
 * Whatever stands at `path` has a stamp that nothing else ever has; a removal is a record of its own that says so. Who wants
 * to follow on the stamp S makes a folder with its candidate in it, a file whose name is a new stamp, and claims the succession
 * by renaming the folder to `<path>.S.next`. There it is the only one, and S stands until it has been renamed to `path`: so of
 * two who follow on S one wins, and what is renamed to `path` is what was claimed for what stands there.
 *
 * - Killed after the claim: whoever looks next finds it, and renames the candidate to `path` for the dead one. It may do so
 *   because S stood after the candidate was seen in its place: a claim that comes too late, from a process that was stopped, is
 *   made where S is gone for good, and nobody renames it.
 * - Stopped after the claim: the candidate is gone when it goes on, and it can rename nothing.
 * - A claim that came too late is withdrawn by its owner, who removes the candidate. That works, or somebody has renamed it:
 *   never both. Then what stands, or what it says stood before it, tells who has won.
 *
 * proper-lockfile is not used: two who find the same stale lock can both take it, and a holder that was stopped writes all the
 * same; the compare-and-swap is needed anyway.
 */
import { lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { monotonicNow, wallNow } from '../clock.ts'
import { createId } from '../id.ts'
import {
  discard,
  draft,
  flush,
  isCode,
  isFolderOfOurs,
  isStamp,
  isWindows,
  look,
  patiently,
  type Standing,
} from './file-content.ts'
import type { Judge, Stamped } from './judge.ts'

/** How old litter has to be, and how often it is looked for: of processes that were killed in the middle of a write. */
const LITTER_MS = 60_000
/** Who loses to somebody after whom there is still what it expects, which is nothing, tries again: that often. */
const ROUNDS = 10
const LITTER = /^\.([0-9a-f]{32})\.(tmp|next)$/

/**
 * @param path absolute; its folder is made when the first write comes
 * @param isDurable whether a write is on the disk when it is done, for a power cut
 */
export function fileJudge<R extends Stamped>(path: string, { isDurable }: { isDurable: boolean }): Judge<R> {
  const folder = dirname(path)
  const slotOf = (stamp: string): string => `${path}.${stamp}.next`
  let sweptAt = Number.NEGATIVE_INFINITY

  /** Finishes what somebody has claimed for `stamp`, who may be dead. Says whether there was anything. */
  const complete = async (stamp: string): Promise<boolean> => {
    const slot = slotOf(stamp)
    const names = (await isFolderOfOurs(slot)) ? await readdir(slot).catch(() => null) : null
    if (names === null) return false
    const candidate = names.find(isStamp)
    // In this order: only what stood after the candidate was seen says that the claim is good.
    if (candidate && (await look(path)).stamp === stamp) {
      await patiently(() => rename(join(slot, candidate), path)).catch((error) => {
        if (!isCode(error, 'ENOENT')) throw error
      })
      if (isDurable) await flush(folder)
    }
    // What a file manager leaves there must not be in the way for ever.
    await (candidate || names.length === 0 ? rmdir(slot).catch(() => {}) : discard(slot))
    return candidate !== undefined
  }

  const standing = async (): Promise<Standing<R>> => {
    for (;;) {
      const found = await look<R>(path)
      if (!(await complete(found.stamp))) return found
    }
  }

  /** Whether the claim of `stamp` on what comes after `before` has been, or can be, made good. */
  const commit = async (stamp: string, before: Standing<R>): Promise<boolean> => {
    const candidate = join(slotOf(before.stamp), stamp)
    let failure: unknown
    try {
      if ((await look(path)).stamp === before.stamp) {
        await patiently(() => rename(candidate, path))
        return true
      }
    } catch (error) {
      failure = error
    }
    try {
      await patiently(() => unlink(candidate))
    } catch (error) {
      if (!isCode(error, 'ENOENT')) throw error
      return hasStood(stamp, before)
    }
    if (failure) throw failure
    return false
  }

  const hasStood = async (stamp: string, before: Standing<R>): Promise<boolean> => {
    const { stamp: now, past } = await look(path)
    if (now === stamp || past.includes(stamp)) return true
    // What has no past is nothing, or garbage, and may have been there before: it says nothing of what came between.
    if (before.past.length > 0 && past.includes(before.stamp)) return false
    throw new Error(`Expected to find out what became of a write: ${path} was changed by others since`)
  }

  /** Whoever was only stopped, for as long as that, finds out that it is gone. */
  const sweep = async (): Promise<void> => {
    if (monotonicNow() - sweptAt < LITTER_MS) return
    sweptAt = monotonicNow()
    const name = basename(path)
    for (const entry of await readdir(folder)) {
      if (!entry.startsWith(name) || !LITTER.test(entry.slice(name.length))) continue
      const litter = join(folder, entry)
      const stats = await lstat(litter).catch(() => undefined)
      const isOld = stats !== undefined && stats.mtimeMs < wallNow() - LITTER_MS
      if (isOld && (await isFolderOfOurs(litter))) await discard(litter)
    }
  }

  /** Says whether `next` stands, or has stood, where `before` did. */
  const follow = async (before: Standing<R>, next: R | undefined): Promise<boolean> => {
    const stamp = next?.stamp ?? createId()
    const ours = `${path}.${stamp}.tmp`
    const slot = slotOf(before.stamp)
    await draft(ours, { stamp, record: next, before }, isDurable)
    try {
      if (!(await claim(ours, slot))) return false
      const hasWon = await commit(stamp, before)
      if (hasWon && isDurable) await flush(folder)
      if (hasWon) await sweep().catch(() => {})
      return hasWon
    } finally {
      await discard(ours)
      // Where somebody's claim is in it, it stays.
      await rmdir(slot).catch(() => {})
    }
  }

  return {
    async read() {
      const found = await look<R>(path)
      // Where we may read but not write, what stands is what there is.
      const isNews = await complete(found.stamp).catch(() => false)
      return isNews ? (await standing()).record : found.record
    },
    async swap(next, expected) {
      for (let round = 0; round < ROUNDS; round++) {
        const before = await standing()
        if (before.record?.stamp !== expected?.stamp) return false
        if (await follow(before, next)) return true
      }
      return false
    },
  }
}

/** Whether we are the first, or may be: what comes next finds out. */
async function claim(ours: string, slot: string): Promise<boolean> {
  const isTaken = async (error: unknown): Promise<boolean> =>
    isCode(error, 'ENOTEMPTY', 'EEXIST') || (isWindows() && (await readdir(slot).catch(() => [])).length > 0)
  try {
    await patiently(() => rename(ours, slot), isTaken)
    return true
  } catch (error) {
    if (await isTaken(error)) return false
    // A network file system says so of what it has done, where its first answer got lost.
    if (isCode(error, 'ENOENT')) return true
    throw error
  }
}
