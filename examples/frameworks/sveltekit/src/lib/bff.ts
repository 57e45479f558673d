import { createAuthFetch, loginRedirect } from 'relatch'

export const bff = createAuthFetch({
  // Not `baseUrl`: this module runs on the server too, where there is no page yet.
  origins: ({ origin }) => origin === location.origin,
  onLoginRequired: loginRedirect({ to: '/login' }),
})
