import { createAuthFetch, type Denial, loginRedirect, type ProblemDetails, refreshEndpoint } from 'relatch'
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { router } from './router.tsx'

export const api = createAuthFetch({
  refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
  store: indexedDbStore(),
  onLoginRequired: loginRedirect({
    to: '/login',
    navigate: (href) => router.navigate({ href: href.slice(location.origin.length) }),
  }),
  // What is thrown here rejects the call, and then the loader: the errorComponent shows it.
  onPermissionDenied: async (denial) => {
    throw new Denied(denial, await denial.problem())
  },
})

export class Denied extends Error {
  readonly requiredScopes: readonly string[]

  constructor({ requiredScopes }: Denial, problem: ProblemDetails | null) {
    super(problem?.title ?? 'The API has said no.')
    this.requiredScopes = requiredScopes
  }
}

/** For loaders: the JSON of an answer, or the errorComponent. */
export async function load<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await api(path, init)
  if (!response.ok) throw new Error(`The API has answered ${response.status}`)
  return response.json()
}
