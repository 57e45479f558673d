/** A fresh folder, in memory where there is such a place: fsync on a busy disk takes seconds, and is not what is tested. */
import { mkdtempSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

/** Linux has a tmpfs there. */
const MEMORY = '/dev/shm'

/** Whoever asks for it removes it. */
export function quickFolder(prefix: string): string {
  const isThere = statSync(MEMORY, { throwIfNoEntry: false })?.isDirectory() ?? false
  return mkdtempSync(path.join(isThere ? MEMORY : tmpdir(), `relatch-${prefix}-`))
}
