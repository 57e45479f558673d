/**
 * What a server does for each of those who ask it, with one AuthFetch for all of them at module scope: `Context.ask`. In workerd
 * each job runs in a request of its own, whose promises and timers end with it.
 */
import { type AuthFetch, createAuthFetch, refreshEndpoint } from 'relatch'
import type { Places } from './world.ts'

type Job = (places: Places, key: string, signal?: AbortSignal) => Promise<string>

/** The instances of this worker, by world: what a module-level constant would be to an app. */
const shared = new Map<string, AuthFetch>()

function sharedApi({ home }: Places, key: string): AuthFetch {
  const id = `${home}/${key}/`
  const known = shared.get(id)
  if (known) return known
  const refresh = refreshEndpoint({ url: `${id}token`, clientId: 'web' })
  const api = createAuthFetch({ baseUrl: id, refresh, refreshRetries: 0, refreshTimeoutMs: 1500 })
  shared.set(id, api)
  return api
}

export const JOBS: Readonly<Record<string, Job>> = {
  /** Signs in with what the world's control gives. */
  async signIn(places, key) {
    const body = JSON.stringify({ key, call: 'signIn', args: ['viewer', {}] })
    const answer = await fetch(`${places.control}/`, { method: 'POST', body })
    const { value } = (await answer.json()) as { value: { access_token: string } }
    await sharedApi(places, key).signIn(value)
    return 'signed in'
  },
  /** A status, or the code or name of what went wrong. */
  async me(places, key, signal) {
    try {
      const response = await sharedApi(places, key)('me', signal ? { signal } : {})
      await response.arrayBuffer()
      return String(response.status)
    } catch (error) {
      const { code, name } = error as { code?: string; name: string }
      return code ?? name
    }
  },
}
