/** The session as a React hook. It subscribes and shows; it never signs in, signs out or fetches. */
import { useSyncExternalStore } from 'react'
import type { AuthSession, SessionSnapshot } from '../index.ts'

const ON_THE_SERVER: SessionSnapshot = Object.freeze({ status: 'signed-out' })

/**
 * The session's snapshot, and a new rendering whenever it changes.
 *
 * On a server, and while its HTML is hydrated, it is signed out: the server does not know what this browser has stored, and the
 * two must agree. Right after that comes what is so.
 *
 * @param authFetch an AuthFetch, or anything else with its `subscribe` and `snapshot`
 * @example
 * function Account() {
 *   const { status, subject } = useAuthSession(api)
 *   return status === 'signed-in' ? `Signed in as ${subject}` : 'Not signed in'
 * }
 */
export function useAuthSession(authFetch: Pick<AuthSession, 'subscribe' | 'snapshot'>): SessionSnapshot {
  return useSyncExternalStore(authFetch.subscribe, authFetch.snapshot, () => ON_THE_SERVER)
}
