import { cookies } from 'next/headers'
import { forbidden, unauthorized } from 'next/navigation'
import { cache } from 'react'
import { type AuthFetchOptions, createAuthFetch, refreshEndpoint } from 'relatch'
import type { RequestCookies } from 'relatch/stores/cookies'
import { sessions } from './sessions'

export const apiFor = (cookies: RequestCookies, callbacks: AuthFetchOptions = {}) =>
  createAuthFetch({
    baseUrl: process.env.API_URL,
    refresh: refreshEndpoint({ url: `${process.env.AUTH_URL}/token`, clientId: 'next' }),
    store: sessions()(cookies),
    ...callbacks,
  })

/** For Server Components: one a request, which is what React's `cache` remembers it for. */
export const getApi = cache(async () =>
  apiFor(await cookies(), { onPermissionDenied: forbidden, onLoginRequired: unauthorized }),
)
