/** The public door: re-exports only. */
export { type AuthFetch, createAuthFetch } from './auth-fetch.ts'
export type { AuthSession } from './auth-session.ts'
export { onAuthWait } from './coordination/patience.ts'
export { AuthError, type AuthErrorCode, type AuthErrorDetails, isAuthError } from './errors.ts'
export type { AuthEvents, RequestStage } from './events.ts'
export { type Challenge, parseChallenges } from './http/challenge.ts'
export { jwtExpiresAt } from './http/jwt.ts'
export { type LoginRedirectOptions, loginRedirect } from './login/redirect.ts'
export { type ReturnToOptions, safeReturnTo } from './login/return-to.ts'
export type { AuthFetchOptions } from './options.ts'
export { authFailureOf } from './pipeline/failures.ts'
export type {
  AuthScheme,
  Cure,
  Denial,
  LockOptions,
  LoginNeed,
  LoginResult,
  ProblemDetails,
  RefreshContext,
  Refresher,
  RefreshReason,
  RequestSummary,
  SchemeRefresh,
  SchemeRequest,
  SessionSnapshot,
  StepUpNeed,
  TokenStore,
  Verdict,
} from './ports.ts'
export { type RefreshEndpointOptions, refreshEndpoint } from './refreshers/refresh-endpoint.ts'
export { retryUnlessAuth } from './retry-unless-auth.ts'
export { bearer } from './schemes/bearer.ts'
export { memoryStore } from './stores/memory.ts'
export { type StoredSession, type TokenResponse, type TokenSet, tokensFromResponse } from './tokens.ts'
