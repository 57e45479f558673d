/** The session in a file, one among all processes that share it. */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { isCode } from '../coordination/file-content.ts'
import { fileJudge } from '../coordination/file-judge.ts'
import { watchFile } from '../coordination/file-watch.ts'
import { judgedLease, type LeaseRecord, leaseLock } from '../coordination/lease.ts'
import { notify } from '../events.ts'
import { expected, ownOptions } from '../option-check.ts'
import type { TokenStore } from '../ports.ts'
import { judgedStore, NOTHING, type SessionRecord, sessionRecords } from './judged.ts'

export interface FileStoreOptions {
  /** The file of the session, for this alone. A relative path is resolved when the store is made. */
  path: string
}

/** Who holds the lock, so that its death can be seen from the same machine. */
interface Holder extends LeaseRecord {
  readonly pid: number
  readonly host: string
}

/** How often who waits for the lock looks whether it is free. */
const LOOK_MS = 40

/**
 * Keeps the session in a file: across restarts, and one among all processes that are given the same path, of one program or of
 * several.
 *
 * The file and what is made beside it while it is written are for the user alone (mode 0600, a new folder 0700); the tokens rest
 * there as plain text. On Windows modes mean nothing: there the folder of the user's profile protects it. Each write makes a new
 * file and puts it in the place of the old one, so that a process which is killed leaves the old session or the new one. A
 * sign-out leaves a file that says so, without a token. `<path>.lock` says who refreshes. Network file systems work; there,
 * changes are seen within a second. A file that is mounted by itself cannot be replaced: mount its folder.
 *
 * @throws TypeError `ERR_INVALID_OPTION`, for a symbolic link or a folder at the path too; `ERR_UNKNOWN_OPTION`
 * @example
 * const store = fileStore({ path: join(homedir(), '.config', 'my-cli', 'session.json') })
 * const api = createAuthFetch({ baseUrl: 'https://api.example', store })
 */
export function fileStore(options: FileStoreOptions): TokenStore {
  const { path: given } = ownOptions(options, ['path'])
  if (typeof given !== 'string' || given === '' || given.includes('\0')) throw expected('path', 'the path of a file')
  if (/^~([/\\]|$)/.test(given)) throw expected('path', 'a path without ~, which only a shell knows: see os.homedir()')
  const path = resolve(given)
  if (path.endsWith('.lock'))
    throw expected('path', 'a path that does not end in .lock, as the lock of another session does')
  refuseForeign(path)
  const judge = fileJudge<SessionRecord>(path, { isDurable: true })
  const locks = fileJudge<Holder>(`${path}.lock`, { isDurable: false })
  return judgedStore(
    judge,
    sessionRecords,
    {
      listen: (hear) =>
        watchFile(path, () => {
          judge.read().then(
            (record) => notify(hear, record?.stamp ?? NOTHING),
            // Whoever reads next finds out why.
            () => notify(hear, 'unreadable'),
          )
        }),
    },
    leaseLock(
      judgedLease(locks, () => ({ pid: process.pid, host: hostId() }), isGone),
      LOOK_MS,
    ),
  )
}

function refuseForeign(path: string): void {
  let stats: ReturnType<typeof lstatSync> | undefined
  try {
    stats = lstatSync(path, { throwIfNoEntry: false })
  } catch {
    // What is wrong there may be right by the time it is used.
  }
  if (stats?.isSymbolicLink()) throw expected('path', 'a file, which a symbolic link is not (S4)')
  if (stats?.isDirectory()) throw expected('path', 'a file, which a folder is not')
}

/** Where process ids mean the same: a machine since it was started, and a container on it. */
function hostId(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

function isGone({ host, pid }: Holder): boolean {
  if (host !== hostId() || !Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return isCode(error, 'ESRCH')
  }
}
