/** Logging in, as a login form does it: one POST with name and password. */
import type { TokenResponse } from 'relatch'
import type { UserName } from '../contract.ts'

/** @throws Error with a sentence for the person who signs in */
export async function logIn(username: UserName, acrValues: readonly string[] = []): Promise<TokenResponse> {
  const body = new URLSearchParams({ username, password: username, acr_values: acrValues.join(' ') })
  const response = await fetch('/login', { method: 'POST', body })
  if (response.ok) return response.json()
  throw new Error(
    response.status === 503
      ? 'The auth server is down (503): nobody can sign in now.'
      : `It answered ${response.status}.`,
  )
}
