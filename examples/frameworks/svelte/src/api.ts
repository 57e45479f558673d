import { createAuthFetch, type Denial, loginRedirect, type ProblemDetails, refreshEndpoint } from 'relatch'
import { indexedDbStore } from 'relatch/stores/indexeddb'
import { go } from './router.svelte.ts'

export const api = createAuthFetch({
  refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
  store: indexedDbStore(),
  onLoginRequired: loginRedirect({ to: '/login', navigate: go }),
  // What is thrown here rejects the call, and then the promise: {:catch} shows it.
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

export async function load<T>(path: string, init?: RequestInit): Promise<T> {
  const response = await api(path, init)
  if (!response.ok) throw new Error(`The API has answered ${response.status}`)
  return response.json()
}
