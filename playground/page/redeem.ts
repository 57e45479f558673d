/** Back from the login page: the code in the URL becomes a session, and leaves the URL at once. */
import { type AuthSession, isAuthError, type TokenResponse } from 'relatch'
import { REDEEM } from '../contract.ts'
import { post } from './control.ts'

/** @returns what went wrong, where something did */
export async function redeemCode(api: AuthSession): Promise<string | undefined> {
  const url = new URL(location.href)
  const code = url.searchParams.get('code')
  if (code === null) return
  url.searchParams.delete('code')
  history.replaceState(null, '', url)
  try {
    await api.signIn(await post<TokenResponse>(REDEEM, { code }))
  } catch (error) {
    return isAuthError(error) ? 'This code was used before.' : 'The server does not answer.'
  }
  return undefined
}
