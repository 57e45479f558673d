/** The door of relatch/service-worker: re-exports only. */
export type { WorkerOptions } from './connection.ts'
export { type ServeSessionOptions, serveSession } from './serve-session.ts'
export { createWorkerAuthFetch, type WorkerAuthFetch, type WorkerAuthFetchOptions } from './worker-auth-fetch.ts'
