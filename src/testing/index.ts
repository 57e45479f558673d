/** `relatch/testing`: what tests of and with relatch stand on. Re-exports only. */
export type { Outcome } from './answers.ts'
export { type AuthServer, createAuthServer, type SignInOptions } from './auth-server.ts'
export type { AuthServerOptions, ClientOptions, StepUpOptions, UserOptions } from './auth-server-options.ts'
export type { Outage, RefreshFault } from './faults.ts'
export type { ListeningServer } from './listen.ts'
export type {
  AuthServerStats,
  CredentialState,
  Grant,
  RequestKind,
  SeenFilter,
  SeenRequest,
} from './request-log.ts'
export type { RouteContext, RouteHandler, RouteOptions } from './route.ts'
export type { IssuedTokens } from './sessions.ts'
export { describeTokenStore, type StoreUnderTest, type TestRunner } from './token-store-contract.ts'
