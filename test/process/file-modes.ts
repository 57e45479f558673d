// Who may do what with everything in a folder, while others write there.
import { lstatSync, readdirSync } from 'node:fs'
import path from 'node:path'

/** Kind and mode of whatever is below `top`, as `file 600`. */
export function modesIn(top: string): string[] {
  return namesIn(top).flatMap((name) => {
    const entry = path.join(top, name)
    const stats = lstatSync(entry, { throwIfNoEntry: false })
    if (stats === undefined) return []
    const isFolder = stats.isDirectory()
    return [`${isFolder ? 'folder' : 'file'} ${(stats.mode & 0o777).toString(8)}`, ...(isFolder ? modesIn(entry) : [])]
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    // Gone since it was listed.
    return []
  }
}
