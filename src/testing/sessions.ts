/**
 * Sessions, and the tokens that belong to each: issue, expiry, rotation, reuse, revocation. A session is a token family
 * (RFC 9700 §4.14.2): a refresh token that comes a second time takes all of it down.
 */
import type { TokenResponse } from '../index.ts'
import type { Settings } from './auth-server-options.ts'
import { mintJwt, mintToken } from './mint.ts'
import type { Counts, CredentialState } from './request-log.ts'

export interface Session {
  /** A short id for logs: `s1`. */
  readonly id: string
  /** The user's name; the client's id where it acts for itself. */
  readonly user: string
  /** null: any client may use it. */
  readonly clientId: string | null
  readonly scopes: readonly string[]
  readonly acr: string | null
  readonly authenticatedAt: number
}

/** What a token endpoint answers, RFC 6749 §5.1. Which members there are depends on the options. */
export interface IssuedTokens extends TokenResponse {
  token_type: 'Bearer'
  expires_in?: number | string
  refresh_token?: string
  scope: string
  id_token?: string
}

export interface Judged {
  credential: CredentialState
  session: Session | null
  /** Of an access token: what it was issued for, which a refresh may have narrowed. */
  scopes: readonly string[]
}

export interface Sessions {
  start(who: Omit<Session, 'id'>, options?: { ttlMs?: number; hasRefreshToken?: boolean }): IssuedTokens
  judgeAccess(token: string): Judged
  /** Only looks; `detectReuse` acts on what it saw. */
  judgeRefresh(token: string, clientId: string | null): Judged
  /** Counts a spent refresh token, and revokes its session where the options say so. */
  detectReuse(session: Session): void
  /** New tokens for a refresh token that was judged valid. */
  renew(token: string, options: { rotates: boolean; scopes?: readonly string[] }): IssuedTokens
  /** RFC 7009: a refresh token takes its session with it, an access token only itself. */
  revokeToken(token: string): void
  revoke(user: string | undefined): void
  expireAccessTokens(user: string | undefined): void
}

interface Family extends Session {
  isRevoked: boolean
  refreshToken: string | undefined
}
interface AccessToken {
  family: Family
  scopes: readonly string[]
  expiresAt: number
  isRevoked: boolean
}
interface RefreshToken {
  family: Family
  expiresAt: number
  spentAt: number | null
}

const UNKNOWN: Judged = { credential: 'unknown', session: null, scopes: [] }

export function createSessions(settings: Settings, counts: Counts): Sessions {
  const families: Family[] = []
  const accessTokens = new Map<string, AccessToken>()
  const refreshTokens = new Map<string, RefreshToken>()
  const belongsTo = (family: Family, user: string | undefined): boolean => user === undefined || family.user === user

  /** `graceMs` counts from the rotation, and 0 is no grace at all. */
  const isSpent = ({ spentAt }: RefreshToken): boolean => spentAt !== null && Date.now() - spentAt >= settings.graceMs

  const issueRefresh = (family: Family): string => {
    const token = mintToken('rt')
    family.refreshToken = token
    refreshTokens.set(token, { family, expiresAt: Date.now() + settings.refreshTokenTtlMs, spentAt: null })
    return token
  }

  const issue = (family: Family, scopes: readonly string[], refreshToken?: string, ttlMs?: number): IssuedTokens => {
    const now = Date.now()
    const lifetimeMs = ttlMs ?? settings.accessTokenTtlMs
    const claims = { sub: family.user, iat: now / 1000, exp: (now + lifetimeMs) / 1000 }
    const isJwt = settings.accessTokenFormat === 'jwt'
    const token = isJwt ? mintJwt({ ...claims, jti: mintToken('at') }) : mintToken('at')
    accessTokens.set(token, { family, scopes, expiresAt: now + lifetimeMs, isRevoked: false })
    const expiresIn = settings.expiresIn === undefined ? lifetimeMs / 1000 : settings.expiresIn
    return {
      access_token: token,
      token_type: 'Bearer',
      ...(expiresIn === null ? {} : { expires_in: expiresIn }),
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
      scope: scopes.join(' '),
      ...(settings.idToken ? { id_token: mintIdToken(settings, family, claims) } : {}),
    }
  }

  return {
    start(who, { ttlMs, hasRefreshToken = true } = {}) {
      const family: Family = { ...who, id: `s${families.length + 1}`, isRevoked: false, refreshToken: undefined }
      families.push(family)
      counts.logins++
      return issue(family, family.scopes, hasRefreshToken ? issueRefresh(family) : undefined, ttlMs)
    },
    judgeAccess(token) {
      const known = accessTokens.get(token)
      if (!known) return UNKNOWN
      const { family: session, scopes } = known
      if (known.isRevoked || session.isRevoked) return { credential: 'revoked', session, scopes }
      return { credential: Date.now() < known.expiresAt ? 'valid' : 'expired', session, scopes }
    },
    judgeRefresh(token, clientId) {
      const known = refreshTokens.get(token)
      const session = known?.family
      if (!known || !session) return UNKNOWN
      const { scopes } = session
      // RFC 6749 §10.4: a refresh token is bound to the client it was issued to.
      if (session.clientId !== null && session.clientId !== clientId) return { credential: 'unknown', session, scopes }
      if (isSpent(known)) return { credential: 'spent', session, scopes }
      if (session.isRevoked) return { credential: 'revoked', session, scopes }
      return { credential: Date.now() < known.expiresAt ? 'valid' : 'expired', session, scopes }
    },
    detectReuse(session) {
      counts.reuses++
      if (settings.reuseDetection) (session as Family).isRevoked = true
    },
    renew(token, { rotates, scopes }) {
      const known = refreshTokens.get(token) as RefreshToken
      const { family } = known
      counts.refreshes++
      const isRotating = rotates && settings.rotation
      // Within its grace a spent token brings the current one, which stays.
      if (isRotating && known.spentAt === null) {
        known.spentAt = Date.now()
        issueRefresh(family)
      }
      return issue(family, scopes ?? family.scopes, isRotating ? family.refreshToken : undefined)
    },
    revokeToken(token) {
      const access = accessTokens.get(token)
      const refresh = refreshTokens.get(token)
      if (access) access.isRevoked = true
      if (refresh) refresh.family.isRevoked = true
    },
    revoke(user) {
      for (const family of families) if (belongsTo(family, user)) family.isRevoked = true
    },
    expireAccessTokens(user) {
      const now = Date.now()
      for (const token of accessTokens.values()) {
        if (belongsTo(token.family, user)) token.expiresAt = Math.min(token.expiresAt, now)
      }
    },
  }
}

function mintIdToken(settings: Settings, session: Session, claims: Record<string, unknown>): string {
  return mintJwt({
    iss: new URL(settings.url).origin,
    aud: session.clientId ?? 'anyone',
    ...claims,
    auth_time: Math.floor(session.authenticatedAt / 1000),
    ...(session.acr === null ? {} : { acr: session.acr }),
  })
}
