/** `/login` and `/refresh` as people write them by hand: JSON in and out, no OAuth errors, and cookies where asked for. */
import { json } from './answers.ts'
import type { Settings } from './auth-server-options.ts'
import type { Caller, Handle } from './caller.ts'
import { faultName } from './faults.ts'
import { readParameters, words } from './parameters.ts'
import type { IssuedTokens } from './sessions.ts'
import type { Endpoints } from './token-endpoint.ts'

export interface HomemadeEndpoints {
  login: Handle
  refresh: Handle
}

/** The cookie that holds the access token under `cookies: 'session'`. */
export const ACCESS_COOKIE = 'access'
const REFRESH_COOKIE = 'refresh'
const REFRESH_PATH = '/refresh'

const refused = (message: string): Response => json({ message }, 401)

export function homemadeEndpoints(
  { accounts, sessions, faults, log }: Endpoints,
  settings: Settings,
): HomemadeEndpoints {
  const { cookies, refreshTokenTtlMs } = settings

  /** Moves into cookies what is to rest there. */
  const hand = (tokens: IssuedTokens, caller: Caller): Response => {
    if (!cookies) return json(tokens)
    const { access_token, refresh_token, ...rest } = tokens
    const maxAgeSeconds = Math.floor(refreshTokenTtlMs / 1000)
    if (refresh_token !== undefined) {
      caller.setCookies.push({ name: REFRESH_COOKIE, value: refresh_token, path: REFRESH_PATH, maxAgeSeconds })
    }
    if (cookies !== 'session') return json({ access_token, ...rest })
    caller.setCookies.push({ name: ACCESS_COOKIE, value: access_token, path: '/', maxAgeSeconds })
    return json(rest)
  }

  const forget = (caller: Caller): void => {
    if (!cookies) return
    caller.setCookies.push({ name: REFRESH_COOKIE, value: '', path: REFRESH_PATH, maxAgeSeconds: 0 })
    caller.setCookies.push({ name: ACCESS_COOKIE, value: '', path: '/', maxAgeSeconds: 0 })
  }

  const refreshWith = (token: string | undefined, rotates: boolean, caller: Caller): Response => {
    if (token === undefined) return refused('No refresh token was sent')
    const { credential, session } = sessions.judgeRefresh(token, null)
    if (credential === 'valid') return hand(sessions.renew(token, { rotates }), caller)
    if (session && credential === 'spent') sessions.detectReuse(session)
    forget(caller)
    return refused('The session is over')
  }

  return {
    async login(request, caller) {
      const parameters = await readParameters(request)
      const fault = faults.take(false)
      const end = log.arrive(request, { kind: 'login', fault: faultName(fault) })
      const outcome = await faults.play(fault, caller.signal, () => {
        const user = parameters?.get('username') ?? ''
        if (!accounts.isPassword(user, parameters?.get('password') ?? '')) return refused('Wrong name or password')
        const acr = words(parameters?.get('acr_values'))[0] ?? null
        const scopes = accounts.scopesOf(user)
        return hand(sessions.start({ user, clientId: null, scopes, acr, authenticatedAt: Date.now() }), caller)
      })
      return end(outcome)
    },
    async refresh(request, caller) {
      const parameters = await readParameters(request)
      const sent = parameters?.get('refreshToken') ?? parameters?.get('refresh_token')
      const token = cookies ? caller.cookies.get(REFRESH_COOKIE) : sent
      const judged = token === undefined ? null : sessions.judgeRefresh(token, null)
      const fault = faults.take(true)
      const end = log.arrive(request, {
        kind: 'refresh',
        credential: judged?.credential ?? 'none',
        session: judged?.session?.id ?? null,
        fault: faultName(fault),
      })
      return end(await faults.play(fault, caller.signal, (rotates) => refreshWith(token, rotates, caller)))
    },
  }
}
