/** The door of `relatch/oauth`: re-exports only. */
export type { SignInOptions } from './authorization.ts'
export { type OAuthClient, oauthClient } from './client.ts'
export type { DeviceCode } from './device.ts'
export type { OAuthClientOptions } from './options.ts'
export type { AuthorizationServer, ClientAuth } from './protocol.ts'
export * from './resource-metadata.ts'
export type { SessionOfApp, SignedOut, SignOutOptions } from './sign-out.ts'
