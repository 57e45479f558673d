import { error, redirect } from '@sveltejs/kit'
import type { Handle, ServerInit } from '@sveltejs/kit/hooks'
import { createAuthFetch, refreshEndpoint } from 'relatch'
import { cookieSessions } from 'relatch/stores/cookies'
import { API_URL, AUTH_URL, SESSION_SECRET } from '$app/env/private'

let sessions: ReturnType<typeof cookieSessions>

/** Not when the module is loaded: a build loads it too, and has no secrets. */
export const init: ServerInit = () => {
  sessions = cookieSessions({ secret: SESSION_SECRET })
}

export const handle: Handle = ({ event, resolve }) => {
  const { pathname, search } = event.url
  // Of its own route a script wants the API's 401 and 403; a page is led to another one.
  const isPage = !pathname.startsWith('/api/')
  event.locals.api = createAuthFetch({
    baseUrl: API_URL,
    refresh: refreshEndpoint({ url: `${AUTH_URL}/token`, clientId: 'sveltekit' }),
    store: sessions(event.cookies),
    ...(isPage && {
      onPermissionDenied: () => error(403, 'This is not for you'),
      onLoginRequired: () => redirect(303, `/login?returnTo=${encodeURIComponent(pathname + search)}`),
    }),
  })
  return resolve(event)
}
