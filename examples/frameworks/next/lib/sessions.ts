import { cookieSessions } from 'relatch/stores/cookies'

declare global {
  var appSessions: ReturnType<typeof cookieSessions> | undefined
}

// Next bundles proxy.ts apart from the pages: a module of it is there twice, and both have to know of a rotation.
export const sessions = () => {
  globalThis.appSessions ??= cookieSessions({ secret: process.env.SESSION_SECRET ?? '' })
  return globalThis.appSessions
}
