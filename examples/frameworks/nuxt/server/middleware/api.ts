import { type AuthFetch, type AuthFetchOptions, createAuthFetch, refreshEndpoint } from 'relatch'

declare module 'h3' {
  interface H3EventContext {
    /** The API with the session of this request. */
    api: (callbacks?: Pick<AuthFetchOptions, 'onLoginRequired' | 'onPermissionDenied'>) => AuthFetch
  }
}

export default defineEventHandler((event) => {
  const { apiUrl, authUrl } = useRuntimeConfig(event)
  const store = sessions({
    get: (name) => getCookie(event, name),
    set: (name, value, attributes) => setCookie(event, name, value, attributes),
  })
  const refresh = refreshEndpoint({ url: `${authUrl}/token`, clientId: 'nuxt' })
  event.context.api = (callbacks = {}) => {
    // `swr` or `cache` in routeRules: what one visitor sees would be everybody's.
    if (event.context.cache) throw createError({ statusCode: 500, message: 'A page with a session cannot be cached' })
    return createAuthFetch({ baseUrl: `${apiUrl}/`, refresh, store, ...callbacks })
  }
})
