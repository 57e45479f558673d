// Sessions in cookies, as a page has them: one whose CSRF token is in a cookie, one whose token is in the page.
import { authFailureOf, createAuthFetch, refreshEndpoint } from 'relatch'
import { cookie } from 'relatch/schemes/cookie'

const session = (csrf) =>
  createAuthFetch({
    scheme: cookie({ csrf }),
    refresh: refreshEndpoint({ url: '/renew', credentials: 'include' }),
    refreshRetries: 0,
  })
const sessions = {
  cookie: session({ cookie: 'XSRF-TOKEN', header: 'x-xsrf-token' }),
  meta: session({ meta: 'csrf-token', header: 'x-xsrf-token' }),
}

/** A new session, which both know of: where nobody is signed in, the first call would ask the refresher before it is sent. */
globalThis.begin = async () => {
  await fetch('/session', { method: 'POST' })
  for (const each of Object.values(sessions)) await each.signIn(true)
}

/** The status of a call, or the name of its error; and why it was denied, if it was. */
globalThis.sent = (where, path, init) =>
  sessions[where](path, init).then(
    (response) => [response.status, authFailureOf(response)?.reason ?? null],
    (error) => [error.name],
  )
