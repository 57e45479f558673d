import { DestroyRef, InjectionToken, inject } from '@angular/core'
import { Router } from '@angular/router'
import {
  type AuthFetch,
  createAuthFetch,
  type Denial,
  loginRedirect,
  type ProblemDetails,
  refreshEndpoint,
} from 'relatch'
import { indexedDbStore } from 'relatch/stores/indexeddb'

export const API = new InjectionToken<AuthFetch>('the session', {
  factory: () => {
    const router = inject(Router)
    const api = createAuthFetch({
      refresh: refreshEndpoint({ url: '/token', clientId: 'web' }),
      store: indexedDbStore(),
      onLoginRequired: loginRedirect({
        to: '/login',
        navigate: (url) => router.navigateByUrl(url.slice(location.origin.length)),
      }),
      // What is thrown here rejects the call, and is the error of its resource.
      onPermissionDenied: async (denial) => {
        throw new Denied(denial, await denial.problem())
      },
    })
    inject(DestroyRef).onDestroy(api.dispose)
    return api
  },
})

export class Denied extends Error {
  readonly status = 403
  readonly requiredScopes: readonly string[]

  constructor({ requiredScopes }: Denial, problem: ProblemDetails | null) {
    super(problem?.title ?? 'The API has said no.')
    this.requiredScopes = requiredScopes
  }
}
