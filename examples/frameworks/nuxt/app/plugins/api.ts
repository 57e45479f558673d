import { type AuthFetch, type AuthFetchOptions, createAuthFetch } from 'relatch'

/** `$api('me')`: while the server renders, the API with the session of the request; in a browser, this app's own route. */
export default defineNuxtPlugin((nuxtApp) => {
  const { currentRoute } = useRouter()
  const callbacks: AuthFetchOptions = {
    async onLoginRequired() {
      const login = { path: '/login', query: { returnTo: currentRoute.value.fullPath } }
      await nuxtApp.runWithContext(() => navigateTo(login))
    },
    async onPermissionDenied() {
      await nuxtApp.runWithContext(() => showError({ statusCode: 403, statusMessage: 'This is not for you' }))
    },
  }
  const event = useRequestEvent()
  const api: AuthFetch = event ? event.context.api(callbacks) : createAuthFetch({ baseUrl: '/api/', ...callbacks })
  return { provide: { api } }
})
