/** The OAuth endpoints: `/token` (RFC 6749) and `/revoke` (RFC 7009). */
import type { Accounts, Client } from './accounts.ts'
import { invalidClient, json, oauthError } from './answers.ts'
import type { Handle } from './caller.ts'
import { type Faults, faultName } from './faults.ts'
import { readParameters, words } from './parameters.ts'
import type { Grant, RequestLog } from './request-log.ts'
import type { Sessions } from './sessions.ts'

export interface Endpoints {
  accounts: Accounts
  sessions: Sessions
  faults: Faults
  log: RequestLog
}

type Parameters = ReadonlyMap<string, string>
/** Who calls: an id that need not be known to anyone, and the client behind it where there is one. */
type Caller = { id: string | null; client: Client | null }

const GRANTS: readonly string[] = ['password', 'refresh_token', 'client_credentials'] satisfies Grant[]
const isGrant = (value: string | undefined): value is Grant => value !== undefined && GRANTS.includes(value)

export function tokenEndpoint({ accounts, sessions, faults, log }: Endpoints): Handle {
  const grants: Record<Grant, (parameters: Parameters, caller: Caller, rotates: boolean) => Response> = {
    /** Long gone from OAuth (RFC 9700 §2.4): here so that a test can sign in with one request. */
    password(parameters, { id }) {
      const user = parameters.get('username') ?? ''
      if (!accounts.isPassword(user, parameters.get('password') ?? '')) {
        return oauthError('invalid_grant', 'Wrong name or password')
      }
      const scopes = grantable(parameters, accounts.scopesOf(user))
      if (scopes === null) return oauthError('invalid_scope')
      const acr = words(parameters.get('acr_values'))[0] ?? null
      return json(sessions.start({ user, clientId: id, scopes, acr, authenticatedAt: Date.now() }))
    },
    refresh_token(parameters, { id }, rotates) {
      const token = parameters.get('refresh_token')
      if (token === undefined) return oauthError('invalid_request', '`refresh_token` is missing')
      const { credential, session } = sessions.judgeRefresh(token, id)
      if (session && credential === 'spent') sessions.detectReuse(session)
      if (!session || credential !== 'valid') return oauthError('invalid_grant', `The refresh token is ${credential}`)
      const scopes = grantable(parameters, session.scopes)
      return scopes === null ? oauthError('invalid_scope') : json(sessions.renew(token, { rotates, scopes }))
    },
    client_credentials(parameters, { client }) {
      if (client?.secret === undefined) return oauthError('unauthorized_client', 'A client with a secret is needed')
      const scopes = grantable(parameters, client.scopes)
      if (scopes === null) return oauthError('invalid_scope')
      const who = { user: client.id, clientId: client.id, scopes, acr: null, authenticatedAt: Date.now() }
      // RFC 6749 §4.4.3: no refresh token.
      return json(sessions.start(who, { hasRefreshToken: false }))
    },
  }

  return async (request, { signal }) => {
    const parameters = await readParameters(request)
    const grant = parameters?.get('grant_type')
    const isRefresh = grant === 'refresh_token'
    const caller = parameters && authenticate(request, parameters, accounts)
    const refreshToken = isRefresh ? parameters?.get('refresh_token') : undefined
    const judged = refreshToken === undefined ? null : sessions.judgeRefresh(refreshToken, caller?.id ?? null)
    const fault = faults.take(isRefresh)
    const end = log.arrive(request, {
      kind: isRefresh ? 'refresh' : 'token',
      grant: isGrant(grant) ? grant : null,
      credential: judged?.credential ?? 'none',
      session: judged?.session?.id ?? null,
      fault: faultName(fault),
    })
    const outcome = await faults.play(fault, signal, (rotates) => {
      if (parameters === null || grant === undefined)
        return oauthError('invalid_request', 'Expected a form with `grant_type`')
      if (caller === null) return invalidClient(request.headers.has('authorization'))
      return isGrant(grant) ? grants[grant](parameters, caller, rotates) : oauthError('unsupported_grant_type')
    })
    return end(outcome)
  }
}

/** RFC 7009: 200 for a token that nobody knows, too. */
export function revocationEndpoint({ accounts, sessions, faults, log }: Endpoints): Handle {
  return async (request, { signal }) => {
    const parameters = await readParameters(request)
    const fault = faults.take(false)
    const end = log.arrive(request, { kind: 'revoke', fault: faultName(fault) })
    const outcome = await faults.play(fault, signal, () => {
      const token = parameters?.get('token')
      if (parameters === null || token === undefined)
        return oauthError('invalid_request', 'Expected a form with `token`')
      if (authenticate(request, parameters, accounts) === null)
        return invalidClient(request.headers.has('authorization'))
      sessions.revokeToken(token)
      return new Response(null, { headers: { 'cache-control': 'no-store' } })
    })
    return end(outcome)
  }
}

/** RFC 6749 §2.3.1: by HTTP Basic, or in the body; null where the client is unknown or its secret wrong. */
function authenticate(request: Request, parameters: Parameters, accounts: Accounts): Caller | null {
  const basic = readBasic(request.headers.get('authorization'))
  const id = basic?.id ?? parameters.get('client_id') ?? null
  const secret = basic?.secret ?? parameters.get('client_secret')
  const client = accounts.client(id)
  if (client === 'anyone') return { id, client: null }
  return client === null || (client.secret !== undefined && client.secret !== secret) ? null : { id, client }
}

/** Id and secret are form-encoded inside of the base64. */
function readBasic(header: string | null): { id: string; secret: string } | null {
  const [, encoded = ''] = /^basic +([\w+/=-]+)$/i.exec(header ?? '') ?? []
  try {
    const [, id, secret] = /^([^:]+):(.*)$/s.exec(atob(encoded)) ?? []
    if (id === undefined || secret === undefined) return null
    const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '))
    return { id: decode(id), secret: decode(secret) }
  } catch {
    return null
  }
}

/** What was asked for if all of it may be had, all that may be had if nothing was asked for; else null. */
function grantable(parameters: Parameters, allowed: readonly string[]): readonly string[] | null {
  const asked = words(parameters.get('scope'))
  if (asked.length === 0) return allowed
  return asked.every((scope) => allowed.includes(scope)) ? asked : null
}
