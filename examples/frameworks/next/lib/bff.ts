import { createAuthFetch, loginRedirect } from 'relatch'

export const bff = createAuthFetch({
  // Not `baseUrl`: Next loads this module on the server too, where there is no page yet.
  origins: ({ origin }) => origin === location.origin,
  onLoginRequired: loginRedirect({ to: '/login' }),
})
