/**
 * What rests in the file of a judge, and how it gets on the disk and off it: never through a symbolic link, and never for anybody
 * else to read, from the first instant on (S4). Which content stands is decided elsewhere.
 */
import { createHash } from 'node:crypto'
import { constants, type FileHandle, lstat, mkdir, open, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { sleep } from '../clock.ts'
import { jsonObject } from '../http/json.ts'
import { own } from '../tokens.ts'
import type { Stamped } from './judge.ts'

/** What is at a path: under a stamp always, and a record where there is one. */
export interface Standing<R extends Stamped> {
  readonly stamp: string
  /** The stamps that stood before it, the last one first: what tells a writer who was overtaken whether it had won. */
  readonly past: readonly string[]
  readonly record: R | undefined
}

/** Of what is not there. */
const NONE = '0'.repeat(32)
const STAMP = /^[0-9a-f]{32}$/
const REMEMBERED_STAMPS = 16
/** A session has a few kilobytes. What is larger is no session, and is not read. */
const LARGEST_BYTES = 2 ** 20

/** Windows knows neither of the first two. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = constants

export const isStamp = (value: unknown): value is string => typeof value === 'string' && STAMP.test(value)

export const isCode = (error: unknown, ...codes: string[]): boolean =>
  codes.includes((error as NodeJS.ErrnoException | null)?.code ?? '')

export const isWindows = (): boolean => process.platform === 'win32'

/**
 * On Windows a virus scanner may hold a file for a moment, and then it can be neither opened nor renamed.
 *
 * @param isFinal whether a failure means something else
 */
export async function patiently<T>(
  act: () => Promise<T>,
  isFinal: (error: unknown) => Promise<boolean> = async () => false,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await act()
    } catch (error) {
      const isPassing = isWindows() && attempt < 8 && isCode(error, 'EPERM', 'EACCES', 'EBUSY')
      if (!isPassing || (await isFinal(error))) throw error
      await sleep(10 * attempt)
    }
  }
}

/** @throws where it cannot be read, or is a symbolic link, a folder, or somebody else's */
export async function look<R extends Stamped>(path: string): Promise<Standing<R>> {
  const content = await contentOf(path)
  if (content === null) return { stamp: NONE, past: [], record: undefined }
  // S1: garbage counts as nothing, under a stamp by which it can be replaced.
  const garbage = createHash('sha256').update(content).digest('hex').slice(0, NONE.length)
  return parse<R>(content) ?? { stamp: garbage, past: [], record: undefined }
}

/** null where nothing is there. */
async function contentOf(path: string): Promise<string | null> {
  let file: FileHandle
  try {
    if (O_NOFOLLOW === 0 && (await lstat(path)).isSymbolicLink()) throw refusal(path, 'is a symbolic link')
    // O_NONBLOCK: a pipe at the path would be waited for.
    file = await patiently(() => open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
  } catch (error) {
    if (isCode(error, 'ENOENT')) return null
    // FreeBSD says EMLINK.
    throw isCode(error, 'ELOOP', 'EMLINK') ? refusal(path, 'is a symbolic link') : error
  }
  try {
    const { uid, size, mtimeMs, isFile } = await inspect(file)
    if (!isFile) throw refusal(path, 'is no file')
    // In a folder where everybody may make files, somebody could put a session of theirs in front of us.
    if (!(await isTrusted(uid, path))) throw refusal(path, 'belongs to somebody else')
    return size > LARGEST_BYTES ? `${size} bytes since ${mtimeMs}` : await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

async function inspect(file: FileHandle): Promise<{ uid: number; size: number; mtimeMs: number; isFile: boolean }> {
  const stats = await file.stat()
  return { uid: stats.uid, size: stats.size, mtimeMs: stats.mtimeMs, isFile: stats.isFile() }
}

/** Ours, root's, or the folder's owner's: that is who could do anything to it anyway. Root may be a user by `sudo`. */
async function isTrusted(uid: number, path: string): Promise<boolean> {
  const us = process.geteuid?.()
  return us === undefined || uid === us || uid === 0 || uid === (await stat(dirname(path))).uid
}

/** A path is no secret, and who reads this has to find it. */
const refusal = (path: string, what: string): Error => new Error(`Expected a file that is ours: ${path} ${what}`)

function parse<R extends Stamped>(content: string): Standing<R> | undefined {
  const value = jsonObject(content) ?? {}
  const [stamp, past, record] = [own(value, 'stamp'), own(value, 'past'), own(value, 'record')]
  if (!isStamp(stamp) || stamp === NONE) return undefined
  const isRecord = typeof record === 'object' && record !== null && own(record, 'stamp') === stamp
  if (!isRecord && record !== null) return undefined
  return {
    stamp,
    past: Array.isArray(past) ? past.filter(isStamp) : [],
    record: isRecord ? (record as unknown as R) : undefined,
  }
}

/**
 * Puts what is to come after `before` in a folder of its own, as the file `<stamp>`.
 *
 * @param folder must not be there
 * @param record undefined = a removal: what stands then says that there is none
 * @throws where it cannot be written, and leaves nothing behind
 */
export async function draft<R extends Stamped>(
  folder: string,
  content: { stamp: string; record: R | undefined; before: Standing<R> },
  isDurable: boolean,
): Promise<void> {
  const { stamp, record = null, before } = content
  const past = [before.stamp, ...before.past].slice(0, REMEMBERED_STAMPS)
  const text = `${JSON.stringify({ stamp, past, record })}\n`
  if (Buffer.byteLength(text) > LARGEST_BYTES)
    throw new RangeError(`Expected a session of less than ${LARGEST_BYTES} bytes`)
  await prepare(dirname(folder))
  try {
    await mkdir(folder, { mode: 0o700 })
    const file = await open(join(folder, stamp), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      await file.writeFile(text)
      // A name must not reach the disk before what it names: after a power cut the file would be empty.
      if (isDurable) await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await discard(folder)
    throw error
  }
}

/** In a folder where everybody may make some, one of somebody else's is neither to be used nor to be emptied. */
export async function isFolderOfOurs(folder: string): Promise<boolean> {
  const stats = await lstat(folder).catch(() => null)
  return stats?.isDirectory() === true && isTrusted(stats.uid, folder)
}

export const discard = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true }).catch(() => {})

/** Makes a folder for us alone where there is none; one that is there stays as it is, for it may be the user's home. */
async function prepare(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  // Whoever may remove our files may put others in their place. The sticky bit of /tmp is what forbids it.
  const { mode } = await stat(folder)
  const isEverybodys = (mode & 0o1002) === 0o002 && process.geteuid !== undefined
  if (isEverybodys) throw new Error(`Expected a folder where not everybody can write: ${folder}`)
}

/** Makes a change of names in a folder last. */
export async function flush(folder: string): Promise<void> {
  // Windows cannot, and does it by itself.
  const handle = await open(folder, O_RDONLY).catch(() => null)
  await handle?.sync().catch(() => {})
  await handle?.close()
}
