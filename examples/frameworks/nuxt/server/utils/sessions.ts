import { cookieSessions } from 'relatch/stores/cookies'

/** One for the process: it is where requests of one browser, each with the same old cookie, find each other. */
export const sessions = cookieSessions({ secret: useRuntimeConfig().sessionSecret })
