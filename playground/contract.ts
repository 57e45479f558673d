/** What the page and the server of the playground say to each other under /control. */
import type { SeenRequest } from 'relatch/testing'

export type UserName = 'viewer' | 'admin'

/** What can be broken at the server, each as it is now. */
export interface Switches {
  down: boolean
  slow: boolean
  rejectAll: boolean
  rotation: boolean
  reuseDetection: boolean
}

export type Roles = Record<UserName, readonly string[]>

export type Action =
  | { do: 'switch'; name: keyof Switches; isOn: boolean }
  | { do: 'heal' | 'expire' | 'revoke' | 'reset' }
  | { do: 'roles'; user: UserName; isAdmin: boolean }
  | { do: 'code'; user: UserName }

/** Where the pages are whose session a service worker has: one that controlled the others would keep their tokens from them. */
export const WORKER_SCOPE = '/service-worker/'

/** Where a code becomes tokens. */
export const REDEEM = '/control/redeem'

/** Requests that the server saw and answered alike. */
export interface SeenLine extends Pick<SeenRequest, 'method' | 'path' | 'kind' | 'credential'> {
  count: number
  status: number
}

/** Of the API and the auth server; neither the page's own files nor /control count. */
export interface Counts {
  requests: number
  unauthorized: number
  forbidden: number
  refreshes: number
  refreshAttempts: number
  reuses: number
  logins: number
}

export interface PlaygroundState {
  counts: Counts
  switches: Switches
  roles: Roles
  /** The number of the last request so far: what is seen later is asked for with `?since=`. */
  last: number
  lines: SeenLine[]
}
