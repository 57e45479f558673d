/**
 * Tells of changes of a file that others make: at once where the system says so, else by looking every second. Never keeps Node
 * alive, and reads nothing: what a change means is found out by whoever is told.
 */
import { type FSWatcher, lstatSync, watch } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { after } from '../clock.ts'

/** Network file systems tell nobody what others do, and a system may have run out of watches. */
const POLL_MS = 1000

/**
 * @param path absolute; neither the file nor its folder has to be there
 * @returns what ends it
 */
export function watchFile(path: string, onChange: () => void): () => void {
  const folder = dirname(path)
  const ours = fold(basename(path))
  let watcher: FSWatcher | undefined
  let isOver = false
  let cancelPoll = (): void => {}

  const unwatch = (): void => {
    watcher?.close()
    watcher = undefined
  }
  /** The folder, not the file: each write puts another file there. */
  const rewatch = (): void => {
    unwatch()
    try {
      watcher = watch(folder, { persistent: false }, (_, name) => {
        if (name === null || fold(name) === ours) onChange()
      }).on('error', unwatch)
    } catch {
      // Not there yet, or no watches left: the poll finds out.
    }
  }

  let [folderWas, fileWas] = [folder, path].map(signSync)
  const poll = async (): Promise<void> => {
    const [folderIs, fileIs] = await Promise.all([sign(folder), sign(path)])
    if (isOver) return
    // One that was removed and made anew is another, and nobody watches it.
    if (folderIs?.id !== folderWas?.id || watcher === undefined) rewatch()
    const isChanged = fileIs?.id !== fileWas?.id || fileIs?.version !== fileWas?.version
    folderWas = folderIs
    fileWas = fileIs
    cancelPoll = after(POLL_MS, poll)
    if (isChanged) onChange()
  }
  rewatch()
  cancelPoll = after(POLL_MS, poll)
  return () => {
    isOver = true
    unwatch()
    cancelPoll()
  }
}

/** macOS and Windows may spell a name in another way than we do. */
const fold = (name: string): string => name.normalize().toLowerCase()

/** Which file it is, and which version of it; undefined where there is none to be seen. */
interface Sign {
  id: string
  version: string
}

interface BigStats {
  dev: bigint
  ino: bigint
  size: bigint
  mtimeNs: bigint
  birthtimeNs: bigint
}

/** Numbers of files that were removed are given to new ones. */
const signOf = ({ dev, ino, birthtimeNs, size, mtimeNs }: BigStats): Sign => ({
  id: `${dev}:${ino}:${birthtimeNs}`,
  version: `${size}:${mtimeNs}`,
})

const sign = (path: string): Promise<Sign | undefined> => lstat(path, { bigint: true }).then(signOf, () => undefined)

function signSync(path: string): Sign | undefined {
  try {
    return signOf(lstatSync(path, { bigint: true }))
  } catch {
    return undefined
  }
}
