import { createPath, data } from 'react-router'
import { createAuthFetch, loginRedirect, refreshEndpoint } from 'relatch'
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { router } from './router.tsx'

export const api = createAuthFetch({
  refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
  store: indexedDbStore(),
  onLoginRequired: loginRedirect({
    to: '/login',
    // The URL changes when the loaders are done: until then the way back leads to where the user is going.
    from: () => createPath(router.state.navigation.location ?? router.state.location),
    // flushSync: a form's `action` is a transition, and others wait for it, while it waits for the login.
    navigate: (url) => router.navigate(url.slice(location.origin.length), { flushSync: true }),
  }),
  // What is thrown here rejects the call, and then the loader: the errorElement shows it.
  onPermissionDenied: async ({ problem, requiredScopes }) => {
    throw data({ problem: await problem(), requiredScopes }, { status: 403 })
  },
})

/** For loaders and actions: the JSON of an answer, or the errorElement. */
export async function load<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await api(path, init)
  if (!response.ok) throw response
  return response.json()
}
