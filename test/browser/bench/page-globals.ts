/** What pages/kit.js, and pages/stranger.js, put on the global object of a page: for the functions that tests run in there. */
import type { AuthEvents, AuthFetch, AuthFetchOptions, SessionSnapshot } from '../../../src/index.ts'
import type { OAuthClient } from '../../../src/oauth/index.ts'
import type { WorkerAuthFetchOptions } from '../../../src/service-worker/index.ts'
import type { AppSettings } from './oauth-app.ts'
import type { StoreName } from './stores.ts'

type Relatch = typeof import('../../../src/index.ts') &
  typeof import('../../../src/stores/indexeddb.ts') &
  typeof import('../../../src/stores/shared-tabs.ts') &
  typeof import('../../../src/stores/web-storage.ts')

export type Heard = { event: keyof AuthEvents; at: number } & Record<string, unknown>

declare global {
  /** Everything that the package exports. */
  var relatch: Relatch
  /** The session that `openSession` made. */
  var api: AuthFetch
  /** What `api` has told since, and when. */
  var heard: Heard[]
  var hearing: (event: keyof AuthEvents) => Promise<Heard>
  var openSession: (store: StoreName, options?: AuthFetchOptions) => void
  var openWorkerSession: (options?: Partial<WorkerAuthFetchOptions>) => void
  var statusesOf: (count: number, path?: string) => Promise<Array<number | string>>
  var statusIs: (status: SessionSnapshot['status']) => Promise<void>
  var expiry: () => Promise<void>
  var prepare: (task: () => Promise<unknown>) => void
  var countLooks: (channel: string) => void
  var looks: Promise<number>
  var dumpStorage: () => Promise<string>
  /** What became of the task that was prepared. */
  var outcome: Promise<unknown>

  // In the pages of pages/stranger.js instead:
  var overhear: (channel: string) => void
  var overheard: () => string[]
  var forge: (channel: string, count: number) => Promise<number>
  var forgeNewer: () => void

  // In the pages of pages/oauth.js instead, with `api` and `outcome`:
  var settings: AppSettings
  var oauth: OAuthClient
  var returned: Promise<string | null>
  var parked: Promise<unknown>
  var inClick: (task: () => Promise<unknown>) => void
  var statusOf: (path: string, init?: RequestInit) => Promise<number | string>

  // With pages/cookies.js:
  var begin: () => Promise<void>
  var sent: (
    where: 'cookie' | 'meta',
    path: string,
    init?: RequestInit,
  ) => Promise<[status: number | string, reason?: string | null]>

  // In the page of docs/service-worker.md, with `api`:
  var signIn: (username: string, password: string) => Promise<boolean>

  // With pages/thief.js:
  var ways: string[]
  var steal: (way: string) => Promise<string>
  var signInFromObject: () => Promise<string>

  // With pages/bodies.js:
  var post: (kind: string) => Promise<{ status: number; sent: unknown; received: unknown }>
}
